"""``cdc connectors init`` for a DSN that begins with ``mariadb://``: the same files, from MariaDB's catalog."""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from pathlib import Path

import click
import pymysql
from cryptography import x509
from cryptography.hazmat.primitives.serialization import NoEncryption, pkcs12

from cdc.cli.connectors.enrolment import Enrolment, chosen
from cdc.cli.connectors.telling import short, tell
from cdc.cli.source_files import Login, Places, read_secret, stamped, write
from cdc.config import Config
from cdc.errors import ConfigError, Conflict
from connectors import definition as definitions
from connectors import mariadb_address, mariadb_check, mariadb_proposal
from connectors import mariadb_inventory as inventories
from connectors.check import demand_fit
from connectors.definition import Definition
from connectors.errors import SourceUnfit
from connectors.mariadb_inventory import Inventory
from connectors.preparation_run import paragraphs
from connectors.proposal import Address

_HINTS = {1044: "root runs it", 1045: "root runs it", 1227: "root runs it"}
"""Access denied, in MariaDB's error numbers."""


def init(
    settings: Config, name: str, dsn: str, schemas: Sequence[str], role: str | None, where: Places,
    *, apply_sql: bool, force: bool,
) -> None:  # fmt: skip
    """Do what the command does.

    Raises:
        Conflict: the name stands for another database, the account's password is not known, no binary log is kept.
        ConfigError: a file or option is wrong.
        ConnectorError: the server cannot be read, captured or prepared.
    """
    with mariadb_check.connect(dsn, "the database") as connection, connection.cursor() as cursor:
        inventory = inventories.read(cursor)
        if apply_sql and not inventory.server.log_bin:
            raise Conflict(
                "the server keeps no binary log: nothing can be captured, so nothing was written or run",
                hint="log-bin in the server's option file, restart it, then this again",
            )
        enrolment = _enrol(settings, name, dsn, where, inventory, schemas, role, force=force)
        write(enrolment.files)
        tell(enrolment)
        _tell_of_kafka(settings, enrolment.definition)
        if apply_sql:
            click.echo(mariadb_proposal.masked(enrolment.sql))
            count = _run(cursor, enrolment.sql, short(where.sql))
            click.echo(f"{name}: {count} paragraphs of {short(where.sql)} done", err=True)
    if apply_sql:
        for finding in demand_fit(enrolment.definition, enrolment.login.dsn):
            click.echo(f"{name}: warning: {finding.problem}", err=True)
        click.echo(f"{name}: the database is fit to be captured", err=True)
    else:
        if not inventory.server.log_bin:
            click.echo(f"{name}: warning: the server keeps no binary log; it must have log-bin first", err=True)
        click.echo(f"  → as root: mariadb < {short(where.sql)}", err=True)
        click.echo(f"    (or cdc connectors init {name} --apply-sql)", err=True)
    click.echo(f"  → cdc policy init {name}", err=True)


def _tell_of_kafka(settings: Config, definition: Definition) -> None:
    """The connector's own clients of Kafka know nothing of how its worker gets in, and nobody here does either."""
    protocol = settings.kafka.get("security.protocol", "PLAINTEXT").upper()
    history = "schema.history.internal"
    if protocol != "PLAINTEXT" and f"{history}.producer.security.protocol" not in dict(definition.settings):
        name = definition.name
        click.echo(
            f"{name}: warning: Kafka is reached by {protocol}: the definition must say so for its table history too"
            f" (settings: {history}.producer.… and consumer.…; docs/security.md, Kafka Connect)",
            err=True,
        )


def _enrol(
    settings: Config, name: str, dsn: str, where: Places, inventory: Inventory, schemas: Sequence[str],
    role: str | None, *, force: bool,
) -> Enrolment:  # fmt: skip
    database = mariadb_address.parse(dsn).database
    named = tuple(schemas) or ((database,) if database else ())
    if not named:
        raise ConfigError("the DSN names no database", hint="mariadb://USER:PASSWORD@HOST:PORT/DATABASE, or --schema")
    login, ours = _login(settings, name, dsn, where, inventory, database or named[0], role, force=force)
    store = None if login.sslrootcert is None else trust_store(Path(login.sslrootcert))
    text, definition, left_out = _definition(name, where, inventory, login, named, force=force)
    captured = inventories.demand_captured(inventory.relations, definition)
    sql = stamped(mariadb_proposal.preparation(name, login.user, login.password if ours else None))
    files, kept, sql = chosen(name, where, login, text, sql, force=force)
    if store is not None and (force or not where.truststore.exists()):
        files = {where.truststore: store, **files}
    return Enrolment(files, kept, definition, len(captured), left_out, login, sql)


def _login(
    settings: Config, name: str, dsn: str, where: Places, inventory: Inventory, database: str, role: str | None,
    *, force: bool,
) -> tuple[Login, bool]:  # fmt: skip
    """The login, and whether the SQL sets its password: always for an account of ours, never for another's."""
    address = mariadb_address.parse(dsn)
    host, port = address.host, str(address.port)
    held = read_secret(where.secret)
    if held and not force and (held["host"], held["port"], held["dbname"]) != (host, port, database):
        raise Conflict(
            f"{name} is database {held['dbname']} at {held['host']}:{held['port']} already ({where.secret})",
            hint="choose another NAME, or --force to point it to the new place",
        )
    user = role or held.get("user") or f"cdc_{name}"
    given = os.environ.get("CDC_CONNECTOR_PASSWORD")
    known = held["password"] if held.get("user") == user else None
    password = (given or known) if force else (known or given)
    ours = user == f"cdc_{name}" or user not in inventory.server.users
    if password is None and user in inventory.server.users and not (force and ours):
        raise Conflict(
            f"account {user} exists, and its password is not known here",
            hint="put it in $CDC_CONNECTOR_PASSWORD, or name another account with --role"
            + (", or give it a new one with --force" if ours else ""),
        )
    root = None if address.sslrootcert is None else str(address.sslrootcert.absolute())
    servers = settings.kafka["bootstrap.servers"]
    password = password or secrets.token_hex(24)
    login = Login(host, port, database, user, password, address.sslmode, root, kind="mariadb", servers=servers)
    return login, ours


def _definition(
    name: str, where: Places, inventory: Inventory, login: Login, schemas: Sequence[str], *, force: bool
) -> tuple[str, Definition, tuple[str, ...]]:
    """The text, what it says, and which tables it leaves out, with reasons. One that exists is the truth."""
    if where.definition.exists() and not force:
        definition = definitions.load(where.definition)
        if (definition.name, definition.kind) != (name, "mariadb"):
            raise Conflict(
                f"{where.definition}: it is about {definition.name} ({definition.kind})", hint="mend it, or --force"
            )
        return where.definition.read_text(encoding="utf-8"), definition, ()
    proposed = mariadb_proposal.propose(inventory, schemas)
    server_id = inventory.server.server_id
    while server_id == inventory.server.server_id:
        server_id = 100_000_000 + secrets.randbelow(4_000_000_000)
    store = None if login.sslrootcert is None else str(where.truststore.absolute())
    text = mariadb_proposal.text(proposed, name, Address(login.database, login.sslmode, store), server_id)
    return text, definitions.parse(text, where.definition), proposed.left_out


def trust_store(pem: Path) -> bytes:
    """The certificates of a PEM file as PKCS #12 for Java, without a password: there is no secret in it.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        found = x509.load_pem_x509_certificates(pem.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigError(f"{pem}: {getattr(error, 'strerror', None) or 'no certificate in it'}") from None
    named = [pkcs12.PKCS12Certificate(each, f"ca-{number}".encode()) for number, each in enumerate(found, 1)]
    return pkcs12.serialize_java_truststore(named, NoEncryption())


def _run(cursor: pymysql.cursors.Cursor, sql: str, file: str) -> int:
    found = paragraphs(sql)
    for number, paragraph in enumerate(found, 1):
        try:
            cursor.execute(paragraph)
        except pymysql.err.MySQLError as error:
            raise SourceUnfit(
                f"{file}: paragraph {number}: MariaDB error {error.args[0]}",
                hint=_HINTS.get(error.args[0], "mend it and run it again"),
            ) from None
    return len(found)

"""What running clusters need before anything can be captured: databases, roles, schemas, secrets, the configuration."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection as Connection  # noqa: N812

from cdc.errors import ConfigError, Unreachable
from cdc.local.addresses import MARIADB, SOURCES, Addresses, Choices
from cdc.local.part import Report
from cdc.local.private_file import private_folder, write_private
from cdc.local.stack_config import configuration
from cdc.warehouse.migrate import migrate, sql_folder
from governance.setup import set_up

WAREHOUSE_ROLES = {"cdc_replicator": "warehouse", "cdc_auditor": "warehouse", "cdc_privacy": "privacy"}
"""Login role → the one database that it may connect to."""


def source_databases(admin_dsn: str, choices: Choices) -> None:
    """Create PostgreSQL's source databases and Debezium's role, which may read the log (REPLICATION), owns nothing."""
    with _connected(admin_dsn) as connection:
        _ensure_role(connection, "debezium", choices.passwords["debezium"], "REPLICATION")
        for name in SOURCES:
            if name != "portfolio" or choices.portfolio == "postgres":
                _ensure_database(connection, name)


def warehouse_databases(admin_dsn: str, choices: Choices) -> None:
    """Create the warehouse's databases and login roles. What the roles may do there is the migrations' business."""
    with _connected(admin_dsn) as connection:
        for role, database in WAREHOUSE_ROLES.items():
            _ensure_role(connection, role, choices.passwords[role])
            _ensure_database(connection, database)
            with connection.cursor() as cursor:
                names = {"database": sql.Identifier(database), "role": sql.Identifier(role)}
                cursor.execute(sql.SQL("REVOKE ALL ON DATABASE {database} FROM PUBLIC").format(**names))
                cursor.execute(sql.SQL("GRANT CONNECT ON DATABASE {database} TO {role}").format(**names))


def source_schemas(addresses: Addresses, report: Report) -> None:
    """Run ``sql/source/<database>/*.sql`` in the order of their names, once: all of them or none.

    The database's comment remembers that they ran and their digest: a table of ours would be captured.

    Raises:
        ConfigError: a statement fails; the message names the file and the SQLSTATE.
    """
    for name, address in addresses.sources.items():
        if address.kind != "postgres":
            continue
        files = sorted((sql_folder() / "source" / name).glob("*.sql"))
        digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]
        with _connected(address.admin_dsn) as connection, connection.cursor() as cursor:
            cursor.execute(
                "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = current_database()"
            )
            (comment,) = cursor.fetchone() or (None,)
            if files and not comment:
                _run(connection, files, name, f"cdc local: schema {digest}")
                report(f"source: {name} has its {len(files)} schema files")
            elif files and comment != f"cdc local: schema {digest}":
                report(f"source: {name} has an older schema than sql/source/{name} (cdc local reset starts anew)")


def _run(connection: Connection, files: list[Path], database: str, comment: str) -> None:
    connection.autocommit = False
    with connection, connection.cursor() as cursor:
        for file in files:
            try:
                cursor.execute(file.read_text())
            except psycopg2.Error as error:
                line = error.diag.statement_position
                raise ConfigError(
                    f"{file}: SQLSTATE {error.pgcode} at character {line or '?'}: {error.diag.message_primary}"
                ) from None
        cursor.execute(sql.SQL("COMMENT ON DATABASE {} IS {}").format(sql.Identifier(database), sql.Literal(comment)))


def warehouse_schemas(addresses: Addresses, state: Path, report: Report) -> None:
    """Migrate the warehouse and the privacy store, and make the keyring if there is none."""
    applied = migrate(addresses.warehouse_admin_dsn)
    if applied:
        report(f"warehouse: {len(applied)} migrations applied")
    if set_up(addresses.privacy_admin_dsn, state / "keyring.json").keyring_created:
        report("keyring: keyring.json made")


def secrets_and_configuration(state: Path, addresses: Addresses, choices: Choices) -> None:
    """Write ``cdc.toml``, and one properties file per source for Connect's FileConfigProvider. Unchanged files stay."""
    folder = private_folder(state / "secrets")
    files: Mapping[Path, str] = {
        state / "cdc.toml": configuration(addresses, state),
        **{folder / f"{name}.properties": _secret(addresses, choices, name) for name in addresses.sources},
    }
    for path, text in files.items():
        if not path.exists() or path.read_text() != text:
            write_private(path, text)


def _secret(addresses: Addresses, choices: Choices, database: str) -> str:
    if addresses.sources[database].kind == MARIADB:
        return (
            f"host=127.0.0.1\nport={choices.ports[MARIADB]}\nuser=cdc_capture\n"
            f"password={choices.passwords['mariadb_capture']}\nbootstrap_servers={addresses.bootstrap_servers}\n"
        )
    return (
        f"host=127.0.0.1\nport={addresses.source_port}\ndbname={database}\n"
        f"user=debezium\npassword={choices.passwords['debezium']}\n"
    )


@contextlib.contextmanager
def _connected(dsn: str) -> Iterator[Connection]:
    try:
        connection = psycopg2.connect(dsn, connect_timeout=10)
    except psycopg2.OperationalError:
        raise Unreachable("a cluster of the local stack does not answer", hint="cdc local status") from None
    connection.autocommit = True
    try:
        yield connection
    finally:
        connection.close()


def _ensure_role(connection: Connection, name: str, password: str, *options: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT FROM pg_roles WHERE rolname = %s AND rolcanlogin", (name,))
        if cursor.fetchone() is None:
            cursor.execute("SELECT FROM pg_roles WHERE rolname = %s", (name,))
            verb = "ALTER" if cursor.fetchone() else "CREATE"
            statement = sql.SQL(verb + " ROLE {} LOGIN " + " ".join(options) + " PASSWORD {}")
            cursor.execute(statement.format(sql.Identifier(name), sql.Literal(password)))


def _ensure_database(connection: Connection, name: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT FROM pg_database WHERE datname = %s", (name,))
        if cursor.fetchone() is None:
            # The WAL-logged strategy spares the two checkpoints of the default for small templates.
            cursor.execute(sql.SQL("CREATE DATABASE {} STRATEGY wal_log").format(sql.Identifier(name)))

"""Decides what ``cdc connectors init`` writes: which files, which login, and what a person's edits have settled."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from psycopg2.extensions import ConnectionInfo

from cdc.cli.source_files import Login, Places, declaration, is_edited, read_secret, secret_text, stamped
from cdc.errors import ConfigError, Conflict
from connectors import definition as definitions
from connectors import preparation, proposal, scram
from connectors.definition import Definition
from connectors.inventory import Inventory
from connectors.preparation import Role
from connectors.proposal import Address


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What is to be written (``files``; what is as it should be is not among them), and what stays as it is."""

    files: Mapping[Path, str | bytes] = field(repr=False)
    kept: tuple[Path, ...]
    definition: Definition
    captured: int
    left_out: tuple[str, ...]
    login: Login
    sql: str = field(repr=False)
    wal_level: str = "logical"


def enrol(
    name: str,
    where: Places,
    inventory: Inventory,
    info: ConnectionInfo,
    schemas: Sequence[str],
    role: str | None,
    password: str | None,
    *,
    force: bool,
) -> Enrolment:
    """Decide. ``password``: of the role, where it exists already.

    Raises:
        Conflict: the name stands for another database, or the role's password is not known.
        ConfigError: a file or option is wrong.
        ConnectorError: the database cannot be captured; nothing was decided.
    """
    login = _login(name, where, inventory, info, role, password, force=force)
    text, definition, left_out = _definition(name, where, inventory, login, schemas, force=force)
    captured = proposal.captured(inventory, definition)
    sql_before = where.sql.read_text(encoding="utf-8") if where.sql.exists() else ""
    debezium = _role(name, login, inventory, sql_before, bool(password))
    sql = stamped(preparation.text(definition, inventory, captured, debezium))
    files, kept, sql = chosen(name, where, login, text, sql, force=force)
    return Enrolment(
        files,
        kept,
        definition,
        len(captured),
        (*left_out, *(other.reason for other in inventory.others if not schemas or other.schema in schemas)),
        login,
        sql,
        inventory.server.wal_level,
    )


def chosen(
    name: str, where: Places, login: Login, definition: str, sql: str, *, force: bool
) -> tuple[dict[Path, str | bytes], tuple[Path, ...], str]:
    """Which files are written (the declaration last), which are kept as they were edited, and the SQL that counts."""
    sql_before = where.sql.read_text(encoding="utf-8") if where.sql.exists() else ""
    written_once = {
        where.secret: secret_text(login),
        where.definition: definition,
        where.declaration: declaration(name, login),
    }
    files = {path: new for path, new in written_once.items() if _differs(path, new) and (force or not path.exists())}
    kept = tuple(path for path, new in written_once.items() if _differs(path, new) and path not in files)
    if sql != sql_before:
        if sql_before and is_edited(sql_before) and not force:
            kept, sql = (*kept, where.sql), sql_before
        else:
            files[where.sql] = sql
    # The declaration last: a source that every command knows has all its files.
    ordered = sorted(files, key=lambda path: path == where.declaration)
    return {path: files[path] for path in ordered}, kept, sql


def _differs(path: Path, text: str) -> bool:
    return not path.exists() or path.read_text(encoding="utf-8") != text


def _login(
    name: str,
    where: Places,
    inventory: Inventory,
    info: ConnectionInfo,
    role: str | None,
    password: str | None,
    *,
    force: bool,
) -> Login:
    host, port, sslmode, certificate = _address(info)
    database = inventory.server.database
    held = read_secret(where.secret)
    if held and not force:
        place = (held["host"], held["port"], held["dbname"])
        if place != (host, port, database):
            raise Conflict(
                f"{name} is database {place[2]} at {place[0]}:{place[1]} already ({where.secret})",
                hint="choose another NAME, or --force to point it to the new place",
            )
        if role not in {None, held["user"]}:
            raise Conflict(f"{name} connects as {held['user']} already ({where.secret})", hint="--force changes that")
    user = role or held.get("user") or f"cdc_{name}"
    known = held["password"] if held.get("user") == user else None
    if force:
        known = password or known
    if known is None and password is None and user in inventory.server.roles and not (force and role is None):
        raise Conflict(
            f"role {user} exists, and its password is not known here",
            hint="put it in $CDC_CONNECTOR_PASSWORD, or name another role with --role"
            + (", or give the role a new one with --force" if role is None else ""),
        )
    return Login(host, port, database, user, known or password or secrets.token_hex(24), sslmode, certificate)


def _address(info: ConnectionInfo) -> tuple[str, str, str, str | None]:
    """Host, port, sslmode and sslrootcert that the connection was made with."""
    if not info.host or info.host.startswith("/"):
        raise ConfigError("Debezium connects over TCP, not over a socket file", hint="host=… port=… in the DSN")
    parameters = info.dsn_parameters
    certificate = parameters.get("sslrootcert")
    if certificate in {None, "", "system"}:
        return info.host, str(info.port), parameters.get("sslmode", "prefer"), None
    return info.host, str(info.port), parameters.get("sslmode", "prefer"), str(Path(certificate).absolute())


def _definition(
    name: str, where: Places, inventory: Inventory, login: Login, schemas: Sequence[str], *, force: bool
) -> tuple[str, Definition, tuple[str, ...]]:
    """The text, what it says, and which tables it leaves out, with reasons. One that exists is the truth."""
    if where.definition.exists() and not force:
        definition = definitions.load(where.definition)
        if definition.name != name or definition.database.name != login.database:
            raise Conflict(
                f"{where.definition}: it is about {definition.name}, database {definition.database.name}",
                hint="mend it, or --force",
            )
        if schemas and set(schemas) != set(definition.schemas):
            raise Conflict(
                f"{where.definition}: it says which schemas are captured", hint="change it there, or --force"
            )
        return where.definition.read_text(encoding="utf-8"), definition, ()
    proposed = proposal.propose(inventory, schemas)
    text = proposal.text(proposed, name, Address(login.database, login.sslmode, login.sslrootcert))
    definition = definitions.parse(text, where.definition)
    proposal.demand_exact(inventory, definition, proposed)
    return text, definition, proposed.left_out


def _role(name: str, login: Login, inventory: Inventory, sql_before: str, given: bool) -> Role:
    """Whether the SQL sets the role's password: always for a role of ours, never for one that was there before."""
    verifier = scram.known(sql_before, login.password)
    ours = login.user == f"cdc_{name}" or login.user not in inventory.server.roles or verifier is not None
    if not ours or (given and login.user in inventory.server.roles and verifier is None):
        return Role(login.user, None)
    if not login.password.isascii():
        raise ConfigError("the connector's password holds letters outside ASCII", hint="choose another one")
    return Role(login.user, verifier or scram.verifier(login.password))

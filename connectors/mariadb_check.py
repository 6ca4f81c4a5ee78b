"""A MariaDB server, looked at before it is captured: whether its log can be evidence.

Through the connector's own account, reading settings and the catalog only. Every finding says what would be lost.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterable, Iterator
from typing import TypeAlias

import pymysql
from pymysql.connections import Connection
from pymysql.constants import CR

from connectors import mariadb_address
from connectors import mariadb_inventory as inventory
from connectors.check.position import Position, binary_log, unknown
from connectors.definition import HEARTBEAT, SIGNAL, Definition
from connectors.errors import ConnectorError, Unreachable
from connectors.finding import Finding
from connectors.setting import include_patterns

_Cursor: TypeAlias = pymysql.cursors.Cursor

_EXPIRY_S = 3 * 86_400
"""Seconds: a binary log that is purged sooner does not outlast a weekend."""
_NEEDED = {
    "REPLICATION SLAVE": ("REPLICATION SLAVE", "REPLICATION SLAVE ADMIN"),
    "BINLOG MONITOR": ("BINLOG MONITOR", "REPLICATION CLIENT"),
    "RELOAD": ("RELOAD",),
}
"""What the connector must be granted on the whole server, and by which names."""
_DATES = ("date", "timestamp", "timestamptz")
_TLS = "the DSN: sslrootcert=FILE names the authority (PEM); sslmode=disable is for a network that nobody else is on"
_DENIED = 1045
"""``ER_ACCESS_DENIED_ERROR``: also what a server with ``require_secure_transport`` says to who comes in clear."""
_OTHER_HOST = (62, 64)
"""OpenSSL's ``X509_V_ERR_HOSTNAME_MISMATCH`` and ``X509_V_ERR_IP_ADDRESS_MISMATCH``, whose texts repeat the host."""


def connect(dsn: str, what: str) -> Connection[_Cursor]:
    """A connection by a URL of :mod:`connectors.mariadb_address`; ``what`` names it in messages.

    Without TLS that was asked for nothing is sent but the wish for it: no name, and nothing of the password.

    Raises:
        AddressError: the DSN is no such URL, or its authorities cannot be read. No message repeats its secrets.
        Unreachable: no answer, no TLS as asked for, or the account is refused.
    """
    address = mariadb_address.parse(dsn)
    context = address.tls()
    try:
        connection: Connection[_Cursor] = pymysql.connect(
            host=address.host, port=address.port, user=address.user, password=address.password,
            database=address.database or None, charset="utf8mb4", autocommit=True, connect_timeout=10,
            ssl=context, ssl_disabled=context is None,
        )  # fmt: skip
    except pymysql.err.MySQLError as error:
        raise _refused(error, what, clear=context is None) from None
    if context is not None and not _cipher(connection):
        connection.close()
        raise Unreachable(f"{what}: its session is not encrypted, though the DSN asks for it", hint=_TLS)
    return connection


def _refused(error: pymysql.err.MySQLError, what: str, *, clear: bool) -> Unreachable:
    number = error.args[0] if error.args else "unknown"
    cause = getattr(error, "original_exception", None)
    if isinstance(cause, ssl.SSLError):
        return Unreachable(f"{what}: no TLS: {_reason(cause)}", hint=_TLS)
    if number == CR.CR_SSL_CONNECTION_ERROR:
        return Unreachable(f"{what}: no TLS: the server offers none, so nothing was sent", hint=_TLS)
    hint = "is it running and MariaDB, are host, port, user and password right?"
    if clear and number == _DENIED:
        hint += " does it demand TLS (sslmode=verify-full)?"
    return Unreachable(f"{what} refuses: MariaDB error {number}", hint=hint)


def _reason(error: ssl.SSLError) -> str:
    if not isinstance(error, ssl.SSLCertVerificationError):
        return error.reason or type(error).__name__
    other = error.verify_code in _OTHER_HOST
    return f"certificate verify failed: {'it is for another host' if other else error.verify_message}"


def _cipher(connection: Connection[_Cursor]) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SHOW SESSION STATUS LIKE 'Ssl_cipher'")
        row = cursor.fetchone()
    return str(row[1]) if row else ""


def source(definition: Definition, dsn: str, position: Position = unknown) -> tuple[Finding, ...]:
    """Look at the server through ``dsn`` (the connector's account) and say what is to be known of it.

    Raises:
        AddressError, Unreachable: as :func:`connect` says.
        ConnectorError: its catalog cannot be read.
    """
    with connect(dsn, f"the source database of {definition.name}") as connection, connection.cursor() as cursor:
        try:
            return tuple(_findings(definition, cursor, position))
        except pymysql.err.MySQLError as error:
            raise ConnectorError(
                f"the source database of {definition.name} cannot be looked at: MariaDB error {error.args[0]}"
            ) from None


def _findings(definition: Definition, cursor: _Cursor, position: Position) -> Iterator[Finding]:
    found = tuple(inventory.relations(cursor))
    patterns = [re.compile(pattern, re.IGNORECASE) for pattern in include_patterns(definition)]
    mine = [relation for relation in found if any(pattern.fullmatch(relation.title) for pattern in patterns)]
    yield from _server(definition, cursor)
    yield from account(cursor)
    yield from _binary_logs(cursor, position)
    yield from _absent(definition, {relation.title for relation in mine})
    for relation in mine:
        if relation.kind != "VIEW":
            yield from inventory.obstacles(relation)
    plain = [relation.title for relation in found if relation not in mine and inventory.without_transactions(relation)]
    if plain:
        problem = (
            f"{len(plain)} tables that are not captured ({plain[0]} …) have no transactions: {inventory.ROLLED_BACK}"
        )
        yield Finding("engine_elsewhere", problem)
    yield from _zero_dates(cursor, mine)


def _server(definition: Definition, cursor: _Cursor) -> Iterator[Finding]:
    wanted = {
        "log_bin": ("1", "the server keeps no binary log", ""),
        "binlog_format": ("ROW", "the binary log holds statements, not rows", "SET GLOBAL binlog_format = 'ROW';"),
        "binlog_row_image": ("FULL", "before images are not whole", "SET GLOBAL binlog_row_image = 'FULL';"),
        "read_only": ("0", "the server is read-only: a heartbeat could not be written", ""),
    }
    for variable, (value, problem, fix) in wanted.items():
        if (has := _variable(cursor, variable)) != value:
            yield Finding(variable, f"{problem} ({variable} is {has})", fix)
    domains = {gtid.split("-")[0] for gtid in (_variable(cursor, "gtid_binlog_state") or "").split(",") if gtid}
    if len(domains) > 1:
        problem = f"its binary log has {len(domains)} GTID domains: only within one do transactions have one order"
        yield Finding("gtid_domains", problem)
    if _variable(cursor, "server_id") == str(definition.server_id):
        yield Finding("server_id", f"server_id {definition.server_id} is the server's own: the connector needs another")


def account(cursor: _Cursor) -> Iterator[Finding]:
    """What the account lacks, and what it has too much of."""
    cursor.execute("SELECT current_user()")
    ((name,),) = cursor.fetchall()
    who = "@".join("'" + part.replace("'", "''") + "'" for part in str(name).rsplit("@", 1))
    cursor.execute("SHOW GRANTS FOR CURRENT_USER()")
    everywhere = [str(row[0]).partition(" ON *.*")[0].upper() for row in cursor.fetchall() if " ON *.* " in str(row[0])]
    held = {part.strip() for grant in everywhere for part in grant.removeprefix("GRANT ").split(",")}
    if held & {"ALL PRIVILEGES", "SUPER"}:
        yield Finding("account_super", f"account {who} may do everything", place=str(name))
        return
    for privilege, names in _NEEDED.items():
        if not held & set(names):
            fix = f"GRANT {privilege} ON *.* TO {who};"
            yield Finding("account_privileges", f"account {who} lacks {privilege}", fix, place=privilege)


def _binary_logs(cursor: _Cursor, position: Position) -> Iterator[Finding]:
    expiry = float(_variable(cursor, "expire_logs_days") or 0) * 86_400
    if 0 < expiry < _EXPIRY_S:
        yield Finding("binlog_expiry", f"binary logs are purged after {expiry / 3600:.0f} h")
    offset = position()
    file = None if offset is None else binary_log(offset)
    if file is None:
        return
    try:
        cursor.execute("SHOW BINARY LOGS")
    except pymysql.err.MySQLError:
        return  # what the account lacks is said above
    if file not in {str(row[0]) for row in cursor.fetchall()}:
        yield Finding("binlog_purged", f"the server no longer has binary log {file}", place=file)


def _absent(definition: Definition, captured: set[str]) -> Iterator[Finding]:
    for name in (*definition.tables, HEARTBEAT, SIGNAL):
        if name not in captured:
            ours = name in {HEARTBEAT, SIGNAL}
            command = f"the preparation SQL makes it: cdc connectors init {definition.name}" if ours else ""
            problem = f"table {name} does not exist, or the account may not read it"
            yield Finding("table_missing", problem, place=name, command=command)
    for schema in definition.schemas:
        if not any(name.startswith(f"{schema}.") for name in captured):
            problem = f"database {schema} has no table that the account may read"
            yield Finding("schema_empty", problem, place=schema)


def _zero_dates(cursor: _Cursor, relations: Iterable[inventory.Relation]) -> Iterator[Finding]:
    """A zero date arrives as NULL, or in a NOT NULL column as 1970-01-01."""
    modes = set((_variable(cursor, "sql_mode") or "").split(","))
    dated = [
        f"{relation.title}.{column.name}"
        for relation in relations
        for column in relation.columns
        if column.base in _DATES and relation.schema != "cdc"
    ]
    if dated and not {"NO_ZERO_DATE", "NO_ZERO_IN_DATE"} <= modes:
        problem = (
            f"{len(dated)} columns ({dated[0]} …) may hold zero dates, which arrive as NULL, or where NULL is not"
            " allowed as 1970-01-01: forbid them (sql_mode NO_ZERO_DATE, NO_ZERO_IN_DATE), and see that there are none"
        )
        yield Finding("zero_dates", problem)


def _variable(cursor: _Cursor, name: str) -> str | None:
    cursor.execute(f"SELECT @@GLOBAL.{name}")
    row = cursor.fetchone()
    return None if row is None or row[0] is None else str(row[0])

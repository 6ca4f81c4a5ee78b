"""The warehouse: whether what is committed stays, and whether nobody but its owner can change what was recorded."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import closing

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from cdc.errors import CdcError, Unreachable
from cdc.warehouse import preflight
from cdc.warehouse.migrate import sql_folder
from connectors.finding import Finding
from governance.store import StoreMark

PARTITION_WIDTH = 5_000_000
"""Entries of one partition of a log (``audit.cut_partitions``)."""
LEAST_AHEAD = 500_000
"""Entries for which partitions must exist; workers cut them a million ahead."""

_DURABLE = ("fsync", "full_page_writes", "synchronous_commit")
_SETTINGS = """
SELECT name, setting FROM pg_settings
 WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit', 'data_checksums')
"""
_WHO = "SELECT current_user::text, rolsuper FROM pg_roles WHERE rolname = current_user"
_PARTS = """
SELECT c.oid::regclass::text,
       array_remove(ARRAY[
           CASE WHEN has_any_column_privilege(c.oid, 'UPDATE') THEN 'UPDATE' END,
           CASE WHEN has_table_privilege(c.oid, 'DELETE') THEN 'DELETE' END,
           CASE WHEN has_table_privilege(c.oid, 'TRUNCATE') THEN 'TRUNCATE' END,
           CASE WHEN %(insert)s AND has_any_column_privilege(c.oid, 'INSERT') THEN 'INSERT' END], NULL)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = 'audit' AND c.relkind IN ('r', 'p') ORDER BY 1"""
_PRIVACY = """
SELECT privacy_identity::text, privacy_high_water FROM pipeline.stream WHERE privacy_identity IS NOT NULL
 ORDER BY privacy_high_water DESC LIMIT 1"""
_AHEAD = """
SELECT l.log, l.size,
       (SELECT max(split_part(c.relname, '$', 2)::bigint) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname = 'audit' AND c.relname ~ ('^entry_' || l.log || '\\$[0-9]+$'))
  FROM audit.log l WHERE l.log <> 'operations' ORDER BY 1"""


def opened(dsn: str, setting: str) -> psycopg2.extensions.connection:
    """A read-only connection.

    Raises:
        Unreachable: no connection; the message names the setting, and nothing of the DSN.
    """
    try:
        connection = psycopg2.connect(dsn, connect_timeout=5, application_name="cdc check")
    except psycopg2.OperationalError:
        raise Unreachable(f"no connection with {setting}", hint="cdc local status") from None
    connection.set_session(readonly=True, autocommit=True)
    return connection


def migrations(cursor: Cursor) -> Iterator[Finding]:
    """Whether the warehouse is of this version. Needs its owner."""
    try:
        cursor.execute("SELECT name, sha256 FROM migration.applied")
    except psycopg2.errors.lookup("42P01"):
        yield Finding("warehouse_unmigrated", "the warehouse has no tables yet", command="cdc migrate")
        return
    except psycopg2.errors.InsufficientPrivilege:
        yield Finding("warehouse_unread", "which migrations were applied may not be read with [warehouse] admin_dsn")
        return
    applied = dict(cursor.fetchall())
    files = sorted((sql_folder() / "migrations").glob("*.sql"))
    missing = [file.name for file in files if file.name not in applied]
    if missing:
        problem = f"{len(missing)} migrations are missing, the first is {missing[0]}"
        yield Finding("warehouse_unmigrated", problem, command="cdc migrate")
    for file in files:
        if file.name in applied and hashlib.sha256(file.read_bytes()).hexdigest() != applied[file.name]:
            yield Finding("warehouse_migration_changed", f"{file.name} was applied with another text", place=file.name)


def durability(cursor: Cursor) -> Iterator[Finding]:
    """What the server's settings mean for what was committed, as this session has them."""
    settings = _settings(cursor)
    for name in _DURABLE:
        if settings[name] == "off":
            fix = f"ALTER SYSTEM SET {name} = on; SELECT pg_reload_conf();"
            yield Finding(f"warehouse_{name}", f"{name} is off", fix, place=name)
    if settings.get("data_checksums") == "off":
        yield Finding("warehouse_checksums", "data_checksums is off")


def privacy_durability(cursor: Cursor) -> Iterator[Finding]:
    """The same for the privacy store."""
    settings = _settings(cursor)
    off = [name for name in _DURABLE if settings[name] == "off"]
    if off:
        fix = " ".join(f"ALTER SYSTEM SET {name} = on;" for name in off) + " SELECT pg_reload_conf();"
        yield Finding("privacy_durability", f"off in the privacy store's cluster: {', '.join(off)}", fix)


def _settings(cursor: Cursor) -> Mapping[str, str]:
    cursor.execute(_SETTINGS)
    return dict(cursor.fetchall())


def replicator(cursor: Cursor) -> Iterator[Finding]:
    """What the replicator's role may do to history that it must not."""
    yield from _powers(cursor, "replicator_superuser", "replicator_can_change", inserts=False)


def auditor(cursor: Cursor) -> Iterator[Finding]:
    """What the auditor's role may write."""
    yield from _powers(cursor, "auditor_superuser", "auditor_can_write", inserts=True)


def _powers(cursor: Cursor, superuser: str, change: str, *, inserts: bool) -> Iterator[Finding]:
    cursor.execute(_WHO)
    name, all_powers = cursor.fetchone() or ("", False)
    if all_powers:
        yield Finding(superuser, f"role {name} is a superuser", place=name)
        return
    cursor.execute(_PARTS, {"insert": inserts})
    for relation, powers in cursor.fetchall():
        if powers:
            listed = ", ".join(powers)
            statement = sql.SQL("REVOKE {} ON {} FROM {};").format(
                sql.SQL(listed), sql.SQL(relation), sql.Identifier(name)
            )
            fix = statement.as_string(cursor)
            yield Finding(change, f"role {name} may {listed} on {relation}", fix, place=relation)


def privileges(dsn: str, log: str) -> Iterator[Finding]:
    """Whether the replicator's role may do its work, as a worker asks at its start."""
    try:
        preflight.check(dsn, log)
    except CdcError as error:
        yield Finding("warehouse_privilege", str(error), command=error.hint or "cdc migrate")


def partitions(cursor: Cursor) -> Iterator[Finding]:
    """Whether each log has partitions for what comes next."""
    cursor.execute(_AHEAD)
    for log, size, last in cursor.fetchall():
        ahead = (last or 0) + (PARTITION_WIDTH if last is not None else 0) - size
        if ahead < LEAST_AHEAD:
            fix = f"SELECT audit.cut_partitions('{log}', {size + 1_000_000});"
            yield Finding("partitions_short", f"log {log} has partitions for {ahead:,} more entries", fix, place=log)


def system_identifier(cursor: Cursor) -> str | None:
    """Which cluster this is; None where the role may not ask."""
    try:
        cursor.execute("SELECT system_identifier::text FROM pg_control_system()")
    except psycopg2.errors.InsufficientPrivilege:
        return None
    row = cursor.fetchone()
    return None if row is None else str(row[0])


def privacy_seen(dsn: str) -> StoreMark | None:
    """The newest mark of the privacy store that a stream has committed; None before the first.

    Raises:
        Unreachable: no connection.
    """
    with closing(opened(dsn, "[warehouse] auditor_dsn")) as connection, connection.cursor() as cursor:
        try:
            cursor.execute(_PRIVACY)
        except psycopg2.Error:
            return None  # tables or privileges that are missing are said elsewhere
        row = cursor.fetchone()
    return None if row is None else StoreMark(*row)

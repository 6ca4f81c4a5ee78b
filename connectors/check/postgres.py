"""A PostgreSQL source, looked at through the connector's role in one read-only transaction."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg2
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from connectors.catalog import Publication, Table, publication, tables
from connectors.check import role, server, slot
from connectors.check.position import Position, unknown
from connectors.definition import HEARTBEAT, SIGNAL, Definition
from connectors.errors import ConnectorError, Unreachable
from connectors.finding import Finding
from connectors.postgres_profile import HEARTBEAT_QUERY
from connectors.preparation import GENERATED_COLUMNS, SCHEMA_PUBLICATIONS, own_tables, quoted
from connectors.setting import include_patterns
from connectors.table_check import table_findings

_LEFT_OUT = """
SELECT n.nspname, CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialised view' WHEN 'f' THEN 'foreign table'
                                 ELSE 'table' END,
       array_agg(c.relname::text ORDER BY c.relname)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = ANY (%s) AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
   AND NOT (n.nspname || '.' || c.relname = ANY (%s))
   AND NOT EXISTS (SELECT FROM pg_depend d
                    WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
 GROUP BY 1, 2 ORDER BY 1, 2"""


def source(
    definition: Definition, dsn: str, position: Position = unknown, role: str | None = None
) -> tuple[Finding, ...]:
    """What is to be known of the database. ``role``: whom fixes grant to; default: whoever looks.

    Raises:
        Unreachable: the database does not answer or refuses the role.
        ConnectorError: its catalog cannot be read.
    """
    try:
        connection = psycopg2.connect(dsn, connect_timeout=10, application_name="cdc check")
    except psycopg2.OperationalError as error:
        raise Unreachable(
            f"the source database of {definition.name} refuses: {_first_line(error)}",
            hint=f"is it running, are role and password right, has the preparation SQL of {definition.name} been run?",
        ) from None
    try:
        connection.set_session(readonly=True, isolation_level="REPEATABLE READ")
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = '30s'")
            return tuple(_findings(definition, cursor, position, role))
    except psycopg2.Error as error:
        raise ConnectorError(
            f"the source database of {definition.name} cannot be looked at: SQLSTATE {error.pgcode}",
            hint="the server's log has the statement",
        ) from None
    finally:
        connection.close()


def _findings(definition: Definition, cursor: Cursor, position: Position, grantee: str | None) -> Iterator[Finding]:
    if cursor.connection.server_version < 130_000:
        major = cursor.connection.server_version // 10_000
        yield Finding("server_version", f"the server is PostgreSQL {major}: 13 or later is needed")
        return
    name = quoted(grantee or _one(cursor, "SELECT current_user"))
    found = tables(cursor, include_patterns(definition))
    captured = {table.name for table in found if table.included}
    yield from server.findings(definition, cursor)
    yield from slot.findings(definition, cursor, position)
    yield from role.findings(cursor, found)
    yield from _absent(definition, found)
    yield from _left_out(definition, cursor, found)
    for table in found:
        yield from table_findings(table, captured, name)
    yield from _publication(definition, cursor, found)
    yield from _own_tables(definition, cursor, captured, name)


def _absent(definition: Definition, found: tuple[Table, ...]) -> Iterator[Finding]:
    names = {table.name for table in found if table.included}
    for name in definition.tables:
        if name not in names:
            yield Finding("table_missing", f"table {name} does not exist", place=name)
    for schema in definition.schemas:
        if not any(name.startswith(f"{schema}.") for name in names):
            yield Finding("schema_empty", f"schema {schema} has no table to capture", place=schema)


def _left_out(definition: Definition, cursor: Cursor, found: tuple[Table, ...]) -> Iterator[Finding]:
    cursor.execute(_LEFT_OUT, (list(definition.schemas), [table.name for table in found]))
    for schema, kind, names in cursor.fetchall():
        listed = ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
        plural = "" if len(names) == 1 else "s"
        yield Finding("not_captured", f"{len(names)} {kind}{plural} of {schema} not captured: {listed}", place=schema)


def _publication(definition: Definition, cursor: Cursor, found: tuple[Table, ...]) -> Iterator[Finding]:
    name, quoted_name = definition.publication, quoted(definition.publication)
    published = publication(cursor, name)
    if published is None:
        fix = _create_publication(quoted_name, cursor.connection.server_version // 10_000, found)
        yield Finding("publication_missing", f"publication {name} does not exist", fix, place=name)
        return
    if published.lacks:
        fix = f"ALTER PUBLICATION {quoted_name} SET (publish = 'insert, update, delete, truncate');"
        problem = f"publication {name} leaves out {', '.join(published.lacks)}"
        yield Finding("publication_operations", problem, fix, place=name)
    partitioned = any(table.root is not None for table in found)
    if partitioned and not published.via_root:
        fix = f"ALTER PUBLICATION {quoted_name} SET (publish_via_partition_root = true);"
        problem = f"publication {name} shows partitions under names of their own"
        yield Finding("publication_root", problem, fix, place=name)
    for table in found:
        if table.included and table.root is None:
            yield from _published(name, published, table)


def _create_publication(name: str, version: int, found: tuple[Table, ...]) -> str:
    included = [table for table in found if table.included and table.root is None]
    options = "publish = 'insert, update, delete, truncate', publish_via_partition_root = true"
    if version >= GENERATED_COLUMNS:
        options += ", publish_generated_columns = stored"
    schemas = ", ".join(dict.fromkeys(table.quoted_schema for table in included)) or "cdc"
    whole = f"TABLES IN SCHEMA {schemas}"
    what = whole if version >= SCHEMA_PUBLICATIONS else "TABLE " + ", ".join(table.quoted for table in included)
    return f"CREATE PUBLICATION {name} FOR {what} WITH ({options});"


def _published(name: str, published: Publication, table: Table) -> Iterator[Finding]:
    columns = published.columns.get(table.name)
    if columns is None:
        fix = f"ALTER PUBLICATION {quoted(name)} ADD TABLE {table.quoted};"
        problem = f"publication {name} does not contain {table.name}"
        yield Finding("publication_table", problem, fix, place=table.name)
        return
    if not set(table.stored_columns) <= columns:
        yield Finding("publication_columns", f"publication {name} leaves out columns of {table.name}", place=table.name)
    if table.name in published.filtered:
        yield Finding("publication_filter", f"publication {name} filters the rows of {table.name}", place=table.name)
    if table.generated_columns and published.knows_generated and not published.generated:
        problem = f"{table.name} has an unpublished generated column: with REPLICA IDENTITY FULL its own UPDATEs fail"
        fix = f"ALTER PUBLICATION {quoted(name)} SET (publish_generated_columns = stored);"
        yield Finding("generated_unpublished", problem, fix, place=table.name)


def _own_tables(definition: Definition, cursor: Cursor, captured: set[str], role: str) -> Iterator[Finding]:
    for name, privilege in ((HEARTBEAT, "UPDATE"), (SIGNAL, "INSERT")):
        if name not in captured:
            fix = own_tables(quoted(definition.publication), role)
            yield Finding("capture_table", f"table {name} does not exist", fix, place=name)
        elif not _one(cursor, _MAY, privilege, name):
            fix = f"GRANT USAGE ON SCHEMA cdc TO {role}; GRANT SELECT, {privilege} ON {name} TO {role};"
            yield Finding("capture_privilege", f"{name} refuses {privilege}", fix, place=name)
    for function in ("pg_control_system()", "pg_control_checkpoint()"):
        if not _one(cursor, "SELECT has_function_privilege(%s, 'EXECUTE')", function):
            fix = f"GRANT EXECUTE ON FUNCTION {function} TO {role};"
            yield Finding("capture_privilege", f"{function} may not be called", fix, place=function)
            return
    begun = _one(cursor, "SELECT count(*) > 0 FROM pg_replication_slots WHERE slot_name = %s", definition.slot)
    if begun or HEARTBEAT not in captured or not _one(cursor, _MAY, "SELECT", HEARTBEAT):
        return
    true = f"""SELECT count(*) = 1
                      AND bool_and((b.system_identifier, b.timeline) = (s.system_identifier::text, c.timeline_id))
                 FROM {HEARTBEAT} AS b, pg_control_system() AS s, pg_control_checkpoint() AS c"""
    if not _one(cursor, true):
        problem = f"{HEARTBEAT} names another cluster or timeline than this one: the baseline would begin with a lie"
        yield Finding("heartbeat_stale", problem, f"{HEARTBEAT_QUERY};", place=HEARTBEAT)


_MAY = """SELECT has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, %s)
            FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname || '.' || c.relname = %s"""


def _one(cursor: Cursor, query: str, *arguments: str) -> Any:
    cursor.execute(query, arguments or None)
    row = cursor.fetchone()
    return row[0] if row else None


def _first_line(error: psycopg2.Error) -> str:
    return (str(error).strip().splitlines() or ["no reason given"])[0]

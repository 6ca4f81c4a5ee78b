"""A source database, looked at before it is captured: whether its log can be evidence.

Read-only, through the connector's own role, so that what it sees is what Debezium will see. Every finding says what
would be lost and carries the SQL that mends it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg2
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from connectors.catalog import Publication, Table, publication, tables
from connectors.definition import HEARTBEAT, SIGNAL, Definition
from connectors.errors import ConnectorError, SourceUnfit, Unreachable
from connectors.postgres_profile import HEARTBEAT_QUERY
from connectors.setting import include_patterns
from connectors.table_check import Finding, table_findings


def source(definition: Definition, dsn: str) -> tuple[Finding, ...]:
    """Look at the source database through ``dsn`` (the connector's role) and say what is unfit. Empty: capture it.

    Raises:
        Unreachable: the database does not answer or refuses the role.
        ConnectorError: its catalog cannot be read.
    """
    if definition.kind == "mariadb":
        from connectors import mariadb_check

        return mariadb_check.source(definition, dsn)
    try:
        connection = psycopg2.connect(dsn, connect_timeout=10)
    except psycopg2.OperationalError as error:
        raise Unreachable(
            f"the source database of {definition.name} refuses: {_first_line(error)}",
            hint=f"is it running, are role and password right, has the preparation SQL of {definition.name} been run?",
        ) from None
    try:
        connection.set_session(readonly=True, isolation_level="REPEATABLE READ")
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = '30s'")
            return tuple(_findings(definition, cursor))
    except psycopg2.Error as error:
        raise ConnectorError(
            f"the source database of {definition.name} cannot be looked at: SQLSTATE {error.pgcode}",
            hint="the server's log has the statement",
        ) from None
    finally:
        connection.close()


def demand_fit(definition: Definition, dsn: str) -> tuple[Finding, ...]:
    """Refuse a source that cannot be captured without losing evidence; return the findings to live with.

    Raises:
        SourceUnfit: the message has every finding, the hint the SQL that mends them.
        Unreachable: the database does not answer.
    """
    found = source(definition, dsn)
    findings = [finding for finding in found if finding.refuse]
    if findings:
        lines = "".join(f"\n  {finding.code}: {finding.problem}" for finding in findings)
        fixes = "\n    ".join(dict.fromkeys(finding.fix for finding in findings if finding.fix))
        raise SourceUnfit(
            f"the source database of {definition.name} cannot be captured as evidence yet:{lines}",
            hint=f"run in database {definition.database.name}, as its owner:\n    {fixes}" if fixes else None,
        )
    return found


def _findings(definition: Definition, cursor: Cursor) -> Iterator[Finding]:
    role = f'"{_one(cursor, "SELECT current_user")}"'
    found = tables(cursor, include_patterns(definition))
    captured = {table.name for table in found if table.included}
    yield from _server(definition, cursor, role)
    yield from _absent(definition, found)
    for table in found:
        yield from table_findings(table, captured, role)
    yield from _publication(definition, publication(cursor, definition.publication), found)
    yield from _own_tables(definition, cursor, captured, role)


def _server(definition: Definition, cursor: Cursor, role: str) -> Iterator[Finding]:
    if _one(cursor, "SHOW wal_level") != "logical":
        fix = "ALTER SYSTEM SET wal_level = 'logical';  -- then restart the server"
        yield Finding("wal_level", "wal_level is not logical: the server's log cannot be decoded", fix)
    if not _one(cursor, "SELECT rolreplication OR rolsuper FROM pg_roles WHERE rolname = current_user"):
        yield Finding("role_replication", f"role {role} may not replicate", f"ALTER ROLE {role} REPLICATION;")
    cursor.execute("SELECT plugin, database FROM pg_replication_slots WHERE slot_name = %s", (definition.slot,))
    slot = cursor.fetchone()
    if slot is not None and slot != ("pgoutput", definition.database.name):
        problem = f"slot {definition.slot} belongs to something else (plugin {slot[0]}, database {slot[1]})"
        yield Finding(
            "slot_foreign", problem, f"SELECT pg_drop_replication_slot('{definition.slot}');  -- if nobody reads it"
        )
    taken = "SELECT count(*) >= current_setting('max_replication_slots')::int FROM pg_replication_slots"
    if slot is None and _one(cursor, taken):
        fix = "ALTER SYSTEM SET max_replication_slots = 20;  -- then restart the server"
        yield Finding("slots_taken", "every replication slot is taken", fix)


def _absent(definition: Definition, found: tuple[Table, ...]) -> Iterator[Finding]:
    names = {table.name for table in found if table.included}
    for name in definition.tables:
        if name not in names:
            yield Finding("table_missing", f"table {name} does not exist")
    for schema in definition.schemas:
        if not any(name.startswith(f"{schema}.") for name in names):
            yield Finding("schema_empty", f"schema {schema} has no table to capture")


def _publication(definition: Definition, published: Publication | None, found: tuple[Table, ...]) -> Iterator[Finding]:
    name = definition.publication
    if published is None:
        schemas = ", ".join(dict.fromkeys(table.quoted_schema for table in found if table.included))
        options = "publish = 'insert, update, delete, truncate', publish_via_partition_root = true"
        fix = f'CREATE PUBLICATION "{name}" FOR TABLES IN SCHEMA {schemas} WITH ({options});'
        yield Finding("publication_missing", f"publication {name} does not exist", fix)
        return
    if published.lacks:
        fix = f"ALTER PUBLICATION \"{name}\" SET (publish = 'insert, update, delete, truncate');"
        yield Finding("publication_operations", f"publication {name} leaves out {', '.join(published.lacks)}", fix)
    partitioned = any(table.root is not None for table in found)
    if partitioned and not published.via_root:
        fix = f'ALTER PUBLICATION "{name}" SET (publish_via_partition_root = true);'
        yield Finding("publication_root", f"publication {name} shows partitions under names of their own", fix)
    for table in found:
        if table.included and table.root is None:
            yield from _published(name, published, table)


def _published(name: str, published: Publication, table: Table) -> Iterator[Finding]:
    columns = published.columns.get(table.name)
    if columns is None:
        fix = f'ALTER PUBLICATION "{name}" ADD TABLE {table.quoted};'
        yield Finding("publication_table", f"publication {name} does not contain {table.name}", fix)
        return
    if not set(table.stored_columns) <= columns:
        yield Finding("publication_columns", f"publication {name} leaves out columns of {table.name}")
    if table.name in published.filtered:
        yield Finding("publication_filter", f"publication {name} filters the rows of {table.name}")
    if table.generated_columns and published.knows_generated and not published.generated:
        problem = f"{table.name} has an unpublished generated column: with REPLICA IDENTITY FULL its own UPDATEs fail"
        fix = f'ALTER PUBLICATION "{name}" SET (publish_generated_columns = stored);'
        yield Finding("generated_unpublished", problem, fix)


def _own_tables(definition: Definition, cursor: Cursor, captured: set[str], role: str) -> Iterator[Finding]:
    for name, privilege in ((HEARTBEAT, "UPDATE"), (SIGNAL, "INSERT")):
        if name not in captured:
            fix = f"-- the preparation SQL makes it: cdc connectors init {definition.name}"
            yield Finding("capture_table", f"table {name} does not exist", fix)
        elif not _one(cursor, _MAY, privilege, name):
            yield Finding("capture_privilege", f"{name} refuses {privilege}", f"GRANT {privilege} ON {name} TO {role};")
    for function in ("pg_control_system()", "pg_control_checkpoint()"):
        if not _one(cursor, "SELECT has_function_privilege(%s, 'EXECUTE')", function):
            fix = f"GRANT EXECUTE ON FUNCTION {function} TO {role};"
            yield Finding("capture_privilege", f"{function} may not be called", fix)
            return
    begun = _one(cursor, "SELECT count(*) > 0 FROM pg_replication_slots WHERE slot_name = %s", definition.slot)
    if begun or HEARTBEAT not in captured or not _one(cursor, _MAY, "SELECT", HEARTBEAT):
        return
    true = f"""SELECT count(*) = 1
                      AND bool_and((b.system_identifier, b.timeline) = (s.system_identifier::text, c.timeline_id))
                 FROM {HEARTBEAT} AS b, pg_control_system() AS s, pg_control_checkpoint() AS c"""
    if not _one(cursor, true):
        problem = f"{HEARTBEAT} names another cluster or timeline than this one: the baseline would begin with a lie"
        yield Finding("heartbeat_stale", problem, f"{HEARTBEAT_QUERY};")


_MAY = """SELECT has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, %s)
            FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname || '.' || c.relname = %s"""


def _one(cursor: Cursor, query: str, *arguments: str) -> Any:
    cursor.execute(query, arguments or None)
    row = cursor.fetchone()
    return row[0] if row else None


def _first_line(error: psycopg2.Error) -> str:
    return (str(error).strip().splitlines() or ["no reason given"])[0]

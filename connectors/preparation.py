"""The SQL that makes a database fit to be captured, for a person to read and for psql to run, as often as they like.

What it must achieve is what :mod:`connectors.check` asks for. Two rules shape it. A paragraph (what stands between
blank lines) is a transaction of its own: changing a replica identity locks the table, and one transaction over many
tables would deadlock with the application. And identities come before the publication: in between, a table without a
key would refuse every UPDATE.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from connectors.definition import HEARTBEAT, SIGNAL, Definition
from connectors.errors import SourceUnfit
from connectors.inventory import Inventory, Relation, Server
from connectors.proposal import printable

SCHEMA_PUBLICATIONS = 15
GENERATED_COLUMNS = 18
"""PostgreSQL versions that can publish a schema, and generated columns."""
OWN_TABLES = {
    HEARTBEAT: ("id", "beat_at", "system_identifier", "timeline"),
    SIGNAL: ("id", "type", "data"),
}


_OWN = (
    "CREATE SCHEMA IF NOT EXISTS cdc;",
    """\
-- Updated on every heartbeat: the slot moves while the tables are quiet, and the stream itself says which cluster and
-- timeline it comes from.
CREATE TABLE IF NOT EXISTS cdc.heartbeat (
    id                 int PRIMARY KEY,
    beat_at            timestamptz NOT NULL,
    system_identifier  text NOT NULL,
    timeline           int NOT NULL
);""",
    """\
INSERT INTO cdc.heartbeat
SELECT 1, clock_timestamp(), s.system_identifier::text, c.timeline_id
FROM pg_control_system() AS s, pg_control_checkpoint() AS c
ON CONFLICT (id) DO UPDATE
SET beat_at = excluded.beat_at, system_identifier = excluded.system_identifier, timeline = excluded.timeline;""",
    """\
-- Debezium's signalling table (its documentation, "Sending signals to a Debezium connector").
CREATE TABLE IF NOT EXISTS cdc.signal (
    id    varchar(42) PRIMARY KEY,
    type  varchar(32) NOT NULL,
    data  varchar(2048)
);""",
)


@dataclass(frozen=True, slots=True)
class Role:
    """Whom Debezium connects as. ``verifier``: of the password to set; None where the role's password is its own."""

    name: str
    verifier: str | None


def own_tables(publication: str, role: str) -> str:
    """The SQL that makes the heartbeat and the signalling table for a quoted role, as often as one likes, and adds them
    to a quoted publication that lacks them.
    """
    name = literal(publication.strip('"'))
    there = f"EXISTS (SELECT FROM pg_publication WHERE pubname = {name})"
    held = f"SELECT FROM pg_publication_tables WHERE pubname = {name} AND schemaname || '.' || tablename ="
    adds = "".join(
        f"    IF {there}\n       AND NOT EXISTS ({held} {literal(table)}) THEN\n"
        f"        ALTER PUBLICATION {publication} ADD TABLE {table};\n    END IF;\n"
        for table in OWN_TABLES
    )
    return "\n".join((
        *_OWN,
        *(f"ALTER TABLE {table} REPLICA IDENTITY FULL;" for table in OWN_TABLES),
        f"GRANT USAGE ON SCHEMA cdc TO {role};",
        f"GRANT SELECT, UPDATE ON {HEARTBEAT} TO {role};",
        f"GRANT SELECT, INSERT ON {SIGNAL} TO {role};",
        f"GRANT EXECUTE ON FUNCTION pg_control_system(), pg_control_checkpoint() TO {role};",
        f"DO $$\nBEGIN\n{adds}END\n$$;",
    ))  # fmt: skip


def text(definition: Definition, inventory: Inventory, captured: Sequence[Relation], role: Role) -> str:
    """The whole script for these tables. ``captured`` has no partitions: their identity follows their table's.

    Raises:
        SourceUnfit: the database has a table ``cdc.heartbeat`` or ``cdc.signal`` that is not ours.
    """
    _demand_own_tables(inventory)
    return "\n\n".join(_paragraphs(definition, inventory, captured, role)) + "\n"


def _demand_own_tables(inventory: Inventory) -> None:
    for relation in inventory.relations:
        columns = OWN_TABLES.get(relation.table.name)
        if columns is not None and tuple(column.name for column in relation.columns) != columns:
            raise SourceUnfit(
                f"the database has a table {relation.table.name} of its own, with other columns",
                hint=f"cdc needs that name, with the columns {', '.join(columns)}",
            )


def _paragraphs(
    definition: Definition, inventory: Inventory, captured: Sequence[Relation], role: Role
) -> Iterator[str]:
    server, name = inventory.server, quoted(role.name)
    tables = [relation.table.quoted for relation in captured]
    schemas = tuple(dict.fromkeys(relation.table.quoted_schema for relation in captured))
    by_schema = _by_schema(inventory, captured)
    yield _head(definition, server)
    yield _guarded(
        "Not in another database by mistake.",
        f"current_database() <> {literal(server.database)}",
        f"RAISE EXCEPTION USING MESSAGE = {literal('this is not the database ' + server.database)};",
    )
    yield "-- Give up rather than make the application wait for a lock.\nSET lock_timeout = '10s';"
    yield from _role(role)
    yield from _OWN
    yield "-- Before images hold every column, and a table without a key can be updated once it is published."
    partitions = (part.table.quoted for part in _partitions(inventory, captured))
    yield from (f"ALTER TABLE {table} REPLICA IDENTITY FULL;" for table in (*OWN_TABLES, *tables, *partitions))
    yield from _publication(definition.publication, server.version, schemas if by_schema else (), tables)
    yield _event_trigger(definition.name, tuple(dict.fromkeys(r.schema for r in captured)), server.superuser)
    yield f"GRANT CONNECT ON DATABASE {quoted(server.database)} TO {name};"
    yield f"GRANT USAGE ON SCHEMA {', '.join((*schemas, 'cdc'))} TO {name};"
    owners = dict.fromkeys(relation.owner for relation in captured)
    yield from _by_schema_grants(name, schemas, owners) if by_schema else _by_table_grants(name, tables)
    yield f"GRANT SELECT, UPDATE ON {HEARTBEAT} TO {name};"
    yield f"GRANT SELECT, INSERT ON {SIGNAL} TO {name};"
    yield (
        "-- The heartbeat asks these two.\n"
        f"GRANT EXECUTE ON FUNCTION pg_control_system(), pg_control_checkpoint() TO {name};"
    )
    if any(relation.row_security for relation in captured):
        yield f"-- Row security would hide rows from the snapshot.\nALTER ROLE {name} BYPASSRLS;"


def _partitions(inventory: Inventory, captured: Sequence[Relation]) -> tuple[Relation, ...]:
    roots = {relation.table.name for relation in captured}
    return tuple(relation for relation in inventory.relations if relation.table.root in roots)


def _by_schema(inventory: Inventory, captured: Sequence[Relation]) -> bool:
    """Whether to publish whole schemas: a superuser may, and no table in them must stay out."""
    schemas = {relation.schema for relation in captured}
    whole = {r.table.quoted for r in inventory.relations if r.schema in schemas and r.table.root is None}
    server = inventory.server
    return (
        server.version >= SCHEMA_PUBLICATIONS
        and server.superuser
        and whole == {relation.table.quoted for relation in captured if relation.table.root is None}
    )


def _head(definition: Definition, server: Server) -> str:
    level = "The server decodes its log already (wal_level = logical)."
    if server.wal_level != "logical":
        level = (
            f"FIRST: wal_level is {server.wal_level}. Nothing can be captured before it is logical:\n"
            "--   ALTER SYSTEM SET wal_level = 'logical';   and restart the server."
        )
    return (
        f"-- Makes the database {printable(server.database)} fit to be captured as {definition.name}.\n"
        "-- Read it, then run it in that database as a superuser. It may be run again:\n"
        f"--   psql -v ON_ERROR_STOP=1 -f {definition.name}.sql\n"
        "-- What stands between blank lines is a transaction of its own, so that locks are short.\n"
        f"-- {level}\n"
        "-- It needs a free replication slot and WAL sender (max_replication_slots, max_wal_senders). A slot whose\n"
        "-- reader is away keeps WAL on disk; max_slot_wal_keep_size bounds that, at the price of a new snapshot."
    )


def _role(role: Role) -> Iterator[str]:
    name = quoted(role.name)
    if role.verifier is None:
        yield f"-- The role that Debezium connects as; it keeps its password.\nALTER ROLE {name} REPLICATION;"
        return
    yield _guarded(
        "The role that Debezium connects as. It reads the log and the tables below, and owns nothing.",
        f"NOT EXISTS (SELECT FROM pg_roles WHERE rolname = {literal(role.name)})",
        f"CREATE ROLE {name};",
    )
    yield (
        "-- The password is in the secrets of cdc; this is what the server keeps of it (SCRAM).\n"
        f"ALTER ROLE {name} LOGIN REPLICATION PASSWORD {literal(role.verifier)};"
    )


def _publication(publication: str, version: int, schemas: Sequence[str], tables: Sequence[str]) -> Iterator[str]:
    name = quoted(publication)
    yield _guarded(
        "What the slot decodes. One that Debezium makes by itself would leave out TRUNCATE.",
        f"NOT EXISTS (SELECT FROM pg_publication WHERE pubname = {literal(publication)})",
        f"CREATE PUBLICATION {name};",
    )
    generated = ", publish_generated_columns = stored" if version >= GENERATED_COLUMNS else ""
    yield (
        f"ALTER PUBLICATION {name} SET\n"
        f"    (publish = 'insert, update, delete, truncate', publish_via_partition_root = true{generated});"
    )
    if schemas:
        listed = ", ".join((*schemas, "cdc"))
        statement = f"ALTER PUBLICATION {name} SET TABLES IN SCHEMA {listed};"
        yield f"-- By schema: a table that is made tomorrow is in it.\n{statement}"
    else:
        listed = ",\n    ".join((*tables, *OWN_TABLES))
        yield (
            "-- Table by table: one that is made later is captured only when it has been added here.\n"
            f"ALTER PUBLICATION {name} SET TABLE\n    {listed};"
        )


def _event_trigger(source: str, schemas: Sequence[str], superuser: bool) -> str:
    statement = f"""\
CREATE OR REPLACE FUNCTION cdc.full_identity_{source}() RETURNS event_trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
    command record;
BEGIN
    FOR command IN
        SELECT d.object_identity FROM pg_event_trigger_ddl_commands() AS d JOIN pg_class AS c ON c.oid = d.objid
        WHERE d.object_type = 'table' AND c.relreplident <> 'f'
          AND d.schema_name IN ({", ".join(map(literal, schemas))})
    LOOP
        EXECUTE format('ALTER TABLE %s REPLICA IDENTITY FULL', command.object_identity);
    END LOOP;
END
$$;
DROP EVENT TRIGGER IF EXISTS cdc_{source}_full_identity;
CREATE EVENT TRIGGER cdc_{source}_full_identity ON ddl_command_end
    WHEN TAG IN ('CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO', 'ALTER TABLE')
    EXECUTE FUNCTION cdc.full_identity_{source}();"""
    if superuser:
        return (
            f"-- The same identity for tables and partitions that are made, or moved into a schema, later.\n{statement}"
        )
    lines = "".join(f"\n--   {line}" for line in statement.splitlines())
    return f"-- For tables and partitions that are made later, a superuser can have the same done:{lines}"


def _by_schema_grants(role: str, schemas: Sequence[str], owners: Iterable[str]) -> Iterator[str]:
    listed = ", ".join(schemas)
    yield f"GRANT SELECT ON ALL TABLES IN SCHEMA {listed} TO {role};"
    for owner in owners:
        yield (
            f"ALTER DEFAULT PRIVILEGES FOR ROLE {quoted(owner)} IN SCHEMA {listed}\n"
            f"    GRANT SELECT ON TABLES TO {role};"
        )


def _by_table_grants(role: str, tables: Sequence[str]) -> Iterator[str]:
    listed = ",\n    ".join(tables)
    yield f"GRANT SELECT ON\n    {listed}\n    TO {role};"


def _guarded(why: str, condition: str, statement: str) -> str:
    body = f"BEGIN\n    IF {condition} THEN\n        {statement}\n    END IF;\nEND"
    tag = "$$" if "$" not in body else "$" + "q" * (1 + max(map(len, re.findall("q+", body)), default=0)) + "$"
    return f"-- {why}\nDO {tag}\n{body}\n{tag};"


def quoted(name: str) -> str:
    """A quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: str) -> str:
    """A SQL string."""
    return "'" + value.replace("'", "''") + "'"

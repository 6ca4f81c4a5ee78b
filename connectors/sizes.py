"""How much a source's tables hold, by its own estimates: no row is read (PostgreSQL documentation, EXPLAIN)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import psycopg2
import pymysql
from psycopg2 import sql

from connectors import inventory, mariadb_check
from connectors.definition import Definition
from connectors.errors import ConditionWrong, ConnectorError, NotFound

_BYTES = """
SELECT coalesce(sum(pg_table_size(p.relid))::bigint, pg_table_size(t.oid))
  FROM (SELECT %s::regclass::oid AS oid) AS t LEFT JOIN pg_partition_tree(t.oid) AS p ON true GROUP BY t.oid
"""
"""Of a table with what is stored out of line, or of all its partitions (a plain table has no tree); without indexes."""
_MARIA = "SELECT table_rows, data_length FROM information_schema.tables WHERE table_schema = %s AND table_name = %s"


@dataclass(frozen=True, slots=True)
class Size:
    """``rows``: what the server expects to find; ``bytes``: what they take on disk."""

    schema: str
    table: str
    rows: int
    bytes: int


def sizes(
    definition: Definition, dsn: str, tables: Sequence[tuple[str, str]], where: str | None = None
) -> tuple[Size, ...]:
    """Sizes of tables, each by schema and name; with ``where`` (SQL, without WHERE), of the rows under it. MariaDB does
    not say how many those are: there the condition is looked at, and the size is the whole table's.

    Raises:
        AddressError, Unreachable: the database cannot be reached.
        ConditionWrong: the database does not understand the condition.
        NotFound: a table is not there.
    """
    if definition.kind == "mariadb":
        return _maria(definition, dsn, tables, where)
    with inventory.opened(dsn, f"the source database of {definition.name}") as connection:
        connection.set_session(readonly=True, autocommit=True)
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = '30s'")
            return tuple(_postgres(cursor, *table, where) for table in tables)


def _postgres(cursor: psycopg2.extensions.cursor, schema: str, table: str, where: str | None) -> Size:
    name = sql.Identifier(schema, table)
    try:
        cursor.execute(_BYTES, (name.as_string(cursor),))
        (taken,) = cursor.fetchone() or (0,)
        rows = _expected(cursor, sql.SQL("EXPLAIN (FORMAT JSON) SELECT * FROM {}").format(name))
    except psycopg2.errors.UndefinedTable:
        raise NotFound(f"the source has no table {schema}.{table}", hint="names are exact") from None
    except psycopg2.Error as error:
        raise ConnectorError(f"the size of {schema}.{table} cannot be asked for: SQLSTATE {error.pgcode}") from None
    if where is None:
        return Size(schema, table, rows, taken or 0)
    try:
        # The condition is the operator's own SQL, as Debezium will put it into its queries.
        asked = sql.SQL("EXPLAIN (FORMAT JSON) SELECT * FROM {} WHERE ({})").format(name, sql.SQL(where))
        part = _expected(cursor, asked)
    except psycopg2.Error as error:
        raise ConditionWrong(
            f"the database does not understand the condition: SQLSTATE {error.pgcode}",
            hint="--where 'status = 4': SQL, without WHERE, columns of that table alone",
        ) from None
    return Size(schema, table, min(part, rows), (taken or 0) * min(part, rows) // max(rows, 1))


def _expected(cursor: psycopg2.extensions.cursor, asked: sql.Composed) -> int:
    """Rows that the planner expects. Nothing is executed."""
    cursor.execute(asked)
    ((plan,),) = cursor.fetchall()
    return int(plan[0]["Plan"]["Plan Rows"])


def _maria(definition: Definition, dsn: str, tables: Sequence[tuple[str, str]], where: str | None) -> tuple[Size, ...]:
    found = []
    with (
        mariadb_check.connect(dsn, f"the source database of {definition.name}") as connection,
        connection.cursor() as cursor,
    ):
        for schema, table in tables:
            cursor.execute(_MARIA, (schema, table))
            row = cursor.fetchone()
            if row is None:
                raise NotFound(f"the source has no table {schema}.{table}", hint="names are exact")
            if where is not None:
                _understood(cursor, schema, table, where)
            found.append(Size(schema, table, int(row[0] or 0), int(row[1] or 0)))
    return tuple(found)


def _understood(cursor: pymysql.cursors.Cursor, schema: str, table: str, where: str) -> None:
    quoted = ".".join("`" + part.replace("`", "``") + "`" for part in (schema, table))
    try:
        cursor.execute(f"EXPLAIN SELECT * FROM {quoted} WHERE ({where})")
    except pymysql.err.MySQLError as error:
        raise ConditionWrong(
            f"the database does not understand the condition: MariaDB error {error.args[0]}",
            hint="--where 'status = 4': SQL, without WHERE, columns of that table alone",
        ) from None

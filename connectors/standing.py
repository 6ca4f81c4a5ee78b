"""Which tables a PostgreSQL database has now, which of their columns have a default, and how many rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg2
from psycopg2 import sql

from connectors.errors import ConnectorError
from connectors.inventory import opened

_COLUMNS = """
SELECT n.nspname, c.relname,
       coalesce(json_object_agg(a.attname, a.atthasmissing OR (a.atthasdef AND a.attgenerated = ''))
                FILTER (WHERE a.attname IS NOT NULL), '{}')
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
 WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND n.nspname NOT IN ('pg_catalog', 'information_schema')
 GROUP BY 1, 2
"""
"""``atthasmissing``: a column that was added with a default, which rows from before show without having been written
(PostgreSQL documentation, pg_attribute). Identity columns have no entry in pg_attrdef."""


def standing(dsn: str, name: str) -> dict[tuple[str, str], dict[str, bool]]:
    """Database schema and name of each table → its columns, and whether each has a default or was added with one.

    Raises:
        AddressError, Unreachable: as :func:`connectors.inventory.opened` says.
        ConnectorError: its catalog cannot be read.
    """
    with opened(dsn, f"the source database of {name}") as connection:
        try:
            connection.set_session(readonly=True)
            with connection.cursor() as cursor:
                cursor.execute("SET statement_timeout = '30s'")
                cursor.execute(_COLUMNS)
                return {(schema, table): columns for schema, table, columns in cursor.fetchall()}
        except psycopg2.Error as error:
            raise ConnectorError(
                f"the catalog of {name} cannot be read: SQLSTATE {error.pgcode}", hint="the server's log says more"
            ) from None


@contextmanager
def counting(dsn: str, name: str) -> Iterator[Callable[[tuple[str, str]], int]]:
    """Counts rows of tables, given by schema and name, through one connection.

    Raises:
        AddressError, Unreachable: as :func:`connectors.inventory.opened` says.
        ConnectorError: a table cannot be read (by the function).
    """
    with opened(dsn, f"the source database of {name}") as connection:
        connection.set_session(readonly=True, autocommit=True)

        def count(place: tuple[str, str]) -> int:
            try:
                with connection.cursor() as cursor:
                    cursor.execute("SET lock_timeout = '5s'")
                    cursor.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(*place)))
                    row = cursor.fetchone()
            except psycopg2.Error as error:
                where = ".".join(place)
                raise ConnectorError(f"{where} of {name} cannot be counted: SQLSTATE {error.pgcode}") from None
            return int(row[0]) if row is not None else 0

        yield count

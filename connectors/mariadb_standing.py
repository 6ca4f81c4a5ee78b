"""Which tables a MariaDB server has now, which of their columns have a default, and how many rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pymysql

from connectors.errors import ConnectorError
from connectors.mariadb_check import connect
from connectors.mariadb_inventory import SYSTEM, quoted

# A NOT NULL column that is added without a default gets its type's (0, '') in rows that are there.
_COLUMNS = f"""
SELECT t.table_schema, t.table_name, c.column_name,
       c.is_generated = 'NEVER' AND (c.is_nullable = 'NO' OR coalesce(c.column_default, 'NULL') <> 'NULL')
  FROM information_schema.tables t LEFT JOIN information_schema.columns c USING (table_schema, table_name)
 WHERE t.table_type = 'BASE TABLE' AND t.table_schema NOT IN {SYSTEM!r}
"""


def standing(dsn: str, name: str) -> dict[tuple[str, str], dict[str, bool]]:
    """Database and name of each table → its columns, and whether rows from before get a value by its definition.

    Raises:
        AddressError, Unreachable: as :func:`connectors.mariadb_check.connect` says.
        ConnectorError: its catalog cannot be read.
    """
    found: dict[tuple[str, str], dict[str, bool]] = {}
    try:
        with connect(dsn, f"the source database of {name}") as connection, connection.cursor() as cursor:
            cursor.execute(_COLUMNS)
            for schema, table, column, default in cursor.fetchall():
                found.setdefault((schema, table), {})[column] = bool(default)
    except pymysql.err.MySQLError as error:
        raise ConnectorError(f"the catalog of {name} cannot be read: MariaDB error {error.args[0]}") from None
    return found


@contextmanager
def counting(dsn: str, name: str) -> Iterator[Callable[[tuple[str, str]], int]]:
    """Counts rows of tables, given by database and name, through one connection.

    Raises:
        AddressError, Unreachable: as :func:`connectors.mariadb_check.connect` says.
        ConnectorError: a table cannot be read (by the function).
    """
    with connect(dsn, f"the source database of {name}") as connection:

        def count(place: tuple[str, str]) -> int:
            try:
                with connection.cursor() as cursor:
                    cursor.execute(f"SELECT count(*) FROM {quoted(place[0])}.{quoted(place[1])}")
                    row = cursor.fetchone()
            except pymysql.err.MySQLError as error:
                where = ".".join(place)
                raise ConnectorError(f"{where} of {name} cannot be counted: MariaDB error {error.args[0]}") from None
            return int(row[0]) if row is not None else 0

        yield count

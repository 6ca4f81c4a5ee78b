"""Source = warehouse, for whole databases: clear columns byte for byte, protected columns opened and compared row by row.

Imports nothing of the project it judges. Both functions expect a source that stands still and a warehouse that has
caught up. What a difference says names tables, columns, protected row keys and clear columns, never a protected value.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import psycopg2
from psycopg2 import sql

from tests.independent.cells import Cells
from tests.independent.siv import DoesNotOpen
from tests.oracle.catalog import SourceTable, source_tables
from tests.oracle.postgres_text import as_copied, fields
from tests.oracle.tables import first_difference, render

Row = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class TableComparison:
    """One table's clear columns. ``difference`` is a sentence, None when both sides are the same bytes."""

    table: str
    rows: int
    columns: tuple[str, ...]
    size: int
    """Bytes of COPY text on the source's side."""
    difference: str | None = None


@dataclass(frozen=True, slots=True)
class OpenedComparison:
    """One table's protected columns. ``cells``: sealed cells opened and tokens resolved on the way."""

    table: str
    rows: int
    cells: int
    difference: str | None = None


class _Differs(Exception):
    """A row of the warehouse is not the source's."""


def compare_source(
    source_dsn: str, warehouse_dsn: str, source_name: str, policy_path: Path | str, without: Collection[str] = ()
) -> list[TableComparison]:
    """Compare keys and clear columns of every table in the source's catalog, by ordered COPY on both sides.

    A table that never held a row has no view in the warehouse; it is equal, with 0 rows, as long as the source's is empty.
    """
    return [
        _compare(source_dsn, warehouse_dsn, source_name, table)
        for table in source_tables(source_dsn, source_name, policy_path, without)
    ]


def open_protected(
    source_dsn: str,
    warehouse_dsn: str,
    privacy_dsn: str,
    keyring_path: Path | str,
    source_name: str,
    policy_path: Path | str,
    limit: int | None = None,
    without: Collection[str] = (),
) -> list[OpenedComparison]:
    """Open every sealed cell and token in the state tables, and compare whole rows with the source's.

    Rows are joined by their key, opened where it is a token; the rows of a table without a key are compared as a
    multiset. ``limit``: rows of the warehouse that are opened per table, from the lowest key; the count of rows is
    compared all the same. Tables without a protected column are left to :func:`compare_source`.
    """
    cells = Cells(keyring_path, privacy_dsn)
    tables = [table for table in source_tables(source_dsn, source_name, policy_path, without) if table.protected]
    return [_Opening(source_name, table, cells).compare(source_dsn, warehouse_dsn, limit) for table in tables]


def _compare(source_dsn: str, warehouse_dsn: str, source: str, table: SourceTable) -> TableComparison:
    key = [column for column in table.key if column in table.clear]
    ours = render(source_dsn, sql.Identifier(table.schema, table.name), key, table.clear, amounts=table.amounts)
    rows, size = ours.count(b"\n"), len(ours)
    try:
        theirs = render(
            warehouse_dsn, sql.Identifier(source, table.view), [table.ours(c) for c in key], [table.ours(c) for c in table.clear]
        )
    except psycopg2.errors.UndefinedTable:
        missing = None if rows == 0 else f"{table.title}: {rows} rows in the source, no such view in the warehouse"
        return TableComparison(table.title, rows, table.clear, size, missing)
    except psycopg2.errors.UndefinedColumn:
        return TableComparison(
            table.title, rows, table.clear, size, f"{table.title}: the warehouse's view lacks a column"
        )
    if ours == theirs:
        return TableComparison(table.title, rows, table.clear, size)
    found = first_difference(table.title, ours, theirs)
    said = (
        f"{table.title}: {found.reason} ({found.source_rows} in the source, {found.warehouse_rows} in the warehouse), first"
        f" at row {found.row} by key: source {found.source!r}, warehouse {found.warehouse!r}"
    )
    return TableComparison(table.title, rows, table.clear, size, said)


class _Opening:
    """One table on its way through the comparison of its protected columns."""

    def __init__(self, source: str, table: SourceTable, cells: Cells) -> None:
        self._source = source
        self._table = table
        self._columns = (*table.clear, *table.protected)
        self._cells = cells
        self._count = 0

    def compare(self, source_dsn: str, warehouse_dsn: str, limit: int | None) -> OpenedComparison:
        """Open the warehouse's rows one after the other; the first that is not the source's ends it."""
        table = self._table
        cells = table.arrays.intersection(table.protected)  # a cell holds the elements' texts, a clear column the array
        copied = render(source_dsn, sql.Identifier(table.schema, table.name), (), self._columns, cells, table.amounts)
        theirs = [tuple(fields(line)) for line in copied.decode().split("\n")[:-1]]
        try:
            rows = self._judge(self._kept(warehouse_dsn), theirs, limit)
        except _Differs as error:
            return OpenedComparison(table.title, len(theirs), self._count, f"{table.title}: {error}")
        return OpenedComparison(table.title, rows, self._count)

    def _judge(self, kept: list[tuple[str, int, Row]], theirs: list[Row], limit: int | None) -> int:
        """Take every opened row off the source's rows; returns how many there were."""
        left = Counter(self._keyed(row) for row in theirs)
        for key, copies, row in kept[:limit]:
            opened = self._keyed(self._opened(key, row))
            if left[opened] < copies:
                raise _Differs(self._said(key, opened, left))
            left[opened] -= copies
        held = sum(copies for _, copies, _ in kept)
        if held != len(theirs):
            raise _Differs(f"{len(theirs)} rows in the source, {held} in the warehouse")
        return sum(copies for _, copies, _ in kept[:limit])

    def _kept(self, warehouse_dsn: str) -> list[tuple[str, int, Row]]:
        """Row key as it is stored, copies, and the columns of every live row of the state table, by key."""
        connection = psycopg2.connect(warehouse_dsn)
        try:
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT state_name, keyless, truncated_through, suspended_code FROM pipeline.state_table"
                    " WHERE log = %s AND table_name = %s",
                    (self._source, self._table.title),
                )
                described = cursor.fetchone()
        finally:
            connection.close()
        if described is None:  # never a row
            return []
        name, keyless, truncated_through, suspended = described
        if suspended is not None:
            raise _Differs(f"its state is suspended ({suspended})")
        if keyless == bool(self._table.key):
            raise _Differs("one side has a key, the other has none")
        live = "SELECT *, {copies} AS copies_ FROM {table} WHERE {alive} AND _seq > {truncated}"
        relation = sql.SQL("(" + live + ") AS live").format(
            copies=sql.SQL("_copies" if keyless else "1"),
            table=sql.Identifier(f"{self._source}_state", name),
            alive=sql.SQL("_copies > 0" if keyless else "NOT _deleted"),
            truncated=sql.Literal(truncated_through),
        )
        try:
            copied = render(warehouse_dsn, relation, ("_key",), ("_key", "copies_", *map(self._table.ours, self._columns)))
        except psycopg2.errors.UndefinedColumn:
            raise _Differs("the warehouse's state lacks a column") from None
        rows = [fields(line) for line in copied.decode().split("\n")[:-1]]
        return [(str(key), int(str(copies)), tuple(row)) for key, copies, *row in rows]

    def _opened(self, stored_key: str, row: Row) -> Row:
        """The row as the source's COPY writes it, by way of its cells and tokens; its key must be its key columns'."""
        table = self._table
        row_key = json.loads(stored_key) if table.key else []
        opened = list(row[: len(table.clear)])
        for column, stored in zip(table.protected, row[len(table.clear) :], strict=True):
            if stored is None:
                opened.append(None)
            elif table.protect[column] == "token":
                opened.append(as_copied(table.types[column], self._token(stored_key, column, str(stored))))
            else:
                opened.append(as_copied(table.types[column], self._cell(stored_key, column, str(stored), row_key)))
        values = dict(zip(self._columns, opened, strict=True))
        for column, part in zip(table.key, row_key, strict=True):
            text = self._token(stored_key, column, part["token"]) if isinstance(part, dict) else part
            if as_copied(table.types[column], text) != values[column]:
                raise _Differs(f"row {stored_key}: its key is not that of its column {column}")
        return tuple(opened)

    def _cell(self, stored_key: str, column: str, stored: str, row_key: list) -> object:
        self._count += 1
        try:
            return self._cells.open(
                bytes.fromhex(stored.removeprefix("\\x")), self._source, self._table.title, column, row_key
            )
        except (DoesNotOpen, KeyError, IndexError, ValueError, AssertionError) as error:
            raise _Differs(f"row {stored_key}: the cell of {column} does not open ({type(error).__name__})") from None

    def _token(self, stored_key: str, column: str, token: str) -> str:
        self._count += 1
        try:
            domain, value = self._cells.token(token)
        except (DoesNotOpen, KeyError, AssertionError) as error:
            raise _Differs(
                f"row {stored_key}: the token of {column} does not resolve ({type(error).__name__})"
            ) from None
        if domain != self._table.domains[column]:
            raise _Differs(f"row {stored_key}: the token of {column} is one of the domain {domain}")
        return value

    def _keyed(self, row: Row) -> Row:
        """A row with its key in front, so that rows are joined by it."""
        at = [self._columns.index(column) for column in self._table.key if column in self._columns]
        return (*(row[n] for n in at), *row)

    def _said(self, key: str, opened: Row, left: Counter[Row]) -> str:
        """Which columns differ from the source's row of the same key."""
        width = len(self._table.key)
        same = [row for row, copies in left.items() if copies > 0 and row[:width] == opened[:width]] if width else []
        if not same:
            return f"row {key} of the warehouse is not in the source"
        columns = [name for name, a, b in zip(self._columns, opened[width:], same[0][width:], strict=True) if a != b]
        return f"row {key}: {', '.join(columns)} differ from the source's"

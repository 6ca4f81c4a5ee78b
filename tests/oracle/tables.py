"""Compares a source table with its copy in the warehouse, on the clear columns, in PostgreSQL's own text form.

Both servers render the same columns in the same order under the same settings; equal tables give equal bytes. No value
passes through Python types, so nothing is rounded, normalised or forgiven on the way.
"""

from __future__ import annotations

import io
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import psycopg2
from psycopg2 import sql

SETTINGS = (
    "SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'iso_8601'; SET extra_float_digits = 1;"
    "SET bytea_output = 'hex'; SET client_encoding = 'UTF8'; SET lc_monetary = 'C'"
)
_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Difference:
    """Two tables differ, or there was too little to compare. Shows clear columns only."""

    table: str
    source_rows: int
    warehouse_rows: int
    reason: str
    row: int | None = None
    """Number of the first differing row in key order, from 0."""
    source: str | None = None
    warehouse: str | None = None


def compare_clear(
    source_dsn: str,
    warehouse_dsn: str,
    source_name: str,
    table: str,
    key_columns: Sequence[str],
    clear_columns: Sequence[str],
    *,
    at_least: int = 1,
) -> Difference | None:
    """Return the first difference between ``table`` of the source and the warehouse's view of it, or None.

    ``table`` is "customers" or "public.customers" (view ``<source>.customers``), or "cdc.heartbeat" (view
    ``<source>."cdc.heartbeat"``). ``key_columns`` are the *clear* columns of the key, in key order, and may be empty:
    rows are ordered by them and then by all clear columns, so keyless tables and tokenised keys compare as multisets.
    Fewer than ``at_least`` rows in the source is a difference as well: an empty comparison proves nothing.
    """
    if not clear_columns:
        msg = f"{table}: no clear column to compare"
        raise ValueError(msg)
    schema, _, name = table.rpartition(".")
    schema = schema or "public"
    view = name if schema == "public" else f"{schema}.{name}"
    source = render(source_dsn, sql.Identifier(schema, name), key_columns, clear_columns)
    warehouse = render(warehouse_dsn, sql.Identifier(source_name, view), key_columns, clear_columns)
    ours, theirs = source.count(b"\n"), warehouse.count(b"\n")
    if ours < at_least:
        return Difference(table, ours, theirs, f"the source has fewer than {at_least} rows")
    if source == warehouse:
        return None
    return first_difference(table, source, warehouse)


def render(
    dsn: str,
    relation: sql.Composable,
    key_columns: Sequence[str],
    columns: Sequence[str],
    arrays: Collection[str] = (),
    amounts: Collection[str] = (),
) -> bytes:
    """Return the relation's columns as COPY text, ordered by key and then by all columns, bytewise.

    ``arrays``: columns of the source that are written as the JSON of their elements' texts, as the warehouse has them
    (docs/formats.md §2). ``amounts``: columns of type money, written as numbers. Without a column every row is an empty line.
    """

    def written(column: str) -> sql.Composable:
        shape = "to_json({}::text[])" if column in arrays else "{}::numeric" if column in amounts else "{}"
        return sql.SQL(shape).format(sql.Identifier(column))

    ordering = sql.SQL(", ").join(
        sql.SQL('{}::text COLLATE "C" NULLS FIRST').format(written(column))
        for column in dict.fromkeys((*key_columns, *columns))
    )
    statement = sql.SQL("COPY (SELECT {} FROM {} {} {}) TO STDOUT").format(
        sql.SQL(", ").join(map(written, columns)), relation, sql.SQL("ORDER BY" if columns or key_columns else ""), ordering
    )
    connection = psycopg2.connect(dsn)
    try:
        with connection.cursor() as cursor:
            cursor.execute(SETTINGS)
            text = io.BytesIO()
            cursor.copy_expert(statement.as_string(connection), text)
            return text.getvalue()
    finally:
        connection.close()


def first_difference(table: str, source: bytes, warehouse: bytes) -> Difference:
    """Where two different results of :func:`render` part."""
    ours, theirs = source.split(b"\n")[:-1], warehouse.split(b"\n")[:-1]
    shorter = min(len(ours), len(theirs))
    row = next((i for i in range(shorter) if ours[i] != theirs[i]), shorter)
    reason = "rows differ" if len(ours) == len(theirs) else "different numbers of rows"
    shown = [_cut(lines[row]) if row < len(lines) else None for lines in (ours, theirs)]
    return Difference(table, len(ours), len(theirs), reason, row, *shown)


def _cut(line: bytes) -> str:
    text = line.decode("utf-8", "replace")
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}… ({len(text)} characters)"

"""A value that PostgreSQL refuses in a typed state column: that table's state is suspended, its history flows on.

The rare way: a commit that was refused is rolled back whole and made again without the changes of that table's state.
What the log holds is the same bytes either way.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import TypeVar

import psycopg2

from cdc.batch import Batch
from cdc.copytext import escape

REFUSED_CLASSES = ("22", "54")
"""Data exception (not a value of the column's type), program limit exceeded (a value or a row that is too large)."""

_COPIED = re.compile(r"^\w+ \w+, \w+ \d+, \w+ ")
"""What stands before the column in the context of a refused COPY: ``COPY stage_…, line 7, column price: "…"``."""
_T = TypeVar("_T")
Refused = Mapping[str, tuple[str, str]]
"""Table → code and message of its suspension."""


class StateRefused(Exception):
    """PostgreSQL refused what a table's state was to become."""

    def __init__(self, table: str, code: str, message: str) -> None:
        super().__init__(f"{table}: {message}")
        self.table = table
        self.code = code
        self.message = message


def refusal(error: psycopg2.Error, table: str, columns: Collection[str]) -> StateRefused | None:
    """What to suspend the table with, whose state has these columns, or None where the error is not one of values."""
    if (error.pgcode or "")[:2] not in REFUSED_CLASSES:
        return None
    return StateRefused(table, *_reason(error, columns))


def _reason(error: psycopg2.Error, columns: Collection[str]) -> tuple[str, str]:
    """A stable code and a sentence. Of PostgreSQL's own words only a column's name is taken, if it is one of ours."""
    where = _COPIED.sub("", (error.diag.context or "").partition("\n")[0])
    named = [column for column in columns if where.startswith(f"{column}: ")]
    column = f"column {max(named, key=len)}" if named else "a column"
    return "value-refused", f"{column} cannot hold a value that the source has (SQLSTATE {error.pgcode})"


def without(batch: Batch, refused: Refused) -> Batch:
    """The batch without the state of these tables. The first entry that each misses is noted, as for any suspension."""
    touched = {table.table for table in batch.changes} | batch.truncated.keys() | batch.columns.keys()
    touched |= {row.table for row in batch.absent}
    if batch.resolved is not None and batch.resolved[0] is not None:
        touched.add(batch.resolved[0])
    ours = touched & refused.keys()
    if not ours:
        return batch
    missed = {table: seq for table in ours if (seq := _first_entry(batch, table)) is not None}
    return replace(
        batch,
        changes={table: rows for table, rows in batch.changes.items() if table.table not in ours},
        truncated=_left(batch.truncated, ours),
        columns=_left(batch.columns, ours),
        absent=[row for row in batch.absent if row.table not in ours],
        suspended={**batch.suspended, **{table: (*refused[table], seq) for table, seq in missed.items()}},
    )


def _left(of: Mapping[str, _T], ours: Collection[str]) -> dict[str, _T]:
    return {table: value for table, value in of.items() if table not in ours}


def _first_entry(batch: Batch, table: str) -> int | None:
    """Seq of the batch's first entry about rows of the table; fields as ``cdc.warehouse.commit.ENTRY_COLUMNS``."""
    name = escape(table).encode()
    for row in batch.rows:
        seq, kind, _, _, named = row.line.split(b"\t", 5)[:5]
        if named == name and kind in {b"change", b"truncate", b"absent"}:
            return int(seq)
    if batch.resolved is not None and batch.resolved[0] == table:
        return batch.end.edge.size - 1
    return None

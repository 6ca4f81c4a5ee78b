"""Rows that wait, within the commit: which begin to, which need not any more, and what the state of those becomes.

A row waits for its records in quarantine (``pipeline.row_wait``). When nothing of it is in quarantine any more, or a
truncate has taken all rows of its table, its state is folded from its entries; then it goes on as every other row.
While the state of its table is suspended nothing is folded, and the row waits on for the rebuild.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import psycopg2

from cdc.batch import Batch
from cdc.copytext import NULL, escape
from cdc.waiting import Wait
from cdc.warehouse.bulk import copy
from cdc.warehouse.projection import quoted
from cdc.warehouse.rebuild.newest import LAST, Newest, newest
from cdc.warehouse.rebuild.shape import Renderer, UnfitError
from cdc.warehouse.refusal import StateRefused, refusal
from cdc.warehouse.state import UPSERT

_BEGIN = """
INSERT INTO pipeline.row_wait AS w (log, table_name, row_key, since, open) VALUES (%s, %s, %s, %s, ARRAY[%s]::bigint[])
ON CONFLICT (log, table_name, row_key) DO UPDATE SET open = w.open || excluded.open
"""
_BEFORE = "SELECT row_key FROM pipeline.row_wait WHERE log = %s AND table_name = %s AND since < %s"
_RESOLVED = """
UPDATE pipeline.row_wait AS w SET open = array_remove(open, %(seq)s) WHERE log = %(log)s AND %(seq)s = ANY (open)
RETURNING table_name, row_key, open = '{}' AND NOT EXISTS (
    SELECT FROM pipeline.state_table t
     WHERE t.log = w.log AND t.table_name = w.table_name AND t.suspended_code IS NOT NULL)
"""
_END = "DELETE FROM pipeline.row_wait WHERE log = %s AND table_name = %s AND row_key = %s"
_STATE = "SELECT state_schema, state_name, columns FROM pipeline.state_table WHERE log = %s AND table_name = %s"
_STAGE = """
DROP TABLE IF EXISTS pg_temp.release_stage;
CREATE TEMPORARY TABLE release_stage ON COMMIT DROP AS
    SELECT _key, _version, _seq, _committed_at, _deleted{columns} FROM {table} WITH NO DATA
"""


def apply_waits(cursor: psycopg2.extensions.cursor, log: str, batch: Batch) -> None:
    """Bring the rows that wait to the end of the batch; its entries and its other state are there already.

    Raises:
        StateRefused: PostgreSQL refuses a value of a row that goes on.
    """
    _begin(cursor, log, (wait for wait in batch.waits if wait.seq < batch.truncated.get(wait.table, -1)))
    for table, seq in batch.truncated.items():
        cursor.execute(_BEFORE, (log, table, seq))
        for (key,) in cursor.fetchall():
            _release(cursor, log, table, key, seq)
    _begin(cursor, log, (wait for wait in batch.waits if wait.seq > batch.truncated.get(wait.table, -1)))
    if batch.resolved is not None:
        cursor.execute(_RESOLVED, {"log": log, "seq": batch.resolved[1]})
        for table, key, goes_on in cursor.fetchall():
            if goes_on:
                _release(cursor, log, table, key, LAST)


def _begin(cursor: psycopg2.extensions.cursor, log: str, waits: Iterable[Wait]) -> None:
    for wait in waits:
        cursor.execute(_BEGIN, (log, wait.table, wait.key, wait.seq, wait.seq))


def _release(cursor: psycopg2.extensions.cursor, log: str, table: str, key: str, before: int) -> None:
    """The row waits no more: its state is that of its newest version before the entry ``before``."""
    found = newest(cursor, log, table, key, before)
    cursor.execute(_STATE, (log, table))
    state = cursor.fetchone()
    if found is not None and state is not None:
        schema, name, columns = state
        try:
            _write(cursor, f"{quoted(schema)}.{quoted(name)}", key, found, columns)
        except UnfitError as unfit:
            message = f"column {unfit.column} cannot hold a value that the source has"
            raise StateRefused(table, "value-refused", message) from None
        except psycopg2.Error as error:
            raise refusal(error, table, [column["name"] for column in columns]) or error from None
    cursor.execute(_END, (log, table, key))


def _write(
    cursor: psycopg2.extensions.cursor, relation: str, key: str, found: Newest, columns: list[dict[str, str]]
) -> None:
    """One row into a state table, unless that has a newer version of it."""
    has = {column["name"]: column for column in columns}
    kept = tuple(
        replace(column, type=now.get("declared", now["type"]), protect=now["protect"])
        for column in found.version_of.columns
        if (now := has.get(column.name)) is not None
    )
    as_text = frozenset(name for name, column in has.items() if "declared" in column)
    renderer = Renderer(found.version_of, replace(found.version_of, columns=kept), as_text)
    line = renderer.deleted(found.image) if found.deleted else renderer.row(found.image)
    names = [quoted(column.name) for column in kept]
    listed = "".join(f", {name}" for name in names)
    cursor.execute(_STAGE.format(table=relation, columns=listed))
    at = NULL if found.committed_at is None else str(found.committed_at)
    fields = [escape(key), str(found.version), str(found.seq), at, "t" if found.deleted else "f"]
    copy(cursor, "release_stage", "\t".join([*fields, line] if names else fields).encode() + b"\n")
    lacking = set(map(quoted, has)) - set(names)
    assignments = "".join(
        [*(f", {name} = excluded.{name}" for name in names), *(f", {name} = NULL" for name in sorted(lacking))]
    )
    cursor.execute(UPSERT.format(table=relation, stage="release_stage", columns=listed, assignments=assignments))

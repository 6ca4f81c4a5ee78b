"""Current state within the commit: last image per row key, set-based, one COPY and one statement per table version."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256

import psycopg2

from cdc.batch import Batch, StateChange
from cdc.copytext import NULL, escape
from cdc.protect import ProtectedTable
from cdc.unsent import keys_by_column
from cdc.warehouse.absence import apply_absent
from cdc.warehouse.bulk import copy
from cdc.warehouse.diverged import diverged
from cdc.warehouse.projection import quoted, state_name
from cdc.warehouse.refusal import refusal

UPSERT = """
INSERT INTO {table} AS s (_key, _version, _seq, _committed_at, _deleted{columns})
SELECT _key, _version, _seq, _committed_at, _deleted{columns} FROM {stage}
ON CONFLICT (_key) DO UPDATE SET _version = excluded._version, _seq = excluded._seq,
    _committed_at = excluded._committed_at, _deleted = excluded._deleted{assignments} WHERE s._seq < excluded._seq
"""
"""Of rows with a key, for :meth:`str.format`: what is staged becomes state where it is newer."""
# What the source did not send stays as it is, where the row is there.
_KEEP = "UPDATE {stage} AS n SET {column} = s.{column} FROM {table} AS s WHERE s._key = n._key AND NOT s._deleted"
_OF = """ AND n._key = ANY(%s) AND s._seq > (
    SELECT truncated_through FROM pipeline.state_table WHERE log = %s AND table_name = %s)
"""
# Rows without a key count copies. What a truncate has hidden does not count.
_COUNT = """
WITH applied AS (
    INSERT INTO {table} AS s (_key, _seq, _committed_at, _copies{columns})
    SELECT _key, _seq, _committed_at, _copies{columns} FROM {stage}
    ON CONFLICT (_key) DO UPDATE SET _seq = excluded._seq, _committed_at = excluded._committed_at,
        _copies = excluded._copies + CASE WHEN s._seq <= (
            SELECT truncated_through FROM pipeline.state_table WHERE log = {log} AND table_name = {name}
        ) THEN 0 ELSE s._copies END
    RETURNING _copies)
SELECT count(*) FROM applied WHERE _copies < 0
"""


def apply_state(cursor: psycopg2.extensions.cursor, log: str, batch: Batch) -> None:
    """Bring the state tables to the end of the batch.

    Raises:
        StateRefused: PostgreSQL refuses a value in a table's state, or a row without a key is not there as it was for a
            reason that is known.
        Halted: a row without a key was deleted more often than it is there: source and warehouse differ.
    """
    for table, listed in batch.columns.items():
        cursor.execute(
            "UPDATE pipeline.state_table SET columns = %s WHERE log = %s AND table_name = %s", (listed, log, table)
        )
    for table, seq in batch.truncated.items():
        cursor.execute(
            "UPDATE pipeline.state_table SET truncated_through = %s WHERE log = %s AND table_name = %s",
            (seq, log, table),
        )
    for table, (code, message, seq) in batch.suspended.items():
        cursor.execute(
            "UPDATE pipeline.state_table SET suspended_code = %s, suspended_message = %s, suspended_seq = %s"
            " WHERE log = %s AND table_name = %s AND suspended_code IS NULL",
            (code, message, seq, log, table),
        )
    used: set[str] = set()
    for protected, changes in batch.changes.items():
        if changes:
            try:
                _apply(cursor, log, protected, changes, used)
            except psycopg2.Error as error:
                columns = [column.name for column in protected.state_columns]
                raise refusal(error, protected.table, columns) or error from None
    apply_absent(cursor, log, batch.absent)


def _apply(
    cursor: psycopg2.extensions.cursor,
    log: str,
    table: ProtectedTable,
    changes: Mapping[str, StateChange],
    used: set[str],
) -> None:
    names = [quoted(column.name) for column in table.state_columns]
    target = f"{quoted(log + '_state')}.{quoted(state_name(table))}"
    listed = "".join(f", {name}" for name in names)
    own = "_key, _seq, _committed_at, _copies" if table.keyless else "_key, _version, _seq, _committed_at, _deleted"
    # Made once per table version and connection; its name says of what, types included: a column may be widened.
    shape = target + "".join(f", {column.name} {column.type}" for column in table.state_columns)
    stage = f"stage_{sha256(shape.encode()).hexdigest()[:24]}"
    cursor.execute(
        f"CREATE TEMPORARY TABLE IF NOT EXISTS {stage} ON COMMIT DELETE ROWS"
        f" AS SELECT {own}{listed} FROM {target} WITH NO DATA"
    )
    if stage in used:  # by another version of this table with the same columns (a snapshot describes some otherwise)
        cursor.execute(f"DELETE FROM {stage}")
    used.add(stage)
    _stage(cursor, stage, table.keyless, len(names), changes)
    parts = {"table": target, "columns": listed, "stage": stage}
    if table.keyless:
        statement = _COUNT.format(
            **{name: part.replace("%", "%%") for name, part in parts.items()}, log="%s", name="%s"
        )
        cursor.execute(statement, (log, table.table))
        short = cursor.fetchone()
        if short is not None and short[0] and not _known_missing(cursor, log, table.table):
            raise diverged(cursor, log, table, target, short[0])
        return
    for column, keys in keys_by_column(changes).items():
        keep = _KEEP.format(stage=stage, table=target, column=quoted(column)).replace("%", "%%")
        cursor.execute(keep + _OF, (keys, log, table.table))
    assignments = "".join(f", {name} = excluded.{name}" for name in names)
    cursor.execute(UPSERT.format(**parts, assignments=assignments))


def _known_missing(cursor: psycopg2.extensions.cursor, log: str, table: str) -> bool:
    """Whether a gap may hold the insert of such a row: then it counts below none, until the table is read anew."""
    cursor.execute("SELECT audit.known_missing(%s, %s)", (log, table))
    found = cursor.fetchone()
    return found is not None and bool(found[0])


def _stage(
    cursor: psycopg2.extensions.cursor, stage: str, keyless: bool, columns: int, changes: Mapping[str, StateChange]
) -> None:
    lines = []
    for key, row in changes.items():
        at = row.committed_at if row.committed_at is not None else NULL
        tail = f"\t{row.line}\n" if columns else "\n"  # one column's empty text is an empty line
        if keyless:
            lines.append(f"{escape(key)}\t{row.seq}\t{at}\t{row.copies}{tail}")
        else:
            lines.append(f"{escape(key)}\t{row.version}\t{row.seq}\t{at}\t{'t' if row.deleted else 'f'}{tail}")
    copy(cursor, stage, "".join(lines).encode())

"""Rows that a re-snapshot did not show: found in the log, and taken out of current state."""

from __future__ import annotations

from collections.abc import Sequence

import psycopg2

from cdc.absence import Absent, Unseen
from cdc.copytext import NULL, escape
from cdc.entry import state_column
from cdc.warehouse.bulk import copy
from cdc.warehouse.projection import quoted
from cdc.warehouse.refusal import StateRefused
from cdc.warehouse.sqlstate import classify

_STATE = """
SELECT state_schema, state_name, keyless, columns, key, rekeyed FROM pipeline.state_table
 WHERE log = %s AND table_name = %s
"""
_STAGE = """
CREATE TEMPORARY TABLE IF NOT EXISTS stage_absent (_key text COLLATE "C", _version bigint, _seq bigint, _copies bigint)
 ON COMMIT DELETE ROWS
"""
_GONE = (
    "UPDATE {table} AS s SET _version = a._version, _seq = a._seq, _committed_at = NULL, _deleted = true{nulls}"
    " FROM stage_absent a WHERE s._key = a._key AND s._seq < a._seq"
)
_FEWER = (
    "UPDATE {table} AS s SET _copies = s._copies - a._copies, _seq = a._seq, _committed_at = NULL"
    " FROM stage_absent a WHERE s._key = a._key AND s._seq < a._seq"
)


def unseen(connection: psycopg2.extensions.connection, log: str) -> list[Unseen]:
    """The rows that the re-snapshot, which the log's next entry ends, did not show; in the order of their entries.

    Raises:
        TransientError: the warehouse does not answer.
    """
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT table_name, row_key, version, seq, copies FROM audit.unseen(%s)", (log,))
            return [Unseen(*row) for row in cursor.fetchall()]
    except psycopg2.Error as error:
        raise classify(error, f"rows of {log} that a re-snapshot did not show") from None


def apply_absent(cursor: psycopg2.extensions.cursor, log: str, absent: Sequence[Absent]) -> None:
    """Mark rows deleted; of rows without a key take the copies away that were counted before the re-snapshot.

    Raises:
        StateRefused: rows from before the table lost its key are among them, and which copies they are is not known.
    """
    if not absent:
        return
    cursor.execute(_STAGE)
    tables: dict[str, list[Absent]] = {}
    for row in absent:
        tables.setdefault(row.table, []).append(row)
    for table, rows in tables.items():
        cursor.execute(_STATE, (log, table))
        found = cursor.fetchone()
        if found is None:
            continue
        schema, name, keyless, columns, key, rekeyed = found
        if keyless and rekeyed and any(row.version is not None for row in rows):
            raise StateRefused(table, "key-changed", "a re-snapshot counted anew what it had before it lost its key")
        cursor.execute("DELETE FROM stage_absent")
        copy(cursor, "stage_absent", "".join(_line(row) for row in rows).encode())
        relation = f"{quoted(schema)}.{quoted(name)}"
        if keyless:
            cursor.execute(_FEWER.replace("{table}", relation))
        else:
            kept = {state_column(name) for name in key}
            nulls = "".join(f", {quoted(column['name'])} = NULL" for column in columns if column["name"] not in kept)
            cursor.execute(_GONE.replace("{table}", relation).replace("{nulls}", nulls))


def _line(row: Absent) -> str:
    cells = (row.version, row.seq, row.copies)
    return "\t".join((escape(row.key), *(NULL if cell is None else str(cell) for cell in cells))) + "\n"

"""Rows without a key that are deleted more often than they are there: where what the source did not send explains it,
the table's state is suspended; otherwise changes are missing, and the stream halts.
"""

from __future__ import annotations

import psycopg2

from cdc.errors import Halted
from cdc.protect import ProtectedTable
from cdc.warehouse.projection import quoted
from cdc.warehouse.refusal import StateRefused

_ISO_DATE = "io.debezium.time.IsoDate"
_SPOILT = "({0} < date '0001-01-01' OR {0} BETWEEN date '1582-10-05' AND date '1582-10-14')"
"""What Debezium's snapshot writes as another date than its stream (docs/types.md)."""

def diverged(
    cursor: psycopg2.extensions.cursor, log: str, table: ProtectedTable, target: str, short: int
) -> StateRefused | Halted:
    """What to raise where ``short`` rows of the state table ``target`` have fewer than no copies.

    Each of them must have a value that explains it: in a column that was added (rows that were there have its default,
    which no change shows), or a date that a snapshot spells otherwise.
    """
    added, dates = _added(cursor, log, table), _dates(table)
    reasons = [f"{quoted(name)} IS NOT NULL" for name in added] + [_SPOILT.format(quoted(name)) for name in dates]
    if reasons:
        cursor.execute(f"SELECT count(*) FROM {target} WHERE _copies < 0 AND ({' OR '.join(reasons)}) IS TRUE")
        if cursor.fetchone() == (short,):
            why = [f"column {name} was added, perhaps with a default" for name in added]
            why += [f"a snapshot spells early dates of column {name} otherwise" for name in dates]
            said = f"a row without a key is not there as it was: {'; '.join(why)}"
            return StateRefused(table.table, "state-diverged", said)
    return Halted(
        "state-diverged",
        f"{short} rows of {table.table} (no key) were deleted more often than they are there",
        hint="cdc stream show",
        coordinates={"table": table.table},
    )


def _added(cursor: psycopg2.extensions.cursor, log: str, table: ProtectedTable) -> list[str]:
    """Columns that the table's first version lacks."""
    cursor.execute("SELECT pipeline.first_columns(%s, %s)", (log, table.table))
    row = cursor.fetchone()
    if row is None or row[0] is None:
        return []
    return [column.name for column in table.state_columns if column.name not in row[0]]


def _dates(table: ProtectedTable) -> list[str]:
    semantic = {column.name: column.semantic for column in table.version.columns}
    return [own.name for own in table.state_columns if semantic.get(own.name) == _ISO_DATE and own.type == "date"]

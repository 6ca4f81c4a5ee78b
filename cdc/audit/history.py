"""One row's whole life: every version, and the truncates that hid it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cdc.audit.changes import SELECT, Change, change, columns_of
from cdc.audit.reading import Reading
from cdc.audit.tables import Table
from cdc.audit.versions import TableVersion

_CHANGES = f"{SELECT} WHERE e.log = %(log)s AND e.table_name = %(table)s AND e.row_key = ANY(%(keys)s) ORDER BY e.seq"
_TRUNCATES = (
    f"{SELECT} WHERE e.log = %(log)s AND e.table_name = %(table)s AND e.row_key IS NULL AND e.kind = 'truncate'"
    " ORDER BY e.seq"
)


def life(reading: Reading, table: Table, described: Sequence[TableVersion], keys: Sequence[str]) -> Iterator[Change]:
    """All changes of the row with one of these row keys (canonical text), in the order of the log, replays included.

    A truncate is among them where it hid the row: where the row was there just before.
    """
    wanted = {"log": table.log, "table": table.name, "keys": list(keys)}
    columns = columns_of(described)
    truncates = [change(row, columns) for row in reading.rows(_TRUNCATES, wanted)]
    waiting = iter([each for each in truncates if each.applied])
    truncate = next(waiting, None)
    alive = False
    for row in reading.stream(_CHANGES, wanted):
        found = change(row, columns)
        while truncate is not None and truncate.seq < found.seq:
            if alive:
                yield truncate
            alive, truncate = False, next(waiting, None)
        yield found
        if found.applied:
            alive = found.entry.operation != "d" and found.entry.kind != "absent"
    if alive and truncate is not None:
        yield truncate

"""Values that the source did not send (unchanged TOAST under a weak replica identity): what state shows instead. Pure.

The entry keeps the marker. State keeps the cell of the row's version before: an UPDATE that did not send a value did
not change it (PostgreSQL documentation, "Logical Replication Message Formats", TupleData ``u``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from cdc.batch import StateChange
from cdc.entry import state_column
from cdc.protect import ProtectedEvent, ProtectedTable

_MARK = b'{"unavailable":"toast"}'
_MARKER = {"unavailable": "toast"}


def keep_unsent(event: ProtectedEvent, row: StateChange, before: tuple[ProtectedTable, StateChange] | None) -> None:
    """Take what the change did not send from the row's image ``before`` it in the batch. What is left is in
    ``row.unsent``, for current state to fill.
    """
    if event.after is None or _MARK not in event.after:
        return
    image = msgspec.json.decode(event.after)
    unsent = {state_column(name) for name, value in image.items() if value == _MARKER}
    if before is not None and not before[1].deleted:
        names = [column.name for column in before[0].state_columns]
        held = dict(zip(names, before[1].line.split("\t"), strict=True))
        cells = row.line.split("\t")
        for n, column in enumerate(event.table.state_columns):
            if column.name in unsent and column.name in held:
                cells[n] = held[column.name]
        row.line = "\t".join(cells)
        unsent &= {*before[1].unsent, *(unsent - held.keys())}
    row.unsent = tuple(sorted(unsent))


def keys_by_column(changes: Mapping[str, StateChange]) -> dict[str, list[str]]:
    """State column → row keys whose value the source did not send."""
    found: dict[str, list[str]] = {}
    for key, row in changes.items():
        for column in row.unsent:
            found.setdefault(column, []).append(key)
    return found


def newest(
    changes: Mapping[ProtectedTable, Mapping[str, StateChange]], tables: Iterable[ProtectedTable], key: str, after: int
) -> tuple[ProtectedTable, StateChange] | None:
    """The row's image in the batch, if it has one since entry ``after``."""
    found = [(table, changes[table][key]) for table in tables if key in changes[table]]
    alive = [each for each in found if each[1].seq > after]
    return max(alive, key=lambda each: each[1].seq) if alive else None

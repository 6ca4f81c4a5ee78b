"""A state table as it is, and whether a version of its source table fits it. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from cdc.entry import state_column
from cdc.protect import ProtectedTable, StateColumn
from cdc.quarantine import KeyColumns

MOST_COLUMNS = 1_595
"""PostgreSQL's limit of 1,600 columns less the five of every state table."""
_WIDER = {
    "smallint": frozenset({"integer", "bigint", "numeric"}),
    "integer": frozenset({"bigint", "numeric"}),
    "bigint": frozenset({"numeric"}),
}
"""Types that hold every value of another with the same text: what ``pipeline.widens`` says, too."""


@dataclass(frozen=True, slots=True)
class StateTable:
    """A state table as it is: ``columns`` maps each column to its type and protection.

    ``as_text``: those that hold text in its place, because a value of an older version was none of that type.
    ``rekeyed``: its key changed, so a row may show an entry that has another row key.
    """

    name: str
    keyless: bool
    key: tuple[str, ...]
    columns: dict[str, tuple[str, str]]
    as_text: frozenset[str] = frozenset()
    rekeyed: bool = False

    def key_columns(self) -> KeyColumns | None:
        """Each key column as the source calls it, in the key's order, with its state's type and protection."""
        found = {name: self.columns.get(state_column(name)) for name in self.key}
        told = {name: column for name, column in found.items() if column is not None}
        return told if told and len(told) == len(self.key) else None

    def holds(self, row_key: str) -> bool:
        """Whether a row key is made as those of its rows are: of as many columns, tokens where they have tokens."""
        columns = self.key_columns()
        if columns is None or self.rekeyed:
            return False
        parts = msgspec.json.decode(row_key)
        tokens = [protect == "token" for _, protect in columns.values()]
        return [isinstance(part, dict) for part in parts] == tokens


def misfit(table: ProtectedTable, state: StateTable | None) -> tuple[str, str] | None:
    """Why this version of a table cannot be projected into its state table: a stable code and a sentence, or None."""
    names = {column.name for column in table.state_columns}
    if len(names | (state.columns.keys() if state else set())) > MOST_COLUMNS:
        return "too-many-columns", f"it has {len(names)} columns; a state table holds {MOST_COLUMNS} of its source"
    if state is None:
        return None
    if state.keyless != table.keyless or state.key != table.version.key:
        return "key-changed", "the table's key is not what it was"
    if gone := sorted(set(state.columns) - names):
        return "column-gone", f"column {gone[0]} was dropped or renamed"
    for column in table.state_columns:
        was_type, was_protect = state.columns.get(column.name, (column.type, column.protect))
        if was_protect == column.protect and (was_type == column.type or _widens(was_type, column, state)):
            continue
        return (
            "column-changed",
            f"column {column.name} was {was_type} ({was_protect}) and is {column.type} ({column.protect})",
        )
    return None


def _widens(was: str, column: StateColumn, state: StateTable) -> bool:
    return column.type in _WIDER.get(was, ()) and column.name not in state.as_text

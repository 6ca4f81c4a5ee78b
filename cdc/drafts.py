"""Entries in the making: each waits as a draft until its last words are known, then becomes canonical bytes and a row.

The last entry of a transaction carries the transaction's end, so the newest draft of an open transaction waits for what
follows it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from cdc.batch import EntryRow
from cdc.copytext import NULL
from cdc.entry import End, Entry, Transaction, encode, leaf

_PROJECTED = (
    "committed_at", "table_name", "row_key", "operation", "version", "prev", "transaction_id", "subject",
    "subject_before", "kafka_offset",
)  # fmt: skip


@dataclass(slots=True)
class Draft:
    """Members of an entry, and the columns of its row that are projections of them (COPY texts)."""

    members: dict[str, Any]
    row: dict[str, str]


class Drafts:
    """The entries of one batch, in order. ``rows`` and ``bodies`` grow as drafts are finished."""

    def __init__(self) -> None:
        self.rows: list[EntryRow] = []
        self.bodies: list[tuple[int, str]] = []
        self._waiting: list[Draft] = []
        self._foldable: Draft | None = None

    def add(self, draft: Draft, *, foldable: bool) -> None:
        """Take a draft; ``foldable`` when the end of its transaction may be folded into it."""
        if foldable:
            self.finish()
            self._foldable = draft
        self._waiting.append(draft)

    def begin(self) -> None:
        """A transaction begins: no entry of an earlier one takes its end."""
        self._foldable = None

    def fold(self, end: End) -> bool:
        """Fold the end into the transaction's last entry; False when it has none."""
        if self._foldable is None:
            return False
        transaction: Transaction = self._foldable.members["transaction"]
        self._foldable.members["transaction"] = msgspec.structs.replace(transaction, end=end)
        self._foldable = None
        return True

    def finish(self) -> None:
        """Turn all waiting drafts into rows."""
        for draft in self._waiting:
            self._finish(draft.members, draft.row)
        self._waiting.clear()

    def _finish(self, members: dict[str, Any], row: Mapping[str, str]) -> None:
        entry, body = encode(Entry(**members))
        seq = members["seq"]
        if body is not None:
            self.bodies.append((int(seq), body.decode()))
        hashed = leaf(entry)
        projected = tuple([row.get(column, NULL) for column in _PROJECTED])
        text = entry.decode().replace("\\", "\\\\")  # control characters are escaped already: only backslashes are left
        projected += (members["ordinal"], text, "\\\\x" + hashed.hex())
        fields = (seq, members["kind"], members["ordered_at"], *projected)
        self.rows.append(EntryRow(fields, hashed))

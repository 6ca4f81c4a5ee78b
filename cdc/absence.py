"""Rows that a re-snapshot did not show: what becomes of them in the log (docs/formats.md §3.7). Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Raw

from cdc.copytext import escape
from cdc.entry import canonical
from cdc.event import Baseline, Event


class Unseen(msgspec.Struct, frozen=True, gc=False):
    """A row that the log has and the re-snapshot has not: its newest version and that version's seq.

    A row without a key has ``copies`` instead: how many the log counted before the re-snapshot, which counted anew.
    """

    table: str
    key: str
    version: int | None
    seq: int | None
    copies: int | None

    def __repr__(self) -> str:
        return f"Unseen({self.table}, version={self.version})"


class Absent(msgspec.Struct, frozen=True, gc=False):
    """What an ``absent`` entry does to current state. ``copies``: of a row without a key, how many go."""

    table: str
    key: str
    seq: int
    version: int | None
    copies: int | None

    def __repr__(self) -> str:
        return f"Absent({self.table}, seq={self.seq})"

    @classmethod
    def of(cls, row: Unseen, seq: int) -> Absent:
        """What the entry ``seq`` does to the row."""
        return cls(row.table, row.key, seq, row.version + 1 if row.version is not None else None, row.copies)


def members(row: Unseen) -> tuple[dict[str, Any], dict[str, str]]:
    """The members that an ``absent`` entry has of its own, and its columns."""
    columns = {"table_name": escape(row.table), "row_key": escape(row.key)}
    if row.copies is not None:
        content = canonical({"copies": str(row.copies)})
        return {
            "kind": "absent", "table": row.table, "key": Raw(canonical(row.key)), "flags": ("keyless",),
            "content": Raw(content),
        }, columns  # fmt: skip
    version, prev = str((row.version or 0) + 1), str(row.seq)
    columns |= {"version": version, "prev": prev}
    return {
        "kind": "absent", "table": row.table, "key": Raw(row.key.encode()), "version": version, "prev": prev,
    }, columns  # fmt: skip


def completion(events: Sequence[Event]) -> int | None:
    """Index of the first event that ends a snapshot."""
    for index, event in enumerate(events):
        if type(event) is Baseline and event.notification == "COMPLETED":
            return index
    return None

"""Rows whose state waits, because a record of theirs is in quarantine: which they are as a batch goes on. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

import msgspec


class Wait(msgspec.Struct, frozen=True, gc=False):
    """A row waits for the quarantined record that is the entry ``seq``."""

    table: str
    key: str
    seq: int

    def __repr__(self) -> str:
        return f"Wait({self.table}, seq={self.seq})"


class Waiting:
    """Row keys by table, in ``rows``: as they were before a batch, then as they are after what it has taken so far.

    ``began``: the records of the batch that rows wait for, in order.
    """

    def __init__(self, rows: Mapping[str, AbstractSet[str]] | None = None) -> None:
        self.rows: dict[str, AbstractSet[str]] = dict(rows or {})
        self.began: list[Wait] = []

    def holds(self, table: str, key: str) -> bool:
        """Whether the row waits."""
        return key in self.rows.get(table, ())

    def begin(self, table: str, key: str, seq: int) -> None:
        """The row waits from the entry ``seq`` on."""
        self.rows[table] = {*self.rows.get(table, ()), key}
        self.began.append(Wait(table, key, seq))

    def truncate(self, table: str) -> None:
        """All rows of the table are gone: none waits any more."""
        self.rows.pop(table, None)

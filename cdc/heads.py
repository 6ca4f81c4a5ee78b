"""Newest versions of rows: a cache that only the stream's owner fills, in front of the warehouse.

Rows of batches in flight are in it from the moment they are assembled, so a look-up never races the writer. It is
dropped with the ownership.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from cdc.batch import Batch

LIMIT = 300_000
"""Rows a generation holds; far more than can be in flight, so what is forgotten is committed."""


class HeadSource(Protocol):
    """Where heads that are not cached come from."""

    def heads(self, table: str, keys: list[str]) -> dict[str, tuple[int, int]]:
        """Version and seq by row key; rows never seen are absent."""


class Heads:
    """Two generations: when the younger is full it becomes the older, and the older is forgotten."""

    def __init__(self, source: HeadSource) -> None:
        self._source = source
        self._young: dict[tuple[str, str], tuple[int, int] | None] = {}
        self._old: dict[tuple[str, str], tuple[int, int] | None] = {}

    def load(self, rows: Iterable[tuple[str, str]]) -> None:
        """Make the heads of these (table, row key) pairs known, with one query per table."""
        if len(self._young) > LIMIT:
            self._old, self._young = self._young, {}
        missing: dict[str, set[str]] = {}
        for row in rows:
            if row in self._young:
                continue
            if row in self._old:
                self._young[row] = self._old[row]
            else:
                missing.setdefault(row[0], set()).add(row[1])
        for table, keys in missing.items():
            found = self._source.heads(table, sorted(keys))
            for key in keys:
                self._young[table, key] = found.get(key)

    def get(self, table: str, key: str) -> tuple[int, int] | None:
        """The head of a loaded row; None when the row has no version yet."""
        return self._young[table, key]

    def remember(self, batch: Batch) -> None:
        """Take over the heads that a batch has made."""
        self._young.update(batch.heads)

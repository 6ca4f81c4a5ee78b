"""Re-snapshots (docs/formats.md §3.7): an ``absent`` entry stands with the end of one that did not show its row."""

from __future__ import annotations

from typing import Any

from .transactions import debezium_name


class Snapshots:
    """Where the newest snapshot began and ended, and what it has read. The log's first has no beginning in it."""

    def __init__(self) -> None:
        self._started: int | None = None
        self._scanned: set[str] = set()
        self._ended: tuple[str, int, frozenset[str]] | None = None

    def baseline(self, seq: int, offset: str, content: dict[str, Any]) -> None:
        """A snapshot began, has read a table, or is complete."""
        notification, detail = content["notification"], content["detail"]
        if notification == "STARTED":
            self._started, self._scanned = seq, set()
        elif notification == "TABLE_SCAN_COMPLETED":
            if detail.get("status") == "SUCCEEDED":
                self._scanned.add(detail["scanned_collection"])
        else:
            self._ended = None if self._started is None else (offset, self._started, frozenset(self._scanned))
            self._started, self._scanned = None, set()

    def fault(self, entry: dict[str, Any], newest: int | None) -> str | None:
        """What is wrong with an ``absent`` entry. ``newest``: seq of the row's version before, of a row with a key."""
        if self._ended is None or self._ended[0] != entry["offset"]:
            return "it does not stand with the end of a re-snapshot"
        if debezium_name(entry["table"]) not in self._ended[2]:
            return "the re-snapshot has not read its table"
        if newest is not None and newest >= self._ended[1]:
            return "the re-snapshot has shown its row"
        return None

"""Source transactions (docs/formats.md §3.6): whole, in one piece, and as long as their END says."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

_PARTS = re.compile(r'"((?:[^"]|"")+)"|([^".]+)')
_COUNT = re.compile(r"0|[1-9][0-9]{0,18}")


def debezium_name(table: str | None) -> str:
    """A table as Debezium's END names it: its parts without quotes, a dot between; messages count under ""."""
    if table is None:
        return ""
    if '"' not in table:
        return table
    return ".".join((quoted or plain).replace('""', '"') for quoted, plain in _PARTS.findall(table))


class Transactions:
    """Counts the entries of each transaction. ``open`` is the one that has not ended, ``count`` its entries so far.

    A quarantined record names the transaction that was open and no order: END may count it, or not.
    """

    def __init__(self) -> None:
        self.open: str | None = None
        self.count = 0
        self.ended = 0
        self.folded = 0
        self.complete_seq: int | None = None
        self.complete_at: int | None = None
        self._tables: Counter[str] = Counter()
        self._last = 0
        self._unread = 0
        self.end_offset = -1
        self._baseline = False

    def faults(self, seq: int, entry: dict[str, Any], offset: int) -> list[str]:
        """What is wrong with the transaction that the entry names; and how far the log is complete by now.

        ``offset``: of the entry's record.
        """
        transaction = entry.get("transaction")
        found = [] if transaction is None else self._judge(seq, entry, transaction, offset)
        if offset < self.end_offset and self.complete_seq is not None:
            self.complete_seq = seq  # outside the transaction, but before the record of its END
        elif offset == self.end_offset and entry["kind"] != "end":
            found.append("it is of the record that an entry before it calls the END of its transaction")
        return found

    def baseline(self, seq: int, captured_at: str) -> None:
        """The initial snapshot is complete."""
        self._baseline = True
        self.complete_seq, self.complete_at = seq, int(captured_at)

    def _judge(self, seq: int, entry: dict[str, Any], transaction: object, offset: int) -> list[str]:
        if type(transaction) is not dict or not {"id"} <= transaction.keys() <= {"end", "id", "order"}:
            return ["its transaction is not id, order and end"]
        found = []
        if transaction["id"] != self.open:
            if self.open is not None:
                found.append("its transaction begins before the one before it has ended")
            if offset <= self.end_offset:
                found.append("its transaction begins before the END of the one before")
            self.open, self.count, self._last, self._unread = transaction["id"], 0, 0, 0
            self._tables.clear()
        order = transaction.get("order")
        if order is not None:
            found += self._count_it(entry, order)
        elif entry["kind"] == "quarantined":
            self._unread += 1
        elif entry["kind"] != "end":
            found.append("it has no order in its transaction")
        if "end" in transaction:
            found += self._end(seq, entry, transaction["end"], offset)
        elif entry["kind"] == "end":
            found.append("it ends no transaction")
        return found

    def _count_it(self, entry: dict[str, Any], order: object) -> list[str]:
        self.count += 1
        self._tables[debezium_name(entry.get("table"))] += 1
        last = self._last
        if _is_count(order):
            self._last = int(str(order))
            if self._last > last and 0 <= self._last - self.count <= self._unread:
                return []
            self.count = self._last
        return ["entries of its transaction are missing before it, or it has another order"]

    def _end(self, seq: int, entry: dict[str, Any], end: object, offset: int) -> list[str]:
        counted, tables, least, unread = self.count, dict(self._tables), self._last, self._unread
        self.open, self.count, self._last, self._unread = None, 0, 0, 0
        self._tables.clear()
        if type(end) is not dict or end.keys() != {"count", "offset", "tables"} or type(end["tables"]) is not dict:
            return ["the end of its transaction is not count, offset and tables"]
        if not _is_count(end["offset"]) or not all(_is_count(count) for count in end["tables"].values()):
            return ["the end of its transaction is not spelt in decimals"]
        self.ended += 1
        self.folded += entry["kind"] != "end"
        self.end_offset = int(end["offset"])
        found = []
        if (self.end_offset == offset) != (entry["kind"] == "end"):
            found.append("the end of its transaction is not the record that its kind says")
        elif self.end_offset < offset:
            found.append("its transaction ends before it")
        if self._baseline:
            clock = entry.get("committed_at")
            self.complete_seq, self.complete_at = seq, None if clock is None else int(clock)
        if end["count"] is None and entry["kind"] == "end":  # reserved: a BEGIN that another one closed
            return found
        lacking = int(end["count"]) - counted if _is_count(end["count"]) else -1
        if not 0 <= lacking <= unread or counted + lacking < least:
            found.append("its transaction does not have as many entries as its END says")
        stated = {name: int(count) for name, count in end["tables"].items() if count != "0"}
        if any(stated.get(name, 0) < count for name, count in tables.items()) or (
            sum(stated.values()) - sum(tables.values()) != max(lacking, 0)
        ):
            found.append("its transaction does not have as many entries of each table as its END says")
        return found


def _is_count(text: object) -> bool:
    return isinstance(text, str) and _COUNT.fullmatch(text) is not None

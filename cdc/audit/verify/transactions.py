"""Source transactions (docs/formats.md §3.6): whole, in one piece, and as long as their END says."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

_PARTS = re.compile(r'"((?:[^"]|"")+)"|([^".]+)')
_COUNT = re.compile(r"0|[1-9][0-9]{0,18}")
_GTID = re.compile(r"[0-9]{1,10}-[0-9]{1,10}-[0-9]{1,20}")
"""MariaDB's transactions: a DDL's, TRUNCATE among them, has no END, and the next BEGIN closes it."""


def debezium_name(table: str | None) -> str:
    """A table as Debezium's END names it: its parts without quotes, a dot between; messages count under ""."""
    if table is None:
        return ""
    if '"' not in table:
        return table
    return ".".join((quoted or plain).replace('""', '"') for quoted, plain in _PARTS.findall(table))


class Transactions:
    """Counts the entries of each transaction. ``open`` is the one that has not ended, ``count`` its entries so far, of
    which an END would not count ``uncounted``. ``unterminated``: of those that ended, how many a BEGIN closed.

    A quarantined record names the transaction that was open and no order: END may count it, or not.
    """

    def __init__(self) -> None:
        self.open: str | None = None
        self.count = 0
        self.uncounted = 0
        self.ended = 0
        self.unterminated = 0
        self.folded = 0
        self.complete_seq: int | None = None
        self.complete_at: int | None = None
        self.committed_later = False  # MariaDB: rows have the clock of their statement, END that of the commit
        self._tables: Counter[str] = Counter()
        self._last = 0
        self._unread = 0
        self.end_offset = -1
        self._baseline = False
        self.begun = 0
        self._partial = False

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

    def gap(self, effect: dict[str, Any]) -> None:
        """A person closed a transaction that has no END here, or let one go on whose first events are missing."""
        self.end_offset = -1
        if effect["closes"] is not None:
            self.begun += 1
            self.open, self.count, self._last, self._unread, self._partial = None, 0, 0, 0, False
            self._tables.clear()
        if effect["opens"] is not None:
            self.open, self.count, self._partial = effect["opens"]["id"], int(effect["opens"]["order"]) - 1, True
            self._last, self._unread = self.count, 0
            self.begun -= 1  # its END counts it below

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
            self.open, self.count, self.uncounted, self._last, self._unread = transaction["id"], 0, 0, 0, 0
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
        self.uncounted += entry["kind"] == "truncate" and _is_gtid(self.open)
        self._tables[debezium_name(entry.get("table"))] += 1
        last = self._last
        if _is_count(order):
            self._last = int(str(order))
            if self._last > last and 0 <= self._last - self.count <= self._unread:
                return []
            self.count = self._last
        return ["entries of its transaction are missing before it, or it has another order"]

    def _end(self, seq: int, entry: dict[str, Any], end: object, offset: int) -> list[str]:
        name, counted, uncounted, least, unread = self.open, self.count, self.uncounted, self._last, self._unread
        tables, partial = dict(self._tables), self._partial
        self.open, self.count, self.uncounted, self._last, self._unread, self._partial = None, 0, 0, 0, 0, False
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
        if end["count"] is None:
            return found + self._closed_by_begin(entry, end, name, counted - uncounted)
        if self._baseline:
            clock = entry.get("committed_at")
            self.complete_seq, self.complete_at = seq, None if clock is None else int(clock)
            self.committed_later = _is_gtid(name) and entry["kind"] != "end"
        lacking = int(end["count"]) - counted if _is_count(end["count"]) else -1
        if not 0 <= lacking <= unread or counted + lacking < least:
            found.append("its transaction does not have as many entries as its END says")
        if not partial and not _suit(tables, end["tables"], max(lacking, 0)):
            found.append("its transaction does not have as many entries of each table as its END says")
        return found

    def _closed_by_begin(self, entry: dict[str, Any], end: dict[str, Any], name: str | None, rows: int) -> list[str]:
        self.unterminated += 1
        if entry["kind"] != "end" or not _is_gtid(name) or end["tables"]:
            return ["its transaction has an end without a count, and is no DDL of MariaDB's"]
        return ["its transaction has rows, and no END"] if rows else []


def _suit(entries: dict[str, int], stated: dict[str, str], lacking: int) -> bool:
    """Whether END states the entries of each table, and as many more as cannot be read."""
    counts = {table: int(count) for table, count in stated.items() if count != "0"}
    if any(counts.get(table, 0) < count for table, count in entries.items()):
        return False
    return sum(counts.values()) - sum(entries.values()) == lacking


def _is_gtid(name: str | None) -> bool:
    return name is not None and _GTID.fullmatch(name) is not None


def _is_count(text: object) -> bool:
    return isinstance(text, str) and _COUNT.fullmatch(text) is not None

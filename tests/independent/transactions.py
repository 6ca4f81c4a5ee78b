"""docs/formats.md §3.6: counts of a transaction, as its entries show them and as its END states them."""

from __future__ import annotations

import re
from collections import Counter


def debezium_name(table: str | None) -> str:
    """A table as Debezium's END names it: schema and table with a dot between; logical messages count under ""."""
    if table is None:
        return ""
    return ".".join(
        part[1:-1].replace('""', '"') if part.startswith('"') else part
        for part in re.findall(r'"(?:[^"]|"")+"|[^".]+', table)
    )


class Transactions:
    def __init__(self) -> None:
        self._id: str | None = None
        self._count = 0
        self._tables: Counter[str] | None = Counter()
        self._rows = 0
        self._order = 0  # of the last entry that has one
        self._unread = 0  # quarantined records inside: END may count them

    def gap(self, effect: dict) -> None:
        """A person closed a transaction, or let one go on in its middle."""
        if effect["closes"] is not None:
            self._id = None
        if effect["opens"] is not None:
            self._id, self._count, self._tables = effect["opens"]["id"], int(effect["opens"]["order"]) - 1, None
            self._order, self._unread = self._count, 0

    def judge(self, entry: dict) -> list[str]:
        """What is wrong with the transaction of the next entry."""
        transaction = entry.get("transaction")
        if transaction is None:
            return []
        if not isinstance(transaction, dict) or not {"id"} <= set(transaction) <= {"end", "id", "order"}:
            return ["transaction is not id, order and end"]
        found = []
        if transaction["id"] != self._id:
            if self._id is not None:
                found.append("a transaction begins before the one before it has ended")
            self._id, self._count, self._rows, self._tables = transaction["id"], 0, 0, Counter()
            self._order, self._unread = 0, 0
        if "order" in transaction:
            self._count += 1
            self._rows += entry["kind"] != "truncate"
            if self._tables is not None:
                self._tables[debezium_name(entry.get("table"))] += 1
            order = int(transaction["order"])
            if not (order > self._order and self._count <= order <= self._count + self._unread):
                found.append("an entry of the transaction is missing before this one")
            self._order = order
        elif entry["kind"] == "quarantined":
            self._unread += 1
        elif entry["kind"] != "end":
            found.append("an entry of a transaction without its order")
        if "end" in transaction:
            found += self._end(transaction["end"], standalone=entry["kind"] == "end")
            self._id = None
        elif entry["kind"] == "end":
            found.append("an end without transaction.end")
        return found

    def _end(self, end: dict, *, standalone: bool) -> list[str]:
        if set(end) != {"count", "offset", "tables"}:
            return ["transaction.end is not count, offset and tables"]
        if end["count"] is None:  # a DDL of MariaDB's, which the next BEGIN closed
            ddl = standalone and re.fullmatch(r"\d+-\d+-\d+", self._id or "") and not end["tables"] and not self._rows
            return [] if ddl else ["a transaction without END that is no DDL of MariaDB's"]
        found = []
        unread = int(end["count"]) - self._count
        if not 0 <= unread <= self._unread or int(end["count"]) < self._order:
            found.append("the transaction does not have the number of entries that its end states")
        stated = {table: int(count) for table, count in end["tables"].items() if count != "0"}
        if self._tables is not None and (
            self._tables - Counter(stated) or sum(stated.values()) - self._tables.total() != max(unread, 0)
        ):
            found.append("the transaction does not have the number of entries by table that its end states")
        return found

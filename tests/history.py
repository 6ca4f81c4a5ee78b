"""A random but legal life of a small source: its records (``feed``) and, kept apart from them, its rows at the end (``keyed``, ``keyless``)."""

from __future__ import annotations

from collections import Counter
from random import Random

from tests.builders import FILLS, HEARTBEAT, HOLDERS, ORDERS, Column, Feed, Table

EXTRA = Column("extra")
TEXTS = ("", "a", "ann", "\\N", "\\.", "tab\tnew\nline\r\\", '"quoted"', "é😀\u2028", "x" * 300, "%s {0}")
SIZES = (1, 1, 2, 3, 5, 9, 30)


class History:
    """``grow`` adds steps. Every table starts with a snapshot, or empty; a column can be added, in mid-transaction too."""

    def __init__(self, random: Random, feed: Feed | None = None, *, incremental: bool = True) -> None:
        self.random = random
        self.incremental = incremental
        self.feed = feed or Feed(gap=random.choice((0, 1)))
        self.tables: dict[str, Table] = {table.name: table for table in (ORDERS, FILLS, HOLDERS)}
        self.keyed: dict[str, dict[tuple, dict]] = {ORDERS.name: {}, HOLDERS.name: {}}
        self.keyless: Counter[tuple] = Counter()
        self._past: list[list] = []
        self._snapshots = 0

    def grow(self, steps: int) -> History:
        self._snapshot()
        return self.go_on(steps)

    def go_on(self, steps: int) -> History:
        for _ in range(steps):
            self.feed.clock_ms += self.random.choice((0, 1, 1000, -500))
            self.random.choice((self._transaction, self._transaction, self._transaction, self._between, self._again))()
        return self

    def keyless_rows(self) -> Counter[tuple]:
        return +self.keyless

    def _snapshot(self) -> None:
        self.feed.notify("STARTED")
        for table in self.tables.values():
            rows = [self._image(table) for _ in range(self.random.choice((0, 1, 3)))]
            if table.key:
                rows = list({self._key(table, row): row for row in rows}.values())
            self.feed.snapshot(table, rows)
            for row in rows:
                self._keep(table, row)
        self.feed.row(HEARTBEAT, "r", None, {"id": 1, "system_identifier": "7439", "timeline": 1}, snapshot="last")
        self.feed.notify("COMPLETED")

    def _between(self) -> None:
        self.random.choice((self.feed.heartbeat, lambda: self.feed.message("note", "alone"), lambda: self.feed.notify("IN_PROGRESS")))()

    def _again(self) -> None:
        """A connector that went back emits its last transactions once more."""
        for records in self._past[-self.random.choice((1, 2)) :]:
            self.feed.again(records)

    def _transaction(self) -> None:
        start, self._snapshots = len(self.feed.records), 0
        self.feed.begin()
        for _ in range(self.random.choice((0, *SIZES))):
            self.random.choice((self._insert, self._insert, self._update, self._update, self._delete, self._move, self._other))()
        self.feed.end()
        if not self._snapshots:  # a connector that goes back reads its snapshot rows anew
            self._past.append(self.feed.records[start:])

    def _other(self) -> None:
        kind = self.random.randrange(8)
        if kind == 0:
            table = self.random.choice(list(self.tables.values()))
            self.feed.truncate(table)
            if table.key:
                self.keyed[table.name].clear()
            else:
                self.keyless.clear()
        elif kind == 1:
            self._widen()
        elif kind < 4:
            self.feed.message("actor", self.random.choice(TEXTS))
        elif kind < 5:  # a row of an incremental snapshot stands in the open transaction, before the signal that closes its window
            table = self.random.choice((ORDERS.name, HOLDERS.name))
            if self.keyed[table] and self.incremental:
                row = self.random.choice(list(self.keyed[table].values()))
                self._snapshots += 1
                transaction, self.feed._transaction = self.feed._transaction, None
                self.feed.row(self.tables[table], "r", None, row, snapshot="incremental")
                self.feed._transaction = transaction
            self.feed.message("signal", "close")
        else:
            self.feed.heartbeat()

    def _widen(self) -> None:
        """ADD COLUMN: rows that are there show the new column as null."""
        name = self.random.choice(list(self.tables))
        table = self.tables[name]
        if EXTRA in table.columns:
            return
        self.tables[name] = table.with_column(EXTRA)
        if table.key:
            for row in self.keyed[name].values():
                row["extra"] = None
        else:
            self.keyless = Counter({(*row, None): n for row, n in self.keyless.items()})

    def _insert(self) -> None:
        table = self.random.choice(list(self.tables.values()))
        row = self._image(table)
        if table.key and self._key(table, row) in self.keyed[table.name]:
            return
        self.feed.row(table, "c", None, row)
        self._keep(table, row)

    def _update(self) -> None:
        table, before = self._one()
        if before is None:
            return
        after = self._image(table) | {name: before[name] for name in table.key}
        self.feed.row(table, "u", before, after)
        self._drop(table, before)
        self._keep(table, after)

    def _delete(self) -> None:
        table, before = self._one()
        if before is not None:
            self.feed.row(table, "d", before, None)
            self._drop(table, before)

    def _move(self) -> None:
        table, before = self._one()
        if before is None or not table.key:
            return
        after = before | {name: self._image(table)[name] for name in table.key}
        if self._key(table, after) not in self.keyed[table.name]:
            self.feed.change_key(table, before, after)
            self._drop(table, before)
            self._keep(table, after)

    def _one(self) -> tuple[Table, dict | None]:
        table = self.random.choice(list(self.tables.values()))
        names = [column.name for column in table.columns]
        rows = list(self.keyed[table.name].values()) if table.key else [dict(zip(names, row, strict=True)) for row in +self.keyless]
        return table, dict(self.random.choice(rows)) if rows else None

    def _image(self, table: Table) -> dict:
        return {column.name: self._value(column) for column in table.columns}

    def _value(self, column: Column) -> object:
        if column.optional and self.random.randrange(5) == 0:
            return None
        if column.wire in {"int32", "int64"}:
            return self.random.randrange(6)
        if column.type == "NUMERIC":
            return self.random.choice(("1.50", "-0.0001", "NAN", "POSITIVE_INFINITY", "12345678901234567890.123456789"))
        return self.random.choice(TEXTS)

    def _key(self, table: Table, row: dict) -> tuple:
        return tuple(row[name] for name in table.key)

    def _keep(self, table: Table, row: dict) -> None:
        if table.key:
            self.keyed[table.name][self._key(table, row)] = dict(row)
        else:
            self.keyless[tuple(row.values())] += 1

    def _drop(self, table: Table, row: dict) -> None:
        if table.key:
            del self.keyed[table.name][self._key(table, row)]
        else:
            self.keyless[tuple(row.values())] -= 1

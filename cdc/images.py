"""The last image of each row in a batch: what the commit brings to typed current state."""

from __future__ import annotations

from collections.abc import Mapping

from cdc.absence import Absent
from cdc.batch import StateChange
from cdc.protect import ProtectedEvent, ProtectedTable
from cdc.unsent import keep_unsent, newest
from cdc.waiting import Waiting


class LastImages:
    """Collects a batch's changes of state. ``suspended`` tables get none; the first change they miss is noted. Rows in
    ``waiting`` get none either.
    """

    def __init__(self, suspended: Mapping[str, tuple[str, str]], waiting: Waiting | None = None) -> None:
        self.changes: dict[ProtectedTable, dict[str, StateChange]] = {}
        self.truncated: dict[str, int] = {}
        self.missed: dict[str, tuple[str, str, int]] = {}
        self.gone: list[Absent] = []
        self.waiting = waiting if waiting is not None else Waiting()
        self._suspended = suspended

    def change(self, event: ProtectedEvent, seq: int, version: int | None) -> None:
        """A row changed with the entry ``seq``."""
        table = event.table
        if table.table in self._suspended:
            self.missed.setdefault(table.table, (*self._suspended[table.table], seq))
        elif table.keyless:
            self._copies(event, seq)
        elif not self.waiting.rows or not self.waiting.holds(table.table, event.key):
            row = StateChange(seq, version, event.origin.committed_at, event.state, deleted=event.operation == "d")
            if event.before_missing:
                same = [each for each in self.changes if each.table == table.table]
                before = newest(self.changes, same, event.key, self.truncated.get(table.table, -1))
                keep_unsent(event, row, before)
            if len(self.changes) > 1:
                self._forget_in_other_versions(table, event.key)
            self.changes.setdefault(table, {})[event.key] = row

    def truncate(self, table: str, seq: int) -> None:
        """All rows of the table are gone. Rows with a key keep their versions; copies start from nothing."""
        if table in self._suspended:
            self.missed.setdefault(table, (*self._suspended[table], seq))
            return
        self.truncated[table] = seq
        self.waiting.truncate(table)
        for version, rows in self.changes.items():
            if version.table == table and version.keyless:
                rows.clear()

    def absent(self, row: Absent) -> None:
        """A row that a re-snapshot did not show is gone."""
        if row.table in self._suspended:
            self.missed.setdefault(row.table, (*self._suspended[row.table], row.seq))
        elif not self.waiting.holds(row.table, row.key):
            self.gone.append(row)

    def unread(self, table: str, key: str | None, seq: int) -> None:
        """What the entry ``seq`` does to a row of this table cannot be read. ``key``: to which, where that is known."""
        if key is not None:
            self.waiting.begin(table, key, seq)
        if table in self._suspended:
            self.missed.setdefault(table, (*self._suspended[table], seq))

    def _forget_in_other_versions(self, table: ProtectedTable, key: str) -> None:
        for other, rows in self.changes.items():
            if other is not table and other.table == table.table:
                rows.pop(key, None)

    def _copies(self, event: ProtectedEvent, seq: int) -> None:
        if event.before_key is not None and event.before_state is not None:
            self._count(event, event.before_key, event.before_state, seq, -1)
        if event.operation != "d":
            self._count(event, event.key, event.state, seq, 1)

    def _count(self, event: ProtectedEvent, key: str, line: str, seq: int, change: int) -> None:
        rows = self.changes.setdefault(event.table, {})
        row = rows.setdefault(key, StateChange(seq, None, event.origin.committed_at, line))
        row.copies += change
        row.seq, row.committed_at = seq, event.origin.committed_at

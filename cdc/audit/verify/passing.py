"""One pass over the entries of a log in the order of seq: each is judged; what claims are compared with is kept."""

from __future__ import annotations

from collections import Counter
from typing import Any

from . import columns
from . import entry as entries
from .bodies import Bodies
from .changes import Changes
from .findings import Findings
from .given import Given
from .order import Order
from .replays import Replays
from .resolutions import Resolutions
from .rows import EntryRow
from .shape import Shapes
from .transactions import Transactions
from .tree import Tree, leaf_hash


class Pass:
    """One pass over the entries; keeps what the claims are compared with."""

    def __init__(self, origin: str, given: Given, findings: Findings) -> None:
        self.tree = Tree(checkpoint.size for checkpoint in given.checkpoints)
        self.order = Order(origin)
        self.replays = Replays()
        self.transactions = Transactions()
        self.resolutions = Resolutions()
        self.changes = Changes(given.tables, given.entries_at, self._say)
        self.kinds: Counter[str] = Counter()
        self.bodies = Bodies(given.bodies, findings)
        self.next_seq = 0
        self._findings = findings
        self._shapes = Shapes()

    def row(self, row: EntryRow) -> None:
        """Judge the next row of ``audit.entry``."""
        seq = self._place(row)
        text = row[14] or ""
        leaf = leaf_hash(text.encode())
        self.tree.append(leaf)
        if row[15] != "\\x" + leaf.hex():
            self._say_row(row, "leaf", "the stored leaf is not SHA-256(0x00 ‖ entry)")
        try:
            read = entries.read(text, self.bodies.of(seq))
            self._shapes.check(read.entry, bodied=read.bodied)
            self._judge(seq, row, read)
        except entries.Malformed as error:
            self._say_row(row, error.step, str(error))
            self.changes.stand_in(row)
        except (AttributeError, KeyError, TypeError, ValueError):
            self._say_row(row, "entry", "it is shaped so that it cannot be judged further")
            self.changes.stand_in(row)

    def end(self) -> None:
        """What only the end of the log shows."""
        self.bodies.end()
        self.changes.continuity.settle()
        last = self.next_seq - 1
        if self.resolutions.waiting:
            self._findings.say(last, "quarantine", "what resolves a record is not followed by its resolved")
        fault = self.changes.schemas.finish()
        if fault is not None:
            self._findings.say(last, "table versions", fault)
        if self.changes.key_changes.waiting and self.transactions.open is None:
            self._findings.say(last, "versions", "the delete of a key change is not followed by its create")

    def _place(self, row: EntryRow) -> int:
        """Seq of the row, which must be the one after the row before."""
        seq, expected = int(row[0] or -1), self.next_seq
        if seq > expected:
            missing = "it is missing" if seq == expected + 1 else f"entries {expected} to {seq - 1} are missing"
            self._findings.say(expected, "seq", missing)
        elif seq < expected:
            self._say_row(row, "seq", "it stands twice, or out of order")
        self.next_seq = seq + 1
        return seq

    def _judge(self, seq: int, row: EntryRow, read: entries.Read) -> None:
        entry = read.entry
        kind = entry["kind"]
        self.kinds[kind] += 1
        key = columns.row_key(entry)
        projected = columns.project(entry, key)
        if row[: columns.COMPARED] != projected:
            names = ", ".join(columns.differing(row, projected))
            self._say_row(row, "columns", f"columns of audit.entry that are not what the entry holds: {names}")
        for cause in self.order.faults(seq, entry):
            self._say(seq, entry, "order", cause)
        fault = self.order.clock_fault(entry)
        if fault is not None:
            self._say(seq, entry, "clock", fault)
        fault = self.changes.schemas.follow(entry)
        if fault is not None:
            self._say(seq, entry, "table versions", fault)
        for cause in self.resolutions.faults(seq, entry, self.replays.high):
            self._say(seq, entry, "quarantine", cause)
        if "operation" in entry and "resolves" not in entry:
            fault = self.replays.fault(entry)
            if fault is not None:
                self._say(seq, entry, "replays", fault)
        self._by_kind(kind, seq, read, key)
        if "offset" in entry and "resolves" not in entry:
            for cause in self.transactions.faults(seq, entry, self.order.offset):
                self._say(seq, entry, "transactions", cause)

    def _by_kind(self, kind: str, seq: int, read: entries.Read, key: str | None) -> None:
        entry = read.entry
        if kind == "change":
            self.changes.change(seq, read, key or "")
        elif kind == "schema":
            fault = self.changes.schemas.introduce(seq, entry)
            if fault is not None:
                self._say(seq, entry, "table versions", fault)
        elif kind == "absent":
            self.changes.absent(seq, entry, key or "")
        elif kind == "quarantined":
            self.changes.quarantined(seq, entry.get("table"))
        elif kind == "truncate":
            self.changes.truncate(seq, entry)
        elif kind == "gap":
            self._gap(seq, entry)
        elif kind == "baseline":
            content = entry["content"]
            self.changes.continuity.baseline(content["notification"], content["detail"])
            self.changes.snapshots.baseline(seq, entry["offset"], content)
            if content["notification"] == "COMPLETED":
                self.transactions.baseline(seq, entry["captured_at"])

    def _gap(self, seq: int, entry: dict[str, Any]) -> None:
        effect = entry["content"]["effect"]
        if effect["epoch"] != self.order.epoch:
            self.replays.gap()
        elif effect["skips"] == "1" and effect["opens"] == {"id": effect["closes"], "order": "1"}:
            self.replays.begun_again(effect["closes"])
        self.order.gap(effect)
        self.transactions.gap(effect)
        self.changes.gap(seq)

    def _say(self, seq: int, entry: dict[str, Any], check: str, cause: str) -> None:
        key = columns.row_key(entry)
        self._findings.say(seq, check, cause, table=entry.get("table"), row_key=key, offset=entry.get("offset"))

    def _say_row(self, row: EntryRow, check: str, cause: str) -> None:
        self._findings.say(int(row[0] or -1), check, cause, table=row[4], row_key=row[5], offset=row[12])

"""Changes of rows: images against their schema and plan, keys, versions, continuity, and the fold of current state."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Any

from .continuity import Continuity
from .entry import Read
from .history import GONE, UNKNOWN, Head, KeyChanges, Table, version_faults
from .keyless import key_of
from .rows import EntriesAt, EntryRow, StateTable
from .schemas import Schemas, TableVersion
from .snapshots import Snapshots
from .values import UNAVAILABLE

Say = Callable[[int, dict[str, Any], str, str], None]
"""Takes a finding: seq, entry, check, cause."""


class Changes:
    """Takes the changes and truncates of one log in order."""

    def __init__(self, tables: Sequence[StateTable], entries_at: EntriesAt | None, say: Say) -> None:
        self.tables = {stated.table: Table(stated) for stated in tables}
        self.schemas = Schemas()
        self.continuity = Continuity(
            entries_at, self.schemas, lambda seq, entry, cause: say(seq, entry, "continuity", cause)
        )
        self.keyed = 0
        self.keyless = 0
        self.absent_rows = 0
        self.snapshots = Snapshots()
        self.key_changes = KeyChanges()
        self._say = say

    def truncate(self, seq: int, entry: dict[str, Any]) -> None:
        """All rows of a table are gone, unless it is a replay."""
        if "replay_of" not in entry:
            self._table(entry["table"]).truncate(seq)

    def absent(self, seq: int, entry: dict[str, Any], key: str) -> None:
        """A row that a re-snapshot did not show."""
        self.absent_rows += 1
        table = self._table(entry["table"])
        table.reach(seq)
        if type(entry["key"]) is str:
            cause = self.snapshots.fault(entry, None)
            copies = entry["content"]["copies"]
            taken = table.take(seq, key, copies) and (self.continuity.gap >= 0 or not str(copies).startswith("-"))
            faults = [cause, None if taken else "it takes away copies that the log does not have"]
        else:
            head = table.rows.heads.get(key)
            live = head is not None and head.image != GONE and head.seq > table.rows.truncated
            faults = [*version_faults(entry, head), self.snapshots.fault(entry, head.seq if head else None)]
            faults.append(None if live else "it calls a row absent that is not there")
            table.rows.heads[key] = Head(int(entry["version"]), seq, GONE)
        for fault in faults:
            if fault is not None:
                self._say(seq, entry, "absent", fault)
        table.changes += not table.suspended

    def gap(self, seq: int) -> None:
        """Changes are missing before the next entry: what they did to rows is not known."""
        self.continuity.settle()
        self.continuity.gap = seq
        self.key_changes = KeyChanges()

    def quarantined(self, seq: int, table: str | None) -> None:
        """A record of this table, or of an unknown one, could not be read."""
        self.continuity.quarantined(seq, table)
        self.key_changes.torn()
        if table is not None:
            self._table(table).unread(seq)

    def change(self, seq: int, read: Read, key: str) -> None:
        """One change; ``key``: its row key as text.

        Raises:
            TypeError: an image or the subject is not an object.
        """
        entry = read.entry
        if not type(entry["subject"]) is type(entry.get("after", {})) is type(entry.get("before", {})) is dict:
            raise TypeError
        version = self.schemas.version(entry)
        if version is None:
            self._say(seq, entry, "table versions", "no schema entry before it describes its table, schema and plan")
        table = self._table(entry["table"])
        table.reach(seq)
        late = "resolves" in entry
        if "replay_of" not in entry and not late and table.under(version, seq):
            self.continuity.rekeyed(seq, entry["table"])
        if len(entry["subject"]) != (read.after is not None) + (read.before is not None):
            self._say(seq, entry, "entry", "subject does not name one subject for each image")
        after, before = _hash(entry, "after", read.after), _hash(entry, "before", read.before)
        if type(entry["key"]) is str:
            self._keyless(seq, entry, key, version, table)
            return
        head = table.rows.heads.get(key)
        known = head is not None and before is not None and before == head.image
        if version is not None:
            self._images(seq, entry, version, known=known)
        if "replay_of" in entry:
            return
        if late:
            self._late(seq, entry, table, head)
        self._keyed(seq, entry, key, table, head, after, before)

    def _late(self, seq: int, entry: dict[str, Any], table: Table, head: Head | None) -> None:
        """A quarantined record, replayed: it stands where that stood, and nothing of its row came later."""
        of = int(entry["resolves"]["seq"])
        if max(self.continuity.place(head.seq) if head is not None else -1, table.rows.truncated) > of:
            self._say(seq, entry, "quarantine", "it is applied, and the log has a later change of its row")
        self.continuity.late[seq] = of

    def stand_in(self, row: EntryRow) -> None:
        """An entry that cannot be read: its row's columns say which version it was, so that what follows is judged."""
        seq, _, _, _, name, key, operation, version = row[:8]
        if seq is None or name is None or key is None or version is None or not version.isdecimal():
            return
        table = self._table(name)
        table.reach(int(seq))
        table.rows.heads[key] = Head(int(version), int(seq), GONE if operation == "d" else UNKNOWN)
        table.changes += not table.suspended

    def _table(self, name: str) -> Table:
        table = self.tables.get(name)
        if table is None:
            table = self.tables[name] = Table(None)
        return table

    def _keyed(
        self, seq: int, entry: dict[str, Any], key: str, table: Table, head: Head | None, after: bytes | None,
        before: bytes | None,
    ) -> None:  # fmt: skip
        self.keyed += 1
        for cause in version_faults(entry, head):
            self._say(seq, entry, "versions", cause)
        fault = None if "resolves" in entry else self.key_changes.fault(entry)
        if fault is not None:
            self._say(seq, entry, "versions", fault)
        self.continuity.judge(seq, entry, head, before, table.rows.truncated)
        if entry["operation"] == "d":
            image: bytes | None = GONE
        elif entry["operation"] == "r" and self.continuity.complete:
            image = UNKNOWN  # a later snapshot may be ahead of the changes that follow it
        else:
            image = after
        table.rows.heads[key] = Head(int(entry["version"]), seq, image)
        table.changes += not table.suspended

    def _keyless(self, seq: int, entry: dict[str, Any], key: str, version: TableVersion | None, table: Table) -> None:
        self.keyless += 1
        if version is not None:
            self._images(seq, entry, version, known=False)
        after = key_of(entry["after"]) if "after" in entry else None
        before = key_of(entry["before"]) if "before" in entry else None
        if key != (after or before):
            self._say(seq, entry, "entry", "its key is not the hash of its image")
        if "replay_of" not in entry:
            fault = table.count(seq, before, after)
            if fault is not None and self.continuity.blind(entry["table"]) < 0:
                self._say(seq, entry, "continuity", fault)
            table.changes += not table.suspended

    def _images(self, seq: int, entry: dict[str, Any], version: TableVersion, *, known: bool) -> None:
        """Each image has the columns of its schema, what its plan says, and the key. ``known``: the before image was
        judged as the after image that it equals.
        """
        for side in ("after",) if known else ("after", "before"):
            image = entry.get(side)
            if image is None:
                continue
            fault = version.image_fault(image, entry["subject"].get(side))
            if fault is not None:
                self._say(seq, entry, "entry", f"{side}: {fault}")
            elif version.key and type(entry["key"]) is list:
                of_image = [image[name] for name in version.key]
                if entry["key"] != of_image and UNAVAILABLE not in of_image:
                    self._say(seq, entry, "entry", f"its key is not that of its {side} image")
        if bool(version.key) != (type(entry["key"]) is list):
            self._say(seq, entry, "entry", "its kind of key does not follow from the schema")


def _hash(entry: dict[str, Any], side: str, image: str | None) -> bytes | None:
    """What tells whether two images are the same: text, subject, schema and plan."""
    if image is None:
        return None
    named = f"{entry['schema']} {entry['plan']} {entry['subject'].get(side)} {image}"
    return sha256(named.encode()).digest()

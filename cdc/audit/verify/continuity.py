"""Continuity: the before image of a change is the after image of the row's version before (docs/formats.md §2, §6).

Sealed cells are deterministic, so this needs no key. Most pairs are equal as texts. The others are compared column by
column, where that can be done: not a column whose schema or plan changed in between, nor a protected one under another
subject or generation (keys and tokens of an erased subject are made anew), nor a value that the source did not send.
For that the version before is asked for again, many at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from . import entry as entries
from .early_dates import early_date
from .history import GONE, Head
from .rows import EntriesAt
from .schemas import Schemas, TableVersion
from .transactions import debezium_name
from .values import UNAVAILABLE

_TOGETHER = 500
"""Versions that are asked for at a time."""


_EMPTY = ": the snapshot read it as empty, as it does a table that is truncated or rewritten meanwhile"


class _Pair(NamedTuple):
    seq: int
    prev: int
    entry: dict[str, Any]


Say = Callable[[int, dict[str, Any], str], None]
"""Takes a finding: seq, entry, cause."""


class Continuity:
    """Compares before images with what the log has; says what differs through ``say``.

    ``scanned``: tables that the initial snapshot has read, as Debezium names them; ``complete``: it has read all. From
    then on a row of such a table that the log does not have is not there. ``empty``: those of them of which the newest
    snapshot has read no row. ``gap``: seq of the last gap, or -1.
    """

    def __init__(self, entries_at: EntriesAt | None, schemas: Schemas, say: Say) -> None:
        self.equal = 0
        self.by_column = 0
        self.not_comparable = 0
        self.complete = False
        self.scanned: set[str] = set()
        self.empty: set[str] = set()
        self.gap = -1
        self._entries_at = entries_at
        self._schemas = schemas
        self._say = say
        self._pairs: list[_Pair] = []
        self._quarantined: dict[str, int] = {}
        self._anywhere = -1
        self.late: dict[int, int] = {}

    def place(self, seq: int) -> int:
        """Where an entry stands among the changes of its row: what resolves another, where that stood."""
        return self.late.get(seq, seq)

    def quarantined(self, seq: int, table: str | None) -> None:
        """A record could not be read: what it did to a row of this table, or of any where None is known, is open."""
        if table is None:
            self._anywhere = seq
        else:
            self._quarantined[table] = seq

    def rekeyed(self, seq: int, table: str) -> None:
        """Rows of the table have another key from here on: those from before are not found under it."""
        self._quarantined[table] = seq

    def blind(self, table: str) -> int:
        """Seq of the last gap or quarantined entry that may have changed a row of this table, or entry before its key
        changed; or -1.
        """
        return max(self._quarantined.get(table, -1), self._anywhere, self.gap)

    def judge(self, seq: int, entry: dict[str, Any], head: Head | None, before: bytes | None, truncated: int) -> None:
        """One change of a row with a key. ``before``: SHA-256 of its before image; ``truncated``: seq of the table's
        last truncate.
        """
        if entry["operation"] == "r":
            return
        blind = self.blind(entry["table"])
        if blind >= 0 and (head is None or (self.place(head.seq) < blind and before != head.image)):
            self.not_comparable += 1  # a change of it may be among what is missing, or cannot be read
            return
        live = head is not None and head.image != GONE and head.seq > truncated
        if head is None or not live:
            self._first(seq, entry, gone=head is not None)
        elif head.image is None:
            self.not_comparable += 1
        elif entry["operation"] == "c":
            self._say(seq, entry, "it creates a row that is there")
        elif before is None:
            self.not_comparable += 1
        elif before == head.image:
            self.equal += 1
        else:
            self._pairs.append(_Pair(seq, head.seq, entry))
            if len(self._pairs) >= _TOGETHER:
                self.settle()

    def _first(self, seq: int, entry: dict[str, Any], *, gone: bool) -> None:
        """A change of a row that is not there can only create it."""
        if entry["operation"] == "c":
            return
        if gone:
            self._say(seq, entry, "it changes a row that is gone")
        elif (
            self.complete
            and debezium_name(entry["table"]) in self.scanned
            and not any(type(part) is dict for part in entry["key"])  # an erased token is minted anew: another key
        ):
            why = _EMPTY if debezium_name(entry["table"]) in self.empty else ""
            self._say(seq, entry, f"it changes a row that the log does not have{why}")
        else:
            self.not_comparable += 1

    def baseline(self, notification: str, detail: dict[str, Any]) -> None:
        """A snapshot has read a table, or is complete."""
        if notification == "COMPLETED":
            self.complete = True
        elif detail.get("status") == "SUCCEEDED":
            table = detail["scanned_collection"]
            self.scanned.add(table)
            if detail.get("total_rows_scanned") == "0":
                self.empty.add(table)
            else:
                self.empty.discard(table)

    def settle(self) -> None:
        """Compare the pairs that wait, by column."""
        pairs, self._pairs = self._pairs, []
        if self._entries_at is None:
            self.not_comparable += len(pairs)
            return
        wanted = sorted({pair.prev for pair in pairs})
        before = {int(seq): entries.again(text, body) for seq, text, body in self._entries_at(wanted)} if wanted else {}
        for pair in pairs:
            self._compare(pair, before.get(pair.prev))

    def _compare(self, pair: _Pair, prev: dict[str, Any] | None) -> None:
        new = self._schemas.version(pair.entry)
        old = self._schemas.version(prev) if prev is not None else None
        if prev is None or old is None or new is None or "after" not in prev:
            self.not_comparable += 1
            return
        names = _comparable(prev, old, pair.entry, new)
        differing = [name for name in names if prev["after"][name] != pair.entry["before"][name]]
        if differing and prev["operation"] == "r":
            shown, held, was = new.described, pair.entry["before"], prev["after"]
            differing = [name for name in differing if not early_date(shown[name], was[name], held[name])]
        if differing:
            columns = ", ".join(sorted(differing))
            self._say(pair.seq, pair.entry, f"its before image is not the row's after image before it: {columns}")
        if names:
            self.by_column += 1
        else:
            self.not_comparable += 1


def _comparable(old: dict[str, Any], was: TableVersion, new: dict[str, Any], now: TableVersion) -> list[str]:
    """Names of the columns that can be compared."""
    if old["after"].keys() != was.described.keys() or new["before"].keys() != now.described.keys():
        return []
    same_subject = old["subject"].get("after") == new["subject"].get("before")
    return [
        name
        for name in was.described.keys() & now.described.keys()
        if was.described[name] == now.described[name]
        and (same_subject or was.described[name][1]["protect"] == "clear")
        and UNAVAILABLE not in (old["after"][name], new["before"][name])
    ]

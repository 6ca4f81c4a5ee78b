"""Rows through time, folded from the log's changes: versions, copies, truncates. What current state must show.

Memory: one :class:`Head` for each row key that a table with a key ever had (about 350 bytes with its key), two numbers
for each row of a table without a key. Images are not kept: of the newest one only its SHA-256.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from .rows import StateTable
from .schemas import TableVersion

GONE = b""
"""In place of an image's hash: the row is deleted."""
UNKNOWN = None
"""In place of an image's hash: the row's newest image cannot be compared with what follows."""


class Head(NamedTuple):
    """Newest version of a row. ``image``: SHA-256 of the canonical after image, or one of the marks above."""

    version: int
    seq: int
    image: bytes | None


class Rows:
    """What a table's state is made of: heads by row key, or copies with the seq of their last change.

    ``truncated``: seq of the last truncate, or -1; ``truncated_through``: what the state table's row may say of it.
    """

    def __init__(self) -> None:
        self.heads: dict[str, Head] = {}
        self.copies: dict[str, tuple[int, int]] = {}
        self.truncated = -1
        self.truncated_through = {-1}

    def copy(self) -> Rows:
        """As it is now, whatever follows."""
        other = Rows()
        other.heads, other.copies = dict(self.heads), dict(self.copies)
        other.truncated, other.truncated_through = self.truncated, set(self.truncated_through)
        return other

    def truncate(self, seq: int, *, first: bool) -> None:
        """All rows are gone. Rows with a key keep their versions; copies start from nothing.

        ``first``: the table had no change before. Then it may have had no state table either, to note the truncate in.
        """
        self.truncated = seq
        self.truncated_through = {*self.truncated_through, seq} if first else {seq}
        self.copies.clear()


class Era(NamedTuple):
    """The time of a table under one key: its rows at the end, the key, seq of the first change under the next, the
    version of that change, and the columns that had gone by then (as ``Table.gone``).
    """

    rows: Rows
    key: tuple[str, ...]
    since: int
    following: TableVersion
    gone: dict[str, int]


class Table:
    """One table: its rows by the log, and, where its state was suspended, its rows up to there.

    ``eras``: what its rows were under each key before its last one, as far as state follows.

    ``gone``: each column that a later version lacks, and the seq of the first change under that version. What entries
    before it have there belongs to a column that no longer exists, also where one of that name has come back.

    ``frozen``: the rows that wait, as they were when they began to; None: they were not there.
    """

    def __init__(self, stated: StateTable | None) -> None:
        self.stated = stated
        self.rows = Rows()
        self.changes = 0
        self.gone: dict[str, int] = {}
        self.eras: list[Era] = []
        self._names: set[str] = set()
        self._version: TableVersion | None = None
        self._shown: Rows | None = None
        self._suspended_seq = stated.suspended_seq if stated is not None else None
        self.frozen: dict[str, Head | None] = {}
        self._begins: dict[int, list[str]] = {}
        for key, wait in stated.waiting.items() if stated is not None else ():
            self._begins.setdefault(wait.since, []).append(key)

    def unread(self, seq: int) -> None:
        """The entry ``seq`` is a quarantined record of the table: rows may wait for it."""
        self.reach(seq)
        self.frozen.update((key, self.rows.heads.get(key)) for key in self._begins.get(seq, ()))

    def reach(self, seq: int) -> None:
        """The log reaches ``seq``: state that is suspended from there on stays as it is."""
        if self._suspended_seq is not None and seq >= self._suspended_seq and self._shown is None:
            self._shown = self.rows.copy()

    def under(self, version: TableVersion | None, seq: int) -> bool:
        """The change ``seq``, which is no replay, is of this version of the table. Whether it has another key now."""
        if version is self._version or version is None:
            return False
        was, self._version = self._version, version
        if not self.suspended:
            self.gone.update(dict.fromkeys(self._names.difference(version.names), seq))
        self._names.update(version.names)
        if was is None or was.key == version.key:
            return False
        if not self.suspended:
            self.eras.append(Era(self.rows.copy(), was.key, seq, version, dict(self.gone)))
        return True

    @property
    def key(self) -> tuple[str, ...] | None:
        """Key of the version that its newest change is of; None before the first change."""
        return None if self._version is None else self._version.key

    @property
    def keyed_now(self) -> bool:
        """Whether rows have a key under the last version that state follows."""
        return bool(self.eras[-1].following.key) if self.eras else bool(self.key)

    @property
    def suspended(self) -> bool:
        """Whether state no longer follows."""
        return self._shown is not None

    @property
    def shown(self) -> Rows:
        """What current state must show."""
        return self.rows if self._shown is None else self._shown

    def truncate(self, seq: int) -> None:
        """All rows of the table are gone."""
        self.reach(seq)
        self.rows.truncate(seq, first=not self.changes)

    def take(self, seq: int, key: str, copies: object) -> bool:
        """Take copies of a row without a key away; False when the log does not have as many."""
        left = self.rows.copies.get(key, (0, 0))[0] - (int(copies) if isinstance(copies, str) else 0)
        self.rows.copies[key] = (left, seq)
        return left >= 0

    def count(self, seq: int, before: str | None, after: str | None) -> str | None:
        """Take a change of a row without a key: one copy less of ``before``, one more of ``after`` (row keys)."""
        copies = self.rows.copies
        fault = None
        if before is not None:
            left = copies.get(before, (0, 0))[0] - 1
            copies[before] = (left, seq)
            # With gone columns or another key before: counted under the columns and the key of today, in the end.
            if left < 0 and not self.suspended and not self.gone and not self.eras:
                fault = "it takes away a row without a key that the log does not have"
        if after is not None:
            copies[after] = (copies.get(after, (0, 0))[0] + 1, seq)
        return fault


def version_faults(entry: dict[str, Any], head: Head | None) -> list[str]:
    """Whether version and prev continue the row's head (docs/formats.md §3)."""
    found = []
    if entry["version"] != (str(head.version + 1) if head else "1"):
        found.append("its version is not the one after the row's version before")
    if entry["prev"] != (str(head.seq) if head else None):
        found.append("prev is not the entry of the row's version before")
    return found


class KeyChanges:
    """A key change is a delete, directly followed by the create of the other key; each names the other's key."""

    def __init__(self) -> None:
        self._left: dict[str, Any] | None = None
        self._torn = False

    def torn(self) -> None:
        """A record could not be read: it may be the other half of a key change."""
        self._left, self._torn = None, True

    def fault(self, entry: dict[str, Any]) -> str | None:
        """What is wrong with the pairing of this change of a row with a key."""
        left, linked = self._left, entry.get("linked_key")
        torn, self._torn = self._torn, False
        if left is None and linked is None:
            return None
        self._left = None
        if left is not None:
            paired = (
                entry["operation"] == "c"
                and linked == left["key"]
                and entry["key"] == left["linked_key"]
                and entry["table"] == left["table"]
            )
            return None if paired else "the delete of a key change is not followed by its create"
        if entry["operation"] != "d":
            return None if torn else "the create of a key change does not follow its delete"
        self._left = entry
        return None

    @property
    def waiting(self) -> bool:
        """Whether a delete still waits for its create."""
        return self._left is not None

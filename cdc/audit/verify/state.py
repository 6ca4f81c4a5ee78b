"""Current state is the fold of history: every row of a state table against the newest entry of its row key.

A keyed row shows its last after image, or after a delete its key alone. Rows without a key are counted: ``_copies`` is
inserts minus deletes since the last truncate, and ``_seq`` the last change of either kind. Rows that a truncate hid
stay in the table: with a key they show what they showed; without one, how many copies are left there depends on how
batches were cut, so only that an entry gave such a row is checked. A column that a later version of the table lacks is
NULL or nowhere in rows from before it, and does not count in the row key of a row without a key.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from hashlib import sha256
from itertools import islice
from typing import Any, NamedTuple

from . import entry as entries
from . import rekey, text
from .columns import row_key
from .history import GONE, Rows, Table
from .keyless import key_of
from .rows import EntriesAt, StateRow, StateTable
from .schemas import Schemas, TableVersion
from .values import UNAVAILABLE

_OWN = 5
"""Columns that every state table has, before those of the source."""
_LONGEST = 63
_OWN_NAME = re.compile(r"_(key|version|seq|committed_at|deleted|copies)_+")
_TOGETHER = 500
"""Rows whose entries are asked for at a time."""

Say = Callable[[int | None, str | None, str], None]
"""Takes a finding: seq, row key, cause."""


class Compared(NamedTuple):
    """Rows and cells that were compared; rows without a key that a truncate hid; columns without a rule; rows from
    before the key changed of which the log does not tell the new one.
    """

    rows: int
    cells: int
    hidden: int
    unknown: tuple[str, ...]
    keys: int


class _Wanted(NamedTuple):
    """A row of state, and the entry that it must show."""

    key: str
    seq: int
    gone: bool
    row: StateRow


class StateCheck:
    """Compares one state table."""

    def __init__(self, table: Table, stated: StateTable, schemas: Schemas, entries_at: EntriesAt, say: Say) -> None:
        self._stated = stated
        self._rows: Rows = table.shown
        self._gone = table.gone
        self._since, self._unknown_keys = 0, 0
        self._sides: Mapping[str, str] = {}
        if table.eras:
            self._rekeyed(rekey.fold(table, entries_at, schemas), say)
        self._schemas = schemas
        self._entries_at = entries_at
        self._say = say
        long = _long_names(stated.table, schemas)
        self._columns = [(long.get(name) or _of_source(name), kind) for name, kind in stated.columns]
        rules = [(name, text.same(kind)) for name, kind in self._columns]
        self._rules = [(at, name, rule) for at, (name, rule) in enumerate(rules) if rule is not None]
        self._unknown = tuple(name for name, rule in rules if rule is None)
        self._cells = 0

    def run(self, rows: Iterable[StateRow]) -> Compared:
        """Compare these rows, which are all of the table; empties the fold."""
        compared = hidden = 0
        if self._stated.keyless and self._gone and not self._since:
            self._rekey()
        following = self._copies if self._stated.keyless else self._versions
        wanted = following(rows)
        while chunk := list(islice(wanted, _TOGETHER)):
            stored = {int(seq): (seq_text, body) for seq, seq_text, body in self._entries_at(_seqs(chunk))}
            for one in chunk:
                self._images(one, stored.get(one.seq))
            compared += len(chunk)
            hidden += self._stated.keyless and sum(one.seq <= self._stated.truncated_through for one in chunk)
        self._missing()
        return Compared(compared, self._cells, int(hidden), self._unknown, self._unknown_keys)

    def _rekeyed(self, found: rekey.Outcome, say: Say) -> None:
        """Its rows are what they became under the table's last key."""
        self._rows, self._since, self._sides = found.rows, found.since, found.sides
        self._unknown_keys = found.unknown
        for key in found.twice:
            say(None, key, "rows from before its key changed would have one row key under the new one")

    def _versions(self, rows: Iterable[StateRow]) -> Iterator[_Wanted]:
        """Rows with a key, their own columns compared."""
        for row in rows:
            key, seq, _, version, deleted = row[:_OWN]
            head = self._rows.heads.pop(str(key), None)
            if head is None:
                self._say(_number(seq), key, "the log has no such row")
                continue
            shown = None if head.version == rekey.NO_VERSION else str(head.version)
            if (seq, version, deleted) != (str(head.seq), shown, "t" if head.image == GONE else "f"):
                wait = self._stated.waiting.get(str(key))
                until = "" if wait is None else f" before entry {wait.since}, for which it waits"
                self._say(head.seq, key, f"its _seq, _version or _deleted is not that of the row's newest entry{until}")
            yield _Wanted(str(key), head.seq, head.image == GONE, row)

    def _copies(self, rows: Iterable[StateRow]) -> Iterator[_Wanted]:
        """Rows without a key, their own columns compared."""
        for row in rows:
            key, seq, _, version, copies = row[:_OWN]
            at = _number(seq)
            if at is not None and at <= self._stated.truncated_through and str(key) not in self._rows.copies:
                yield _Wanted(str(key), at, False, row)
                continue
            found = self._rows.copies.pop(str(key), None)
            if found is None:
                self._say(at, key, "the log has no such row since the last truncate")
                continue
            if (seq, version, copies) != (str(found[1]), None, str(found[0])):
                self._say(found[1], key, "its _seq, _version or _copies is not what the log's changes give")
            yield _Wanted(str(key), found[1], False, row)

    def _rekey(self) -> None:
        """Row keys of rows without a key as their images are now, without the columns that have gone."""
        copies, held = dict(self._rows.copies), self._rows.copies
        held.clear()
        waiting = iter(copies.items())
        while chunk := list(islice(waiting, _TOGETHER)):
            asked = sorted({seq for _, (_, seq) in chunk})
            stored = {int(seq): (written, body) for seq, written, body in self._entries_at(asked)}
            for key, (count, seq) in chunk:
                entry = entries.again(*stored[seq]) if seq in stored else {}
                sides = [entry[side] for side in ("after", "before") if side in entry and key_of(entry[side]) == key]
                now = key_of(self._now(sides[0], seq)) if sides else key
                other, at = held.get(now, (0, -1))
                held[now] = (other + count, max(at, seq))

    def _now(self, image: dict[str, Any], seq: int) -> dict[str, Any]:
        """What of the image of an entry is still a column of the table."""
        if not self._gone:
            return image
        return {name: value for name, value in image.items() if seq >= self._gone.get(name, 0)}

    def _missing(self) -> None:
        for key, head in self._rows.heads.items():
            self._say(head.seq, key, "it is missing from current state")
        for key, (_, seq) in self._rows.copies.items():
            self._say(seq, key, "it is missing from current state")

    def _images(self, one: _Wanted, stored: tuple[str, str | None] | None) -> None:
        """The columns of a row against its entry."""
        entry = entries.again(*stored) if stored is not None else {}
        if entry.get("kind") == "absent" and entry.get("table") == self._stated.table:
            self._absent(one, entry)
            return
        version = self._schemas.version(entry) if entry.get("table") == self._stated.table else None
        image = self._image(one, entry, version) if version is not None else None
        if image is None or version is None:
            self._say(one.seq, one.key, "the entry that it is said to be of is not one of this row")
            return
        if UNAVAILABLE in image.values():
            image = self._sent(entry, image)
        differing = [
            name for at, name, rule in self._rules if not text.shows(image.get(name), one.row[_OWN + at], rule)
        ]
        if one.row[2] != entry.get("committed_at"):
            differing.append("_committed_at")
        absent = {name for name in version.kept() if one.seq >= self._gone.get(name, 0)}
        absent -= {name for name, _ in self._columns}
        self._cells += len(self._rules)
        if differing:
            self._say(one.seq, one.key, f"columns that do not show what the entry holds: {', '.join(differing)}")
        if absent:
            self._say(one.seq, one.key, f"the state table lacks columns of the entry: {', '.join(sorted(absent))}")

    def _sent(self, entry: dict[str, Any], image: dict[str, Any]) -> dict[str, Any]:
        """The image with what the source did not send taken from the newest version before that has it."""
        found = dict(image)
        while UNAVAILABLE in found.values() and entry.get("prev") is not None:
            if int(entry["prev"]) <= self._rows.truncated or int(entry["prev"]) < self._since:
                break
            earlier = [entries.again(text_, body) for _, text_, body in self._entries_at([int(entry["prev"])])]
            if not earlier or "after" not in earlier[0]:
                break
            entry = earlier[0]
            for name, value in found.items():
                if value == UNAVAILABLE and name in entry["after"]:
                    found[name] = entry["after"][name]
        return found

    def _absent(self, one: _Wanted, entry: dict[str, Any]) -> None:
        """A row that a re-snapshot did not show: its key is left; without a key, nothing of its columns changes."""
        if row_key(entry) != one.key:
            self._say(one.seq, one.key, "the entry that it is said to be of is not one of this row")
        elif not self._stated.keyless:
            image = dict(zip(self._stated.key, entry["key"], strict=False))
            self._cells += len(self._rules)
            differing = [
                name for at, name, rule in self._rules if not text.shows(image.get(name), one.row[_OWN + at], rule)
            ]
            if differing:
                cause = f"columns that do not show what the entry holds: {', '.join(differing)}"
                self._say(one.seq, one.key, cause)

    def _image(self, one: _Wanted, entry: dict[str, Any], version: TableVersion) -> dict[str, Any] | None:
        """What the row's columns must show; None when the entry is not of this row."""
        if one.seq < self._since:
            side = self._sides.get(one.key, "")
            return self._now(entry[side], one.seq) if side in entry else None
        if version.key:
            if row_key(entry) != one.key:
                return None
            if one.gone:
                return dict(zip(version.key, entry["key"], strict=False))
            return self._now(entry["after"], one.seq) if "after" in entry else None
        for side in ("after", "before"):
            if side in entry and key_of(image := self._now(entry[side], one.seq)) == one.key:
                return image
        return None


def _of_source(name: str) -> str:
    """The source's name of a state column: one ``_`` less where it is named like a column that state tables add."""
    return name[:-1] if _OWN_NAME.fullmatch(name) else name


def _long_names(table: str, schemas: Schemas) -> dict[str, str]:
    """The state column's name → the source's, where that is longer than a name of PostgreSQL's (63 bytes)."""
    versions = (version for (named, _, _), version in schemas.versions.items() if named == table)
    names = {name for version in versions for name in version.kept() if len(name.encode()) > _LONGEST}
    return {
        name.encode()[: _LONGEST - 11].decode(errors="ignore") + "~" + sha256(name.encode()).hexdigest()[:10]: name
        for name in names
    }


def _seqs(chunk: list[_Wanted]) -> list[int]:
    return sorted({one.seq for one in chunk})


def _number(cell: str | None) -> int | None:
    return int(cell) if cell is not None and cell.lstrip("-").isdecimal() else None

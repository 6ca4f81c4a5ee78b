"""A table that had several keys: what its rows are under the last one, by the images that the log has of them.

A key is altered without a change of rows. Under the key that follows a row is named by what its newest image has in the
columns of that key, or counted, where there is none. Deletes and the row keys of before mean nothing any more. A row
whose images do not tell its new key (a column that is newer, NULL, sealed, protected or spelled otherwise then) is not
in the outcome, and counted in ``unknown``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple

from . import canonical
from . import entry as entries
from .history import GONE, UNKNOWN, Era, Head, Rows, Table
from .keyless import key_of
from .rows import EntriesAt
from .schemas import Schemas, TableVersion

_TOGETHER = 500
"""Rows whose entries are asked for at a time."""
_INTEGERS = frozenset({"smallint", "integer", "bigint"})
_OPEN_TEXTS = frozenset({"VARCHAR", "TEXT"})
NO_VERSION = -1
"""In place of a row's version: its newest entry is from a time without a key."""


class Held(NamedTuple):
    """A row: its newest entry, which image of that is the row's, its version there, and how many there are."""

    seq: int
    side: str
    version: int
    copies: int


class Outcome(NamedTuple):
    """Rows as current state must have them. ``since``: seq of the first change under the last key; ``sides``: of rows
    from before that, which image of their entry is theirs. ``twice``: row keys that two rows of before would have.
    """

    rows: Rows
    since: int
    sides: Mapping[str, str]
    unknown: int
    twice: tuple[str, ...]


class _Fold:
    def __init__(self, entries_at: EntriesAt, schemas: Schemas) -> None:
        self._entries_at = entries_at
        self._schemas = schemas
        self.live: dict[str, Held] = {}
        self.unknown = 0
        self.twice: list[str] = []

    def read(self, rows: Mapping[str, Held]) -> Iterator[tuple[str, Held, dict[str, Any]]]:
        """Each row with its entry."""
        waiting = iter(rows.items())
        while chunk := list(islice(waiting, _TOGETHER)):
            wanted = sorted({held.seq for _, held in chunk})
            stored = {int(seq): (text, body) for seq, text, body in self._entries_at(wanted)}
            for key, held in chunk:
                yield key, held, entries.again(*stored[held.seq]) if held.seq in stored else {}

    def turn(self, era: Era) -> None:
        """The era ends: its rows get the keys of the version that follows."""
        rows = {key: held for key, held in self.live.items() if held.copies > 0 and held.seq > era.rows.truncated}
        self.live = {}
        for _, found, entry in self.read(rows):
            new = self._key(found, entry, era)
            held = found if era.following.key else found._replace(version=NO_VERSION)
            if new is None:
                self.unknown += 1
                continue
            other = self.live.get(new)
            if era.following.key and (other is not None or held.copies > 1):
                self.twice.append(new)
            if other is not None:
                newest = max(held, other)
                self.live[new] = newest._replace(copies=held.copies + other.copies)
            else:
                self.live[new] = held

    def _key(self, held: Held, entry: dict[str, Any], era: Era) -> str | None:
        was, now = self._schemas.version(entry), era.following
        image = entry.get(held.side)
        if was is None or image is None:
            return None
        image = {name: value for name, value in image.items() if held.seq >= era.gone.get(name, 0)}
        if not now.key:
            objects = [value for value in image.values() if type(value) is dict]
            untold = any("unavailable" in value or (was.key and "seal" in value) for value in objects)  # §6: by its key
            return None if untold else key_of(image)
        parts = [image.get(name) if _comparable(was, now, name) else None for name in now.key]
        if any(part is None or (type(part) is dict and "token" not in part) for part in parts):
            return None
        return canonical.write(parts)

    def keyed(self, rows: Rows, since: int) -> set[str]:
        """What changes under a key did to rows. Returns the row keys of those that they deleted."""
        gone = set()
        for key, head in rows.heads.items():
            if head.seq < since:
                continue
            if head.image == GONE:
                gone.add(key)
            else:
                self.live[key] = Held(head.seq, "after", head.version, 1)
        return gone

    def counted(self, rows: Rows, since: int, before: Rows | None, now: Callable[[dict[str, Any], int], Any]) -> None:
        """What changes without a key did to copies. ``now``: an image without the columns that have gone."""
        if rows.truncated >= since:
            before = None
            self.live = {key: held for key, held in self.live.items() if held.seq > rows.truncated}
        found = {}
        for key, (copies, seq) in rows.copies.items():
            if seq >= since:
                base = before.copies.get(key, (0, 0))[0] if before is not None else 0
                found[key] = Held(seq, "", NO_VERSION, copies - base)
        for key, held, entry in self.read(found):
            side = next((name for name in ("after", "before") if name in entry and key_of(entry[name]) == key), "")
            named = key_of(now(entry[side], held.seq)) if side else key
            other = self.live.get(named)
            copies = held.copies + (other.copies if other is not None else 0)
            newest = held if other is None or held.seq > other.seq else other
            self.live[named] = newest._replace(side=side if newest is held else newest.side, copies=copies)


def fold(table: Table, entries_at: EntriesAt, schemas: Schemas) -> Outcome:
    """The rows of a table that had more than one key, under its last one."""
    made = _Fold(entries_at, schemas)
    before: Rows | None = None
    since = 0
    for era in table.eras:
        if era.key:
            for key in made.keyed(era.rows, since):
                made.live.pop(key, None)
        else:
            made.counted(era.rows, since, before, lambda image, _: image)
        made.turn(era)
        before, since = era.rows, era.since
    return _last(made, table, before, since)


def _last(made: _Fold, table: Table, before: Rows | None, since: int) -> Outcome:
    last, rows = table.shown, Rows()
    rows.truncated, rows.truncated_through = last.truncated, last.truncated_through
    sides = {key: held.side for key, held in made.live.items()}
    gone_since = table.gone
    if table.keyed_now:
        gone = made.keyed(last, since)
        marks = {key: Held(last.heads[key].seq, "", 0, 1) for key in gone - made.live.keys()}
        gone -= {key for key, _, entry in made.read(marks) if _nothing_left(entry, since)}
        rows.heads = {key: Head(held.version, held.seq, UNKNOWN) for key, held in made.live.items()}
        rows.heads |= {key: last.heads[key] for key in gone}
    else:

        def now(image: dict[str, Any], seq: int) -> dict[str, Any]:
            return {name: value for name, value in image.items() if seq >= gone_since.get(name, 0)}

        made.counted(last, since, before, now)
        rows.copies = {key: (held.copies, held.seq) for key, held in made.live.items()}
    return Outcome(rows, since, sides, made.unknown, tuple(made.twice))


def _nothing_left(entry: dict[str, Any], since: int) -> bool:
    """Whether a row that a re-snapshot did not show had its row key under an earlier key alone."""
    return entry.get("kind") == "absent" and int(entry["prev"]) < since


def _comparable(was: TableVersion, now: TableVersion, name: str) -> bool:
    """Whether a value of a column in an image of ``was`` is spelled as in one of ``now``."""
    if name not in was.described or name not in now.described:
        return False
    (old, old_step), (new, new_step) = was.described[name], now.described[name]
    if old_step["protect"] != new_step["protect"]:
        return False
    if all(old[member] == new[member] for member in ("type", "length", "scale")):
        return True
    return {old.get("state"), new.get("state")} <= _INTEGERS or {old["type"], new["type"]} <= _OPEN_TEXTS

"""The newest version of one row before an entry, out of the log: for rows whose state waited, or goes on waiting."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import psycopg2

from cdc.warehouse.rebuild.fold import UNAVAILABLE
from cdc.warehouse.rebuild.shape import Version, decode, described

_ENTRY = """
SELECT seq, version, committed_at, kind, operation, entry, body, described, gone, kept
  FROM audit.waiting_row(%s, %s, %s, %s)
"""
LAST = 2**63 - 1
"""Behind every entry."""


@dataclass(frozen=True, slots=True)
class Newest:
    """A row as it was. ``image``: its columns by their names at the source, of the table version ``version_of``; of a
    ``deleted`` row its key columns at least. ``committed_at``: ns since 1970.
    """

    seq: int
    version: int
    committed_at: int | None
    deleted: bool
    version_of: Version
    image: dict[str, Any] = field(repr=False)


class _Entry(NamedTuple):
    seq: int
    version: int
    committed_at: int | None
    kind: str
    operation: str | None
    said: dict[str, Any]
    version_of: Version | None
    gone: int
    kept: frozenset[str] | None


def newest(cursor: psycopg2.extensions.cursor, log: str, table: str, key: str, before: int = LAST) -> Newest | None:
    """The newest version of a row that waits, before the entry ``before``; None where it has none.

    What the source did not send is taken from the versions before, as far as the row was there all the time. What it
    has in columns that the table has lost since is left out.
    """
    place = (log, table, key)
    first = found = _entry(cursor, place, before)
    while found is not None and found.version_of is None:  # a re-snapshot did not show it: only its key is told
        found = _entry(cursor, place, found.seq)
    if first is None or found is None or found.version_of is None:
        return None
    if first.kind == "absent":
        image = dict(zip(found.version_of.key, first.said["key"], strict=True))
        return Newest(first.seq, first.version, None, True, found.version_of, image)
    if first.operation == "d":
        return Newest(first.seq, first.version, first.committed_at, True, found.version_of, first.said["before"])
    image, earlier = dict(first.said["after"]), first
    while UNAVAILABLE in image.values():
        before_that = _entry(cursor, place, earlier.seq)
        if before_that is None or before_that.seq <= first.gone or "after" not in before_that.said:
            break
        earlier = before_that
        held = earlier.said["after"]
        image |= {name: held[name] for name, value in image.items() if value == UNAVAILABLE and name in held}
    if first.kept is not None:
        image = {name: value for name, value in image.items() if name in first.kept}
    return Newest(first.seq, first.version, first.committed_at, False, found.version_of, image)


def _entry(cursor: psycopg2.extensions.cursor, place: tuple[str, str, str], before: int) -> _Entry | None:
    cursor.execute(_ENTRY, (*place, before))
    row = cursor.fetchone()
    if row is None:
        return None
    seq, version, committed_at, kind, operation, text, body, content, gone, kept = row
    said = decode(text)
    if body is not None:
        said |= decode(body)
    version_of = described(said["schema"], said["plan"], decode(content)["content"]) if content is not None else None
    names = None if kept is None else frozenset(kept)
    return _Entry(seq, version, committed_at, kind, operation, said, version_of, gone, names)

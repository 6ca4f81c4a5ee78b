"""A table whose key changed while its history was folded: its rows get the row keys of the version that follows.

A key is altered without a row change. So when the first change under another key comes, the rows that are there are
keyed anew, by what their newest images have in the columns of the new key; those of a table that lost its key become
copies. Rows that were deleted under the old key leave nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import psycopg2

from cdc.copytext import escape
from cdc.entry import canonical, split_qualified_name
from cdc.errors import Conflict
from cdc.warehouse.bulk import copy
from cdc.warehouse.projection import quoted
from cdc.warehouse.rebuild.making import Making, create
from cdc.warehouse.rebuild.shape import Column, Version, decode, keyless_key

TOGETHER = 5_000
"""Rows whose entries are read at a time."""
_ROWS = """
SELECT s._key, e.seq, e.entry, b.body{lost} FROM {table} s JOIN audit.entry e ON e.log = %s AND e.seq = s._seq
  LEFT JOIN audit.body b ON b.log = e.log AND b.seq = e.seq
 WHERE s._key > %s AND s._seq > %s AND {live} ORDER BY s._key LIMIT %s
"""
_KEYED = """
INSERT INTO {new} (_key, _version, _seq, _committed_at, _deleted{columns})
SELECT k.new, s._version, s._seq, s._committed_at, false{columns} FROM {old} s JOIN rebuild_keys k ON k.old = s._key
"""
_COUNTED = """
INSERT INTO {new} AS n (_key, _seq, _committed_at, _copies{columns})
SELECT DISTINCT ON (k.new) k.new, s._seq, s._committed_at, sum({copies}) OVER (PARTITION BY k.new){columns}
  FROM {old} s JOIN rebuild_keys k ON k.old = s._key ORDER BY k.new, s._seq DESC
"""
# The last version without a key before the next change that has one: its columns are what rows are told apart by.
_COUNTING = """
SELECT e.entry FROM audit.entry e WHERE e.log = %(log)s AND e.table_name = %(table)s AND e.kind = 'change'
   AND NOT audit.is_replay(e.entry) AND e.seq < (
       SELECT coalesce(min(n.seq), 9223372036854775807) FROM audit.entry n WHERE n.log = %(log)s AND n.seq >= %(from)s
          AND n.table_name = %(table)s AND n.kind = 'change' AND n.version IS NOT NULL)
 ORDER BY e.seq DESC LIMIT 1
"""
# A re-snapshot of this table, whole and later: every row that is there has an entry since (docs/formats.md §3.7).
_READ_AGAIN = """
WITH baseline AS (
    SELECT e.seq, audit.readable(e.entry) -> 'content' AS content FROM audit.entry e
     WHERE e.log = %(log)s AND e.kind = 'baseline' AND e.seq > %(from)s)
SELECT EXISTS (SELECT FROM baseline s JOIN baseline t ON t.seq > s.seq JOIN baseline c ON c.seq > t.seq
     WHERE s.content ->> 'notification' = 'STARTED' AND c.content ->> 'notification' = 'COMPLETED'
       AND t.content ->> 'notification' = 'TABLE_SCAN_COMPLETED' AND t.content #>> '{detail,status}' = 'SUCCEEDED'
       AND t.content #>> '{detail,scanned_collection}' = %(scanned)s
       AND NOT EXISTS (SELECT FROM baseline o WHERE o.seq > s.seq AND o.seq < c.seq
                          AND o.content ->> 'notification' IN ('STARTED', 'COMPLETED'))
       AND NOT EXISTS (SELECT FROM audit.entry g WHERE g.log = %(log)s AND g.table_name = 'cdc.signal'
                          AND g.kind = 'change' AND g.seq > %(from)s AND g.seq < c.seq
                          AND g.entry LIKE '%%additional-condition%%'))
"""
_READ_ANEW = "read the table anew, then cdc rebuild"
_NO_WAY = "what such a row was is in its history; cdc audit history"
_INTEGERS = frozenset({"smallint", "integer", "bigint"})
_OPEN_TEXTS = frozenset({"VARCHAR", "TEXT"})


class UnknownKeyError(Exception):
    """An image does not tell the row's new key. Names the column and the cause, never a value."""


def counted_by(cursor: psycopg2.extensions.cursor, making: Making, known: Mapping[Any, Version], seq: int) -> Version:
    """The version whose columns make the row keys of the rows without a key that are counted up to entry ``seq``."""
    if not any(version.key for version in known.values()):
        return making.target
    cursor.execute(_COUNTING, {"log": making.log, "table": making.table, "from": seq})
    row = cursor.fetchone()
    entry = decode(row[0]) if row is not None else {}
    return known.get((entry.get("schema"), entry.get("plan")), making.target)


class Rekeying:
    """From one key to another; ``was`` and ``now`` count rows without a key where they have none."""

    def __init__(
        self, cursor: psycopg2.extensions.cursor, making: Making, known: Mapping[Any, Version], seq: int, truncated: int
    ) -> None:
        self._cursor = cursor
        self._making = making
        self._known = known
        self._seq = seq
        self._truncated = truncated
        self._unknown: dict[str, int] = {}

    def run(self, was: Version | None, now: Version) -> None:
        """Key the rows of the table anew. ``was``: what rows without a key were counted by; None: they had a key.

        Raises:
            Conflict: rows whose new key the log does not tell, or two rows of one key.
        """
        making, keyed = self._making, bool(now.key)
        self._cursor.execute(
            "DROP TABLE IF EXISTS pg_temp.rebuild_keys;"
            ' CREATE TEMPORARY TABLE rebuild_keys (old text COLLATE "C", new text COLLATE "C") ON COMMIT DROP'
        )
        self._read(was, now)
        self._refuse(was, now)
        name = f"{making.name}_next"
        create(self._cursor, making, name, keyed=keyed)
        self._cursor.execute(
            (_KEYED if keyed else _COUNTED).format(
                new=name,
                old=making.name,
                copies="1" if was is None else "s._copies",
                columns="".join(f", {quoted(column.name)}" for column in making.target.columns),
            )
        )
        self._cursor.execute(f"DROP TABLE {making.name}")
        self._cursor.execute(f"ALTER TABLE {name} RENAME TO rebuild_{making.id}")

    def _read(self, was: Version | None, now: Version) -> None:
        of_key = [column for column in self._making.target.columns if column.source in now.key]
        statement = _ROWS.format(
            table=self._making.name,
            lost="".join(f", s.{quoted(column.name)} IS NULL" for column in of_key).replace("%", "%%"),
            live="NOT s._deleted" if was is None else "s._copies > 0",
        )
        after = ""
        while True:
            self._cursor.execute(statement, (self._making.log, after, self._truncated, TOGETHER))
            found = self._cursor.fetchall()
            if not found:
                return
            after = found[-1][0]
            lines = []
            for old, _, text, body, *lost in found:
                entry = decode(text) | (decode(body) if body is not None else {})
                gone = {column.source for column, is_lost in zip(of_key, lost, strict=True) if is_lost}
                try:
                    new = self._key(entry, self._image(entry, old, was), now, gone)
                except UnknownKeyError as unknown:
                    self._unknown[str(unknown)] = self._unknown.get(str(unknown), 0) + 1
                    continue
                lines.append(f"{escape(old)}\t{escape(new)}\n")
            copy(self._cursor, "rebuild_keys", "".join(lines).encode())

    def _image(self, entry: dict[str, Any], key: str, was: Version | None) -> dict[str, Any]:
        sides = [entry[side] for side in ("after", "before") if side in entry]
        return next(image for image in sides if was is None or keyless_key(image, was) == key)

    def _key(self, entry: dict[str, Any], image: dict[str, Any], now: Version, gone: set[str]) -> str:
        mine = self._known[entry["schema"], entry["plan"]]
        if not now.key:
            return _whole(image, mine, now)
        return canonical([_part(name, image, mine, now, gone) for name in now.key]).decode()

    def _refuse(self, was: Version | None, now: Version) -> None:
        making = self._making
        if self._unknown and not (now.key and self._read_again()):
            (why, rows), *_ = self._unknown.items()
            raise Conflict(
                f"the key of {making.table} changed, and the log does not tell the new key of {rows:,} rows: {why}",
                hint="docs/operations.md, key-changed: " + (_READ_ANEW if now.key else _NO_WAY),
            )
        if not now.key:
            return
        copies = "1" if was is None else "s._copies"
        self._cursor.execute(
            f"SELECT count(*) FROM (SELECT FROM {making.name} s JOIN rebuild_keys k ON k.old = s._key"
            f" GROUP BY k.new HAVING sum({copies}) > 1) AS twice"
        )
        ((twice,),) = self._cursor.fetchall()
        if twice:
            raise Conflict(
                f"the key of {making.table} changed, and {twice:,} of its new keys have more than one row in the log:"
                " it lacks changes of the source",
                hint="cdc status",
            )

    def _read_again(self) -> bool:
        scanned = ".".join(split_qualified_name(self._making.table))
        wanted = {"log": self._making.log, "from": self._seq, "scanned": scanned}
        self._cursor.execute(_READ_AGAIN, wanted)
        return self._cursor.fetchone() == (True,)


def _whole(image: Mapping[str, Any], mine: Version, now: Version) -> str:
    """The row key without a key. A cell that was sealed under the row's key is another one than without (§6)."""
    for name in image.keys() & now.names:
        value = image[name]
        if type(value) is dict and "unavailable" in value:
            raise UnknownKeyError(f"column {name} was not sent by the source")
        if type(value) is dict and "seal" in value and mine.key:
            raise UnknownKeyError(f"column {name} is sealed under the key that the row had")
    return keyless_key(image, now)


def _part(name: str, image: Mapping[str, Any], mine: Version, now: Version, gone: set[str]) -> Any:
    """What the image has of a column of the new key, spelled as the row keys that follow spell it."""
    value = image.get(name)
    was, is_now = (_column(version, name) for version in (mine, now))
    if value is None or name in gone or was is None or is_now is None:
        raise UnknownKeyError(f"column {name} is NULL in them, or newer than they are")
    if was.protect != is_now.protect:
        raise UnknownKeyError(f"column {name} was protected otherwise ({was.protect}, now {is_now.protect})")
    if type(value) is dict and "token" not in value:
        raise UnknownKeyError(f"column {name} was sealed, or not sent by the source")
    if not _spelled_alike(was, is_now):
        raise UnknownKeyError(f"column {name} had another type, so its values may be spelled otherwise")
    return value


def _column(version: Version, name: str) -> Column | None:
    return next((column for column in version.columns if column.source == name), None)


def _spelled_alike(was: Column, now: Column) -> bool:
    types = {was.declared[0], now.declared[0]}
    return was.declared == now.declared or {was.type, now.type} <= _INTEGERS or types <= _OPEN_TEXTS

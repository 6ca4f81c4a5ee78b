"""One step of a fold: a stretch of the log becomes rows of the table in the making, in one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import psycopg2

from cdc.copytext import NULL, escape
from cdc.errors import Conflict
from cdc.warehouse.bulk import copy
from cdc.warehouse.projection import quoted
from cdc.warehouse.rebuild.making import Making, versions
from cdc.warehouse.rebuild.rekey import Rekeying, counted_by
from cdc.warehouse.rebuild.shape import Renderer, UnfitError, Version, decode, keyless_key

STRETCH = 20_000
"""Entries of the log that one step looks at."""
_ENTRIES = """
SELECT e.seq, e.kind, e.version, e.committed_at, e.row_key, e.operation, e.entry, b.body FROM audit.entry e
  LEFT JOIN audit.body b ON b.log = e.log AND b.seq = e.seq
 WHERE e.log = %s AND e.seq > %s AND e.seq <= %s AND e.table_name = %s AND e.kind IN ('change', 'truncate', 'absent')
 ORDER BY e.seq
"""
_UPSERT = """
INSERT INTO {table} AS s (_key, _version, _seq, _committed_at, _deleted{columns})
SELECT _key, _version, _seq, _committed_at, _own::boolean{typed} FROM rebuild_stage
ON CONFLICT (_key) DO UPDATE SET _version = excluded._version, _seq = excluded._seq,
    _committed_at = excluded._committed_at, _deleted = excluded._deleted{assignments}
"""
_COUNT = """
INSERT INTO {table} AS s (_key, _seq, _committed_at, _copies{columns})
SELECT _key, _seq, _committed_at, _own::bigint{typed} FROM rebuild_stage
ON CONFLICT (_key) DO UPDATE SET _seq = excluded._seq, _committed_at = excluded._committed_at,
    _copies = excluded._copies + CASE WHEN s._seq <= {truncated} THEN 0 ELSE s._copies END
"""
UNAVAILABLE = {"unavailable": "toast"}
_Row = list[Any]
"""Version, seq, committed_at, deleted or copies, line."""


class Fold:
    """Folds entries into one table in the making. One object per attempt.

    ``counting``: the version whose columns make the row keys of the rows without a key that are counted now, once it
    is known. The object of the next attempt takes it over.
    """

    def __init__(
        self,
        cursor: psycopg2.extensions.cursor,
        making: Making,
        known: Mapping[Any, Version],
        counting: Version | None = None,
    ) -> None:
        self._cursor = cursor
        self.making = making
        self._known = known
        self._renderers: dict[tuple[str, str], Renderer] = {}
        self._rows: dict[str, _Row] = {}
        self._truncated = making.truncated_through
        self._last = making.last
        self._key = (known[making.last] if making.last else making.target).key
        self.counting = counting

    def step(self, size: int) -> Making:
        """Fold the next stretch of a log of ``size`` entries.

        Raises:
            UnfitError: a column cannot hold a value.
        """
        making = self.making
        through = min(making.through + STRETCH, size - 1)
        self._stage()
        self._cursor.execute(_ENTRIES, (making.log, making.through, through, making.table))
        for seq, kind, version, committed_at, key, operation, text, body in self._cursor.fetchall():
            entry = decode(text)
            if "replay_of" in entry:
                continue
            if kind == "truncate":
                self._truncate(seq)
                continue
            if kind == "absent":
                self._absent(entry, key, seq, version)
                continue
            if body is not None:
                entry |= decode(body)
            renderer = self._renderer(entry["schema"], entry["plan"], seq, late="resolves" in entry)
            if self._key:
                gone = operation == "d"
                line = renderer.deleted(entry["before"]) if gone else renderer.row(entry["after"])
                if not gone and UNAVAILABLE in entry["after"].values():
                    line = self._kept(key, entry["after"], line)
                self._rows[key] = [version, seq, committed_at, "t" if gone else "f", line]
            else:
                self._copies(entry, operation, seq, committed_at, renderer)
        self._write()
        self._cursor.execute(
            "UPDATE pipeline.rebuild SET through = %s, truncated_through = %s, last_schema = %s, last_plan = %s"
            " WHERE id = %s",
            (through, self._truncated, *(self._last or (None, None)), making.id),
        )
        self.making = making.at(through, self._truncated, self._last)
        return self.making

    def put(self, rows: dict[str, _Row]) -> None:
        """These rows, whatever the fold has of them."""
        self._stage()
        self._rows = rows
        self._write()

    def _renderer(self, schema: str, plan: str, seq: int, *, late: bool) -> Renderer:
        """That of a table version; where it follows another and lacks a column, what that column held is void, and
        where it has another key, the rows are keyed anew.

        ``late``: a quarantined record, replayed. The version that it is of may have been another one's by then.
        """
        digests = (schema, plan)
        if digests not in self._renderers:
            if digests not in self._known:  # described since the fold began
                self._known = versions(self._cursor.connection.cursor(), self.making.log, self.making.table)
            self._renderers[digests] = Renderer(self._known[digests], self.making.target, self.making.as_text)
        renderer = self._renderers[digests]
        if digests != self._last and not late:
            if self._last is not None and renderer.lacks:
                self._refuse_without_key(renderer, seq)
                self._write()
                cleared = ", ".join(f"{quoted(name)} = NULL" for name in renderer.lacks)
                self._cursor.execute(f"UPDATE {self.making.name} SET {cleared}")
            if self._known[digests].key != self._key:
                self._rekey(self._known[digests], seq)
            self._last = digests
        return renderer

    def _rekey(self, now: Version, seq: int) -> None:
        """The change ``seq`` is the first under another key."""
        self._write()
        was = None if self._key else self._counted_by(seq)
        self._key, self.counting = now.key, None
        by = now if now.key else self._counted_by(seq)
        Rekeying(self._cursor, self.making, self._known, seq, self._truncated).run(was, by)

    def _counted_by(self, seq: int) -> Version:
        """The version whose columns make the row keys of rows without a key, where ``seq`` is counted."""
        if self.counting is None:
            self.counting = counted_by(self._cursor, self.making, self._known, seq)
        return self.counting

    def _refuse_without_key(self, renderer: Renderer, seq: int) -> None:
        if not self._key and not self._counted_by(seq).names.isdisjoint(renderer.lacks):
            raise Conflict(
                f"column {renderer.lacks[0]} of {self.making.table} was dropped and came back, and the table has no"
                " key: which of its rows have it cannot be told",
                hint="its history is complete: cdc audit as-of",
            )

    def _truncate(self, seq: int) -> None:
        self._truncated = seq
        if not self._key:
            self._rows.clear()

    def _absent(self, entry: dict[str, Any], key: str, seq: int, version: int | None) -> None:
        """A row that a re-snapshot did not show (docs/formats.md §3.7)."""
        target, known = self.making.target, self._known.values()
        changed = any(version.key != target.key for version in known)
        if self._key:
            if type(entry["key"]) is list and (not changed or self._has(key)):
                renderer = Renderer(target, target, self.making.as_text)
                image = dict(zip(self._key, entry["key"], strict=True)) if self._key == target.key else {}
                self._rows[key] = [version, seq, None, "t", renderer.deleted(image)]
            return
        if changed and type(entry["key"]) is list:
            raise Conflict(
                f"{self.making.table} lost its key, and was read by a re-snapshot since: which of its rows the"
                " re-snapshot counted anew cannot be told",
                hint="its history is complete: cdc audit as-of",
            )
        if any(not version.names <= self._counted_by(seq).names for version in known if not version.key):
            raise Conflict(
                f"{self.making.table} has no key, lost a column, and was read by a re-snapshot: which of its rows the"
                " re-snapshot counted anew cannot be told",
                hint="its history is complete: cdc audit as-of",
            )
        nothing = "\t".join([NULL] * len(target.columns))  # the row is there: its columns stay
        row = self._rows.setdefault(key, [None, seq, None, 0, nothing])
        row[1:4] = [seq, None, row[3] - int(entry["content"]["copies"])]

    def _has(self, key: str) -> bool:
        if key in self._rows:
            return True
        self._cursor.execute(f"SELECT FROM {self.making.name} WHERE _key = %s", (key,))
        return self._cursor.rowcount > 0

    def _kept(self, key: str, image: dict[str, Any], line: str) -> str:
        """The line with what the source did not send taken from the row as it is, where it is there."""
        unsent = [n for n, column in enumerate(self.making.target.columns) if image.get(column.source) == UNAVAILABLE]
        row = self._rows.get(key)
        if row is None:
            listed = ", ".join(f"{quoted(column.name)}::text" for column in self.making.target.columns)
            self._cursor.execute(
                f"SELECT {listed.replace('%', '%%')} FROM {self.making.name} WHERE _key = %s AND NOT _deleted"
                " AND _seq > %s",
                (key, self._truncated),
            )
            found = self._cursor.fetchone()
            held = [NULL if cell is None else escape(cell) for cell in found] if found else None
        else:
            held = row[4].split("\t") if row[3] == "f" and row[1] > self._truncated else None
        cells = line.split("\t")
        for n in unsent:
            cells[n] = held[n] if held is not None else NULL
        return "\t".join(cells)

    def _copies(
        self, entry: dict[str, Any], operation: str, seq: int, committed_at: int | None, renderer: Renderer
    ) -> None:
        if "before" in entry:
            self._count(entry["before"], seq, committed_at, renderer, -1)
        if operation != "d":
            self._count(entry["after"], seq, committed_at, renderer, 1)

    def _count(
        self, image: dict[str, Any], seq: int, committed_at: int | None, renderer: Renderer, change: int
    ) -> None:
        key = keyless_key(image, self._counted_by(seq))
        row = self._rows.setdefault(key, [None, seq, committed_at, 0, renderer.row(image)])
        row[1:4] = [seq, committed_at, row[3] + change]

    def _stage(self) -> None:
        columns = "".join(f", {quoted(column.name)} text" for column in self.making.target.columns)
        self._cursor.execute(
            "DROP TABLE IF EXISTS pg_temp.rebuild_stage; CREATE TEMPORARY TABLE rebuild_stage"
            f" (_key text, _version bigint, _seq bigint, _committed_at bigint, _own text{columns}) ON COMMIT DROP"
        )

    def _write(self) -> None:
        """What has gathered becomes rows of the table; each value is tried as one of its column's type first."""
        if not self._rows:
            return
        lines = []
        for key, (version, seq, committed_at, own, line) in self._rows.items():
            numbers = (NULL if field is None else str(field) for field in (version, seq, committed_at, own))
            fields = [escape(key), *numbers]
            lines.append("\t".join([*fields, line] if line else fields) + "\n")
        self._rows.clear()
        copy(self._cursor, "rebuild_stage", "".join(lines).encode())
        self._try()
        target, as_text = self.making.target, self.making.as_text
        names = [quoted(column.name) for column in target.columns]
        typed = [
            f", {quoted(column.name)}" + ("" if column.name in as_text else f"::{column.type}")
            for column in target.columns
        ]
        statement = (_UPSERT if self._key else _COUNT).format(
            table=self.making.name,
            columns="".join(f", {name}" for name in names),
            typed="".join(typed),
            assignments="".join(f", {name} = excluded.{name}" for name in names),
            truncated=self._truncated,
        )
        self._cursor.execute(statement)
        self._cursor.execute("TRUNCATE pg_temp.rebuild_stage")

    def _try(self) -> None:
        tried = [
            column
            for column in self.making.target.columns
            if column.type != "text" and column.name not in self.making.as_text
        ]
        if not tried:
            return
        valid = ", ".join(
            f"coalesce(bool_and({name} IS NULL OR pg_input_is_valid({name}, '{column.type}')), true)"
            for column in tried
            for name in [quoted(column.name)]
        )
        self._cursor.execute(f"SELECT {valid} FROM rebuild_stage")
        found = self._cursor.fetchone() or ()
        for column, fits in zip(tried, found, strict=True):
            if not fits:
                raise UnfitError(column.name)

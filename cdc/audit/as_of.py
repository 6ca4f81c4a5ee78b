"""A table as it was at an instant: the instant becomes one seq, and the log up to it becomes rows."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cdc.audit.entries import read
from cdc.audit.instants import shown
from cdc.audit.reading import Reading
from cdc.audit.tables import Table
from cdc.audit.versions import TableVersion, in_force
from cdc.audit.where import IMAGE, Compiled
from cdc.entry import Entry, Json, canonical
from cdc.errors import Conflict

_LAST = 2**63 - 1
_MOMENT = """
WITH moment AS (SELECT audit.as_of(%(log)s, %(at)s) AS seq, audit.baseline(%(log)s) AS baseline)
SELECT m.seq, m.baseline, e.transaction_id, e.committed_at, e.ordered_at, s.complete_at,
       (SELECT b.ordered_at FROM audit.entry b WHERE b.log = %(log)s AND b.seq = m.baseline)
  FROM moment m JOIN pipeline.stream s ON s.log = %(log)s LEFT JOIN audit.entry e ON e.log = %(log)s AND e.seq = m.seq
"""
_TRUNCATED = """
SELECT max(e.seq) FROM audit.entry e
 WHERE e.log = %(log)s AND e.table_name = %(table)s AND e.row_key IS NULL AND e.kind = 'truncate' AND e.seq <= %(seq)s
   AND NOT audit.is_replay(e.entry)
"""
# A re-snapshot has written each row that is there, under the key of its time.
_READ_ANEW = """
SELECT max(started) FROM audit.read_anew(%(log)s)
 WHERE completed <= %(seq)s AND audit.debezium_name(%(table)s) = ANY(tables)
"""
_UNDER_ANOTHER = """
SELECT 1 FROM audit.entry e
 WHERE e.log = %(log)s AND e.table_name = %(table)s AND e.kind = 'change' AND e.seq > %(gone)s AND e.seq <= %(seq)s
   AND NOT audit.is_replay(e.entry) AND audit.readable(e.entry) ->> 'schema' = ANY(%(schemas)s) LIMIT 1
"""
_ORDERED = "SELECT ordered_at FROM audit.entry WHERE log = %(log)s AND seq = %(seq)s"
_RANGE = "e.log = %(log)s AND e.table_name = %(table)s AND e.seq > %(gone)s AND e.seq <= %(seq)s"
# A replay and a row without a key have no version; the newest version of a row is the row.
_KEYED = f"""
SELECT n.entry, b.body, 1::bigint FROM (
    SELECT DISTINCT ON (e.row_key) e.row_key, e.seq, e.operation, e.entry FROM audit.entry e
     WHERE {_RANGE} AND e.version IS NOT NULL {{only}} ORDER BY e.row_key, e.seq DESC) n
  LEFT JOIN audit.body b ON b.log = %(log)s AND b.seq = n.seq
  CROSS JOIN LATERAL (SELECT {{image}} AS {IMAGE} OFFSET 0) i
 WHERE n.operation <> 'd' AND {{where}} ORDER BY n.row_key
"""
# Rows without a key count: each image after a change adds a copy, each before it takes one away.
_KEYLESS = f"""
SELECT n.entry, b.body, h.copies FROM audit.copies(%(log)s, %(table)s, %(gone)s, %(seq)s) h
  JOIN audit.entry n ON n.log = %(log)s AND n.seq = h.seq
  LEFT JOIN audit.body b ON b.log = %(log)s AND b.seq = n.seq
  CROSS JOIN LATERAL (SELECT {{image}} AS {IMAGE} OFFSET 0) i
 WHERE {{where}} ORDER BY h.row_key
"""
_AFTER = "coalesce(audit.readable(b.body), audit.readable(n.entry)) -> 'after'"
_ONE_SPELLING = frozenset({"text", "smallint", "integer", "bigint", "uuid", "boolean"})
"""Types whose text in a row key is the one that PostgreSQL writes."""


@dataclass(frozen=True, slots=True)
class Moment:
    """What an instant became. ``requested`` is None for *now*; all instants in ns since 1970.

    ``beyond``: later than the source commit through which the log is complete. ``since``: seq before which entries of
    the table do not count: they are under another key, and what is there has been written since. -1: all count.
    """

    requested: int | None
    seq: int
    transaction: str | None
    committed_at: int | None
    ordered_at: int
    beyond: bool
    since: int = -1

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "requested": "now" if self.requested is None else shown(self.requested),
            "seq": self.seq,
            "transaction": self.transaction,
            "committed_at": None if self.committed_at is None else shown(self.committed_at),
            "ordered_at_ns": str(self.ordered_at),
            "beyond_complete_through": self.beyond,
        }


@dataclass(frozen=True, slots=True)
class HeldRow:
    """A row as it was, and the entry that made it so. ``copies``: more than one only without a key."""

    entry: Entry
    image: dict[str, Json]
    copies: int


def resolve(reading: Reading, table: Table, at: int | None) -> Moment:
    """The last entry at or before the instant ``at`` (ns; None: now) that is not inside a transaction.

    Raises:
        Conflict: before the baseline: what is absent there is unknown, not absent.
    """
    row = reading.one(_MOMENT, {"log": table.log, "at": _LAST if at is None else max(-_LAST, min(at, _LAST))})
    seq, baseline, transaction, committed_at, ordered_at, complete_at, known_at = row or (-1, *[None] * 6)
    if baseline is None:
        raise Conflict(
            f"{table.title} is unknown at any instant yet: the initial snapshot has not ended", hint="cdc status"
        )
    if seq < baseline:
        since = shown(-(-known_at // 1000) * 1000)
        raise Conflict(
            f"{table.title} is unknown at that instant: the log knows it since {since} (baseline, entry {baseline:,})",
            hint=f"cdc audit as-of {shlex.quote(table.title)} --at {since}",
        )
    return Moment(at, seq, transaction, committed_at, ordered_at, at is None or complete_at is None or at > complete_at)


def version_at(
    reading: Reading, table: Table, described: list[TableVersion], moment: Moment
) -> tuple[TableVersion | None, Moment]:
    """The table version that rows have at the moment, None before the table's first row; and the moment, with
    ``since`` where the table had another key before.

    Raises:
        Conflict: rows from before its key changed may be there, and cannot be told from those of since; says through
            which instant it can be answered.
    """
    newest = in_force(reading, table, described, moment.seq)
    others = [each.schema for each in described if newest and each.seq <= moment.seq and each.key != newest.key]
    if newest is None or not others:
        return newest, moment
    wanted: dict[str, object] = {"log": table.log, "table": table.name, "seq": moment.seq, "schemas": others}
    gone = _truncated(reading, table, moment)
    if newest.key:  # copies of rows without a key are counted from the beginning
        row = reading.one(_READ_ANEW, wanted)
        gone = max(gone, -1 if row is None or row[0] is None else int(row[0]))
    if reading.one(_UNDER_ANOTHER, {**wanted, "gone": gone}):
        raise _unmatched(reading, table, described)
    return newest, replace(moment, since=gone)


def _unmatched(reading: Reading, table: Table, described: list[TableVersion]) -> Conflict:
    """Why rows from before and since a change of the key cannot be matched, and the instant until which there is an
    answer: the last microsecond before the first change under another key than the first.
    """
    changed = min(each.seq for each in described if each.key != described[0].key)
    row = reading.one(_ORDERED, {"log": table.log, "seq": changed})
    last = shown((int(row[0] if row else 0) - 1) // 1000 * 1000)
    name = shlex.quote(table.title)
    return Conflict(
        f"the key of {table.title} changed with entry {changed:,}: rows from before and since cannot be matched;"
        f" there is an answer through {last}, and from when the table is truncated or read anew",
        hint=f"cdc audit as-of {name} --at {last}, or cdc stream rebaseline {shlex.quote(table.log)}"
        f" {shlex.quote(table.name)} --reason '…' for instants after it",
    )


def rows(reading: Reading, table: Table, version: TableVersion, moment: Moment, where: Compiled) -> Iterator[HeldRow]:
    """The rows that were there, ordered by row key (as text, bytewise)."""
    wanted: dict[str, object] = {"log": table.log, "table": table.name, "seq": moment.seq, **where.parameters}
    wanted["gone"] = max(moment.since, _truncated(reading, table, moment))
    only = ""
    key = _row_key(version, where)
    if key is not None:
        wanted["key"], only = key, "AND e.row_key = %(key)s"
    if version.key:  # through the index, row key by row key, so that the first row comes at once however many there are
        reading.avoid("sort", "hashjoin", "mergejoin", "bitmapscan", "seqscan")
    statement = _KEYED if version.key else _KEYLESS
    image = _AFTER if len(where.parameters) else "NULL::json"
    for text, body, copies in reading.stream(statement.format(only=only, image=image, where=where.sql), wanted):
        entry = read(text, body)
        yield HeldRow(entry, entry.after if isinstance(entry.after, dict) else {}, copies)


def _truncated(reading: Reading, table: Table, moment: Moment) -> int:
    """Seq of the last truncate, -1 for none."""
    row = reading.one(_TRUNCATED, {"log": table.log, "table": table.name, "seq": moment.seq})
    return -1 if row is None or row[0] is None else int(row[0])


def _row_key(version: TableVersion, where: Compiled) -> str | None:
    """The row key, where the conditions name all of it: one row is found without looking at the others."""
    parts: list[Json] = []
    for column in version.key_columns:
        if column.name not in where.equal or column.type not in _ONE_SPELLING:
            return None
        value = where.equal[column.name]
        parts.append({"token": value} if column.protect == "token" else value)
    return canonical(parts).decode() if parts else None


def columns(version: TableVersion | None) -> Sequence[str]:
    """Names of the table's columns at the moment."""
    return [column.name for column in version.columns] if version else []

"""Where current state is not the source's, because the database changed rows, or dropped a table, without a row change.

``ALTER TABLE … ADD COLUMN … DEFAULT`` and ``ALTER COLUMN … TYPE … USING`` give rows other values, ``DROP TABLE`` and
``RENAME`` take them away, and logical decoding tells nothing of it (PostgreSQL documentation, "Logical Replication
Restrictions": DDL is not replicated), nor does MariaDB's binary log. What the log knows of such rows is what was
captured before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from cdc.audit.entries import JOINED, read
from cdc.audit.reading import Reading
from cdc.entry import qualified_name, split_qualified_name, state_column

Count = Callable[[tuple[str, str]], int]
"""How many rows a table of the source has now, by database schema and name."""
Standing = Mapping[tuple[str, str], Mapping[str, bool]]
"""Database schema and name of each table that the source has → its columns, and whether each has a default."""
_STATE = """
SELECT table_name, state_schema, state_name, keyless, truncated_through FROM pipeline.state_table
 WHERE log = %(log)s AND columns <> '[]' ORDER BY 1
"""
_VERSIONS = f"""
SELECT e.entry, b.body FROM pipeline.table_version v JOIN {JOINED} ON e.log = v.log AND e.seq = v.seq
 WHERE v.log = %(log)s AND v.table_name = %(table)s ORDER BY v.seq
"""
# Of the table's newest change. OFFSET 0: by the table's index, not back through the whole log.
_IN_FORCE = """
SELECT audit.readable(e.entry) ->> 'schema' FROM audit.entry e WHERE e.log = %(log)s AND e.seq = (
    SELECT max(seq) FROM (SELECT seq FROM audit.entry WHERE log = %(log)s AND table_name = %(table)s AND kind = 'change'
                             AND NOT audit.is_replay(entry) OFFSET 0) AS mine)
"""
# Of each table the newest scan. The landmarks' index has gaps, too.
_READ_AS_EMPTY = """
SELECT name FROM (
    SELECT DISTINCT ON (1) c.detail ->> 'scanned_collection' AS name, c.detail ->> 'total_rows_scanned' AS rows
      FROM audit.entry e CROSS JOIN LATERAL (SELECT audit.readable(e.entry) #> '{content,detail}' AS detail) c
     WHERE e.log = %(log)s AND e.kind = 'baseline' AND e.kind IN ('gap', 'baseline')
       AND c.detail ->> 'scanned_collection' IS NOT NULL AND c.detail ->> 'status' = 'SUCCEEDED'
     ORDER BY 1, e.seq DESC) newest
 WHERE rows = '0'
"""
_WIDER = (("INT2", "SMALLSERIAL"), ("INT4", "SERIAL"), ("INT8", "BIGSERIAL"), ("NUMERIC",))
"""Types of which each holds the values of those before it, unchanged, where it has no scale."""
_TEXTS = frozenset({"VARCHAR", "TEXT", "BPCHAR"})
_MARIA_INTEGERS = ("TINYINT", "SMALLINT", "MEDIUMINT", "INT", "BIGINT")
_MARIA_TEXTS = frozenset({"CHAR", "VARCHAR", "TINYTEXT", "TEXT", "MEDIUMTEXT", "LONGTEXT"})
Columns = Mapping[str, Mapping[str, Any]]
"""Name of a column → what its ``schema`` entry says of it (docs/formats.md §5)."""


@dataclass(frozen=True, slots=True)
class Drift:
    """One thing: ``code`` is ``table-gone``, ``rows-unread``, ``column-default`` or ``column-retyped``; ``rows`` of
    current state, of ``rows-unread`` those that it lacks.
    """

    source: str
    table: str
    code: str
    column: str | None
    rows: int
    problem: str

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def drift(reading: Reading, log: str, source: Standing, count: Count) -> Iterator[Drift]:
    """Compare the state tables of a source with what its catalog says now. Counts rows: it reads those state tables,
    and at the source, through ``count``, the tables that a snapshot has read as empty.
    """
    yield from _unread(reading, log, source, count)
    for name, schema, state, keyless, truncated in reading.rows(_STATE, {"log": log}):
        relation = f"{_quoted(schema)}.{_quoted(state)}"
        live = _live(keyless, truncated)
        now = source.get(split_qualified_name(name))
        if now is None:
            row = reading.one(f"SELECT count(*) FROM {relation.replace('%', '%%')} s WHERE {live}", {})
            yield Drift(log, name, "table-gone", None, int(row[0]) if row else 0, _GONE)
            continue
        named = {"log": log, "table": name}
        described = dict(_version(*row) for row in reading.rows(_VERSIONS, named))
        newest = reading.one(_IN_FORCE, named) if len(described) > 1 else None
        if newest is not None:
            counted = _Counted(reading, log, name, relation, live)
            yield from _columns(counted, described, described[newest[0]], now)


def _unread(reading: Reading, log: str, source: Standing, count: Count) -> Iterator[Drift]:
    """Tables that the newest snapshot has read as empty, and that have more rows than state: those that no change has
    brought since. The source is counted first: what comes meanwhile is in state at most.
    """
    empty = {name for (name,) in reading.rows(_READ_AS_EMPTY, {"log": log})}
    places = sorted(place for place in source if ".".join(place) in empty and place[0] != "cdc")
    stated = {name: rest for name, *rest in reading.rows(_STATE, {"log": log})} if places else {}
    for place in places:
        name, there = qualified_name(*place), count(place)
        here = 0
        if there and name in stated:
            schema, state, keyless, truncated = stated[name]
            relation = f"{_quoted(schema)}.{_quoted(state)}".replace("%", "%%")
            rows = "coalesce(sum(s._copies), 0)" if keyless else "count(*)"
            row = reading.one(f"SELECT {rows} FROM {relation} s WHERE {_live(keyless, truncated)}", {})
            here = int(row[0]) if row else 0
        if there > here:
            yield Drift(log, name, "rows-unread", None, there - here, _UNREAD)


def _live(keyless: bool, truncated: int) -> str:
    """What rows of a state table are there, as a condition on ``s``."""
    return f"s._seq > {int(truncated)} AND {'s._copies > 0' if keyless else 'NOT s._deleted'}"


_UNREAD = (
    "the snapshot read the table as empty, as it does one that is truncated or rewritten meanwhile; the source has more"
    " rows than state. A stream that lags shows the same"
)
_GONE = "the source has no such table: dropped or renamed, of which no row change tells; its rows stay as they were"


@dataclass(frozen=True, slots=True)
class _Counted:
    """Counts rows of one state table."""

    reading: Reading
    log: str
    table: str
    relation: str
    live: str

    def found(self, code: str, column: str, null: str, schemas: Sequence[str], problem: str) -> Iterator[Drift]:
        """Rows whose newest entry is under one of these schemas, and whose column is (not) NULL."""
        statement = (
            f"SELECT count(*) FROM {self.relation} s JOIN audit.entry e ON e.log = %(log)s AND e.seq = s._seq WHERE"
            f" {self.live} AND s.{_quoted(state_column(column))} {null}"
        ).replace("%", "%%").replace("%%(log)s", "%(log)s")  # fmt: skip
        row = self.reading.one(
            statement + " AND audit.readable(e.entry) ->> 'schema' = ANY(%(schemas)s)",
            {"log": self.log, "schemas": list(schemas)},
        )
        if row is not None and row[0]:
            yield Drift(self.log, self.table, code, column, int(row[0]), problem)


def _version(text: str, body: str | None) -> tuple[str, Columns]:
    entry = read(text, body)
    content: Any = entry.content
    return str(entry.schema), {column["name"]: column for column in content["columns"]}


def _columns(
    counted: _Counted, described: Mapping[str, Columns], newest: Columns, now: Mapping[str, bool]
) -> Iterator[Drift]:
    kept = counted.reading.one(
        "SELECT array(SELECT c ->> 'name' FROM jsonb_array_elements(columns) c) FROM pipeline.state_table"
        " WHERE log = %(log)s AND table_name = %(table)s",
        {"log": counted.log, "table": counted.table},
    )
    for name, column in newest.items():
        if name not in now or kept is None or state_column(name) not in kept[0]:
            continue  # gone since, or nothing of it is kept
        lacking = [schema for schema, columns in described.items() if name not in columns]
        if lacking and now[name]:
            yield from counted.found("column-default", name, "IS NULL", lacking, _DEFAULT)
        other = [schema for schema, columns in described.items() if name in columns and _retyped(columns[name], column)]
        if other:
            yield from counted.found("column-retyped", name, "IS NOT NULL", other, _RETYPED)


_DEFAULT = "rows were last written before the column was added, and show NULL; the source may show a default there"
_RETYPED = (
    "rows were last written under another type, and show what was captured; what the conversion made of them is not"
    " known"
)


def _retyped(was: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether values may have been made others: not by a wider number or another length of a text."""
    if (was["type"], was["scale"]) == (now["type"], now["scale"]):
        return False
    if now.get("connector") == "mariadb":
        return not _maria_holds(str(was["type"]), str(now["type"]), same_scale=was["scale"] == now["scale"])
    ranks = [next((n for n, types in enumerate(_WIDER) if each["type"] in types), -1) for each in (was, now)]
    wider = 0 <= ranks[0] <= ranks[1] and (ranks[0] < ranks[1] or ranks[1] < len(_WIDER) - 1)
    plain = now["type"] != "NUMERIC" or now["scale"] is None
    return not (wider and plain) and not {was["type"], now["type"]} <= _TEXTS


def _maria_holds(was: str, now: str, *, same_scale: bool) -> bool:
    """Whether a type of MariaDB's holds every value of the other as it is."""
    if {was, now} <= _MARIA_TEXTS:
        return True
    (old, was_unsigned), (new, unsigned) = (
        (kind.removesuffix(" ZEROFILL").removesuffix(" UNSIGNED"), "UNSIGNED" in kind) for kind in (was, now)
    )
    if old not in _MARIA_INTEGERS or new not in _MARIA_INTEGERS:
        return old == new and same_scale and was_unsigned == unsigned
    ranks = _MARIA_INTEGERS.index(old), _MARIA_INTEGERS.index(new)
    return ranks[0] <= ranks[1] if was_unsigned == unsigned else was_unsigned and ranks[0] < ranks[1]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'

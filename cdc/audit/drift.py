"""Where current state is not the source's, because PostgreSQL changed rows, or dropped a table, without a row change.

``ALTER TABLE … ADD COLUMN … DEFAULT`` and ``ALTER COLUMN … TYPE … USING`` give rows other values, ``DROP TABLE`` and
``RENAME`` take them away, and logical decoding tells nothing of it (PostgreSQL documentation, "Logical Replication
Restrictions": DDL is not replicated). What the log knows of such rows is what was captured before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from cdc.audit.entries import JOINED, read
from cdc.audit.reading import Reading
from cdc.entry import split_qualified_name, state_column

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
_WIDER = (("INT2", "SMALLSERIAL"), ("INT4", "SERIAL"), ("INT8", "BIGSERIAL"), ("NUMERIC",))
"""Types of which each holds the values of those before it, unchanged, where it has no scale."""
_TEXTS = frozenset({"VARCHAR", "TEXT", "BPCHAR"})
Columns = Mapping[str, Mapping[str, Any]]
"""Name of a column → what its ``schema`` entry says of it (docs/formats.md §5)."""


@dataclass(frozen=True, slots=True)
class Drift:
    """One thing: ``code`` is ``table-gone``, ``column-default`` or ``column-retyped``; ``rows`` of current state."""

    source: str
    table: str
    code: str
    column: str | None
    rows: int
    problem: str

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def drift(reading: Reading, log: str, source: Standing) -> Iterator[Drift]:
    """Compare the state tables of a source with what its catalog says now. Counts rows: it reads those state tables."""
    for name, schema, state, keyless, truncated in reading.rows(_STATE, {"log": log}):
        relation = f"{_quoted(schema)}.{_quoted(state)}"
        live = f"s._seq > {int(truncated)} AND {'s._copies > 0' if keyless else 'NOT s._deleted'}"
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
_RETYPED = "rows were last written under another type, and show what was captured; what USING made of them is not known"


def _retyped(was: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether values may have been made others: not by a wider number or another length of a text."""
    if (was["type"], was["scale"]) == (now["type"], now["scale"]):
        return False
    ranks = [next((n for n, types in enumerate(_WIDER) if each["type"] in types), -1) for each in (was, now)]
    wider = 0 <= ranks[0] <= ranks[1] and (ranks[0] < ranks[1] or ranks[1] < len(_WIDER) - 1)
    plain = now["type"] != "NUMERIC" or now["scale"] is None
    return not (wider and plain) and not {was["type"], now["type"]} <= _TEXTS


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'

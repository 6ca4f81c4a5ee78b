"""Table versions as the log describes them: columns, their types and protection, and the key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cdc.audit.entries import JOINED, read
from cdc.audit.reading import Reading
from cdc.audit.tables import Table
from cdc.values import described, typing_of

CELL = "cell"
"""What takes the place of a type where a column is sealed."""
_VERSIONS = f"""
SELECT e.entry, b.body FROM pipeline.table_version v JOIN {JOINED} ON e.log = v.log AND e.seq = v.seq
 WHERE v.log = %(log)s AND v.table_name = %(table)s ORDER BY v.seq
"""
# The table's newest row says which version is in force. OFFSET 0: by the table's index, not back through the whole log.
_IN_FORCE = """
SELECT e.entry, NULL FROM audit.entry e WHERE e.log = %(log)s AND e.seq = (
    SELECT (max(ARRAY[coalesce(of, seq), seq]))[2] FROM (
        SELECT seq, audit.resolves(entry) AS of FROM audit.entry WHERE log = %(log)s AND table_name = %(table)s
           AND seq <= %(seq)s AND row_key IS NOT NULL AND NOT audit.is_replay(entry) OFFSET 0) AS mine)
"""


@dataclass(frozen=True, slots=True)
class Column:
    """One column. ``type`` is that of its state column, :data:`CELL` where it is sealed, None where it is dropped."""

    name: str
    type: str | None
    protect: str
    domain: str | None


@dataclass(frozen=True, slots=True)
class TableVersion:
    """One pair of schema and plan digest, and the seq of the entry that describes it."""

    seq: int
    schema: str
    plan: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]

    @property
    def key_columns(self) -> tuple[Column, ...]:
        """The columns of the key, in its order; none for a table without a key."""
        named = {column.name: column for column in self.columns}
        return tuple(named[name] for name in self.key)


def versions(reading: Reading, table: Table) -> list[TableVersion]:
    """All versions of a table, in the order in which the log met them. A known table has at least one."""
    rows = reading.rows(_VERSIONS, {"log": table.log, "table": table.name})
    return [_version(*row) for row in rows]


def in_force(reading: Reading, table: Table, described: list[TableVersion], seq: int) -> TableVersion | None:
    """The version of the table's newest row change at or before ``seq``; None where there is none yet."""
    candidates = [version for version in described if version.seq <= seq]
    if len(candidates) < 2:
        return candidates[0] if candidates else None
    row = reading.one(_IN_FORCE, {"log": table.log, "table": table.name, "seq": seq})
    if row is None:
        return candidates[-1]
    newest = read(*row, whole=False)
    return next((v for v in candidates if (v.schema, v.plan) == (newest.schema, newest.plan)), candidates[-1])


def _version(text: str, body: str | None) -> TableVersion:
    entry = read(text, body)
    content: Any = entry.content
    columns = tuple(_column(column, plan) for column, plan in zip(content["columns"], content["plan"], strict=False))
    return TableVersion(int(entry.seq), str(entry.schema), str(entry.plan), columns, tuple(content["key"]))


def _column(column: dict[str, str | None], plan: dict[str, str | None]) -> Column:
    """One column of a schema entry. Entries from before this member do not say how they are typed."""
    protect = str(plan["protect"])
    stated = column.get("state") or typing_of(described(column)).state
    kind = {"seal": CELL, "token": "text", "drop": None}.get(protect, stated)
    return Column(str(column["name"]), kind, protect, plan["domain"])

"""A state table in the making: begun once, found again after a crash, and what it is made for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import psycopg2

from cdc.errors import Conflict, NotFound
from cdc.warehouse.projection import quoted
from cdc.warehouse.rebuild.shape import NUMBERS, Version, decode, described
from cdc.warehouse.state_table import MOST_COLUMNS

_VERSIONS = """
SELECT v.schema, v.plan, coalesce(b.body, e.entry) FROM pipeline.table_version v JOIN audit.entry e USING (log, seq)
  LEFT JOIN audit.body b USING (log, seq) WHERE v.log = %s AND v.table_name = %s ORDER BY v.seq
"""
# What resolves a quarantined record stands where that stood.
# OFFSET 0: by the table's index, not back through the whole log.
_IN_FORCE = """
SELECT e.entry FROM audit.entry e WHERE e.log = %(log)s AND e.seq = (
    SELECT (max(ARRAY[coalesce(of, seq), seq]))[2] FROM (
        SELECT seq, audit.resolves(entry) AS of FROM audit.entry WHERE log = %(log)s AND table_name = %(table)s
           AND kind = 'change' AND NOT audit.is_replay(entry) OFFSET 0) AS mine)
"""
_FOUND = """
SELECT id, schema, plan, as_text, through, truncated_through, last_schema, last_plan FROM pipeline.rebuild r
 WHERE log = %s AND table_name = %s AND to_regclass('pipeline.rebuild_' || id) IS NOT NULL
"""
_BEGIN = """
INSERT INTO pipeline.rebuild (log, table_name, schema, plan, as_text) VALUES (%s, %s, %s, %s, %s) RETURNING id
"""


@dataclass(frozen=True, slots=True)
class Making:
    """The table ``pipeline.rebuild_<id>``: entries up to ``through`` are folded into it.

    ``last``: digests of the table version of the last change folded; its rows are keyed by that version's key.
    """

    id: int
    log: str
    table: str
    target: Version
    as_text: frozenset[str]
    through: int = -1
    truncated_through: int = -1
    last: tuple[str, str] | None = None

    @property
    def name(self) -> str:
        """Of the table, for SQL."""
        return f"pipeline.rebuild_{self.id}"

    def at(self, through: int, truncated_through: int, last: tuple[str, str] | None) -> Making:
        """The same, further on."""
        return replace(self, through=through, truncated_through=truncated_through, last=last)


def typed(cursor: psycopg2.extensions.cursor, making: Making, tried: frozenset[str]) -> Making:
    """A number that was folded as text, because a row once had a value that is none, becomes one when no row has.

    ``tried``: columns that are looked at.
    """
    for column in making.target.columns:
        if column.name not in tried or column.type not in NUMBERS or column.protect != "clear":
            continue
        name = quoted(column.name)
        cursor.execute(f"SELECT bool_and(pg_input_is_valid({name}, '{column.type}')) FROM {making.name}")
        if cursor.fetchone() == (False,):
            continue
        cursor.execute(f"ALTER TABLE {making.name} ALTER {name} TYPE {column.type} USING {name}::{column.type}")
        making = replace(making, as_text=making.as_text - {column.name})
    cursor.execute("UPDATE pipeline.rebuild SET as_text = %s WHERE id = %s", (sorted(making.as_text), making.id))
    return making


def versions(cursor: psycopg2.extensions.cursor, log: str, table: str) -> dict[tuple[str, str], Version]:
    """All versions of a table that the log has described, by their digests."""
    cursor.execute(_VERSIONS, (log, table))
    return {(schema, plan): described(schema, plan, decode(text)["content"]) for schema, plan, text in cursor}


def rekeyed(known: Mapping[tuple[str, str], Version]) -> bool:
    """Whether the table has had more than one key: its row keys then say nothing of versions before the last one."""
    return len({version.key for version in known.values()}) > 1


def in_force(
    cursor: psycopg2.extensions.cursor, log: str, table: str, known: dict[tuple[str, str], Version]
) -> Version:
    """The version of the table's newest change.

    Raises:
        NotFound: the log has no change of the table.
        Conflict: a state table of that version cannot be.
    """
    cursor.execute(_IN_FORCE, {"log": log, "table": table})
    row = cursor.fetchone()
    if row is None:
        raise NotFound(f"the log has no change of {table}", hint="cdc status")
    newest = decode(row[0])
    version = known[newest["schema"], newest["plan"]]
    if len(version.columns) > MOST_COLUMNS:
        raise Conflict(
            f"{table} has {len(version.columns)} columns; a state table holds {MOST_COLUMNS} of its source",
            hint="its history is complete: cdc audit history, cdc audit as-of",
        )
    return version


def find(cursor: psycopg2.extensions.cursor, log: str, table: str) -> Making:
    """The fold to go on with: an interrupted one for the version in force, or a new one.

    Raises:
        NotFound, Conflict: as :func:`in_force` says.
    """
    known = versions(cursor, log, table)
    target = in_force(cursor, log, table, known)
    cursor.execute(_FOUND, (log, table))
    found = cursor.fetchone()
    if found is not None and tuple(found[1:3]) == target.digests:
        last = (found[6], found[7]) if found[6] is not None else None
        return Making(found[0], log, table, target, frozenset(found[3]), found[4], found[5], last)
    return begin(cursor, log, table, target, frozenset())


def begin(cursor: psycopg2.extensions.cursor, log: str, table: str, target: Version, as_text: frozenset[str]) -> Making:
    """Make an empty table; an unfinished one is dropped."""
    cursor.execute("DELETE FROM pipeline.rebuild WHERE log = %s AND table_name = %s RETURNING id", (log, table))
    for (old,) in cursor.fetchall():
        cursor.execute(f"DROP TABLE IF EXISTS pipeline.rebuild_{old:d}")
    cursor.execute(_BEGIN, (log, table, *target.digests, sorted(as_text)))
    made = cursor.fetchone()
    assert made is not None  # RETURNING of one inserted row
    making = Making(made[0], log, table, target, as_text)
    create(cursor, making, making.name, keyed=bool(target.key))
    return making


def create(cursor: psycopg2.extensions.cursor, making: Making, name: str, *, keyed: bool) -> None:
    """Make an empty table of that name with the columns of the target; ``keyed``: whether its rows have a key."""
    count = "_deleted boolean NOT NULL" if keyed else "_copies bigint NOT NULL"
    own = f'_key text COLLATE "C" PRIMARY KEY, _version bigint, _seq bigint NOT NULL, _committed_at bigint, {count}'
    columns = "".join(
        f", {quoted(column.name)} {'text' if column.name in making.as_text else column.type}"
        for column in making.target.columns
    )
    cursor.execute(f"CREATE TABLE {name} ({own}{columns})")

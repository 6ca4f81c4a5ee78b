"""Typed current state: which state table a source table has, and whether a new version of it can still be projected.

State is a projection of the log. An additive change of a table is applied by ``pipeline.define_state`` in a transaction
of its own; anything else suspends that table's state, visibly, while its history flows on.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256

import psycopg2

from cdc.protect import ProtectedTable
from cdc.warehouse.sqlstate import classify

LONGEST_NAME = 63
"""Bytes of a PostgreSQL identifier (NAMEDATALEN - 1)."""
RESERVED = frozenset({"_key", "_version", "_seq", "_committed_at", "_deleted", "_copies"})
QUARANTINE = "quarantine"
"""Code of the suspension of a table of which a record is quarantined."""
# A table has no state before its first change: where that is the quarantined record, only the log says that it waits.
_QUARANTINED_FIRST = """
SELECT e.table_name, min(e.kafka_offset) FROM audit.entry e
 WHERE e.log = %(log)s AND e.kind IN ('quarantined', 'resolved') AND e.table_name IS NOT NULL
   AND NOT EXISTS (SELECT FROM pipeline.state_table t WHERE t.log = e.log AND t.table_name = e.table_name
                      AND (t.suspended_code IS NOT NULL OR t.columns <> '[]'))
 GROUP BY e.table_name
"""


@dataclass(frozen=True, slots=True)
class StateTable:
    """A state table as it is: ``columns`` maps each column to its type and protection."""

    name: str
    keyless: bool
    key: tuple[str, ...]
    columns: dict[str, tuple[str, str]]


class Projections:
    """The state tables of one log, seen through one connection in autocommit mode."""

    def __init__(self, connection: psycopg2.extensions.connection, log: str) -> None:
        self._connection = connection
        self._log = log
        self._tables: dict[str, StateTable] = {}
        self._ready: dict[str, ProtectedTable] = {}
        self._changed: dict[str, str] = {}
        self.suspended: dict[str, tuple[str, str]] = {}
        self._load()

    def _load(self) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(
                "SELECT table_name, state_name, keyless, key, columns, suspended_code, suspended_message"
                " FROM pipeline.state_table WHERE log = %s",
                (self._log,),
            )
            for table, name, keyless, key, columns, code, message in cursor.fetchall():
                self._tables[table] = StateTable(
                    name, keyless, tuple(key), {c["name"]: (c["type"], c["protect"]) for c in columns}
                )
                if code is not None:
                    self.suspended[table] = (code, message)
            cursor.execute(_QUARANTINED_FIRST, {"log": self._log})
            for table, offset in cursor.fetchall():
                self.quarantine(table, offset)

    def quarantine(self, table: str, offset: int) -> None:
        """State of this table waits from here on: what the record at ``offset`` did to it is not known."""
        self.suspended.setdefault(table, (QUARANTINE, f"the record at offset {offset} is quarantined"))

    def ready(self, table: ProtectedTable) -> None:
        """Make the state table fit this version of its source table, or suspend it.

        Raises:
            TransientError: the state table is locked, or the warehouse is away; the batch is tried again.
        """
        state = self._tables.get(table.table)
        waits = self.suspended.get(table.table)
        if self._ready.get(table.table) is table or (waits and (state is not None or waits[0] != QUARANTINE)):
            return
        misfit = _misfit(table, state)
        if misfit is not None:
            if state is None:  # a state table that stays empty, so that there is a place where the suspension shows
                self._define(
                    table, _listed({c.name: (c.type, c.protect) for c in table.state_columns if c.name not in RESERVED})
                )
            self.suspended[table.table] = misfit
            return
        known = dict(state.columns) if state else {}
        wanted = known | {column.name: (column.type, column.protect) for column in table.state_columns}
        if state is None or state.columns != wanted:
            columns = _listed(wanted)
            self._define(table, columns)
            self._tables[table.table] = StateTable(state_name(table), table.keyless, table.version.key, wanted)
            self._changed[table.table] = columns
        self._ready[table.table] = table  # alone: when an earlier version comes back, columns have gone since

    def take_changes(self) -> dict[str, str]:
        """Column lists (JSON) that changed since the last call. They are committed with the batch that brought them, so
        that a batch read again is judged against the columns that the log had before it.
        """
        changed, self._changed = self._changed, {}
        return changed

    def _define(self, table: ProtectedTable, columns: str) -> None:
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(
                    "SELECT pipeline.define_state(%s, %s, %s, %s, %s, %s)",
                    (
                        self._log,
                        table.table,
                        state_name(table),
                        table.keyless,
                        columns,
                        json.dumps(list(table.version.key)),
                    ),
                )
        except psycopg2.Error as error:
            raise classify(error, f"state table of {table.table}") from None

    def heads(self, table: str, keys: list[str]) -> dict[str, tuple[int, int]]:
        """Version and seq of the newest version of these rows: from their state (tombstones included), or, while that
        is suspended, from the log.
        """
        state = self._tables.get(table)
        found: dict[str, tuple[int, int]] = {}
        try:
            with self._connection.cursor() as cursor:
                if state is not None and table not in self.suspended:
                    relation = f"{quoted(self._log + '_state')}.{quoted(state.name)}"
                    cursor.execute(
                        f"SELECT _key, _version, _seq FROM {relation.replace('%', '%%')} WHERE _key = ANY(%s)",
                        (keys,),
                    )
                else:
                    cursor.execute(
                        "SELECT DISTINCT ON (row_key) row_key, version, seq FROM audit.entry"
                        " WHERE log = %s AND table_name = %s AND row_key = ANY(%s) AND version IS NOT NULL"
                        " ORDER BY row_key, seq DESC",
                        (self._log, table, keys),
                    )
                for key, version, seq in cursor:
                    found[key] = (version, seq)
        except psycopg2.Error as error:
            raise classify(error, f"newest versions of {table}") from None
        return found


def _misfit(table: ProtectedTable, state: StateTable | None) -> tuple[str, str] | None:
    """Why this version of a table cannot be projected into its state table: a stable code and a sentence, or None."""
    names = {column.name for column in table.state_columns}
    if reserved := sorted(names & RESERVED):
        return "reserved-column", f"column {reserved[0]} has the name of a column that state tables add"
    if state is None:
        return None
    if state.keyless != table.keyless or state.key != table.version.key:
        return "key-changed", "the table's key is not what it was"
    if gone := sorted(set(state.columns) - names):
        return "column-gone", f"column {gone[0]} was dropped or renamed"
    for column in table.state_columns:
        if column.name in state.columns and state.columns[column.name] != (column.type, column.protect):
            was_type, was_protect = state.columns[column.name]
            return (
                "column-changed",
                f"column {column.name} was {was_type} ({was_protect}) and is {column.type} ({column.protect})",
            )
    return None


def _listed(columns: dict[str, tuple[str, str]]) -> str:
    return json.dumps([{"name": name, "type": kind, "protect": protect} for name, (kind, protect) in columns.items()])


def state_name(table: ProtectedTable) -> str:
    """Tables of the schema ``public`` keep their name; others are ``schema.table``, so that two schemas cannot collide.

    A name beyond PostgreSQL's 63 bytes ends in a digest of the whole.
    """
    version = table.version
    if "." in version.schema + version.name:
        name = table.table  # with quotes: where a name has a dot itself, schema.table would be ambiguous
    else:
        name = version.name if version.schema == "public" else f"{version.schema}.{version.name}"
    if len(name.encode()) <= LONGEST_NAME:
        return name
    return name.encode()[: LONGEST_NAME - 11].decode(errors="ignore") + "~" + sha256(name.encode()).hexdigest()[:10]


def quoted(name: str) -> str:
    """A quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'

"""Typed current state: which state table a source table has, and whether a new version of it can still be projected.

State is a projection of the log. An additive change of a table (a column more, an integer type that became a wider
number) is applied by ``pipeline.define_state`` in a transaction of its own; anything else suspends that table's state,
visibly, while its history flows on and until ``cdc rebuild`` (``cdc.warehouse.rebuild``) has folded it anew.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from collections.abc import Set as AbstractSet
from hashlib import sha256

import msgspec
import psycopg2

from cdc.entry import qualified_name
from cdc.protect import ProtectedQuarantine, ProtectedTable
from cdc.quarantine import KeyColumns
from cdc.warehouse.sqlstate import classify
from cdc.warehouse.state_table import MOST_COLUMNS, StateTable, misfit

LONGEST_NAME = 63
"""Bytes of a PostgreSQL identifier (NAMEDATALEN - 1)."""

_DEPENDED_ON = "2BP01"
"""SQLSTATE dependent_objects_still_exist: a view of somebody's stands on the state table's view."""
QUARANTINE = "quarantine"
"""Code of the suspension of a table of which a record is quarantined whose row is not known."""
_WAITING = "SELECT table_name, row_key FROM pipeline.row_wait WHERE log = %s"
# A table has no state before its first change: where that is the quarantined record, only the log says that it waits.
_QUARANTINED_FIRST = """
SELECT q.table_name, min(q.kafka_offset) FROM pipeline.table_waits(%(log)s) q
 WHERE NOT EXISTS (SELECT FROM pipeline.state_table t WHERE t.log = %(log)s AND t.table_name = q.table_name
                      AND (t.suspended_code IS NOT NULL OR t.columns <> '[]'))
 GROUP BY q.table_name
"""


class Projections:
    """The state tables of one log, seen through one connection in autocommit mode."""

    def __init__(self, connection: psycopg2.extensions.connection, log: str) -> None:
        self._connection = connection
        self._log = log
        self._tables: dict[str, StateTable] = {}
        self._ready: dict[str, ProtectedTable] = {}
        self._changed: dict[str, str] = {}
        self.suspended: dict[str, tuple[str, str]] = {}
        self.waiting: Mapping[str, AbstractSet[str]] = {}
        self._waited: dict[str, set[str]] = {}
        self._load()
        self.load_waiting()

    def _load(self) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(
                "SELECT table_name, state_name, keyless, key, columns, rekeyed, suspended_code, suspended_message"
                " FROM pipeline.state_table WHERE log = %s",
                (self._log,),
            )
            for table, name, keyless, key, columns, rekeyed, code, message in cursor.fetchall():
                self._tables[table] = StateTable(
                    name,
                    keyless,
                    tuple(key),
                    {c["name"]: (c.get("declared", c["type"]), c["protect"]) for c in columns},
                    frozenset(c["name"] for c in columns if "declared" in c),
                    rekeyed,
                )
                if code is not None:
                    self.suspended[table] = (code, message)
            cursor.execute(_QUARANTINED_FIRST, {"log": self._log})
            for table, offset in cursor.fetchall():
                self.quarantine(table, offset)

    def load_waiting(self) -> None:
        """The rows whose state waits, as the warehouse has them.

        Raises:
            TransientError: the warehouse does not answer.
        """
        rows: dict[str, set[str]] = {}
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(_WAITING, (self._log,))
                for table, key in cursor.fetchall():
                    rows.setdefault(table, set()).add(key)
        except psycopg2.Error as error:
            raise classify(error, f"rows of {self._log} that wait") from None
        self.wait(rows)

    def wait(self, rows: Mapping[str, AbstractSet[str]]) -> None:
        """These rows wait from here on, and no others."""
        if rows != self.waiting:
            self.waiting = rows
            for table, keys in rows.items():  # for good: what ends a row's waiting may not be committed yet
                self._waited.setdefault(table, set()).update(keys)

    def unread(self, odd: ProtectedQuarantine) -> ProtectedQuarantine:
        """What waits for a record that could not be read: its row, else its table. A table whose key changed has rows
        that stand under the row key of before in the log: there it is the table.
        """
        state = self._tables.get(odd.table or "")
        if odd.key is not None and (state is None or state.holds(odd.key)):
            return odd
        if odd.table is not None:
            self.quarantine(odd.table, odd.origin.offset)
        return msgspec.structs.replace(odd, key=None)

    def key_of(self, table: str) -> KeyColumns | None:
        """The key columns of a table's rows as their state has them; None: it has none yet, or they have no key."""
        state = self._tables.get(table)
        return state.key_columns() if state is not None else None

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
        found = misfit(table, state)
        if found is not None:
            if state is None:  # a state table that stays empty, so that there is a place where the suspension shows
                kept = table.state_columns if len(table.state_columns) <= MOST_COLUMNS else table.state_columns[:1]
                self._define(table, listed({c.name: (c.type, c.protect) for c in kept}))
            self.suspended[table.table] = found
            return
        known = dict(state.columns) if state else {}
        wanted = known | {column.name: (column.type, column.protect) for column in table.state_columns}
        if state is None or state.columns != wanted:
            as_text, rekeyed = (state.as_text, state.rekeyed) if state else (frozenset[str](), False)
            columns = listed(wanted, as_text)
            if not self._define(table, columns):
                self.suspended[table.table] = ("column-changed", "a column was widened that a view of yours depends on")
                return
            made = StateTable(state_name(table), table.keyless, table.version.key, wanted, as_text, rekeyed)
            self._tables[table.table] = made
            self._changed[table.table] = columns
        self._ready[table.table] = table  # alone: when an earlier version comes back, columns have gone since

    def take_changes(self) -> dict[str, str]:
        """Column lists (JSON) that changed since the last call. They are committed with the batch that brought them, so
        that a batch read again is judged against the columns that the log had before it.
        """
        changed, self._changed = self._changed, {}
        return changed

    def _define(self, table: ProtectedTable, columns: str) -> bool:
        """False: a column cannot be widened, because something that is not ours depends on it."""
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
            if error.pgcode == _DEPENDED_ON:
                return False
            raise classify(error, f"state table of {table.table}") from None
        return True

    def heads(self, table: str, keys: list[str]) -> dict[str, tuple[int, int]]:
        """Version and seq of the newest version of these rows: from their state (tombstones included), or, while that
        is suspended, or where its rows were keyed anew or wait, from the log.
        """
        state, waited = self._tables.get(table), self._waited.get(table, set[str]())
        follows = state is not None and not state.rekeyed and table not in self.suspended
        if not follows or waited.isdisjoint(keys):
            return self._heads(table, keys, state if follows else None)
        rest = [key for key in keys if key not in waited]
        return self._heads(table, rest, state) | self._heads(table, sorted(waited.intersection(keys)), None)

    def _heads(self, table: str, keys: list[str], state: StateTable | None) -> dict[str, tuple[int, int]]:
        """From these rows' state, where it is given, else from the log."""
        found: dict[str, tuple[int, int]] = {}
        try:
            with self._connection.cursor() as cursor:
                if state is not None:
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


def listed(columns: Mapping[str, tuple[str, str]], as_text: Collection[str] = ()) -> str:
    """``columns`` of ``pipeline.state_table``: each column's type and protection; ``declared``, where it holds text in
    place of that type.
    """
    return json.dumps(
        [
            {"name": name, "type": "text", "protect": protect, "declared": kind}
            if name in as_text
            else {"name": name, "type": kind, "protect": protect}
            for name, (kind, protect) in columns.items()
        ]
    )


def state_name(table: ProtectedTable) -> str:
    """Tables of the schema ``public`` keep their name; others are ``schema.table``, so that two schemas cannot collide.

    A name beyond PostgreSQL's 63 bytes ends in a digest of the whole.
    """
    return state_name_of(table.version.schema, table.version.name)


def state_name_of(schema: str, table: str) -> str:
    """:func:`state_name` of the table that the source calls so."""
    if "." in schema + table:
        name = qualified_name(schema, table)  # with quotes: a name with a dot itself would be ambiguous
    else:
        name = table if schema == "public" else f"{schema}.{table}"
    if len(name.encode()) <= LONGEST_NAME:
        return name
    return name.encode()[: LONGEST_NAME - 11].decode(errors="ignore") + "~" + sha256(name.encode()).hexdigest()[:10]


def quoted(name: str) -> str:
    """A quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'

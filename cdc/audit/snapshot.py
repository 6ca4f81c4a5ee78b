"""A warehouse as the verifier reads it: one repeatable-read, read-only transaction, every cell as PostgreSQL's text.

Everything comes from the same snapshot, so a worker may write meanwhile. Locks on a state table are given back as soon
as it has been read, because adding a column to it has to wait for them; nothing else here delays a writer. The snapshot
keeps vacuum from removing what is deleted meanwhile, for as long as it is open.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg2
from psycopg2 import sql

from cdc.audit.verify import (
    ENTRY_COLUMNS,
    BodyRow,
    EntryRow,
    RowWait,
    StatedTree,
    StateRow,
    StateTable,
    StoredEntry,
    Stream,
    TableVersionRow,
)
from cdc.errors import Unreachable
from cdc.warehouse.sqlstate import classify

_FETCHED = 2_000
"""Rows per round trip."""

_SETTINGS = """
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY;
SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO, YMD'; SET LOCAL IntervalStyle = 'iso_8601';
SET LOCAL extra_float_digits = 1; SET LOCAL bytea_output = 'hex'; SET LOCAL search_path = pg_catalog;
SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL jit = off
"""
# Logs are found in every table that names one: a row that was taken out of one of them must not hide a log. Distinct
# names of audit.entry by skipping from one to the next.
_LOGS = """
WITH RECURSIVE stored (log) AS (
    SELECT min(log) FROM audit.entry
    UNION ALL SELECT (SELECT min(e.log) FROM audit.entry e WHERE e.log > s.log) FROM stored s WHERE s.log IS NOT NULL)
SELECT named.log, l.origin, l.size,
       (SELECT string_agg(encode(node, 'hex'), ' ' ORDER BY n) FROM unnest(l.edge) WITH ORDINALITY AS e (node, n))
  FROM (SELECT log FROM stored WHERE log IS NOT NULL UNION SELECT log FROM audit.log UNION SELECT log FROM audit.body
        UNION SELECT log FROM pipeline.stream UNION SELECT log FROM pipeline.state_table) AS named
  LEFT JOIN audit.log l USING (log) ORDER BY named.log
"""
_ENTRIES = f"SELECT {', '.join(ENTRY_COLUMNS)} FROM audit.entry WHERE log = %s ORDER BY seq"
_LEAVES = "SELECT leaf FROM audit.entry WHERE log = %s ORDER BY seq"
_BODIES = "SELECT seq, body FROM audit.body WHERE log = %s ORDER BY seq"
# The body by a subquery: a join would read through all bodies of the log.
_AGAIN = """
SELECT e.seq, e.entry, (SELECT b.body FROM audit.body b WHERE b.log = e.log AND b.seq = e.seq LIMIT 1)
  FROM audit.entry e WHERE e.log = %s AND e.seq = ANY(%s)
"""
_STREAM = """
SELECT topic_id, next_offset, ordered_at, source_epoch, high_commit, high_order, open_transaction, open_count, records,
       skipped, extra_entries, complete_seq, complete_at
  FROM pipeline.stream WHERE log = %s
"""
_VERSIONS = "SELECT table_name, schema, plan, seq FROM pipeline.table_version WHERE log = %s"
_TABLES = """
SELECT t.table_name, t.state_schema, t.state_name, t.keyless, t.key, t.truncated_through,
       CASE WHEN t.suspended_code IS NOT NULL THEN t.suspended_seq END,
       (SELECT json_agg(json_build_array(a.attname, format_type(a.atttypid, NULL) || coalesce((
                   SELECT ' in place of ' || (c ->> 'declared') FROM jsonb_array_elements(t.columns) c
                    WHERE c ->> 'name' = a.attname AND c ? 'declared'), '')) ORDER BY a.attnum)
          FROM pg_attribute a
         WHERE a.attrelid = to_regclass(format('%%I.%%I', t.state_schema, t.state_name)) AND a.attnum > 0
           AND NOT a.attisdropped AND a.attname <> ALL ('{_key,_version,_seq,_committed_at,_deleted,_copies}')),
       (SELECT json_agg(json_build_array(w.row_key, w.since, w.open)) FROM pipeline.row_wait w
         WHERE w.log = t.log AND w.table_name = t.table_name)
  FROM pipeline.state_table t WHERE t.log = %s ORDER BY t.table_name
"""

Progress = Callable[[str, int], None]
"""Told the log, and how many entries have been read since it was last told."""


def _nothing(_log: str, _entries: int) -> None:
    pass


@contextmanager
def open_snapshot(dsn: str, *, name: str = "cdc audit") -> Iterator[Snapshot]:
    """The warehouse as it is now, until the block is left.

    Raises:
        Unreachable: no connection.
        ConfigError: tables or privileges are missing.
        TransientError: the warehouse ended the transaction.
    """
    try:
        connection = psycopg2.connect(dsn, connect_timeout=5, application_name=name)
    except psycopg2.OperationalError:
        raise Unreachable("the warehouse does not answer ([warehouse] auditor_dsn)", hint="cdc local status") from None
    try:
        connection.set_client_encoding("UTF8")
        as_text = psycopg2.extensions.new_type(tuple(psycopg2.extensions.string_types), "TEXT", lambda cell, _: cell)
        psycopg2.extensions.register_type(as_text, connection)
        with connection.cursor() as cursor:
            cursor.execute(_SETTINGS)
        yield Snapshot(connection)
    except psycopg2.Error as error:
        raise classify(error, "reading the warehouse") from None
    finally:
        connection.close()


class Snapshot:
    """Rows of one warehouse at one instant."""

    def __init__(self, connection: psycopg2.extensions.connection) -> None:
        self._connection = connection
        self._names: dict[tuple[str, str], sql.Identifier] = {}
        self._cursors = itertools.count()

    def logs(self) -> dict[str, StatedTree | None]:
        """Every log that any table names, with what ``audit.log`` says of it."""
        return {
            log: StatedTree(origin, int(size), tuple((edge or "").split())) if origin is not None else None
            for log, origin, size, edge in self._all(_LOGS)
        }

    def entries(self, log: str, progress: Progress = _nothing) -> Iterator[EntryRow]:
        """All rows of a log, in the order of seq."""
        told = 0
        for told, row in enumerate(self._stream(_ENTRIES, (log,)), 1):
            yield row
            if told % _FETCHED == 0:
                progress(log, _FETCHED)
        progress(log, told % _FETCHED)

    def leaves(self, log: str) -> Iterator[bytes]:
        """The stored leaf hashes of a log, in the order of seq."""
        for (leaf,) in self._stream(_LEAVES, (log,)):
            yield bytes.fromhex(leaf[2:])

    def bodies(self, log: str) -> Iterator[BodyRow]:
        """Bodies of a log, in the order of seq."""
        yield from self._stream(_BODIES, (log,), together=20)

    def entries_at(self, log: str, seqs: Sequence[int]) -> Iterable[StoredEntry]:
        """These entries of a log, with their bodies."""
        return self._all(_AGAIN, (log, list(seqs)))

    def stream(self, log: str) -> Stream | None:
        """The stream's row, if the log has one."""
        for row in self._all(_STREAM, (log,)):
            numbers = [None if cell is None else int(cell) for cell in (*row[4:6], *row[11:13])]
            return Stream(
                topic_id=row[0],
                next_offset=int(row[1]),
                ordered_at=int(row[2]),
                source_epoch=row[3],
                high=(numbers[0], numbers[1]) if numbers[0] is not None and numbers[1] is not None else None,
                open_transaction=row[6],
                open_count=int(row[7]),
                records=int(row[8]),
                skipped=json.loads(row[9]),
                extra_entries=int(row[10]),
                complete_seq=numbers[2],
                complete_at=numbers[3],
            )
        return None

    def versions(self, log: str) -> list[TableVersionRow]:
        """Which table versions the log is said to have described."""
        return [(table, schema, plan, int(seq)) for table, schema, plan, seq in self._all(_VERSIONS, (log,))]

    def tables(self, log: str) -> list[StateTable]:
        """The state tables of a log."""
        found = []
        for table, schema, name, keyless, key, truncated, suspended, columns, waits in self._all(_TABLES, (log,)):
            self._names[log, table] = sql.Identifier(schema, name)
            found.append(
                StateTable(
                    table=table,
                    keyless=keyless == "t",
                    key=tuple(json.loads(key)),
                    truncated_through=int(truncated),
                    suspended_seq=None if suspended is None else int(suspended),
                    columns=tuple((column, kind) for column, kind in json.loads(columns or "[]")),
                    waiting={row: RowWait(since, tuple(seqs)) for row, since, seqs in json.loads(waits or "[]")},
                )
            )
        return found

    def state(self, log: str, table: StateTable) -> Iterator[StateRow]:
        """All rows of a state table; its lock is given back at the end."""
        names = ("_key", "_seq", "_committed_at", "_version", "_copies" if table.keyless else "_deleted")
        columns = sql.SQL(", ").join(map(sql.Identifier, (*names, *(name for name, _ in table.columns))))
        query = sql.SQL("SELECT {} FROM {}").format(columns, self._names[log, table.table])
        with self._connection.cursor() as cursor:
            cursor.execute("SAVEPOINT state_table")
            yield from self._stream(query)
            cursor.execute("ROLLBACK TO SAVEPOINT state_table; RELEASE SAVEPOINT state_table")

    def _all(self, query: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        with self._connection.cursor() as cursor:
            cursor.execute(query, parameters or None)
            return cursor.fetchall()

    def _stream(
        self, query: str | sql.Composable, parameters: Sequence[object] = (), *, together: int = _FETCHED
    ) -> Iterator[tuple[Any, ...]]:
        with self._connection.cursor(f"rows_{next(self._cursors)}") as cursor:
            cursor.itersize = together
            cursor.execute(query, parameters or None)
            yield from cursor

"""A small warehouse in which everything that verification looks at occurs, and the means to tamper with it.

``fill`` plays it with a real worker: a snapshot, inserts, updates, deletes, a key change, rows without a key, a truncate
that hides rows, an added column, an entry over 65,535 bytes, a message, an empty transaction, a replay, a table whose
state is suspended, and an open transaction at the end.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import contextmanager

import psycopg2

from cdc.audit.snapshot import open_snapshot
from cdc.audit.verification import Verification, verify
from cdc.audit.verify import Checkpoint
from tests.builders import FILLS, HEARTBEAT, HOLDERS, ORDERS, Column, Feed
from tests.fix_stack import FreshDatabase
from tests.independent import tree
from tests.warehouse import query, worker

ORDER = {"id": 1, "owner": "ann", "price": "1.50", "note": "n", "pin": "1"}
FILL = {"symbol": "A", "quantity": 1, "secret": "s"}
HOLDER = {"email": "ann@example.com", "no": 1, "v": "x"}
WIDER = ORDERS.with_column(Column("extra"))


def fill(database: FreshDatabase) -> None:
    """Bring in the records of one life, in batches that show where rows stay hidden."""
    feed = Feed()
    with worker(database) as it:
        for step in (_snapshot, _changes, _truncate, _wider, _suspended, _open):
            at = len(feed.records)
            step(feed)
            it.bring(feed.records[at:], limit=4 if step is _open else 10_000)
    query(database.replicator_dsn, "SELECT audit.append_operation('test', '{\"one\": \"1\"}'), audit.append_operation('test', '{}')")


def _snapshot(feed: Feed) -> None:
    feed.row(HEARTBEAT, "r", None, {"id": 1, "system_identifier": "7439", "timeline": 1}, snapshot="true")
    feed.snapshot(ORDERS, [ORDER, {**ORDER, "id": 2, "owner": None, "note": None}])
    feed.snapshot(HOLDERS, [HOLDER])
    feed.notify("COMPLETED")


def _changes(feed: Feed) -> None:
    feed.begin()
    feed.row(ORDERS, "u", ORDER, {**ORDER, "price": "2.50"})
    feed.message("actor", "bob")
    feed.row(ORDERS, "c", None, {**ORDER, "id": 3, "note": "x" * 70_000})
    feed.row(ORDERS, "d", {**ORDER, "id": 2, "owner": None, "note": None}, None)
    feed.end()
    feed.begin()
    for fill_row in (FILL, FILL, {**FILL, "symbol": "B"}):
        feed.row(FILLS, "c", None, fill_row)
    feed.change_key(HOLDERS, HOLDER, {**HOLDER, "email": "bo@example.com"})
    feed.end()
    feed.begin()
    feed.end()


def _truncate(feed: Feed) -> None:
    at = len(feed.records)
    feed.begin()
    feed.row(ORDERS, "c", None, {**ORDER, "id": 7})
    feed.end()
    again = feed.records[at:]
    feed.begin()
    feed.truncate(FILLS)
    feed.row(FILLS, "c", None, {**FILL, "symbol": "C"})
    feed.row(FILLS, "c", None, {**FILL, "symbol": "D"})
    feed.row(FILLS, "u", {**FILL, "symbol": "D"}, {**FILL, "symbol": "C"})
    feed.end()
    feed.again(again)


def _wider(feed: Feed) -> None:
    feed.begin()
    feed.row(WIDER, "u", {**ORDER, "price": "2.50", "extra": None}, {**ORDER, "price": "3.50", "extra": "e"})
    feed.row(WIDER, "c", None, {**ORDER, "id": 9, "extra": None})
    feed.end()


def _suspended(feed: Feed) -> None:
    """The table of holders loses a column: its state stays as it was."""
    narrower = type(HOLDERS)(HOLDERS.schema, HOLDERS.name, HOLDERS.columns[:2], HOLDERS.key)
    moved = {"email": "bo@example.com", "no": 1}
    feed.begin()
    feed.row(narrower, "u", moved, moved)
    feed.end()


def _open(feed: Feed) -> None:
    feed.begin()
    for number in range(20, 26):
        feed.row(WIDER, "c", None, {**ORDER, "id": number, "extra": None})


def verification(database: FreshDatabase, *logs: str, checkpoints: Sequence[Checkpoint] = (), findings: int = 50) -> Verification:
    """What verification says of the warehouse."""
    with open_snapshot(database.auditor_dsn) as snapshot:
        return verify(snapshot, logs, checkpoints, findings, lambda _log, _entries: None)


def said(done: Verification) -> list[tuple[str, int | None, str, str | None, str | None, str]]:
    """Every finding: log, seq, check, table, row key, cause."""
    return [(f.log, f.seq, f.check, f.table, f.row_key, f.cause) for report in done.logs for f in report.findings]


@contextmanager
def superuser(database: FreshDatabase):
    """A cursor for which no trigger fires and no foreign key holds; committed at the end."""
    connection = psycopg2.connect(database.admin_dsn)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute("SET session_replication_role = replica")
            yield cursor
    finally:
        connection.close()


def rehash(database: FreshDatabase, log: str = "trading", *, edge: bool) -> None:
    """Make every leaf that of its entry, and, with ``edge``, size and edge in ``audit.log`` those of the leaves."""
    with superuser(database) as cursor:
        cursor.execute("UPDATE audit.entry SET leaf = sha256('\\x00'::bytea || convert_to(entry, 'UTF8')) WHERE log = %s", (log,))
        if edge:
            cursor.execute("SELECT entry FROM audit.entry WHERE log = %s ORDER BY seq", (log,))
            leaves = [hashlib.sha256(b"\0" + entry.encode()).digest() for (entry,) in cursor.fetchall()]
            cursor.execute("UPDATE audit.log SET size = %s, edge = %s::bytea[] WHERE log = %s", (len(leaves), tree.edge(leaves), log))

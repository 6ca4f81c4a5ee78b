"""A worker with a real warehouse and without Kafka: takes the stream, brings records in, and reads back what is there."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import psycopg2

from cdc.absence import completion
from cdc.audit.snapshot import open_snapshot
from cdc.audit.verification import verify as verify_logs
from cdc.batch import Batch, cut
from cdc.event import Record
from cdc.heads import Heads
from cdc.protect import ProtectedEvent, ProtectedQuarantine
from cdc.waiting import Waiting
from cdc.warehouse import lease
from cdc.warehouse.absence import unseen
from cdc.warehouse.commit import Fence, PrivacyMark, commit
from cdc.warehouse.projection import Projections
from cdc.warehouse.rebuild import rebuild
from governance import policy
from tests.builders import POLICY, TOPIC_ID, Worker
from tests.fix_stack import FreshDatabase

PRIVACY = PrivacyMark("0b2f6c3e-6b1c-4f0e-9a55-1f1f6f9b2a10", 7)


def query(dsn: str, statement: str, *parameters):
    """One statement on a connection of its own, committed."""
    connection = psycopg2.connect(dsn)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(statement, parameters or None)
            return cursor.fetchall() if cursor.description else None
    finally:
        connection.close()


class WarehouseWorker:
    """Owns the stream ``trading`` of a warehouse, and commits what it is given, as a session does."""

    def __init__(self, database: FreshDatabase, plan: policy.Policy = POLICY) -> None:
        self.database = database
        self.connection = lease.connect(database.replicator_dsn, "test writer")
        self.reader = lease.connect(database.replicator_dsn, "test reader")
        self.reader.autocommit = True
        lease.register(self.connection, "trading", "trading", TOPIC_ID)
        owned = lease.try_take(self.connection, "trading")
        assert isinstance(owned, lease.Ownership), owned
        self.owned = owned
        self.fence = Fence("trading", TOPIC_ID, owned.epoch)
        self.projections = Projections(self.reader, "trading")
        self.heads = Heads(self.projections)
        self.worker = Worker(owned.standing, set(owned.known), plan=plan)
        self.worker.suspended = self.projections.suspended
        self.worker.key_of = self.projections.key_of

    def prepare(self, records: list[Record] | None = None, limit: int = 10_000) -> Batch | None:
        """The next batch, its state tables made ready; not committed."""
        worker = self.worker
        worker.quarantine(records or [])
        count = cut(worker._events, inside=worker.standing.open_transaction is not None, limit=limit)
        if not count:
            return None
        missed = []
        at = completion(worker._events[:count])
        if at is not None:  # as the session does: the end of a snapshot is a batch of its own
            count = at or 1
            if at == 0 and worker.standing.complete_seq is not None:
                missed = unseen(self.reader, "trading")
        protected = worker._protector.protect(worker._events[:count])
        protected = [self.projections.unread(e) if isinstance(e, ProtectedQuarantine) else e for e in protected]
        changes = [event for event in protected if isinstance(event, ProtectedEvent)]
        for event in worker.standing.unseen(changes):
            self.projections.ready(event.table)
        self.heads.load((event.table.table, event.key) for event in changes if not event.table.keyless)
        offsets = worker._offsets[:count]
        del worker._events[:count], worker._offsets[:count]
        after = worker._offsets[0] if worker._offsets else offsets[-1] + 1
        waiting = Waiting(self.projections.waiting)
        batch = worker._sequencer.assemble(protected, self.heads.get, self.projections.suspended, after, count, missed, waiting)
        self.projections.wait(waiting.rows)
        batch = replace(batch, columns=self.projections.take_changes())
        self.heads.remember(batch)
        return batch

    def bring(self, records: list[Record], limit: int = 10_000, observe=lambda _step: None) -> list[Batch]:
        """Commit all that may be."""
        batches = []
        batch = self.prepare(records, limit)
        while batch is not None:
            commit(self.connection, self.fence, batch, PRIVACY, observe)
            batches.append(batch)
            batch = self.prepare(None, limit)
        return batches

    def close(self) -> None:
        self.connection.close()
        self.reader.close()


@contextmanager
def worker(database: FreshDatabase, plan: policy.Policy = POLICY) -> Iterator[WarehouseWorker]:
    it = WarehouseWorker(database, plan)
    try:
        yield it
    finally:
        it.close()


def log(database: FreshDatabase, name: str = "trading") -> list[tuple[int, str, str | None, str]]:
    """As the independent reader takes it."""
    return query(
        database.auditor_dsn,
        "SELECT e.seq, e.entry, b.body, encode(e.leaf, 'hex') FROM audit.entry e LEFT JOIN audit.body b USING (log, seq) WHERE e.log = %s ORDER BY e.seq",
        name,
    )


def edge(database: FreshDatabase, name: str = "trading") -> tuple[int, list[str]]:
    """Size and edge that the log states."""
    ((size, nodes),) = query(database.auditor_dsn, "SELECT size, edge FROM audit.log WHERE log = %s", name)
    return size, [bytes(node).hex() for node in nodes]


def everything(database: FreshDatabase) -> dict[str, list]:
    """All rows of all tables that a commit may touch."""
    connection = psycopg2.connect(database.admin_dsn)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute("SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname IN ('audit', 'pipeline', 'trading_state') AND tablename !~ '^entry_'")
            found = {}
            for (name,) in cursor.fetchall():
                if name != "pipeline.lease":
                    cursor.execute(f"SELECT t::text FROM {name} t")
                    found[name] = sorted(map(str, cursor.fetchall()))
            return found
    finally:
        connection.close()


def verified(database: FreshDatabase, name: str = "trading") -> list[str]:
    """What ``cdc audit verify`` finds, and what it could not check."""
    with open_snapshot(database.auditor_dsn) as snapshot:
        (report,) = verify_logs(snapshot, [name], [], 20, lambda _log, _entries: None).logs
    return [*(f"{one.seq} {one.check}: {one.cause}" for one in report.findings), *report.incomplete]


def rebuilt_alike(database: FreshDatabase, table: str, state: str) -> None:
    """A rebuild makes the same rows that the worker made; what a truncate has hidden does not count."""

    def shown() -> list[str]:
        ((through,),) = query(database.admin_dsn, "SELECT truncated_through FROM pipeline.state_table WHERE table_name = %s", table)
        columns = query(database.admin_dsn, "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped", state)
        listed = ", ".join('"' + name.replace("%", "%%") + '"::text' for (name,) in sorted(columns))
        return query(database.admin_dsn, f"SELECT {listed} FROM {state.replace('%', '%%')} WHERE _seq > %s ORDER BY _key", through)

    before = shown()
    rebuild(database.admin_dsn, "trading", table)
    assert shown() == before


def rows(database: FreshDatabase, view: str, *columns: str) -> Counter[tuple]:
    listed = ", ".join('"' + column.replace('"', '""').replace("%", "%%") + '"::text' for column in columns)
    return Counter(query(database.auditor_dsn, f"SELECT {listed} FROM {view}".replace("%%", "%")))


def folded(history: list[tuple[int, str, str | None, str]]) -> dict[str, Counter[str]]:
    """Current state as the log's own images give it, by table: protected image (nulls left out) → how often."""
    keyed: dict[tuple[str, str], dict] = {}
    copies: dict[str, Counter[str]] = {}
    for _, text, body, _ in history:
        entry = json.loads(text) | json.loads(body or "{}")
        if entry["kind"] == "truncate" and "replay_of" not in entry:
            keyed = {place: image for place, image in keyed.items() if place[0] != entry["table"]}
            copies.pop(entry["table"], None)
        if entry["kind"] != "change" or "replay_of" in entry:
            continue
        table = entry["table"]
        if isinstance(entry["key"], str):
            count = copies.setdefault(table, Counter())
            if "before" in entry:
                count[_image(entry["before"])] -= 1
            if "after" in entry:
                count[_image(entry["after"])] += 1
        elif "after" in entry:
            keyed[table, json.dumps(entry["key"])] = entry["after"]
        else:
            keyed.pop((table, json.dumps(entry["key"])), None)
    for (table, _), image in keyed.items():
        copies.setdefault(table, Counter())[_image(image)] += 1
    return {table: +count for table, count in copies.items() if +count}


def _image(image: dict) -> str:
    return json.dumps({name: value for name, value in image.items() if value is not None}, sort_keys=True)

"""One ownership of a stream, from its position to its loss: read → decode → protect → assemble → hand over.

Everything in a session is dropped together when it ends, so a failure leaves nothing behind but the position in the
warehouse.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Self

import psycopg2

from cdc import native
from cdc.absence import Unseen, completion
from cdc.batch import Batch, cut
from cdc.debezium import Decoder
from cdc.errors import Fenced, Halted, RecordError
from cdc.event import Event, Record
from cdc.heads import Heads
from cdc.identity import Identity
from cdc.protect import Protected, ProtectedEvent, ProtectedQuarantine, ProtectedTable, Protector
from cdc.quarantine import LIMIT, Rate, quarantined, row_by_state
from cdc.reports import Reports
from cdc.resolving import Parts, Resolver
from cdc.rollback import rolled_back, warehouse_identity
from cdc.sequencer import Sequencer
from cdc.stream import Stream
from cdc.telemetry import Progress
from cdc.topic import Topic
from cdc.unprotected import protected_apart
from cdc.waiting import Waiting
from cdc.warehouse import lease
from cdc.warehouse.absence import unseen
from cdc.warehouse.commit import Fence, Observer, PrivacyMark
from cdc.warehouse.lease import Ownership
from cdc.warehouse.projection import Projections
from cdc.writer import Writer
from governance.connection import StoreConnection
from governance.errors import GovernanceError, StoreRestored, StoreUnavailable, SubjectClosed
from governance.keys import Keys
from governance.policy import Policy
from governance.roots import Root
from governance.seal import CellCipher
from governance.store import StoreMark


@dataclass(frozen=True, slots=True)
class Settings:
    """What one worker needs. ``batch_records`` and ``linger_s`` bound a batch by size and by age."""

    log: str
    topic: str
    kafka: Mapping[str, str] = field(repr=False)
    warehouse_dsn: str = field(repr=False)
    privacy_dsn: str = field(repr=False)
    policy: Policy = field(repr=False)
    policy_digest: str
    root: Root = field(repr=False)
    batch_records: int = 5_000
    linger_s: float = 0.05
    until_caught_up: bool = False
    quarantine_limit: int = LIMIT


class Session:
    """One ownership of the stream: everything in here is dropped together when it ends."""

    def __init__(
        self,
        settings: Settings,
        connection: psycopg2.extensions.connection,
        owned: Ownership,
        topic: Topic,
        progress: Progress,
        observe: Observer,
    ) -> None:
        self._settings = settings
        self._progress = progress
        self._reports = Reports(progress, settings.kafka, settings.topic)
        self._decoder = Decoder()
        identity = Identity(settings.log, owned.origin, owned.topic_id, 0)
        with ExitStack() as opening:
            salt_key = self._open_store(opening, owned)
            self._protector = Protector(settings.log, settings.policy, self._keys)
            self._sequencer = Sequencer(identity, owned.standing, salt_key, set(owned.known))
            self._reader = lease.connect(settings.warehouse_dsn, f"cdc reader {settings.log}")
            opening.callback(self._reader.close)
            self._reader.autocommit = True
            self._warehouse = warehouse_identity(self._reader)
            self._cut_through = lease.cut_ahead(self._reader, settings.log, owned.standing.edge.size)
            self._projections = Projections(self._reader, settings.log)
            self._heads = Heads(self._projections)
            self._stream = Stream(settings.kafka, topic, settings.log)
            opening.callback(self._stream.close)
            fence = Fence(settings.log, owned.topic_id, owned.epoch)
            self._writer = Writer(connection, fence, observe, self._committed)
            self._writer.start()
            opening.callback(self._writer.stop)
            self._opened = opening.pop_all()
        self._committed_offset = owned.standing.next_offset
        self._prepared: dict[str, ProtectedTable] = {}
        self._records: list[Record] = []
        self._events: list[Event] = []
        self._rate = Rate(settings.quarantine_limit)
        self._resolver = Resolver(
            Parts(
                settings.log, settings.topic, self._reader, self._keys, self._protect, self._sequencer, self._heads,
                self._projections, self._writer, progress,
            )
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def _open_store(self, opening: ExitStack, owned: Ownership) -> bytes:
        """Open the privacy store, not older than the warehouse has seen it; returns the log's salt key."""
        store = StoreConnection(self._settings.privacy_dsn)
        opening.callback(store.close)
        try:
            seen = StoreMark(*owned.privacy) if owned.privacy else None
            kernel = native.kernel()
            sealer = kernel.Cipher if kernel is not None else CellCipher
            self._keys = Keys(store, self._settings.root, seen=seen, sealer=sealer)
            return self._keys.salt_key(owned.origin)
        except StoreRestored as error:
            raise Halted("privacy-store-restored", str(error), hint="cdc stream show") from None

    def replicate(self, stop: threading.Event, lost: threading.Event) -> None:
        """Read, decode, protect and hand over batches until stopped; raises what ended the ownership."""
        position = self._sequencer.standing.next_offset
        told = rolled_back(self._stream, self._reader, self._settings.log, position, self._warehouse)
        if told is not None:
            self._reports.rolled_back(told, position)
        self._stream.rewind(position)
        oldest = time.monotonic()
        while not stop.is_set():
            self._writer.check()
            if lost.is_set():
                raise Fenced("the lease has passed to another worker")
            records = self._stream.read(max(1, self._settings.batch_records - len(self._events)))
            if not self._records:
                oldest = time.monotonic()
            self._decode(records)
            full = len(self._events) >= self._settings.batch_records
            if self._events and (full or time.monotonic() - oldest >= self._settings.linger_s):
                self._hand_over()
                oldest = time.monotonic()
            self._resolver.look()
            self._stream.confirm_idle()
            self._stream.acknowledge(self._committed_offset, self._warehouse)
            self._progress.beat(self._stream.lag())
            if not records:
                self._reports.held_back(self._stream.held_back())
                if self._settings.until_caught_up and self._caught_up():
                    self._resolver.look(at_once=True)
                    break
        self._flush()
        self._stream.acknowledge(self._committed_offset, self._warehouse, at_once=True)

    def _decode(self, records: list[Record]) -> None:
        """Counts each record as delivered. One that cannot be decoded is quarantined."""
        taken, events, decode = self._records, self._events, self._decoder.decode
        for record in records:
            taken.append(record)
            try:
                events.append(decode(record))
            except RecordError as error:
                self._reports.quarantined(record.offset, error)
                row = self._decoder.row_of(record) or row_by_state(record, self._projections.key_of)
                events.append(quarantined(record, error.reason, row))
                self._limit_rate(record.offset)
            except Halted:  # it is of a kind that is not read: what precedes it is committed
                taken.pop()
                self._stream.confirm()
                self._flush()
                raise

    def _limit_rate(self, offset: int) -> None:
        try:
            self._rate.count(offset)
        except Halted:
            self._stream.confirm()
            self._flush()
            raise

    def _caught_up(self) -> bool:
        return self._writer.idle and self._stream.caught_up()

    def _flush(self) -> None:
        """Commit what is complete; a transaction that has not ended stays in Kafka."""
        if self._events:
            self._hand_over()
        self._writer.drain()

    def _hand_over(self) -> None:
        """Protect and assemble what may be cut off, and give it to the writer."""
        standing = self._sequencer.standing
        limit = self._settings.batch_records
        count = cut(self._events, inside=standing.open_transaction is not None, limit=limit)
        if count == 0:
            return
        ready = count
        count, missed = self._end_of_snapshot(ready)
        self._stream.confirm()
        events, records = self._events[:count], self._records[:count]
        del self._events[:count], self._records[:count]
        (protected, mark), odd_ones = protected_apart(self._protect, events, records)
        if self._writer.refused:
            self._suspend_refused()
        changes = [event for event in protected if isinstance(event, ProtectedEvent)]
        for event in standing.unseen(changes):  # in order: a later version may add columns
            table = event.table
            if self._prepared.get(table.table) is not table:
                self._prepared[table.table] = table
                self._reports.policy(table)
                self._projections.ready(table)
        protected = [self._projections.unread(e) if type(e) is ProtectedQuarantine else e for e in protected]
        self._heads.load((event.table.table, event.key) for event in changes if not event.table.keyless)
        offsets = [record.offset for record in records]
        position = self._records[0].offset if self._records else offsets[-1] + 1
        try:
            self._submit(protected, position, len(offsets), mark, missed)
        except Halted as error:
            before = bisect_left(offsets, int(error.coordinates.get("offset", offsets[0])))
            if before:  # what precedes the halt is committed: it stands before the record that nobody understands
                self._submit(protected[:before], offsets[before], before, mark, missed)
                self._writer.drain()
            raise
        for offset in odd_ones:
            self._progress.note(f"quarantined: the record at offset {offset} cannot be protected")
            self._limit_rate(offset)
        if count < ready:
            self._hand_over()

    def _protect(self, events: Sequence[Event]) -> tuple[Sequence[Protected], StoreMark]:
        """Raises SubjectClosed where it is one of these records that cannot be protected, and not the store."""
        try:
            return self._protector.protect(events), self._keys.mark
        except StoreRestored as error:
            raise Halted("privacy-store-restored", str(error), hint="cdc stream show") from None
        except (StoreUnavailable, SubjectClosed):
            raise
        except GovernanceError as error:
            raise Halted("protection", str(error), hint=error.hint) from None

    def _submit(
        self, protected: Sequence[Protected], position: int, delivered: int, mark: StoreMark, missed: Sequence[Unseen]
    ) -> None:
        """Assemble a batch of these events and give it to the writer."""
        waiting = Waiting(self._projections.waiting)
        batch = self._sequencer.assemble(
            protected, self._heads.get, self._projections.suspended, position, delivered, missed, waiting
        )
        self._projections.wait(waiting.rows)
        batch = replace(batch, columns=self._projections.take_changes())
        self._heads.remember(batch)
        if batch.end.edge.size > self._cut_through - lease.CUT_AHEAD // 2:
            self._cut_through = lease.cut_ahead(self._reader, self._settings.log, batch.end.edge.size)
        self._writer.submit(batch, PrivacyMark(mark.identity, mark.high_water))

    def _end_of_snapshot(self, count: int) -> tuple[int, list[Unseen]]:
        """Cut before the end of a snapshot, and after it: what one that is not the first did not show is asked of the
        log when all before its end is there.
        """
        at = completion(self._events[:count]) if self._decoder.completions else None
        if at is None:
            return count, []
        if at > 0:
            return at, []
        self._decoder.completions -= 1
        if self._sequencer.standing.complete_seq is None:
            return 1, []
        self._writer.drain()
        return 1, unseen(self._reader, self._settings.log)

    def _suspend_refused(self) -> None:
        """Take over the tables that the writer found to be refused, and say so once."""
        for table, suspension in list(self._writer.refused.items()):
            if table not in self._projections.suspended:
                self._projections.suspended[table] = suspension
                self._reports.suspended(table, *suspension)

    def _committed(self, batch: Batch) -> None:
        """In the writer's thread, after each commit."""
        self._progress.committed(batch)
        for table, suspension in batch.suspended.items():
            self._reports.suspended(table, *suspension)
        self._committed_offset = batch.end.next_offset

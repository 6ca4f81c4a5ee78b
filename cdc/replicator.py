"""The loop: stream → decode → protect → commit, for one source. The whole data flow is on this page.

What goes wrong is one of four things (``cdc.errors``): transient → drop what is in flight, back off, own the stream anew and rewind to the warehouse's
position; fenced → give the stream up and stand by; a record that cannot be decoded → commit what precedes it and stop; halted → say so in the warehouse and stop.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import psycopg2

from cdc.batch import Batch, cut
from cdc.debezium import Decoder
from cdc.errors import CdcError, Fenced, Halted, RecordError, TransientError
from cdc.event import Event
from cdc.heads import Heads
from cdc.protect import ProtectedEvent, Protector
from cdc.sequencer import Identity, Sequencer
from cdc.stream import Stream, Topic, describe
from cdc.telemetry import Progress
from cdc.warehouse import lease
from cdc.warehouse.commit import Fence, Observer, PrivacyMark
from cdc.warehouse.lease import Ownership, Renewal
from cdc.warehouse.projection import Projections
from cdc.warehouse.sqlstate import classify
from cdc.writer import Writer
from governance.connection import StoreConnection
from governance.errors import GovernanceError, StoreRestored, StoreUnavailable
from governance.keys import Keys
from governance.policy import Policy
from governance.roots import Root
from governance.store import StoreMark

BACK_OFF_S = (0.5, 1.0, 2.0, 5.0, 10.0)
STANDBY_S = 1.0


@dataclass(frozen=True, slots=True)
class Settings:
    """What one worker needs. ``batch_records`` and ``linger_s`` bound a batch by size and by age."""

    log: str
    topic: str
    kafka: Mapping[str, str] = field(repr=False)
    warehouse_dsn: str = field(repr=False)
    privacy_dsn: str = field(repr=False)
    policy: Policy
    root: Root
    batch_records: int = 5_000
    linger_s: float = 0.05
    until_caught_up: bool = False


class Replicator:
    """Replicates one stream until stopped."""

    def __init__(self, settings: Settings, progress: Progress, observe: Observer = lambda _step: None) -> None:
        self._settings = settings
        self._progress = progress
        self._observe = observe
        self._stop = threading.Event()

    def stop(self) -> None:
        """Finish the batch in hand and return from :meth:`run`. Safe in a signal handler."""
        self._stop.set()

    def run(self) -> None:
        """Own the stream, or stand by until it can be owned; replicate until stopped.

        Raises:
            ConfigError, Halted, LedgerError, RecordError: a person must act; the message says what.
        """
        topic = describe(self._settings.kafka, self._settings.topic)
        failures = 0
        while not self._stop.is_set():
            try:
                if self._own_and_replicate(topic):
                    return
                failures = 0
            except Fenced as error:
                self._progress.note(f"gave the stream up: {error}")
            except (TransientError, StoreUnavailable) as error:
                delay = BACK_OFF_S[min(failures, len(BACK_OFF_S) - 1)]
                failures += 1
                self._progress.note(f"{error}; trying again in {delay:g} s")
                self._stop.wait(delay)
                topic = self._described(topic)

    def _described(self, topic: Topic) -> Topic:
        """The topic again, after an outage: it may have been recreated meanwhile (which registering then tells)."""
        try:
            return describe(self._settings.kafka, topic.name, timeout_s=5)
        except Halted:
            raise
        except CdcError:
            return topic

    def _own_and_replicate(self, topic: Topic) -> bool:
        """One ownership, from taking the stream to losing it; True when stopped."""
        settings = self._settings
        connection = lease.connect(settings.warehouse_dsn, f"cdc writer {settings.log}")
        try:
            owned = self._wait_for_ownership(connection, topic)
            if owned is None:
                return True
            self._progress.note(f"owns stream {settings.log} (epoch {owned.epoch}) from offset {owned.standing.next_offset}, entry {owned.standing.edge.size}")
            renewal = Renewal(settings.warehouse_dsn, settings.log, owned.epoch)
            renewal.start()
            try:
                with _Session(self, connection, owned, topic, renewal) as session:
                    done = session.replicate()
            except Halted as error:
                _mark_halted(connection, owned, error)
                raise
            finally:
                renewal.stop()
            lease.release(connection, settings.log, owned.epoch)
        except psycopg2.Error as error:
            raise classify(error, "warehouse") from None
        finally:
            connection.close()
        return done

    def _wait_for_ownership(self, connection: psycopg2.extensions.connection, topic: Topic) -> Ownership | None:
        lease.register(connection, self._settings.log, topic.name, topic.id)
        told = ""
        while not self._stop.is_set():
            taken = lease.try_take(connection, self._settings.log)
            if isinstance(taken, Ownership):
                return taken
            if taken != told:
                self._progress.note(f"standing by: {taken} owns stream {self._settings.log}")
                told = taken
            self._stop.wait(STANDBY_S)
        return None


class _Session:
    """One ownership of the stream: everything in here is dropped together when it ends."""

    def __init__(self, parent: Replicator, connection: psycopg2.extensions.connection, owned: Ownership, topic: Topic, renewal: Renewal) -> None:
        self._settings = parent._settings
        self._progress = parent._progress
        self._stop = parent._stop
        self._renewal = renewal
        settings = self._settings
        seen = StoreMark(*owned.privacy) if owned.privacy else None
        try:
            self._store = StoreConnection(settings.privacy_dsn)
            self._keys = Keys(self._store, settings.root, seen=seen)
            salt_key = self._keys.salt_key(owned.origin)
        except StoreRestored as error:
            raise Halted("privacy-store-restored", str(error), hint=error.hint) from None
        self._reader = lease.connect(settings.warehouse_dsn, f"cdc reader {settings.log}")
        self._reader.autocommit = True
        self._projections = Projections(self._reader, settings.log)
        self._heads = Heads(self._projections)
        self._protector = Protector(settings.log, settings.policy, self._keys)
        identity = Identity(settings.log, owned.origin, owned.topic_id, 0)
        self._sequencer = Sequencer(identity, owned.standing, salt_key, set(owned.known))
        self._decoder = Decoder()
        self._stream = Stream(settings.kafka, topic, settings.log)
        self._writer = Writer(connection, Fence(settings.log, owned.topic_id, owned.epoch), parent._observe, self._committed)
        self._writer.start()
        self._offsets: list[int] = []
        self._events: list[Event] = []

    def __enter__(self) -> _Session:
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.stop()
        self._stream.close()
        self._reader.close()
        self._store.close()

    def replicate(self) -> bool:
        """Read, decode, protect and hand over batches until stopped (True); raises what ended the ownership."""
        self._stream.rewind(self._sequencer.standing.next_offset)
        oldest = time.monotonic()
        while not self._stop.is_set():
            self._writer.check()
            if self._renewal.lost.is_set():
                raise Fenced("the lease has passed to another worker")
            records = self._stream.read()
            if not self._offsets:
                oldest = time.monotonic()
            for record in records:
                self._offsets.append(record.offset)  # counted as delivered before it is decoded
                try:
                    self._events.append(self._decoder.decode(record))
                except RecordError:
                    self._offsets.pop()
                    self._flush()
                    raise
            full = len(self._events) >= self._settings.batch_records
            if self._events and (full or time.monotonic() - oldest >= self._settings.linger_s):
                self._hand_over()
                oldest = time.monotonic()
            self._progress.beat(self._stream.lag())
            if self._settings.until_caught_up and not records and self._caught_up():
                break
        self._flush()
        return True

    def _caught_up(self) -> bool:
        return self._stream.lag() == 0 and self._writer.idle

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
        events, offsets = self._events[:count], self._offsets[:count]
        del self._events[:count], self._offsets[:count]
        try:
            protected = self._protector.protect(events)
            mark = self._keys.mark
        except StoreRestored as error:
            raise Halted("privacy-store-restored", str(error), hint=error.hint) from None
        except StoreUnavailable:
            raise
        except GovernanceError as error:
            raise Halted("protection", str(error), hint=error.hint) from None
        changes = [event for event in protected if isinstance(event, ProtectedEvent)]
        for table in dict.fromkeys(event.table for event in changes):  # in order: a later version may add columns
            self._projections.ready(table)
        self._heads.load((event.table.table, event.key) for event in changes if not event.table.keyless)
        position = self._offsets[0] if self._offsets else offsets[-1] + 1
        batch = self._sequencer.assemble(protected, self._heads.get, self._projections.suspended, position, len(offsets))
        batch = replace(batch, columns=self._projections.take_changes())
        self._heads.remember(batch)
        self._writer.submit(batch, PrivacyMark(mark.identity, mark.high_water))

    def _committed(self, batch: Batch) -> None:
        """In the writer's thread, after each commit."""
        self._progress.committed(batch)
        self._stream.acknowledge(batch.end.next_offset)


def _mark_halted(connection: psycopg2.extensions.connection, owned: Ownership, error: Halted) -> None:
    """Leave the reason where ``cdc status`` finds it."""
    try:
        connection.rollback()
        with connection, connection.cursor() as cursor:
            cursor.execute(
                "UPDATE pipeline.stream SET halted_code = %s, halted_message = %s, halted_at = now() WHERE log = %s AND epoch = %s",
                (error.code, str(error), owned.log, owned.epoch),
            )
        lease.release(connection, owned.log, owned.epoch)
    except psycopg2.Error:
        return


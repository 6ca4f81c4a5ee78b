"""One Kafka topic-partition, read from a position that the warehouse keeps.

``assign()`` without a consumer group: ownership is the warehouse's business. Offsets are committed to Kafka all the
same, as a dashboard for lag tools.

An exception inside a Python callback during ``consume()`` silently discards dequeued messages while the position moves
on; so there are no callbacks here that can raise, no signal handler that raises, and whatever comes out of a read is
followed by :meth:`Stream.rewind`.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from cdc.errors import ConfigError, Halted, TransientError, Unreachable
from cdc.event import KEY_CHANGE, Record
from cdc.topic import HELD_S, Topic, described, high_watermark

_FATAL = frozenset(
    {
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.SASL_AUTHENTICATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
    }
)
_PULL = 2_000
_TIMEOUT_S = 0.2
ACKNOWLEDGE_S = 5.0
CONFIRM_S = 5.0
_CONFIRM_TIMEOUT_S = 3.0


class Stream:
    """Reads one topic-partition. Not thread-safe."""

    def __init__(self, kafka: Mapping[str, str], topic: Topic, log: str) -> None:
        self._topic = topic
        self._log = log
        self._kafka = kafka
        self._admin = AdminClient({**kafka, "client.id": f"cdc-confirm-{log}", "log_level": 0})
        self._confirmed_at = time.monotonic()
        self._consumer = Consumer(
            {
                "fetch.wait.max.ms": "20",
                "queued.max.messages.kbytes": "65536",
                "fetch.queue.backoff.ms": "5",  # the default waits a second whenever its queue was full
                **kafka,
                "group.id": f"cdc-audit-{log}",
                "client.id": f"cdc-replicate-{log}",
                "enable.auto.commit": "true",  # of what acknowledge() stores, in the background
                "enable.auto.offset.store": "false",
                # No group is joined: this only bounds how long close() waits for a broker that is away.
                "session.timeout.ms": "3000",
                "heartbeat.interval.ms": "1000",
                "auto.offset.reset": "error",
                "enable.partition.eof": "true",
                "isolation.level": "read_committed",
                "allow.auto.create.topics": "false",
                "log_level": "0",
            }
        )
        self._expected = 0
        self._end: int | None = None
        self._goal: int | None = None
        self._held_since: float | None = None
        self._acknowledged = -1
        self._acknowledged_at = time.monotonic()

    def bounds(self) -> tuple[int, int]:
        """First offset that the broker holds, and the one after the last.

        Raises:
            TransientError: the broker does not answer.
        """
        try:
            low, high = self._consumer.get_watermark_offsets(TopicPartition(self._topic.name, 0), timeout=10)
        except KafkaException as error:
            raise TransientError(f"Kafka does not answer ({error.args[0].name()})") from None
        return int(low), int(high)

    def rewind(self, position: int) -> None:
        """Read from ``position`` on, whatever was delivered before.

        Raises:
            Halted: the broker no longer has it, or never had it.
            TransientError: the broker does not answer.
        """
        partition = TopicPartition(self._topic.name, 0, position)
        low, high = self.bounds()
        if not low <= position <= high:
            raise Halted(
                "position-lost",
                f"{self._topic.name}/0 holds offsets {low} to {high}; the warehouse continues at {position}",
                hint="cdc stream show",
            )
        self._consumer.assign([partition])
        self._expected, self._end, self._goal, self._held_since = position, None, None, None

    def read(self, limit: int = _PULL, timeout_s: float = _TIMEOUT_S) -> list[Record]:
        """The next records, in offset order, ``limit`` at most; empty when none came within ``timeout_s``. Gaps in
        offsets are Kafka's transaction markers.

        Raises:
            TransientError: the broker is away; rewind before reading on.
            Halted: the position is outside what the broker has.
        """
        try:
            messages = self._consumer.consume(min(limit, _PULL), timeout=timeout_s)
        except KafkaException as error:
            raise TransientError(f"Kafka: {error.args[0].name()}") from None
        records, name = [], self._topic.name
        for message in messages:
            failure = message.error()
            if failure is not None:
                self._judge(failure, message.offset())
                continue
            self._end = self._held_since = None
            offset: Any = message.offset()
            if offset < self._expected:
                continue  # the client may deliver what it fetched before a rewind
            self._expected = offset + 1
            headers: Any = message.headers()
            kept = tuple([header for header in headers if header[0] in KEY_CHANGE and header[1]]) if headers else ()
            records.append(Record(name, 0, offset, message.key(), message.value(), kept, message.timestamp()[1]))
        return records

    def confirm(self) -> None:
        """Ask the broker whether the topic is still the one that was described; about a millisecond.

        The client reads on in a recreated topic as if nothing had happened, and a partition that was added is none of
        its business. An id is never used again (KIP-516): when it is still the same after a read, what was read is of
        that topic.

        Raises:
            Halted: the topic was recreated, or has more partitions now.
            TransientError: the broker does not answer, or has no such topic at the moment.
        """
        self._confirmed_at = time.monotonic()
        try:
            found = described(self._admin, self._kafka, self._topic.name, _CONFIRM_TIMEOUT_S)
        except (Unreachable, ConfigError) as error:
            raise TransientError(str(error)) from None
        if found.id != self._topic.id:
            raise Halted(
                "topic-recreated",
                f"topic {found.name!r} has id {found.id} and had {self._topic.id}: its offsets mean other records now",
                hint="cdc stream show",
            )

    def confirm_idle(self) -> None:
        """The same every :data:`CONFIRM_S`, for when nothing comes; a broker that is away is waited for."""
        if time.monotonic() - self._confirmed_at >= CONFIRM_S:
            with contextlib.suppress(TransientError):
                self.confirm()

    def lag(self) -> int | None:
        """Offsets between what was read and the end of the topic, as far as the client knows without asking. What an
        open Kafka transaction holds back counts.
        """
        try:
            _low, high = self._consumer.get_watermark_offsets(TopicPartition(self._topic.name, 0), cached=True)
        except KafkaException:
            return None
        read = self._expected if self._end is None else self._end
        return max(0, int(high) - read) if high >= 0 else None

    def caught_up(self) -> bool:
        """Whether everything is read that the topic held when its stable end was first reached: also what was of a
        Kafka transaction then that had not been committed, or whose commit was not marked in the topic yet.
        """
        if self._end is None:
            return False
        if self._goal is None:
            self._goal = high_watermark(self._admin, self._topic.name)
        return self._goal is not None and self._end >= self._goal

    def held_back(self) -> int | None:
        """Once, when an open Kafka transaction has kept this reader from what follows for :data:`HELD_S`: the offset
        where it began.
        """
        if self._end is None or not self.lag():
            self._held_since = None
            return None
        now = time.monotonic()
        if self._held_since is None:
            self._held_since = now
        if now - self._held_since < HELD_S:
            return None
        self._held_since = float("inf")  # said
        return self._end

    def acknowledged(self, warehouse: str) -> int | None:
        """The position that Kafka was told last, where it was told by this warehouse; None else.

        Raises:
            TransientError: the broker does not answer.
        """
        try:
            (told,) = self._consumer.committed([TopicPartition(self._topic.name, 0)], timeout=10)
        except KafkaException as error:
            raise TransientError(f"Kafka does not answer ({error.args[0].name()})") from None
        return told.offset if told.offset >= 0 and told.metadata == warehouse else None

    def acknowledge(self, position: int, warehouse: str, *, at_once: bool = False) -> None:
        """Tell Kafka every few seconds, best effort: the truth is the warehouse's position. Says whose position it is,
        so that a warehouse that was restored to the past is told (``cdc.rollback``).
        """
        now = time.monotonic()
        if position == self._acknowledged or (now - self._acknowledged_at < ACKNOWLEDGE_S and not at_once):
            return
        self._acknowledged, self._acknowledged_at = position, now
        try:
            self._consumer.store_offsets(offsets=[TopicPartition(self._topic.name, 0, position, metadata=warehouse)])
        except KafkaException:
            return

    def close(self) -> None:
        """Leave the broker."""
        self._consumer.close()

    def _judge(self, error: Any, offset: Any) -> None:
        code = error.code()
        if code == KafkaError._PARTITION_EOF and offset != self._end:  # noqa: SLF001 - the client library's name
            self._end, self._held_since = offset, None
        if code == KafkaError._AUTO_OFFSET_RESET:  # noqa: SLF001 - likewise
            self.confirm()  # a topic that was made anew may be shorter still
            raise Halted(
                "position-lost", f"{self._topic.name}/0 no longer has offset {self._expected}", hint="cdc stream show"
            )
        if code in _FATAL:
            raise ConfigError(f"Kafka refuses: {error.name()}", hint="check the credentials under [kafka]")
        if code == KafkaError.UNKNOWN_TOPIC_OR_PART:
            raise TransientError(f"Kafka has no topic {self._topic.name!r} at the moment")
        if error.fatal():
            raise TransientError(f"Kafka: {error.name()}")

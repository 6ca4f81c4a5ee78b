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
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient

from cdc.errors import ConfigError, Halted, TransientError, Unreachable
from cdc.event import KEY_CHANGE, Record

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


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as the broker describes it; ``id`` changes when it is deleted and created again (KIP-516)."""

    name: str
    id: str
    partitions: int


def describe(kafka: Mapping[str, str], topic: str, timeout_s: float = 10) -> Topic:
    """Ask the broker about a topic.

    Raises:
        Unreachable: no broker answers.
        ConfigError: there is no such topic, or the client library refuses the settings.
        Halted: it has another number of partitions than one.
    """
    try:
        admin = AdminClient({**kafka, "client.id": "cdc-describe", "log_level": 0})
    except KafkaException as error:
        raise ConfigError(
            f"[kafka]: {error.args[0].str()}", hint="the settings of librdkafka, CONFIGURATION.md: each a text"
        ) from None
    return _describe(admin, kafka, topic, timeout_s)


def _describe(admin: AdminClient, kafka: Mapping[str, str], topic: str, timeout_s: float) -> Topic:
    try:
        future = admin.describe_topics(TopicCollection([topic]), request_timeout=timeout_s)[topic]
        description = future.result(timeout=timeout_s + 5)
    except KafkaException as error:
        code = error.args[0].code()
        if code == KafkaError.UNKNOWN_TOPIC_OR_PART:
            raise ConfigError(
                f"Kafka has no topic {topic!r}", hint="cdc connectors apply   (the connector creates it)"
            ) from None
        raise Unreachable(
            f"Kafka at {kafka.get('bootstrap.servers')} does not answer ({error.args[0].name()})",
            hint="cdc local status",
        ) from None
    except TimeoutError:
        raise Unreachable(
            f"Kafka at {kafka.get('bootstrap.servers')} does not answer", hint="cdc local status"
        ) from None
    if len(description.partitions) != 1:
        raise Halted(
            "partition-count",
            f"topic {topic!r} has {len(description.partitions)} partitions; the order of a source needs exactly 1",
            hint="cdc stream show",
        )
    # librdkafka prints the id in plain base64, Kafka itself in the URL-safe alphabet.
    return Topic(topic, str(description.topic_id).translate({ord("+"): "-", ord("/"): "_"}), 1)


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
        self._at_end = False
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
        self._expected, self._at_end = position, False

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
                self._judge(failure)
                continue
            self._at_end = False
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
            found = _describe(self._admin, self._kafka, self._topic.name, _CONFIRM_TIMEOUT_S)
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
        """Offsets between what was read and the end of the topic, as far as the client knows without asking."""
        if self._at_end:
            return 0
        try:
            _low, high = self._consumer.get_watermark_offsets(TopicPartition(self._topic.name, 0), cached=True)
        except KafkaException:
            return None
        return max(0, int(high) - self._expected) if high >= 0 else None

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

    def _judge(self, error: Any) -> None:
        code = error.code()
        if code == KafkaError._PARTITION_EOF:  # noqa: SLF001 - likewise
            self._at_end = True
        if code == KafkaError._AUTO_OFFSET_RESET:  # noqa: SLF001 - the client library's name for it
            raise Halted(
                "position-lost", f"{self._topic.name}/0 no longer has offset {self._expected}", hint="cdc stream show"
            )
        if code in _FATAL:
            raise ConfigError(f"Kafka refuses: {error.name()}", hint="check the credentials under [kafka]")
        if code == KafkaError.UNKNOWN_TOPIC_OR_PART:
            raise TransientError(f"Kafka has no topic {self._topic.name!r} at the moment")
        if error.fatal():
            raise TransientError(f"Kafka: {error.name()}")


def end_offsets(kafka: Mapping[str, str], topics: Iterable[str]) -> dict[str, int]:
    """The end of partition 0 of each topic, best effort: what does not answer is absent."""
    consumer = Consumer({**kafka, "group.id": "cdc-status", "log_level": "0", "socket.timeout.ms": "3000"})
    ends: dict[str, int] = {}
    try:
        for topic in topics:
            try:
                _low, high = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=3)
            except KafkaException:
                continue
            ends[topic] = int(high)
    finally:
        consumer.close()
    return ends

"""A topic as the broker describes it, and where it ends.

A topic has two ends. The *high watermark* is where the next record goes; the *last stable offset* is where a reader
that takes committed records only stops (KIP-98): the first record of the oldest Kafka transaction that is still open.
They differ for as long as a commit takes to be marked in the topic, and for as long as a producer leaves a transaction
open: one that died, until ``transaction.timeout.ms`` of the producer has passed; one that hangs (KIP-664), for ever.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from confluent_kafka import Consumer, IsolationLevel, KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._listoffsets import OffsetSpec  # not re-exported for type checkers

from cdc.errors import ConfigError, Halted, Unreachable
from cdc.refusing import Refusals

HELD_S = 60.0
"""Seconds for which a topic may not advance although records are added to it, before that is said. An exactly-once
connector commits with every poll, within a second.
"""


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as the broker describes it; ``id`` changes when it is deleted and created again (KIP-516)."""

    name: str
    id: str
    partitions: int


def describe(kafka: Mapping[str, str], topic: str, timeout_s: float = 10) -> Topic:
    """Ask the broker about a topic.

    Raises:
        Unreachable: no broker answers, or TLS does not come about; the message says why.
        ConfigError: there is no such topic, the client library refuses the settings, or the broker the credentials.
        Halted: it has another number of partitions than one.
    """
    refusals = Refusals(kafka)
    try:
        admin = AdminClient(refusals.settings("cdc-describe"))
    except KafkaException as error:
        raise ConfigError(
            f"[kafka]: {error.args[0].str()}", hint="the settings of librdkafka, CONFIGURATION.md: each a text"
        ) from None
    try:
        return described(admin, kafka, topic, timeout_s, refusals)
    except Unreachable:
        admin.poll(0)
        cause = refusals.cause()
        if cause is not None:
            raise cause from None
        raise


def described(
    admin: AdminClient, kafka: Mapping[str, str], topic: str, timeout_s: float, refusals: Refusals | None = None
) -> Topic:
    """The same with a client that is there, ``refusals`` those of it where it was made to collect them.

    Raises:
        Unreachable, ConfigError, Halted: as :func:`describe`.
    """
    try:
        future = admin.describe_topics(TopicCollection([topic]), request_timeout=timeout_s)[topic]
        description = (refusals or Refusals(kafka)).result(admin, future, timeout_s + 5)
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


@dataclass(frozen=True, slots=True)
class Held:
    """An open Kafka transaction that keeps readers from what follows it. ``since``: when its first record was made;
    ``command``: Kafka's own, which names the producer.
    """

    offset: int
    offsets: int
    since: datetime
    command: str

    @property
    def seconds(self) -> float:
        """For how long, by this machine's clock."""
        return (datetime.now(UTC) - self.since).total_seconds()


@dataclass(frozen=True, slots=True)
class End:
    """Where a topic ends: for readers of committed records (``stable``) and for producers (``high``)."""

    stable: int
    high: int
    held: Held | None = None


def high_watermark(admin: AdminClient, topic: str, timeout_s: float = 3) -> int | None:
    """Where the next record goes, open Kafka transactions included; None when the broker does not answer."""
    return _latest(admin, [topic], IsolationLevel.READ_UNCOMMITTED, timeout_s).get(topic)


def ends(kafka: Mapping[str, str], topics: Iterable[str]) -> dict[str, End]:
    """The ends of partition 0 of each topic, best effort: what does not answer is absent."""
    names = list(topics)
    admin = AdminClient({**kafka, "client.id": "cdc-status", "log_level": 0})
    stable = _latest(admin, names, IsolationLevel.READ_COMMITTED, 3)
    high = _latest(admin, list(stable), IsolationLevel.READ_UNCOMMITTED, 3)
    found = {}
    for name, offset in stable.items():
        last = max(offset, high.get(name, offset))
        since = _made_at(kafka, name, offset) if last > offset else None
        held = None if since is None else Held(offset, last - offset, since, producers_command(kafka, name))
        found[name] = End(offset, last, held)
    return found


def producers_command(kafka: Mapping[str, str], topic: str) -> str:
    """Kafka's own command that names the producer of an open transaction (KIP-664)."""
    servers = kafka.get("bootstrap.servers", "HOST:PORT")
    return (
        f"kafka-transactions.sh --bootstrap-server {servers} describe-producers --topic {topic} --partition 0"
        f"   (find-hanging --topic {topic} where its coordinator has forgotten it)"
    )


def _latest(admin: AdminClient, topics: list[str], level: IsolationLevel, timeout_s: float) -> dict[str, int]:
    found: dict[str, int] = {}
    if not topics:
        return found
    latest: OffsetSpec = OffsetSpec.latest()  # type: ignore[no-untyped-call]
    asked = {TopicPartition(topic, 0): latest for topic in topics}
    with contextlib.suppress(KafkaException):
        answers = admin.list_offsets(asked, isolation_level=level, request_timeout=timeout_s)
        for partition, answer in answers.items():
            with contextlib.suppress(KafkaException, TimeoutError):
                found[partition.topic] = int(answer.result(timeout=timeout_s + 2).offset)
    return found


def _made_at(kafka: Mapping[str, str], topic: str, offset: int) -> datetime | None:
    """Kafka's time stamp of the first record at or after ``offset``, committed or not."""
    consumer = Consumer(
        {
            **kafka,
            "group.id": "cdc-status",
            "isolation.level": "read_uncommitted",
            "enable.auto.commit": "false",
            "auto.offset.reset": "error",
            "log_level": "0",
        }
    )
    try:
        consumer.assign([TopicPartition(topic, 0, offset)])
        message = consumer.poll(3)
        if message is None or message.error() is not None:
            return None
        return datetime.fromtimestamp(message.timestamp()[1] / 1000, UTC)
    except (KafkaException, OverflowError, ValueError):
        return None
    finally:
        consumer.close()

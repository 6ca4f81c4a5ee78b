"""Kafka: whether the topics of the sources keep everything, in order, until the warehouse has it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Consumer, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import ConfigResource  # not re-exported for type checkers
from confluent_kafka.admin._resource import ResourceType

from cdc.errors import ConfigError, Unreachable
from cdc.refusing import Refusals
from cdc.topic import HELD_S, ends
from connectors.finding import Finding

WEEK_MS = 7 * 86_400_000
LEAST_MESSAGE = 8 << 20
"""Bytes. Both images of a row that holds large values are one record."""
SHORT = 0.25
"""Share of the retention below which a worker's headroom is short."""
_TIMEOUT_S = 10.0
_FOREVER = (1 << 63) - 1
"""The ``retention.ms`` with which Debezium makes the topic of a history."""
_FIRST_S = 4.0
"""Seconds for the first answer: none in this time is no answer."""


@dataclass(frozen=True, slots=True)
class TopicSeen:
    """A topic as its broker describes it. ``replicas``: fewest of a partition."""

    partitions: int
    replicas: int
    settings: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a worker stands in a topic: the position in the warehouse, and what Kafka holds around it.

    ``low``: first offset that Kafka has. ``age_ms``: of the record that is read next; None when there is none.
    """

    position: int
    low: int
    age_ms: float | None


class Kafka:
    """One broker cluster, asked with the settings of ``[kafka]``."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        """Opens nothing yet.

        Raises:
            ConfigError: the client library refuses the settings.
        """
        self._settings = settings
        try:
            self._refusals = Refusals(settings)
            self._admin = AdminClient(self._refusals.settings("cdc-check"))
        except KafkaException as error:
            raise ConfigError(f"[kafka]: {error.args[0].str()}", hint="the settings of librdkafka") from None

    def cluster(self) -> tuple[str, int]:
        """The cluster's id, and how many brokers it has.

        Raises:
            Unreachable: no broker answers, or TLS does not come about.
            ConfigError: the broker refuses the credentials.
        """
        try:
            found = self._refusals.metadata(self._admin, _FIRST_S)
        except KafkaException as error:
            raise Unreachable(f"Kafka does not answer ({error.args[0].name()})", hint="cdc local status") from None
        return str(found.cluster_id), len(found.brokers)

    def topic(self, name: str) -> TopicSeen | None:
        """A topic with its effective settings; None when there is none.

        Raises:
            Unreachable: no broker answers.
        """
        try:
            described = self._admin.describe_topics(TopicCollection([name]), request_timeout=_TIMEOUT_S)[name]
            partitions = described.result(timeout=_TIMEOUT_S + 5).partitions
            resource = ConfigResource(ResourceType.TOPIC, name)
            configured = self._admin.describe_configs([resource], request_timeout=_TIMEOUT_S)[resource]
            entries: Mapping[str, Any] = configured.result(timeout=_TIMEOUT_S + 5)
        except KafkaException as error:
            if error.args[0].name() == "UNKNOWN_TOPIC_OR_PART":
                return None
            raise Unreachable(f"Kafka: topic {name}: {error.args[0].name()}") from None
        except TimeoutError:
            raise Unreachable("Kafka does not answer in time", hint="cdc local status") from None
        settings = {key: str(entry.value) for key, entry in entries.items() if entry.value is not None}
        return TopicSeen(len(partitions), min((len(each.replicas) for each in partitions), default=0), settings)

    def standing(self, topic: str, position: int) -> Standing | None:
        """What Kafka holds around a worker's position; None when it does not say."""
        consumer = Consumer(
            {
                **self._settings,
                "group.id": "cdc-check",
                "enable.auto.commit": "false",
                "isolation.level": "read_uncommitted",
                "auto.offset.reset": "error",
                "log_level": "0",
            }
        )
        try:
            low, high = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=_TIMEOUT_S)
            age = None
            if low <= position < high:
                consumer.assign([TopicPartition(topic, 0, position)])
                message = consumer.poll(3)
                if message is not None and message.error() is None and message.timestamp()[1] > 0:
                    age = max(0.0, time.time() * 1000 - message.timestamp()[1])
            return Standing(position, int(low), age)
        except KafkaException:
            return None
        finally:
            consumer.close()

    def held_back(self, topic: str) -> Iterator[Finding]:
        """A Kafka transaction that keeps readers from what follows it."""
        end = ends(self._settings, [topic]).get(topic)
        if end is not None and end.held is not None and end.held.seconds > HELD_S:
            problem = (
                f"topic {topic} is held back at offset {end.held.offset:,}, {end.held.offsets:,} offsets before its"
                f" end, for {end.held.seconds:,.0f} s"
            )
            yield Finding("topic_held_back", problem, place=topic, command=end.held.command)


def one_topic(name: str, source: str, seen: TopicSeen | None, brokers: int) -> Iterator[Finding]:
    """What a source's topic may lose."""
    if seen is None:
        command = f"cdc connectors apply {source}"
        yield Finding("topic_missing", f"Kafka has no topic {name}", place=name, command=command)
        return
    if seen.partitions != 1:
        yield Finding("topic_partitions", f"topic {name} has {seen.partitions} partitions", place=name)
    policy = seen.settings.get("cleanup.policy", "delete")
    if "compact" in policy:
        command = _alter(name, "cleanup.policy=delete")
        yield Finding("topic_compacted", f"topic {name} has cleanup.policy={policy}", place=name, command=command)
    yield from _retention(name, seen)
    yield from _copies(name, seen, brokers)
    largest = _number(seen.settings, "max.message.bytes")
    if largest is not None and largest < LEAST_MESSAGE:
        problem = f"topic {name} takes records of at most {largest:,} bytes"
        command = _alter(name, f"max.message.bytes={4 * LEAST_MESSAGE}")
        yield Finding("message_size", problem, place=name, command=command)
    if seen.settings.get("compression.type") == "uncompressed":
        command = _alter(name, "compression.type=zstd")
        yield Finding("topic_uncompressed", f"topic {name} is not compressed", place=name, command=command)


def schema_history(name: str, seen: TopicSeen | None) -> Iterator[Finding]:
    """What a MariaDB connector's topic with the history of its tables may lose."""
    if seen is None:
        return
    kept = {key: _number(seen.settings, key) for key in ("retention.ms", "retention.bytes")}
    finite = [key for key, most in kept.items() if most is not None and 0 <= most < _FOREVER]
    if finite or "compact" in seen.settings.get("cleanup.policy", "delete"):
        command = _alter(name, "retention.ms=-1,retention.bytes=-1,cleanup.policy=delete")
        problem = f"topic {name} does not keep everything ({', '.join(finite) or 'compacted'})"
        yield Finding("schema_history", problem, place=name, command=command)


def headroom(topic: str, standing: Standing, seen: TopicSeen, source: str) -> Iterator[Finding]:
    """Whether what a worker reads next is in Kafka, and for how long still."""
    if standing.position < standing.low:
        problem = f"{topic} begins at offset {standing.low:,}; the warehouse continues at {standing.position:,}"
        yield Finding("position_lost", problem, place=topic, command=f"cdc stream show {source}")
        return
    retention = _number(seen.settings, "retention.ms")
    if retention is None or retention < 0 or standing.age_ms is None:
        return
    left = retention - standing.age_ms
    if left < SHORT * retention:
        records = standing.position - standing.low
        problem = (
            f"what the worker reads next is {standing.age_ms / 3_600_000:.1f} h old and goes after"
            f" {retention / 3_600_000:.1f} h; {records:,} offsets are before it"
        )
        command = f"cdc replicate {source}; {_alter(topic, 'retention.ms=-1')}"
        yield Finding("retention_headroom", problem, place=topic, command=command)


def _retention(name: str, seen: TopicSeen) -> Iterator[Finding]:
    milliseconds, size = _number(seen.settings, "retention.ms"), _number(seen.settings, "retention.bytes")
    limits = []
    if milliseconds is not None and 0 <= milliseconds < WEEK_MS:
        limits.append(f"retention.ms={milliseconds} ({milliseconds / 3_600_000:.1f} h)")
    if size is not None and size >= 0:
        limits.append(f"retention.bytes={size}")
    if limits:
        command = _alter(name, "retention.ms=-1,retention.bytes=-1")
        yield Finding("topic_retention", f"topic {name} has {' and '.join(limits)}", place=name, command=command)


def _copies(name: str, seen: TopicSeen, brokers: int) -> Iterator[Finding]:
    if seen.replicas < 2:
        problem = f"topic {name} has one copy" + (" on the one broker there is" if brokers < 2 else "")
        yield Finding("topic_replication", problem, place=name)
    elif (least := _number(seen.settings, "min.insync.replicas")) is not None and least < 2:
        command = _alter(name, "min.insync.replicas=2")
        yield Finding("min_insync", f"topic {name} has min.insync.replicas={least}", place=name, command=command)
    if seen.settings.get("unclean.leader.election.enable") == "true":
        command = _alter(name, "unclean.leader.election.enable=false")
        problem = f"topic {name} has unclean.leader.election.enable=true"
        yield Finding("unclean_election", problem, place=name, command=command)


def _number(settings: Mapping[str, str], key: str) -> int | None:
    text = settings.get(key, "")
    return int(text) if text.lstrip("-").isdigit() else None


def _alter(topic: str, setting: str) -> str:
    return f"kafka-configs.sh --alter --entity-type topics --entity-name {topic} --add-config {setting}"

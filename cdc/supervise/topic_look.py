"""What Kafka says of the topics: where each begins and ends, how long it keeps, how old the next record is."""

from __future__ import annotations

import time
from collections.abc import Mapping

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import ConfigResource  # as above
from confluent_kafka.admin._listoffsets import OffsetSpec  # not re-exported for type checkers

from cdc.errors import CdcError, Unreachable
from cdc.refusing import Refusals
from cdc.supervise.seen import TopicSeen
from cdc.topic import HELD_S, End, ends

TIMEOUT_S = 3.0
_NOTHING_UNREAD = -1.0


def look(kafka: Mapping[str, str], positions: Mapping[str, int]) -> dict[str, TopicSeen]:
    """The topics of ``positions`` (topic → the worker's next offset); one that the broker does not have is absent.

    Raises:
        Unreachable: no broker answers.
    """
    refusals = Refusals(kafka)
    admin = AdminClient(refusals.settings("cdc-supervise"))
    try:
        known = refusals.metadata(admin, TIMEOUT_S).topics
    except KafkaException as error:
        raise Unreachable(f"no broker answers ({error.args[0].name()})") from None
    except CdcError as error:
        raise Unreachable(str(error)) from None
    topics = [topic for topic in positions if topic in known]
    if not topics:
        return {}
    lows, kept, last = _lows(admin, topics), _kept(admin, topics), ends(kafka, topics)
    if not set(topics) <= last.keys():
        raise Unreachable("a broker answers, but not where each topic ends")
    unread = {topic: at for topic, at in positions.items() if topic in last and lows[topic] <= at < last[topic].high}
    made = _made_at(kafka, unread)
    return {
        topic: _topic(
            topic,
            lows[topic],
            last[topic],
            kept.get(topic, {}),
            made.get(topic) if topic in unread else _NOTHING_UNREAD,
        )
        for topic in topics
    }


def _topic(topic: str, low: int, end: End, kept: Mapping[str, int], made_at: float | None) -> TopicSeen:
    milliseconds, size = kept.get("retention.ms", -1), kept.get("retention.bytes", -1)
    return TopicSeen(
        topic=topic,
        low=low,
        high=end.high,
        retention_s=milliseconds / 1000 if milliseconds >= 0 else None,
        retention_bytes=size if size >= 0 else None,
        unread=None if made_at is None else made_at != _NOTHING_UNREAD,
        next_made_at=None if made_at in {None, _NOTHING_UNREAD} else made_at,
        held_s=end.held.seconds if end.held is not None and end.held.seconds > HELD_S else None,
    )


def _lows(admin: AdminClient, topics: list[str]) -> dict[str, int]:
    earliest: OffsetSpec = OffsetSpec.earliest()  # type: ignore[no-untyped-call]
    try:
        asked = admin.list_offsets({TopicPartition(topic, 0): earliest for topic in topics}, request_timeout=TIMEOUT_S)
        return {at.topic: int(answer.result(timeout=TIMEOUT_S + 2).offset) for at, answer in asked.items()}
    except (KafkaException, TimeoutError):
        raise Unreachable("a broker answers, but not where each topic begins") from None


def _kept(admin: AdminClient, topics: list[str]) -> dict[str, dict[str, int]]:
    """``retention.ms`` and ``retention.bytes`` in force; nothing of a topic whose settings may not be read (ACL)."""
    found: dict[str, dict[str, int]] = {}
    asked = [ConfigResource(ConfigResource.Type.TOPIC, topic) for topic in topics]
    for resource, answer in admin.describe_configs(asked, request_timeout=TIMEOUT_S).items():
        try:
            entries = answer.result(timeout=TIMEOUT_S + 2)
        except (KafkaException, TimeoutError):
            continue
        found[resource.name] = {
            name: int(entries[name].value) for name in ("retention.ms", "retention.bytes") if name in entries
        }
    return found


def _made_at(kafka: Mapping[str, str], positions: Mapping[str, int]) -> dict[str, float]:
    """Topic → Kafka's time stamp of the first record at or after the offset, or that none is there: a topic ends in
    transaction markers, which are no records. A topic that did not answer in time is absent.
    """
    if not positions:
        return {}
    consumer = Consumer({
        **kafka, "group.id": "cdc-supervise", "isolation.level": "read_uncommitted", "enable.auto.commit": "false",
        "enable.partition.eof": "true", "auto.offset.reset": "error", "log_level": "0",
    })  # fmt: skip
    found: dict[str, float] = {}
    deadline = time.monotonic() + TIMEOUT_S
    try:
        consumer.assign([TopicPartition(topic, 0, offset) for topic, offset in positions.items()])
        while len(found) < len(positions) and time.monotonic() < deadline:
            message = consumer.poll(0.2)
            topic = message.topic() if message is not None else None
            if message is None or topic is None or topic in found:
                continue
            error = message.error()
            if error is None:
                found[topic] = message.timestamp()[1] / 1000
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - the library names it so
                found[topic] = _NOTHING_UNREAD
    except KafkaException:
        return found
    finally:
        consumer.close()
    return found

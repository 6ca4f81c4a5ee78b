"""Kafka topics of a test's own, filled with records that real Debezium wrote: to be recreated, cut, split and spoiled."""

from __future__ import annotations

import contextlib
import json
import time
import uuid
from collections.abc import Iterator, Sequence

from confluent_kafka import KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic

from tests.fix_replication import Warehouse
from tests.oracle.topic import TopicRecord

BOUNDARY = "io.debezium.connector.common.TransactionMetadataValue"


class OwnTopic:
    """One topic. Its name lasts as long as the test; what it stands for may be recreated."""

    def __init__(self, bootstrap: str) -> None:
        self.name = f"copy_{uuid.uuid4().hex[:8]}"
        self._servers = {"bootstrap.servers": bootstrap}
        self._admin = AdminClient(self._servers)

    def create(self, records: Sequence[TopicRecord] = (), partitions: int = 1) -> None:
        """Create it, again and again where its deletion is not over yet, and fill it."""
        ends = time.monotonic() + 20
        while True:
            with contextlib.suppress(KafkaException):
                self._admin.create_topics([NewTopic(self.name, partitions, 1)])[self.name].result(10)
                break
            assert time.monotonic() < ends, "the topic cannot be created"
            time.sleep(0.2)
        self.produce(records)

    def produce(self, records: Sequence[TopicRecord]) -> None:
        """Append records as they are; the offsets follow from their order."""
        order = {"acks": "all", "enable.idempotence": True}  # what is sent again keeps its place
        producer = Producer({**self._servers, **order, "message.max.bytes": 20_000_000})
        for record in records:
            producer.produce(self.name, record.value, record.key, partition=0, timestamp=record.timestamp)
        assert producer.flush(30) == 0

    def delete(self) -> None:
        self._admin.delete_topics([self.name])[self.name].result(10)

    def delete_before(self, offset: int) -> None:
        """What retention does."""
        for future in self._admin.delete_records([TopicPartition(self.name, 0, offset)]).values():
            future.result(10)

    def add_partition(self) -> None:
        self._admin.create_partitions([NewPartitions(self.name, 2)])[self.name].result(10)


@contextlib.contextmanager
def own_topic(warehouse: Warehouse, source: str) -> Iterator[OwnTopic]:
    """A topic that feeds ``source`` into ``warehouse`` from now on, instead of the real one."""
    topic = OwnTopic(warehouse.settings.kafka["bootstrap.servers"])
    text = warehouse.path.read_text()
    assert text.count(f'topic = "{source}"') == 1
    warehouse.path.write_text(text.replace(f'topic = "{source}"', f'topic = "{topic.name}"'))
    try:
        yield topic
    finally:
        with contextlib.suppress(KafkaException):
            topic.delete()


def payload(record: TopicRecord) -> tuple[str, dict]:
    """Name of a record's schema, and what it holds; nothing for a tombstone."""
    if record.value is None:
        return "", {}
    value = json.loads(record.value)
    return value["schema"]["name"], value["payload"]


def transaction_ends(records: Sequence[TopicRecord]) -> list[int]:
    """How many records there are through each transaction end."""
    found = []
    for count, record in enumerate(records, start=1):
        name, held = payload(record)
        if name == BOUNDARY and held["status"] == "END":
            found.append(count)
    return found

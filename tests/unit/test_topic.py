"""The oracle's reader of topics, against librdkafka's own in-process brokers."""

from __future__ import annotations

import pytest
from confluent_kafka import KafkaException, Producer

from tests.oracle.topic import read_topic


@pytest.fixture
def producer():
    return Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "ignored", "transactional.id": "oracle"})


def bootstrap(producer: Producer) -> str:
    brokers = producer.list_topics(timeout=10).brokers.values()
    return ",".join(f"{broker.host}:{broker.port}" for broker in brokers)


def test_every_record_is_read_in_order_with_nulls_kept_apart_from_empty_bytes(producer):
    wanted = [(b"k", b"v"), (None, b""), (b"", None), (b"\xff\0", b"x" * 100_000)] + [
        (b"n", str(n).encode()) for n in range(3000)
    ]
    producer.init_transactions(10)
    producer.begin_transaction()
    for key, value in wanted:
        producer.produce("changes", key=key, value=value, partition=0, timestamp=1_700_000_000_123)
    producer.commit_transaction(10)
    records = read_topic(bootstrap(producer), "changes", seconds=20)
    assert [(r.key, r.value) for r in records] == wanted
    assert [r.offset for r in records] == sorted({r.offset for r in records})
    assert {r.timestamp for r in records} == {1_700_000_000_123}


def test_a_partition_that_is_not_there_is_an_error(producer):
    with pytest.raises(KafkaException):
        read_topic(bootstrap(producer), "changes", partition=99, seconds=3)

"""Reads a Kafka topic from its beginning, on its own."""

from __future__ import annotations

import os
import time
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition


class TopicRecord(NamedTuple):
    """One record as Kafka holds it. ``timestamp`` is in milliseconds."""

    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int


def read_topic(bootstrap: str, topic: str, *, partition: int = 0, seconds: float = 60) -> list[TopicRecord]:
    """Return every committed record of one partition, oldest first.

    Reads up to the last stable offset: records of aborted and of open Kafka transactions are not there.

    Raises:
        TimeoutError: the end was not reached within ``seconds``.
        KafkaException: the topic or the broker is not there.
    """
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": f"oracle-{os.getpid()}",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "error",
        }
    )
    records: list[TopicRecord] = []
    deadline = time.monotonic() + seconds
    try:
        start, _ = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=seconds)
        consumer.assign([TopicPartition(topic, partition, start)])
        while time.monotonic() < deadline:
            for message in consumer.consume(1000, 0.2):
                error = message.error()
                if error is None:
                    records.append(
                        TopicRecord(message.offset(), message.key(), message.value(), message.timestamp()[1])
                    )
                elif error.code() == KafkaError._PARTITION_EOF:
                    return records
                else:
                    raise KafkaException(error)
    finally:
        consumer.close()
    msg = f"{topic}: its end was not reached within {seconds} s ({len(records)} records read)"
    raise TimeoutError(msg)

"""Ends the Kafka transactions that killed Connect tasks left open.

A worker that starts reads its offsets topic to the end, and gets past no open transaction: without this it waits until
the dead producers' ``transaction.timeout.ms`` is over (60 s). Connect fences the producers of earlier tasks itself when
it starts new ones (KIP-618, "Zombie fencing"), but only after it has read that topic.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

_PATIENCE_S = 10


def end_transactions(bootstrap: str, group: str, config_topic: str) -> list[str]:
    """Fence every producer of a worker cluster that is known to be dead; what they left open is aborted.

    ``config_topic`` names the cluster's connectors and tasks. Best effort: where Kafka does not answer, transactions
    time out as they would have. Returns the transactional ids that were fenced.
    """
    fenced = []
    with contextlib.suppress(KafkaException):
        for name in (f"connect-cluster-{group}", *(f"{group}-{task}" for task in _tasks(bootstrap, config_topic))):
            producer = Producer({"bootstrap.servers": bootstrap, "transactional.id": name, "log_level": 0})
            producer.init_transactions(_PATIENCE_S)
            fenced.append(name)
    return fenced


def _tasks(bootstrap: str, config_topic: str) -> list[str]:
    """``<connector>-<number>`` for each task of a connector that has not been deleted."""
    tasks: dict[str, str] = {}
    connectors: set[str] = set()
    for key, there in _keys(bootstrap, config_topic):
        kind, _, name = key.partition("-")
        if kind == "connector":
            (connectors.add if there else connectors.discard)(name)
        elif kind == "task":
            tasks[name] = name.rpartition("-")[0]
    return [task for task, connector in tasks.items() if connector in connectors]


def _keys(bootstrap: str, topic: str) -> Iterator[tuple[str, bool]]:
    """The keys of a topic of one partition, in order, committed or not; whether each has a value.

    KafkaException: no answer, or no such topic.
    """
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "cdc-local",
            "isolation.level": "read_uncommitted",
            "enable.auto.commit": "false",
            "enable.partition.eof": "true",
            "allow.auto.create.topics": "false",
            "log_level": 0,
        }
    )
    try:
        consumer.assign([TopicPartition(topic, 0, 0)])
        while (message := consumer.poll(_PATIENCE_S)) is not None:
            error = message.error()
            if error is not None and error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - the client library's name
                return
            if error is not None:
                raise KafkaException(error)
            yield (message.key() or b"").decode(errors="replace"), message.value() is not None
    finally:
        consumer.close()

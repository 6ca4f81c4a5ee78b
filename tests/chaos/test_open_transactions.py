"""Kafka transactions that are open: what is in the topic and not yet readable is waited for, and one that hangs is named."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Sequence

import pytest
from confluent_kafka import Producer

from cdc.local.fencing import end_transactions
from cdc.stream import Stream
from cdc.topic import describe, ends
from tests.chaos.conftest import LOG, Feed, position
from tests.chaos.processes import Process, until
from tests.chaos.test_halts import status
from tests.chaos.topics import OwnTopic
from tests.fix_replication import Warehouse
from tests.oracle.topic import TopicRecord

DYING = """
import sys, time
from confluent_kafka import Producer
servers, topic, name, made = sys.argv[1:]
producer = Producer({"bootstrap.servers": servers, "transactional.id": name, "transaction.timeout.ms": 600000})
producer.init_transactions(30)
producer.begin_transaction()
producer.produce(topic, b"nothing of Debezium's", partition=0, timestamp=int(made))
producer.flush(30)
print("open", flush=True)
time.sleep(600)
"""


@pytest.fixture
def transactional(warehouse: Warehouse) -> Producer:
    producer = Producer(
        {
            "bootstrap.servers": warehouse.settings.kafka["bootstrap.servers"],
            "transactional.id": f"late_{uuid.uuid4().hex[:8]}",
            "transaction.timeout.ms": 300_000,
            "message.max.bytes": 20_000_000,
        }
    )
    producer.init_transactions(30)
    return producer


def begin(producer: Producer, topic: OwnTopic, records: Sequence[TopicRecord]) -> None:
    """All of them in the topic, in a transaction that is open."""
    producer.begin_transaction()
    for record in records:
        producer.produce(topic.name, record.value, record.key, partition=0, timestamp=record.timestamp)
    assert producer.flush(30) == 0


def test_until_caught_up_waits_for_records_that_are_not_committed_yet(
    warehouse: Warehouse, topic: OwnTopic, feed: Feed, transactional: Producer, start: Callable[..., Process]
) -> None:
    """They are in the topic when the worker starts, and readable only after their commit."""
    topic.create(feed.first)
    begin(transactional, topic, feed.second)
    worker = start("cdc", "replicate", LOG, "--until-caught-up", "--config", warehouse.path)
    until(lambda: position(warehouse) == len(feed.first), otherwise=lambda: worker.said)
    for _ in range(20):  # it would end within two rounds of reading nothing
        time.sleep(0.1)
        assert worker.running, worker.said
    transactional.commit_transaction(30)
    assert worker.ended() == 0, worker.said
    assert position(warehouse) == len(feed.first) + len(feed.second)


def test_until_caught_up_ends_after_what_was_aborted(
    warehouse: Warehouse, topic: OwnTopic, feed: Feed, transactional: Producer, start: Callable[..., Process]
) -> None:
    topic.create(feed.first)
    begin(transactional, topic, feed.second)
    worker = start("cdc", "replicate", LOG, "--until-caught-up", "--config", warehouse.path)
    until(lambda: position(warehouse) == len(feed.first), otherwise=lambda: worker.said)
    transactional.abort_transaction(30)
    assert worker.ended() == 0, worker.said
    assert position(warehouse) == len(feed.first)


def die(warehouse: Warehouse, topic: OwnTopic, made_s_ago: float, name: str = "") -> None:
    """A producer that is killed inside a transaction, whose first record was made so long ago."""
    servers = warehouse.settings.kafka["bootstrap.servers"]
    made = str(int((time.time() - made_s_ago) * 1000))
    dying = subprocess.Popen(
        [sys.executable, "-c", DYING, servers, topic.name, name or f"dying_{uuid.uuid4().hex[:8]}", made],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert dying.stdout is not None
    assert dying.stdout.readline() == "open\n"
    os.kill(dying.pid, signal.SIGKILL)
    dying.wait(30)


def test_a_transaction_that_hangs_is_named_by_the_status(
    warehouse: Warehouse, topic: OwnTopic, feed: Feed, halves: int
) -> None:
    die(warehouse, topic, 0)
    topic.produce(feed.second)
    _code, text, stream = status(warehouse)
    assert "held back" not in text  # a commit may take a moment
    assert stream["held_back"] is None
    assert stream["lag"] == 1 + len(feed.second)
    topic.delete()
    topic.create(feed.first)
    warehouse.query("UPDATE pipeline.stream SET topic_id = %s WHERE log = %s RETURNING log", (describe(warehouse.settings.kafka, topic.name).id, LOG))
    die(warehouse, topic, 120)
    topic.produce(feed.second)
    code, text, stream = status(warehouse)
    assert code == 0
    assert f"topic {topic.name} is held back at offset {halves}, {1 + len(feed.second)} offsets before its end" in text
    assert f"describe-producers --topic {topic.name} --partition 0" in text
    assert f"find-hanging --topic {topic.name}" in stream["held_back"]["command"]
    assert (stream["held_back"]["offset"], stream["held_back"]["offsets"]) == (halves, 1 + len(feed.second))


def test_the_worker_says_once_that_it_is_held_back(
    warehouse: Warehouse, topic: OwnTopic, feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic.create(feed.first)
    kafka = warehouse.settings.kafka
    stream = Stream(kafka, describe(kafka, topic.name), LOG)
    try:
        stream.rewind(0)
        read = 0
        while read < len(feed.first):
            read += len(stream.read())
        monkeypatch.setattr("cdc.stream.HELD_S", 1.0)
        die(warehouse, topic, 0)
        topic.produce(feed.second)
        said: list[int] = []
        began = time.monotonic()
        while not said:
            assert stream.read() == []
            said += [offset] if (offset := stream.held_back()) is not None else []
            assert time.monotonic() - began < 60
        assert said == [len(feed.first)]
        assert time.monotonic() - began >= 1.0
        assert stream.read() == []
        assert stream.held_back() is None
        assert stream.lag() == 1 + len(feed.second)
    finally:
        stream.close()


def test_what_tasks_of_a_killed_worker_left_open_is_ended(warehouse: Warehouse, topic: OwnTopic) -> None:
    """Those of every connector that is still there; their transactions would last for ten minutes."""
    topic.create()
    configs = OwnTopic(warehouse.settings.kafka["bootstrap.servers"])
    said = (("connector-a-b", b"{}"), ("task-a-b-0", b"{}"), ("connector-gone", b"{}"), ("task-gone-0", b"{}"))
    configs.create([TopicRecord(0, key.encode(), value, 0) for key, value in (*said, ("connector-gone", None))])
    group = configs.name
    try:
        die(warehouse, topic, 0, f"{group}-a-b-0")
        kafka = warehouse.settings.kafka
        held = ends(kafka, [topic.name])[topic.name]
        assert (held.stable, held.high) == (0, 1)
        assert end_transactions(kafka["bootstrap.servers"], group, configs.name) == [f"connect-cluster-{group}", f"{group}-a-b-0"]
        until(lambda: ends(kafka, [topic.name])[topic.name].stable == 2)  # the record, and the mark that it is void
    finally:
        configs.delete()

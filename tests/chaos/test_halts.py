"""What only a person may decide: the stream stops by itself, says so where operators look, and has written nothing.

Each test feeds a topic of its own with records of real Debezium, and then does to it what must not be guessed about.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable

import psycopg2
from psycopg2 import sql

from tests.chaos.conftest import LOG, Feed, position
from tests.chaos.judge import balanced, whole
from tests.chaos.processes import Process, until
from tests.chaos.topics import OwnTopic
from tests.fix_replication import Captured, Warehouse, cdc
from tests.oracle.topic import TopicRecord


def written(warehouse: Warehouse) -> tuple[int, list[bytes]]:
    return position(warehouse), warehouse.leaves(LOG)


def status(warehouse: Warehouse) -> tuple[int, str, dict]:
    """Exit code and text of ``cdc status``, and what it says of the stream to programs."""
    said, document = (
        subprocess.run(
            [sys.executable, "-m", "cdc", "status", "--config", str(warehouse.path), "--output", output],
            capture_output=True, text=True, timeout=60, check=False,
        )
        for output in ("table", "json")
    )  # fmt: skip
    assert said.returncode == document.returncode
    return said.returncode, said.stdout, json.loads(document.stdout)[0]


def assert_halted(warehouse: Warehouse, code: str) -> None:
    exit_code, text, stream = status(warehouse)
    assert exit_code == 4
    assert f"halted: {code}: " in text
    assert (stream["state"], stream["halted_code"]) == ("halted", code)


def assert_refuses(warehouse: Warehouse, code: str) -> None:
    """A worker that starts now stops by itself with this code, again and again, and writes no entry."""
    leaves, before = warehouse.leaves(LOG), None
    for _ in range(2):
        done = warehouse.replicate(LOG, "--until-caught-up", timeout_s=60)
        assert done.returncode == 4, done.stderr
        assert f"cdc: {code}: " in done.stderr
        assert "\n  → " in done.stderr
        assert "Traceback" not in done.stderr
        assert before in (None, written(warehouse))
        before = written(warehouse)
    assert warehouse.leaves(LOG) == leaves
    assert_halted(warehouse, code)
    whole(warehouse, LOG)


def test_a_recreated_topic(warehouse: Warehouse, topic: OwnTopic, feed: Feed, halves: int) -> None:
    assert status(warehouse)[0] == 0
    topic.delete()
    topic.create(feed.first + feed.second)
    assert_refuses(warehouse, "topic-recreated")


def test_a_topic_recreated_while_the_worker_runs(
    warehouse: Warehouse, topic: OwnTopic, feed: Feed, start: Callable[..., Process]
) -> None:
    """Its new records must not pass for a continuation, also not when there are more of them than before."""
    topic.create(feed.first)
    worker = start("cdc", "replicate", LOG, "--config", warehouse.path)
    until(lambda: position(warehouse) == len(feed.first), otherwise=lambda: worker.said)
    before = written(warehouse)
    topic.delete()
    topic.create(feed.first + feed.second)
    assert worker.ended() == 4
    assert "cdc: topic-recreated: " in worker.said
    assert written(warehouse) == before
    assert_halted(warehouse, "topic-recreated")


def test_a_second_partition(warehouse: Warehouse, topic: OwnTopic, feed: Feed, halves: int) -> None:
    topic.add_partition()
    topic.produce(feed.second)
    assert_refuses(warehouse, "partition-count")


def test_a_partition_added_while_the_worker_runs(
    warehouse: Warehouse, topic: OwnTopic, feed: Feed, start: Callable[..., Process]
) -> None:
    topic.create(feed.first)
    worker = start("cdc", "replicate", LOG, "--config", warehouse.path)
    until(lambda: position(warehouse) == len(feed.first), otherwise=lambda: worker.said)
    topic.add_partition()
    assert worker.ended() == 4
    assert "cdc: partition-count: " in worker.said
    assert_halted(warehouse, "partition-count")


def test_records_deleted_before_they_were_read(warehouse: Warehouse, topic: OwnTopic, feed: Feed, halves: int) -> None:
    topic.produce(feed.second)
    topic.delete_before(halves + 10)
    assert_refuses(warehouse, "position-lost")


def test_source_of_another_epoch(warehouse: Warehouse, topic: OwnTopic, feed: Feed, halves: int) -> None:
    """The heartbeat row of a source that was restored or failed over tells another timeline."""
    ((known,),) = warehouse.query("SELECT source_epoch FROM pipeline.stream WHERE log = %s", (LOG,))
    timeline = known.split("/")[1]
    old, new = (b'"timeline":%d}' % number for number in (int(timeline), int(timeline) + 1))
    begin, change, end = feed.heartbeat
    assert change.value.count(old) == 2  # before and after
    topic.produce([begin, change._replace(value=change.value.replace(old, new)), end])
    assert_refuses(warehouse, "source-epoch")
    assert f"{known} and is {known.split('/')[0]}/{int(timeline) + 1} " in status(warehouse)[1]


def test_a_warehouse_that_knows_another_source(warehouse: Warehouse, topic: OwnTopic, feed: Feed, halves: int) -> None:
    warehouse.query("UPDATE pipeline.stream SET source_epoch = '1/1' WHERE log = %s RETURNING log", (LOG,))
    topic.produce(feed.heartbeat)
    assert_refuses(warehouse, "source-epoch")


def test_a_privacy_store_restored_to_the_past(
    warehouse: Warehouse, topic: OwnTopic, feed: Feed, captured: Captured
) -> None:
    """Going on would give values that have a token a second one."""
    name = f"privacy_{topic.name}"
    text = warehouse.path.read_text()
    warehouse.path.write_text(text.replace("dbname=privacy ", f"dbname={name} "))
    admin = captured.stack.cluster("warehouse").dsn("postgres")
    try:
        _execute(admin, "CREATE DATABASE {} STRATEGY wal_log", name)
        cdc("keys", "init", path=warehouse.path)
        topic.create(feed.first)
        warehouse.drain(LOG)
        _execute(admin, "CREATE DATABASE {} TEMPLATE {} STRATEGY wal_log", f"{name}_backup", name)
        topic.produce(feed.second)
        warehouse.drain(LOG)
        assert position(warehouse) == len(feed.first + feed.second)
        _execute(admin, "DROP DATABASE {} WITH (FORCE)", name)
        _execute(admin, "ALTER DATABASE {} RENAME TO {}", f"{name}_backup", name)
        topic.produce(feed.heartbeat)
        assert_refuses(warehouse, "privacy-store-restored")
        accept_gap = (sys.executable, "-m", "cdc", "stream", "accept-gap", LOG, "--reason", "no newer copy", "--yes")
        done = subprocess.run(
            [*accept_gap, "--config", str(warehouse.path)], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        warehouse.drain(LOG)
        whole(warehouse, LOG)
        assert [gap["cause"] for gap in status(warehouse)[2]["gaps"]] == ["privacy-store-restored"]
    finally:
        for database in (name, f"{name}_backup"):
            _execute(admin, "DROP DATABASE IF EXISTS {} WITH (FORCE)", database)


def test_too_many_records_that_cannot_be_decoded(warehouse: Warehouse, topic: OwnTopic, feed: Feed) -> None:
    """All of them are in the log when the stream halts; a restart goes on."""
    foreign = [record._replace(key=None, value=b"nothing of Debezium's") for record in feed.second[:4]]
    topic.create([*feed.first, *foreign, *feed.second])
    done = warehouse.replicate(LOG, "--until-caught-up", "--quarantine-limit", "3", timeout_s=60)
    assert done.returncode == 4, done.stderr
    assert "cdc: quarantine-rate: more than 3 records" in done.stderr
    assert_halted(warehouse, "quarantine-rate")
    assert position(warehouse) == balanced(warehouse, LOG) == len(feed.first) + 4
    warehouse.drain(LOG)
    assert position(warehouse) == balanced(warehouse, LOG) == len(feed.first) + 4 + len(feed.second)
    whole(warehouse, LOG)


def test_rows_of_another_connector(warehouse: Warehouse, topic: OwnTopic, feed: Feed) -> None:
    """Nothing of them is recorded; what precedes them is."""
    topic.create([*feed.first, *(_of_mysql(record) for record in feed.second)])
    assert warehouse.replicate(LOG, "--until-caught-up", timeout_s=60).returncode == 4
    assert position(warehouse) == balanced(warehouse, LOG) == len(feed.first)
    assert_refuses(warehouse, "source-kind")


def _of_mysql(record: TopicRecord) -> TopicRecord:
    value = record.value
    for name in (b"io.debezium.connector.%s.Source", b'"connector":"%s"'):
        value = value and value.replace(name % b"postgresql", name % b"mysql")
    return record._replace(value=value)


def _execute(dsn: str, statement: str, *names: str) -> None:
    connection = psycopg2.connect(dsn)
    connection.autocommit = True
    try:
        connection.cursor().execute(sql.SQL(statement).format(*map(sql.Identifier, names)))
    finally:
        connection.close()

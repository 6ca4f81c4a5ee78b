"""What chaos tests share: a seed that can be changed, and lines that every test run shows at its end.

``CDC_CHAOS_SEED`` and ``CDC_CHAOS_ROUNDS`` choose another course of the same tests.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from tests.chaos.processes import Process, processes
from tests.chaos.topics import OwnTopic, own_topic, payload, transaction_ends
from tests.fix_replication import Captured, Warehouse, drop_warehouse, new_warehouse
from tests.oracle.topic import TopicRecord, read_topic

LOG = "trading"

LINES = pytest.StashKey[dict[str, list[str]]]()


@pytest.fixture
def tell(pytestconfig: pytest.Config, request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Say what a test has measured: at once under ``-s``, and in the run's last section in any case."""
    lines = pytestconfig.stash.setdefault(LINES, {}).setdefault(request.node.name, [])

    def say(line: str) -> None:
        print(line, flush=True)
        lines.append(line)

    return say


@pytest.fixture
def seed() -> int:
    return int(os.environ.get("CDC_CHAOS_SEED", "7"))


@pytest.fixture
def rounds() -> int:
    return int(os.environ.get("CDC_CHAOS_ROUNDS", "64"))


@pytest.fixture
def undisturbed(captured: Captured) -> Iterator[Warehouse]:
    """A second warehouse, for what the first must look like in the end."""
    made = new_warehouse(captured)
    yield made
    drop_warehouse(captured, made)


@dataclass(frozen=True)
class Feed:
    """The first records of the real topic, in two parts that end where a transaction ends."""

    first: list[TopicRecord]
    second: list[TopicRecord]
    heartbeat: list[TopicRecord]
    """A transaction that updates the heartbeat table: BEGIN, the change, END."""


@pytest.fixture(scope="module")
def feed(captured: Captured) -> Feed:
    records = read_topic(captured.stack.addresses().bootstrap_servers, LOG)
    ends = transaction_ends(records)
    middle = next(end for end in ends if end >= 150)
    end = next(end for end in ends if end >= middle + 100)
    return Feed(records[:middle], records[middle:end], _heartbeat(captured))


def _heartbeat(captured: Captured) -> list[TopicRecord]:
    """There is one every ten seconds, but a workload that has just run may have left no room for one yet."""
    for _ in range(6):
        records = read_topic(captured.stack.addresses().bootstrap_servers, LOG)
        for end in transaction_ends(records):
            begin, change, last = records[end - 3 : end]
            source = payload(change)[1].get("source") or {}
            if payload(begin)[1].get("status") == "BEGIN" and source.get("table") == "heartbeat":
                return [begin, change, last]
        time.sleep(5)
    raise AssertionError("no heartbeat in the topic")


@pytest.fixture
def topic(warehouse: Warehouse) -> Iterator[OwnTopic]:
    with own_topic(warehouse, LOG) as topic:
        yield topic


@pytest.fixture
def start() -> Iterator[Callable[..., Process]]:
    with processes() as start:
        yield start


@pytest.fixture
def halves(warehouse: Warehouse, topic: OwnTopic, feed: Feed) -> int:
    """The first half is in the topic and in the warehouse; the position."""
    topic.create(feed.first)
    warehouse.drain(LOG)
    assert position(warehouse) == len(feed.first)
    return len(feed.first)


def position(warehouse: Warehouse) -> int:
    rows = warehouse.query("SELECT next_offset FROM pipeline.stream WHERE log = %s", (LOG,))
    return rows[0][0] if rows else 0


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for name, lines in config.stash.get(LINES, {}).items():
        terminalreporter.section(name)
        for line in lines:
            terminalreporter.write_line(line)

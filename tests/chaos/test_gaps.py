"""Going on after a halt: each cause made for real, named by ``cdc stream show``, accepted as it is, recorded, and the log is whole."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.chaos.conftest import LOG, Feed, position
from tests.chaos.judge import whole
from tests.chaos.test_halts import assert_refuses, status
from tests.chaos.topics import OwnTopic, payload
from tests.fix_replication import Warehouse

REASON = "planned by a test"
ONLY_ACCEPTED = {"privacy-store-restored", "state-diverged"}
"""Halts after which reading the tables anew helps nothing."""


def cdc(warehouse: Warehouse, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cdc", *arguments, "--config", str(warehouse.path)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def accept(warehouse: Warehouse, code: str) -> dict:
    """Show names the command; it asks, and with ``--yes`` writes one entry; the content of that."""
    shown = cdc(warehouse, "stream", "show", LOG)
    assert shown.returncode == 4
    assert f"cdc stream {'accept-gap' if code in ONLY_ACCEPTED else 'rebaseline'} {LOG} --reason" in shown.stdout
    before = len(warehouse.leaves(LOG))
    asked = cdc(warehouse, "stream", "accept-gap", LOG, "--reason", REASON)
    assert asked.returncode == 4
    assert "no terminal" in asked.stderr
    assert "lost      " in asked.stderr
    assert len(warehouse.leaves(LOG)) == before
    done = cdc(warehouse, "stream", "accept-gap", LOG, "--reason", REASON, "--yes")
    assert done.returncode == 0, done.stderr
    ((text,),) = warehouse.query("SELECT entry FROM audit.entry WHERE log = %s AND seq = %s", (LOG, before))
    entry = json.loads(text)
    assert (entry["kind"], entry["content"]["reason"], entry["content"]["cause"]) == ("gap", REASON, code)
    assert "database user cdc_replicator" in entry["content"]["by"]
    again = cdc(warehouse, "stream", "accept-gap", LOG, "--reason", REASON, "--yes")
    assert again.returncode == 4
    assert "is not halted" in again.stderr
    return entry["content"]


def assert_goes_on(warehouse: Warehouse, gaps: int = 1) -> None:
    """The worker drains the rest; both verifiers are content, and every answer and the status name the gap."""
    warehouse.drain(LOG)
    whole(warehouse, LOG)
    verified = cdc(warehouse, "audit", "verify", LOG, "--output", "json")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    exit_code, text, stream = status(warehouse)
    assert exit_code == 0
    assert stream["halted_code"] is None
    assert len(stream["gaps"]) == gaps
    assert "gap at entry" in text
    answer = cdc(warehouse, "audit", "as-of", f"{LOG}.public.customers", "--at", "now", "--output", "json")
    assert answer.returncode == 0, answer.stderr
    assert len(json.loads(answer.stdout)["completeness"]["gaps"]) == gaps


def test_records_that_retention_took(warehouse: Warehouse, topic: OwnTopic, feed: Feed, halves: int) -> None:
    """The next record is inside a transaction whose BEGIN is gone, too."""
    topic.produce(feed.second)
    topic.delete_before(halves + 2)
    assert_refuses(warehouse, "position-lost")
    content = accept(warehouse, "position-lost")
    assert (content["from"], content["through"], content["lost"]) == (f"offset {halves}", f"offset {halves + 1}", "2")
    assert_goes_on(warehouse)


def test_a_topic_made_anew(warehouse: Warehouse, topic: OwnTopic, feed: Feed, halves: int) -> None:
    topic.delete()
    topic.create(feed.second)
    assert_refuses(warehouse, "topic-recreated")
    content = accept(warehouse, "topic-recreated")
    assert (content["effect"]["position"], content["lost"]) == ("0", None)
    assert_goes_on(warehouse)
    assert position(warehouse) == len(feed.second)


def test_a_second_partition_is_gone_with_the_topic(
    warehouse: Warehouse, topic: OwnTopic, feed: Feed, halves: int
) -> None:
    topic.add_partition()
    assert_refuses(warehouse, "partition-count")
    refused = cdc(warehouse, "stream", "accept-gap", LOG, "--reason", REASON, "--yes")
    assert refused.returncode == 4
    assert "partition-count" in refused.stderr
    topic.delete()
    topic.create(feed.second)
    accept(warehouse, "topic-recreated")
    assert_goes_on(warehouse)


def test_a_source_of_another_timeline(warehouse: Warehouse, topic: OwnTopic, feed: Feed, halves: int) -> None:
    ((known,),) = warehouse.query("SELECT source_epoch FROM pipeline.stream WHERE log = %s", (LOG,))
    timeline = int(known.split("/")[1])
    old, new = (b'"timeline":%d}' % number for number in (timeline, timeline + 1))
    begin, change, end = feed.heartbeat
    topic.produce([begin, change._replace(value=change.value.replace(old, new)), end])
    assert_refuses(warehouse, "source-epoch")
    accept(warehouse, "source-epoch")
    assert_goes_on(warehouse)
    ((now,),) = warehouse.query("SELECT source_epoch FROM pipeline.stream WHERE log = %s", (LOG,))
    assert now == f"{known.split('/')[0]}/{timeline + 1}"


@pytest.mark.parametrize(
    ("code", "left_out"),
    [("transaction-incomplete", 1), ("transaction-incomplete", -2), ("transaction-without-begin", 0), ("transaction-without-end", -1)],
)
def test_a_torn_transaction(
    warehouse: Warehouse, topic: OwnTopic, feed: Feed, halves: int, code: str, left_out: int
) -> None:
    """Its BEGIN, an event of it, or its END is not in the topic; what precedes is committed, what follows goes on."""
    torn = _transaction(feed)
    rest = feed.second[len(torn) :]
    del torn[left_out]
    topic.produce(torn + rest)
    done = warehouse.replicate(LOG, "--until-caught-up", timeout_s=60)
    assert done.returncode == 4, done.stderr
    assert_refuses(warehouse, code)
    accept(warehouse, code)
    assert_goes_on(warehouse)
    assert balanced_but_for_the_gap(warehouse) == len(feed.first) + len(torn) + len(rest)


def _transaction(feed: Feed) -> list:
    """The first transaction of the second half, which has two events at least."""
    ends = next(n for n, record in enumerate(feed.second) if payload(record)[1].get("status") == "END")
    assert payload(feed.second[0])[1]["status"] == "BEGIN"
    assert ends >= 3
    return feed.second[: ends + 1]


def balanced_but_for_the_gap(warehouse: Warehouse) -> int:
    ((records, entries, extra, skipped),) = warehouse.query(
        "SELECT s.records, l.size, s.extra_entries, s.skipped FROM pipeline.stream s JOIN audit.log l USING (log)"
        " WHERE log = %s",
        (LOG,),
    )
    assert records == entries - extra + sum(skipped.values())
    return records


def test_a_worker_that_owns_the_stream_is_named(warehouse: Warehouse, topic: OwnTopic, feed: Feed, halves: int) -> None:
    """Nobody writes beside an owner, whatever the status says."""
    from cdc.warehouse import lease

    topic.produce(feed.second)
    topic.delete_before(halves + 2)
    assert_refuses(warehouse, "position-lost")
    connection = lease.connect(warehouse.settings.warehouse_dsn, "test owner")
    try:
        owned = lease.try_take(connection, LOG)
        assert isinstance(owned, lease.Ownership)
        refused = cdc(warehouse, "stream", "accept-gap", LOG, "--reason", REASON, "--yes")
        assert refused.returncode == 4
        assert f"owns stream {LOG}" in refused.stderr
    finally:
        connection.close()

"""``cdc replicate --log-format json`` through faults: every line an object with its coordinates, and no value in any."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable

from cdc.local.workload import CANARIES
from tests.chaos.conftest import LOG, Feed, position
from tests.chaos.processes import Process, until
from tests.chaos.test_gaps import cdc
from tests.chaos.test_halts import assert_halted
from tests.chaos.topics import OwnTopic
from tests.fix_replication import Warehouse
from tests.oracle.sweep import sweep

PLANTED = "planted-6f1c in a record that nobody can read"


def events(worker: Process) -> dict[str, list[dict]]:
    """By event, in order. Each line of standard error is one object."""
    found: dict[str, list[dict]] = {}
    for line in worker.said.splitlines():
        told = json.loads(line)
        assert list(told)[:4] == ["time", "level", "source", "event"], line
        found.setdefault(told["event"], []).append(told)
    return found


def test_every_event_is_an_object_and_no_value_is_in_any(
    warehouse: Warehouse, topic: OwnTopic, feed: Feed, start: Callable[..., Process], tmp_path
) -> None:
    topic.create(feed.first)
    command = ("cdc", "replicate", LOG, "--config", warehouse.path, "--log-format", "json")
    first = start(*command)
    until(lambda: position(warehouse) == len(feed.first), otherwise=lambda: first.said)
    second = start(*command)
    second.says('"standby"')
    first.send(signal.SIGKILL)
    second.says('"owned"')
    warehouse.query("SELECT pg_terminate_backend(owner_pid) FROM pipeline.lease WHERE log = %s", (LOG,))
    topic.produce([record._replace(key=None, value=PLANTED.encode()) for record in feed.second[:1]] + feed.second)
    second.says('"owned"', times=2)
    until(lambda: position(warehouse) == len(feed.first) + 1 + len(feed.second), otherwise=lambda: second.said)
    ((known,),) = warehouse.query("SELECT source_epoch FROM pipeline.stream WHERE log = %s", (LOG,))
    timeline = int(known.split("/")[1])
    old, new = (b'"timeline":%d}' % number for number in (timeline, timeline + 1))
    begin, change, end = feed.heartbeat
    topic.produce([begin, change._replace(value=change.value.replace(old, new)), end])
    assert second.ended() == 4
    assert_halted(warehouse, "source-epoch")
    accepted = cdc(warehouse, "stream", "accept-gap", LOG, "--reason", "planned", "--yes")
    assert accepted.returncode == 0, accepted.stderr
    third = start(*command, "--until-caught-up")
    assert third.ended() == 0
    told = events(second)
    assert {"standby", "owned", "retry", "quarantined", "halted"} <= told.keys()
    assert (told["retry"][0]["level"], told["retry"][0]["attempt"]) == ("warning", 1)
    where = {name: told["quarantined"][0][name] for name in ("topic", "partition", "offset", "reason")}
    assert where == {"topic": topic.name, "partition": 0, "offset": len(feed.first), "reason": "not-connect-json"}
    (halt,) = told["halted"]
    assert (halt["code"], halt["level"], halt["exit"], halt["offset"]) == ("source-epoch", "error", 4, len(feed.first + feed.second) + 2)
    assert halt["epoch"].endswith(f"/{timeline + 1}")
    assert events(third)["gap-accepted"][0]["seq"] == events(third)["owned"][0]["seq"] - 1
    log = tmp_path / "workers.log"
    log.write_text(first.said + second.said + third.said)
    values = [PLANTED, *(canary.value for canary in CANARIES)]
    assert {value: hits for value, hits in sweep([log], {}, values).items() if hits} == {}
    log.write_text(log.read_text() + PLANTED)
    assert sweep([log], {}, [PLANTED])[PLANTED]  # the sweep sees what it must not find

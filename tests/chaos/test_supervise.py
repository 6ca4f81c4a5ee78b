"""A supervisor outlives every part that it watches, and finds each again."""

from __future__ import annotations

import json
import os
import signal
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from cdc.local.stack import Stack
from tests.chaos.processes import Process, processes, until
from tests.fix_replication import Captured, Warehouse, drop_warehouse, new_warehouse

ORDER = ("connect", "broker", "source", "warehouse")
"""Connect first, so that no Kafka transaction is being ended while the broker goes."""
SEEN_AS = {
    "connect": {"connect"},
    "broker": {"kafka"},
    "source": {"source/trading", "source/portfolio"},
    "warehouse": {"warehouse", "privacy"},
}
PATIENCE_S = 180.0


@pytest.fixture
def start() -> Iterator[Callable[..., Process]]:
    with processes() as start:
        yield start


@pytest.fixture
def own(stack: Stack) -> Iterator[Warehouse]:
    captured = Captured(stack, stack.state / "cdc.toml", {})
    made = new_warehouse(captured)
    with made.path.open("a") as file:
        file.write('\n[supervise]\nevery = "1s"\n')
    yield made
    stack.up(lambda _line: None)
    drop_warehouse(captured, made)


def events(process: Process) -> list[dict]:
    return [json.loads(line) for line in process.said.splitlines() if line.startswith("{")]


def asked(process: Process, path: str) -> tuple[int, str]:
    address = next(line["address"] for line in events(process) if line["event"] == "listening")
    try:
        with urllib.request.urlopen(f"http://{address}{path}", timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def up(process: Process) -> dict[str, float]:
    families = text_string_to_metric_families(asked(process, "/metrics")[1])
    return {s.labels["part"]: s.value for family in families if family.name == "cdc_up" for s in family.samples}


def test_every_part_goes_and_comes_back(stack: Stack, own: Warehouse, start):
    process = start("cdc", "supervise", "--config", own.path, "--listen", "127.0.0.1:0", "--log-format", "json")
    process.says('"active"')
    until(lambda: up(process) and all(up(process).values()), PATIENCE_S, lambda: f"{up(process)}: {process.said}")
    assert asked(process, "/readyz")[0] == 200
    gone: set[str] = set()
    for part in ORDER:
        (found,) = (each for each in stack.status() if each.name == part)
        if part == "warehouse":
            os.kill(found.pid, signal.SIGKILL)
        else:
            stack.stop(part)
        gone = gone | SEEN_AS[part]
        until(lambda expected=gone: {each for each, value in up(process).items() if not value} == expected, PATIENCE_S)
        assert asked(process, "/livez")[0] == 200
        assert asked(process, "/readyz")[0] == 503
    assert process.running
    stack.up(lambda _line: None)
    until(lambda: all(up(process).values()), PATIENCE_S, lambda: f"{up(process)}: {process.said}")
    until(lambda: asked(process, "/readyz")[0] == 200, PATIENCE_S)
    assert [line["event"] for line in events(process) if line["event"] in {"active", "blind"}][-1] == "active"
    assert [line for line in events(process) if line["event"] == "round-failed"] == []
    process.send(signal.SIGTERM)
    assert process.ended() == 0

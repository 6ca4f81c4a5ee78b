"""SIGKILL of ``cdc rebuild`` at each of its steps, of the worker while the tables are exchanged, and of the warehouse then.

A worker replicates meanwhile. In the end log and state must be what a worker that nobody disturbed makes of the topic.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cdc.local import process
from cdc.warehouse.rebuild import rebuild
from tests.chaos.judge import judge, same
from tests.chaos.processes import Process, processes, until
from tests.fix_replication import Captured, Warehouse

LOG = "trading"
STEPS = ("begin", "fold", "swap", "commit")
EACH = 2


Start = Callable[..., Process]


@pytest.fixture
def start() -> Iterator[Start]:
    with processes() as start:
        yield start


@pytest.fixture
def repaired(captured: Captured, warehouse: Warehouse) -> Iterator[None]:
    """After it the warehouse's server runs again, whatever happened. Set up after ``warehouse``, so ended before it."""
    yield
    captured.stack.start("warehouse")


class Rebuilds:
    """Rebuilds of one warehouse, as processes."""

    def __init__(self, warehouse: Warehouse) -> None:
        self.warehouse = warehouse
        self.started: list[subprocess.Popen[str]] = []
        self.dsn = tomllib.loads(warehouse.path.read_text())["warehouse"]["admin_dsn"]

    def tables(self) -> list[str]:
        rows = self.warehouse.query("SELECT table_name FROM pipeline.state_table WHERE log = %s AND columns <> '[]' ORDER BY 1", (LOG,))
        return [name for (name,) in rows]

    def start(self, table: str, step: str = "none", count: int = 1, number: str = "KILL") -> subprocess.Popen[str]:
        rebuild = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.rebuilding", self.dsn, LOG, table, step, str(count), number],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.started.append(rebuild)
        return rebuild

    def done(self, table: str) -> None:
        rebuild = self.start(table)
        _, errors = rebuild.communicate(timeout=120)
        assert rebuild.returncode == 0, errors

    def stopped(self, table: str, step: str) -> subprocess.Popen[str]:
        """One that stands still at a step."""
        rebuild = self.start(table, step, 1, "STOP")
        until(lambda: Path(f"/proc/{rebuild.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T")
        return rebuild

    def left(self) -> tuple[int, int]:
        """Folds that have not ended, and tables of folds."""
        ((folds,),) = self.warehouse.query("SELECT count(*) FROM pipeline.rebuild")
        ((tables,),) = self.warehouse.query(
            "SELECT count(*) FROM pg_class WHERE relnamespace = 'pipeline'::regnamespace AND relkind = 'r' AND relname ~ '^rebuild_'"
        )
        return folds, tables


def _entries(warehouse: Warehouse) -> int:
    rows = warehouse.query("SELECT size FROM audit.log WHERE log = %s", (LOG,))
    return rows[0][0] if rows else 0


def _waits(warehouse: Warehouse) -> bool:
    """Whether the owner's writing connection waits for a lock."""
    return warehouse.query(
        "SELECT EXISTS (SELECT FROM pg_stat_activity a JOIN pipeline.lease l ON a.pid = l.owner_pid WHERE l.log = %s AND a.wait_event_type = 'Lock')",
        (LOG,),
    ) == [(True,)]


def _stopped_before_a_commit(warehouse: Warehouse, start: Start) -> Process:
    """A worker with a batch in hand that holds nothing yet."""
    worker = start("tests.chaos.worker", warehouse.path, LOG, "begin", "4", "--batch-records", "100", "--signal", "STOP")
    until(lambda: worker.stopped)
    return worker


@pytest.fixture
def rebuilds(warehouse: Warehouse) -> Iterator[Rebuilds]:
    """None of them outlives the test, stopped ones neither."""
    made = Rebuilds(warehouse)
    yield made
    for each in made.started:
        each.kill()
        each.wait()


@pytest.mark.usefixtures("repaired")
def test_whatever_is_killed_around_a_rebuild_nothing_is_lost_or_doubled(
    captured: Captured, warehouse: Warehouse, undisturbed: Warehouse, rebuilds: Rebuilds, start: Start, seed: int, tell: Callable[[str], None]
) -> None:
    rng = random.Random(seed)
    _worker_killed(warehouse, rebuilds, start, rng)
    _rebuild_killed_before_a_waiting_worker(warehouse, rebuilds, start, rng)
    worker = start("cdc", "replicate", LOG, "--config", warehouse.path, "--batch-records", "100")
    hits = _rebuilds_killed(rebuilds, rng)
    assert all(hits[step] for step in STEPS)
    rebuilds.done(_warehouse_killed(captured, rebuilds, rng))
    worker.says("owns stream", 2)
    worker.send(signal.SIGTERM)
    assert worker.ended() == 0, worker.said

    captured.wait(LOG)
    warehouse.drain(LOG)
    undisturbed.drain(LOG)
    for each in rebuilds.tables():
        rebuild(rebuilds.dsn, LOG, each)
    assert rebuilds.left() == (0, 0)
    warehouse.drain(LOG)
    tell(f"rebuilds killed: {dict(hits)}; then {judge(captured, warehouse, [LOG])}")
    tell(f"{same(warehouse, undisturbed, LOG):,} leaves and all state tables as from a worker that nobody disturbed")


def _worker_killed(warehouse: Warehouse, rebuilds: Rebuilds, start: Start, rng: random.Random) -> None:
    """The worker's commit waits for the exchange; it is killed there, and the exchange goes on."""
    worker = _stopped_before_a_commit(warehouse, start)
    before = _entries(warehouse)
    rebuild = rebuilds.stopped(rng.choice(rebuilds.tables()), "commit")
    worker.send(signal.SIGCONT)
    until(lambda: _waits(warehouse))
    worker.send(signal.SIGKILL)
    worker.ended()
    rebuild.send_signal(signal.SIGCONT)
    _, errors = rebuild.communicate(timeout=120)
    assert rebuild.returncode == 0, errors
    assert _entries(warehouse) == before


def _rebuild_killed_before_a_waiting_worker(warehouse: Warehouse, rebuilds: Rebuilds, start: Start, rng: random.Random) -> None:
    """The exchange is killed while the worker's commit waits for it: the worker goes on, and is not fenced."""
    worker = _stopped_before_a_commit(warehouse, start)
    before = _entries(warehouse)
    rebuild = rebuilds.stopped(rng.choice(rebuilds.tables()), "commit")
    worker.send(signal.SIGCONT)
    until(lambda: _waits(warehouse))
    rebuild.kill()
    rebuild.communicate(timeout=120)
    until(lambda: _entries(warehouse) > before, otherwise=lambda: worker.said)
    assert "gave the stream up" not in worker.said
    worker.send(signal.SIGTERM)
    assert worker.ended() == 0, worker.said


def _rebuilds_killed(rebuilds: Rebuilds, rng: random.Random) -> Counter[str]:
    """Every step equally often, in an order that the seed tells, of tables that it chooses."""
    hits: Counter[str] = Counter()
    steps = [*STEPS] * EACH
    rng.shuffle(steps)
    for step in steps:
        rebuild = rebuilds.start(rng.choice(rebuilds.tables()), step, rng.randint(1, 3) if step == "fold" else 1)
        said, errors = rebuild.communicate(timeout=120)
        assert rebuild.returncode in {-signal.SIGKILL, 0}, errors  # one that goes on may have no third stretch left
        hits[said.split()[-1] if rebuild.returncode else "done"] += 1
        folds, tables = rebuilds.left()
        assert folds == tables  # a fold is noted with its table, or not at all
    return hits


def _warehouse_killed(captured: Captured, rebuilds: Rebuilds, rng: random.Random) -> str:
    """Its server is killed while an exchange is made and not committed."""
    table = rng.choice(rebuilds.tables())
    rebuild = rebuilds.stopped(table, "commit")
    (postmaster,) = (each.pid for each in captured.stack.status() if each.name == "warehouse")
    assert postmaster is not None
    os.kill(postmaster, signal.SIGKILL)
    until(lambda: process.identify(postmaster) is None and not Path(f"/proc/{postmaster}").exists())
    captured.stack.start("warehouse")
    rebuild.send_signal(signal.SIGCONT)
    _, errors = rebuild.communicate(timeout=120)
    assert rebuild.returncode == 5, errors
    return table

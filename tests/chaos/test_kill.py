"""SIGKILL of the worker while a batch is in flight, at every step of a commit and at any moment, again and again.

What is left after the rounds must be what a worker that nobody disturbed would have written, byte for byte.
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest

from tests.chaos.judge import judge, same
from tests.chaos.worker import STEPS
from tests.fix_replication import SOURCES, Captured, Warehouse
from tests.oracle.topic import read_topic

OUTSIDE = "none"
PER_STEP = 5
LIMIT = 97
"""Records in a batch of the worker that nobody disturbs."""


@dataclass
class Course:
    """The rounds of one source. ``hits``: step that was reached last → rounds that ended there."""

    warehouse: Warehouse
    source: str
    steps: list[str]
    rng: random.Random
    end: int
    hits: Counter[str] = field(default_factory=Counter)
    outside: Counter[str] = field(default_factory=Counter)

    def run(self) -> None:
        for number, step in enumerate(self.steps):
            position, size = self._standing()
            left = max(1, (self.end - position) // (len(self.steps) - number) // 3)
            batch = max(2, min(self.rng.randint(40, 200), left))
            last = self._killed(step, self.rng.randint(1, 4), batch)
            (self.outside if step == OUTSIDE else self.hits)[last] += 1
            after = self._standing()
            assert after >= (position, size), "the log or the position went back"

    def _killed(self, step: str, count: int, batch: int) -> str:
        """One worker, killed; returns the last step that it announced."""
        worker = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.worker", str(self.warehouse.path), self.source, step, str(count),
             "--batch-records", str(batch)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        first = ""
        if step == OUTSIDE:
            first = worker.stdout.readline()
            time.sleep(self.rng.uniform(0, 0.1))
            worker.kill()
        try:
            rest, errors = worker.communicate(timeout=120)
        except subprocess.TimeoutExpired:
            worker.kill()
            pytest.fail(f"{self.source}: step {step} was not reached: {worker.communicate()[1][-500:]}")
        assert worker.returncode == -signal.SIGKILL, errors
        last = (first + rest).split()[-1]
        assert step in (OUTSIDE, last)
        return last

    def _standing(self) -> tuple[int, int]:
        """Position and size; the log must have exactly the entries that it says, whatever was killed."""
        rows = self.warehouse.query(
            "SELECT next_offset, size, (SELECT count(*) FROM audit.entry e WHERE e.log = s.log)"
            " FROM pipeline.stream s JOIN audit.log USING (log) WHERE log = %s",
            (self.source,),
        )
        if not rows:
            return 0, 0
        position, size, stored = rows[0]
        assert stored == size
        return position, size


def test_whatever_is_killed_the_log_is_what_it_would_have_been(
    captured: Captured,
    warehouse: Warehouse,
    undisturbed: Warehouse,
    seed: int,
    rounds: int,
    tell: Callable[[str], None],
) -> None:
    began = time.monotonic()
    courses = _courses(warehouse, seed, rounds)
    with ThreadPoolExecutor(len(courses)) as pool:  # the two sources side by side
        for done in [pool.submit(course.run) for course in courses]:
            done.result()
    hits, outside = (sum((getattr(course, name) for course in courses), Counter()) for name in ("hits", "outside"))
    tell(f"seed {seed}: {sum(hits.values()) + sum(outside.values())} rounds in {time.monotonic() - began:.0f} s")
    for step in STEPS:
        tell(f"{step:>9} {hits[step]:>3} {'#' * hits[step]}{'+' * outside[step]}")
    tell("          # killed itself there   + killed from outside after that step")
    assert all(hits[step] >= PER_STEP for step in STEPS)
    assert sum(outside.values()) >= PER_STEP

    for source in SOURCES:
        captured.wait(source)
    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(warehouse.drain, source) for source in SOURCES]:
            done.result()
    tell(f"after the rounds: {judge(captured, warehouse)}")
    for source in SOURCES:
        _undisturbed(undisturbed, source)
        leaves = same(warehouse, undisturbed, source)
        tell(f"{source}: {leaves:,} leaves and all state tables as from a worker that nobody disturbed")
    tell(f"{time.monotonic() - began:.0f} s in all")


def _courses(warehouse: Warehouse, seed: int, rounds: int) -> list[Course]:
    """Every step equally often, a quarter of the rounds from outside, in an order that the seed tells."""
    rng = random.Random(seed)
    times = max(PER_STEP, rounds * 2 // 3 // len(STEPS))
    steps = [*STEPS] * times + [OUTSIDE] * max(PER_STEP, rounds - times * len(STEPS))
    rng.shuffle(steps)
    kafka = warehouse.settings.kafka["bootstrap.servers"]
    return [
        Course(
            warehouse, source, steps[number :: len(SOURCES)], random.Random(f"{seed}/{source}"),
            read_topic(kafka, source)[-1].offset,
        )
        for number, source in enumerate(SOURCES)
    ]  # fmt: skip


def _undisturbed(warehouse: Warehouse, source: str) -> None:
    """Drain with batches of a bounded size: ``--batch-records`` is a promise, too."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.chaos.worker", str(warehouse.path), source, OUTSIDE, "0",
         "--batch-records", str(LIMIT), "--until-caught-up"],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    ((records,),) = warehouse.query("SELECT records FROM pipeline.stream WHERE log = %s", (source,))
    assert done.stdout.split().count("committed") >= records / LIMIT

"""One stream, one owner: whoever stops, dies or leaves, exactly one spare goes on, and a zombie writes nothing."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from tests.chaos.judge import same, whole
from tests.chaos.processes import Process, processes, until
from tests.fix_replication import Captured, Warehouse

LOG = "portfolio"
Start = Callable[..., Process]


@pytest.fixture
def start() -> Iterator[Start]:
    with processes() as start:
        yield start


def spare(start: Start, warehouse: Warehouse) -> Process:
    return start("cdc", "replicate", LOG, "--config", warehouse.path, "--batch-records", "50")


def standing(warehouse: Warehouse) -> tuple[int, int, int, str]:
    """Epoch, position, size and owner."""
    rows = warehouse.query(
        "SELECT o.epoch, s.next_offset, l.size, o.owner FROM pipeline.stream s JOIN audit.log l USING (log)"
        " JOIN pipeline.lease o USING (log) WHERE log = %s",
        (LOG,),
    )
    return rows[0] if rows else (0, 0, 0, "")


def owned_by(warehouse: Warehouse, process: Process) -> bool:
    return (standing(warehouse)[3] or "").endswith(f"/{process.pid}")


def moved(warehouse: Warehouse, position: int) -> bool:
    return standing(warehouse)[1] > position


@pytest.mark.parametrize("step", ["copy", "commit"])
def test_a_stopped_owner_is_replaced_and_writes_nothing_when_it_goes_on(
    captured: Captured,
    warehouse: Warehouse,
    undisturbed: Warehouse,
    start: Start,
    step: str,
    tell: Callable[[str], None],
) -> None:
    zombie = start(
        "tests.chaos.worker", warehouse.path, LOG, step, "6", "--batch-records", "50", "--signal", "STOP"
    )  # fmt: skip
    until(lambda: zombie.stopped, 60, lambda: zombie.said)
    began = time.monotonic()
    epoch, position, size, _owner = standing(warehouse)
    assert size > 0
    ((state,),) = warehouse.query(
        "SELECT a.state FROM pg_stat_activity a JOIN pipeline.lease l ON a.pid = l.owner_pid WHERE l.log = %s", (LOG,)
    )
    assert state == ("active" if step == "copy" else "idle in transaction")  # it holds the lock on the stream's row
    other = spare(start, warehouse)
    until(partial(moved, warehouse, position), 40, lambda: other.said)
    took = time.monotonic() - began
    tell(f"SIGSTOP at {step}: the spare had committed {took:.1f} s later")
    assert took <= 15
    assert owned_by(warehouse, other)
    assert standing(warehouse)[0] == epoch + 1

    zombie.send(signal.SIGCONT)
    zombie.says("standing by")
    time.sleep(3)
    tell(f"SIGCONT: {zombie.said.splitlines()[-2].partition(': ')[2]}")
    assert zombie.running
    assert zombie.said.count("owns stream portfolio (") == 1
    assert owned_by(warehouse, other)
    assert standing(warehouse)[0] == epoch + 1

    zombie.send(signal.SIGTERM)
    assert zombie.ended(15) == 0
    other.send(signal.SIGTERM)
    assert other.ended(15) == 0
    warehouse.drain(LOG)
    undisturbed.drain(LOG)
    whole(warehouse, LOG)
    same(warehouse, undisturbed, LOG)


def test_exactly_one_of_two_spares_takes_over_at_once_from_a_killed_owner(
    captured: Captured, warehouse: Warehouse, start: Start, tell: Callable[[str], None]
) -> None:
    owner = spare(start, warehouse)
    owner.says("owns stream portfolio (")
    until(partial(moved, warehouse, 0))
    spares = [spare(start, warehouse) for _ in range(2)]
    for each in spares:
        each.says("standing by")
    epoch = standing(warehouse)[0]
    owner.send(signal.SIGKILL)
    took = until(lambda: standing(warehouse)[0] > epoch)
    tell(f"SIGKILL of the owner: a spare owned the stream {took:.1f} s later")
    assert took < 3
    time.sleep(3)
    assert standing(warehouse)[0] == epoch + 1
    winners = [each for each in spares if "owns stream portfolio (" in each.said]
    assert len(winners) == 1
    assert owned_by(warehouse, winners[0])
    assert all(each.running for each in spares)


def test_an_owner_told_to_end_leaves_in_order_and_a_spare_goes_on_at_once(
    captured: Captured, warehouse: Warehouse, start: Start, tell: Callable[[str], None]
) -> None:
    owner = spare(start, warehouse)
    until(partial(moved, warehouse, 0))
    other = spare(start, warehouse)
    other.says("standing by")
    epoch = standing(warehouse)[0]
    began = time.monotonic()
    owner.send(signal.SIGTERM)
    assert owner.ended(20) == 0
    ended = time.monotonic() - began
    took = ended + until(lambda: standing(warehouse)[0] > epoch)
    tell(f"SIGTERM of the owner: ended after {ended:.1f} s, a spare owned the stream {took:.1f} s after the signal")
    assert ended < 5
    assert took - ended < 3
    other.send(signal.SIGTERM)
    assert other.ended(20) == 0
    whole(warehouse, LOG)

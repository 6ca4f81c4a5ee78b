"""Act 2: a worker is killed in full flow and started again."""

from __future__ import annotations

from cdc.local.demo.claims import claim, connected, standing
from cdc.local.demo.stage import Stage
from cdc.local.demo.traffic import Traffic

TITLE = "A worker is killed in full flow; act 6 shows that nothing is lost or doubled"
KILL_AT_ENTRIES = 500
DEAD_FOR_CHANGES = 100
"""Row changes that the source commits while nobody replicates it."""


def play(stage: Stage, traffic: Traffic) -> None:
    """SIGKILL the worker of trading, let changes pile up, start it again: it goes on where the warehouse stands.

    Raises:
        ClaimFailed: it goes on elsewhere.
    """
    worker = stage.workers["trading"]
    stage.wait(lambda: standing(stage.settings, "trading").size >= KILL_AT_ENTRIES, "the first entries")
    backend = standing(stage.settings, "trading").backend
    worker.kill()
    stage.wait(lambda: not connected(stage.settings, backend), "the end of the killed worker's connection")
    left, before = standing(stage.settings, "trading"), traffic.changes
    stage.say(f"SIGKILL to cdc replicate trading; the log has {left.size:,} entries")
    stage.wait(lambda: traffic.changes >= before + DEAD_FOR_CHANGES, "changes while nobody replicates")
    missed = traffic.changes - before
    worker.start()
    stage.wait(lambda: worker.says("owns stream trading ("), "the worker to own its stream again")
    said = worker.says("owns stream trading (") or ""
    stage.say(f"started again, {missed:,} row changes later: “{said}”")
    where = f"from offset {left.position:,}, entry {left.size:,}"
    claim(said.endswith(where), f"the worker that was started again does not go on {where}: {said}")
    stage.wait(lambda: traffic.through, "the workload")
    stage.say(
        "the workload is through: "
        + ", ".join(
            f"{source} {summary.changes:,} row changes in {summary.committed:,} transactions"
            for source, summary in traffic.workloads().items()
        )
        + "; orders go on"
    )

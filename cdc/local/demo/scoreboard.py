"""Act 10: the figures of the run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cdc.local.demo.checks import Drain
from cdc.local.demo.takeover import Failover
from cdc.local.demo.tampering import Detected
from cdc.local.workload import WorkloadSummary
from cdc.warehouse.status import StreamStatus

TITLE = "Scoreboard"


@dataclass(frozen=True, slots=True)
class Score:
    """What was measured. ``committed``: by the sources; ``streams``: as the warehouse says when all is in."""

    committed: Mapping[str, WorkloadSummary]
    streams: tuple[StreamStatus, ...]
    failover: Failover
    swept: int
    checks: int
    tamperings: Detected
    drain: Drain


def rows(score: Score, seconds: float) -> list[tuple[str, str]]:
    """Name and value of each line."""
    entries = sum(stream.entries for stream in score.streams)
    described = sum(stream.extra_entries for stream in score.streams)
    skipped = sum(sum(stream.skipped.values()) for stream in score.streams)
    return [
        ("source transactions", f"{sum(one.committed for one in score.committed.values()):,}"),
        ("row changes by the workload", f"{sum(one.changes for one in score.committed.values()):,}"),
        ("Kafka records", f"{sum(stream.records for stream in score.streams):,}"),
        ("  = entries in the log", f"{entries - described:,}"),
        ("  + counted skips", f"{skipped:,} (BEGIN, folded END, tombstones, heartbeats, notifications)"),
        ("entries that describe tables", f"{described:,}"),
        ("SIGKILLs survived", "1"),
        (
            "take-over from a stopped owner",
            f"{score.failover.owned_s:.1f} s, first commit after {score.failover.committed_s:.1f} s",
        ),
        ("planted values", f"{score.swept}, in clear in the sources and Kafka alone"),
        ("independent checks", f"{score.checks} held"),
        ("tamperings detected", f"{score.tamperings.found} of {score.tamperings.made}"),
        (
            "this machine's measured rate",
            f"{score.drain.rate:,.0f} row changes/s: one worker, {score.drain.changes:,} changes, every protection on",
        ),
        ("whole demo", f"{seconds:.1f} s"),
    ]


def table(score: Score, seconds: float) -> str:
    """The lines as people read them."""
    lines = rows(score, seconds)
    width = max(len(name) for name, _ in lines)
    return "\n".join(f"  {name.ljust(width)}  {value}" for name, value in lines)

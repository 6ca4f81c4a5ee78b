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


NAMES = (
    "source transactions", "row changes by the workload", "Kafka records", "  = entries in the log",
    "  + counted skips", "entries that describe tables", "SIGKILLs survived", "take-over from a stopped owner",
    "planted values", "independent checks", "tamperings detected", "this machine's measured rate", "whole demo",
)  # fmt: skip


def table(score: Score, seconds: float) -> str:
    """The lines as people read them."""
    committed, drain = score.committed.values(), score.drain
    entries = sum(stream.entries for stream in score.streams)
    described = sum(stream.extra_entries for stream in score.streams)
    skipped = sum(sum(stream.skipped.values()) for stream in score.streams)
    values = (
        f"{sum(one.committed for one in committed):,}",
        f"{sum(one.changes for one in committed):,}",
        f"{sum(stream.records for stream in score.streams):,}",
        f"{entries - described:,}",
        f"{skipped:,}   (BEGIN, folded END, tombstones, heartbeats, notifications)",
        f"{described:,}",
        "1",
        f"{score.failover.owned_s:.1f} s, first commit after {score.failover.committed_s:.1f} s",
        f"{score.swept}, in clear in the sources and Kafka alone",
        f"{score.checks} held",
        f"{score.tamperings.found} of {score.tamperings.made}",
        f"{drain.rate:,.0f} row changes/s   (one worker, {drain.changes:,} changes, every protection on)",
        f"{seconds:.1f} s",
    )
    width = max(map(len, NAMES))
    return "\n".join(f"  {name.ljust(width)}  {value}" for name, value in zip(NAMES, values, strict=True))

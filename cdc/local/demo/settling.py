"""After act 4 the databases stand still: everything committed is captured, everything captured is in the warehouse."""

from __future__ import annotations

from collections.abc import Callable

from cdc.local.demo.claims import ask, standing
from cdc.local.demo.stage import SOURCES, Stage
from cdc.local.demo.traffic import Traffic
from cdc.local.workload import WorkloadSummary
from cdc.topic import ends
from connectors.postgres_profile import HEARTBEAT_QUERY


def settle(stage: Stage, traffic: Traffic) -> dict[str, WorkloadSummary]:
    """Stop the changes, wait until the warehouse has them all, end the workers; returns what was committed."""
    summaries = traffic.quiet()
    stage.checks.clear()
    for source in SOURCES:
        stage.wait(_captured(stage, source), f"the capture of {source}")
    found_ends = ends(stage.settings.kafka, [stage.settings.sources[source].topic for source in SOURCES])
    for source in SOURCES:
        end = found_ends[stage.settings.sources[source].topic].high
        stage.wait(_reached(stage, source, end), f"the end of {source}")
    took = [worker.stop() for worker in stage.workers.values()]
    found = {source: standing(stage.settings, source) for source in SOURCES}
    held = "; ".join(f"{source} {one.records:,} records, {one.size:,} entries" for source, one in found.items())
    stage.say(
        f"the databases stand still, and all of Kafka is in the warehouse: {held}. SIGTERM to {len(took)} workers:"
        f" all ended within {max(took):.1f} s"
    )
    return summaries


def _captured(stage: Stage, source: str) -> Callable[[], bool]:
    """Whether Debezium has confirmed everything committed at the source up to now.

    It confirms a position once a captured change has come after it: the next heartbeat's, which is made here at once.
    """
    dsn = stage.settings.sources[source].admin_dsn or ""
    ((lsn,),) = ask(dsn, "SELECT pg_current_wal_insert_lsn()")
    ask(dsn, HEARTBEAT_QUERY)
    confirmed = "SELECT confirmed_flush_lsn >= %s FROM pg_replication_slots WHERE slot_name = %s"
    return lambda: ask(dsn, confirmed, lsn, f"cdc_{source}") == [(True,)]


def _reached(stage: Stage, source: str, end: int) -> Callable[[], bool]:
    # The last offset of a topic can be Kafka's own transaction marker, which is no record.
    return lambda: standing(stage.settings, source).position >= end - 1

"""Act 1: both databases are captured, a worker each replicates them, changes flow."""

from __future__ import annotations

import time

from cdc.local.demo.claims import ask
from cdc.local.demo.stage import SOURCES, Stage
from cdc.local.demo.traffic import Traffic

TITLE = "Two live databases are captured, protected and replicated"


def play(stage: Stage, scale: float, seed: int) -> Traffic:
    """Apply the connectors, start the workers, let the changes flow; returns what makes them."""
    # The sweep's control looks for what was deleted or rolled back in the source's WAL: no checkpoint may recycle it.
    for statement in ("ALTER SYSTEM SET wal_keep_size = '2GB'", "SELECT pg_reload_conf()"):
        ask(stage.settings.sources["trading"].admin_dsn or "", statement)
    began = time.monotonic()
    stage.cdc("connectors", "apply")
    stage.say(f"cdc connectors apply: both run ({time.monotonic() - began:.1f} s); one ordered Kafka topic a source")
    workers = [stage.worker(source, source) for source in SOURCES]
    stage.say("; ".join(f"cdc replicate {source}: process {worker.pid}" for source, worker in zip(SOURCES, workers)))  # noqa: B905
    traffic = Traffic(stage.settings, scale, seed)
    stage.on_exit(traffic.end)
    stage.checks.append(traffic.check)
    stage.say(
        f"workload on both databases (seed {seed}, scale {scale:g}): key changes, roll-backs, TRUNCATE, new columns …"
    )
    return traffic

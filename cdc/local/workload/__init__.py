"""The standard workload: seeded, deterministic, with the shapes that break replicators.

One file per family of shapes: `foundation`, `business`, `keys`, `keyless`, `large`, `precision`, `atomicity`, `tables`;
`planting` plants the values that a plaintext sweep looks for. `run` plays all of them once and counts what it commits;
`loop` keeps an OLTP mix going for a load test. On the command line: ``python -m cdc.local.workload --help``.
"""

from cdc.local.workload.canaries import CANARIES, Canary, canaries, canary
from cdc.local.workload.oltp import loop
from cdc.local.workload.run import PHASES, Operations, WorkloadSummary, run

__all__ = ["CANARIES", "PHASES", "Canary", "Operations", "WorkloadSummary", "canaries", "canary", "loop", "run"]

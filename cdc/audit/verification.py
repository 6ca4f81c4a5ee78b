"""Verification of a warehouse: reads it in one snapshot, and has each log verified (``cdc.audit.verify``)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from cdc.audit.snapshot import Progress, Snapshot
from cdc.audit.verify import Checkpoint, Given, LogReport, Verdict, overall, verify_log
from cdc.errors import NotFound


@dataclass(frozen=True, slots=True)
class Verification:
    """The reports on all logs of the scope, and how long they took."""

    logs: tuple[LogReport, ...]
    seconds: float

    @property
    def verdict(self) -> Verdict:
        """The worst verdict of the logs."""
        return overall(self.logs)

    @property
    def entries(self) -> int:
        """Entries that were read."""
        return sum(report.entries for report in self.logs)


def verify(
    snapshot: Snapshot, logs: Sequence[str], checkpoints: Sequence[Checkpoint], findings: int, progress: Progress
) -> Verification:
    """Verify these logs; with checkpoints, also that each is still an extension of what it was.

    A log that only a checkpoint names is in the scope when no logs are named: it is missing.

    Raises:
        NotFound: no such log.
    """
    stated = snapshot.logs()
    if logs:
        for log in logs:
            if log not in stated and log not in {checkpoint.log for checkpoint in checkpoints}:
                known = ", ".join(sorted(stated)) or "none"
                raise NotFound(f"no log {log!r} in the warehouse; there are: {known}")
        scope = list(dict.fromkeys(logs))
    else:
        scope = sorted(stated.keys() | {checkpoint.log for checkpoint in checkpoints})
    began = time.monotonic()
    reports = []
    for log in scope:
        given = Given(
            log=log,
            tree=stated.get(log),
            entries=snapshot.entries(log, progress),
            bodies=snapshot.bodies(log),
            stream=snapshot.stream(log),
            versions=snapshot.versions(log),
            tables=snapshot.tables(log),
            entries_at=partial(snapshot.entries_at, log),
            state=partial(snapshot.state, log),
            checkpoints=[checkpoint for checkpoint in checkpoints if checkpoint.log == log],
            findings=findings,
        )
        reports.append(verify_log(given))
    return Verification(tuple(reports), time.monotonic() - began)

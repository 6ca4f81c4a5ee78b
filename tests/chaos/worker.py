"""A worker that kills or stops itself at a step of a commit: ``python -m tests.chaos.worker CONFIG SOURCE STEP COUNT``.

The real Replicator, with an observer. STEP is one of those that ``cdc.warehouse.commit`` announces, or ``copy``: half
of the entries have been sent to the server. COUNT says the how-manieth time. STEP ``none`` never comes: such a worker is
killed from outside, or runs to its end. Every step is printed on standard output, so that a test knows how far a worker
had got.
"""

from __future__ import annotations

import argparse
import io
import os
import signal
import sys
import threading
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

from cdc import config
from cdc.cli.replicate import worker_settings
from cdc.errors import CdcError
from cdc.replicator import Replicator
from cdc.telemetry import Progress
from cdc.warehouse import bulk

STEPS = ("begin", "fence", "entries", "copy", "state", "commit", "committed")


class Observer:
    """Prints steps, and sends this process a signal at the COUNTth time of one of them."""

    def __init__(self, step: str, count: int, number: signal.Signals) -> None:
        self._step, self._count, self._signal = step, count, number
        self._seen: Counter[str] = Counter()
        self.last = ""

    def __call__(self, step: str) -> None:
        self.last = step
        os.write(1, f"{step}\n".encode())
        self._seen[step] += 1
        if step == self._step and self._seen[step] == self._count:
            signal.pthread_kill(threading.get_ident(), self._signal)  # stops here and nowhere later


class HalfSent(io.BytesIO):
    """COPY's buffer, sent in two halves. Between those of the entries the step ``copy`` is announced."""

    def __init__(self, data: bytes, observe: Observer) -> None:
        super().__init__(data)
        self._half, self._observe, self._reads = len(data) // 2 + 1, observe, 0

    def read(self, _size: int | None = -1) -> bytes:
        self._reads += 1
        if self._reads == 2 and self._observe.last == "entries":
            self._observe("copy")
        return super().read(self._half)


def main() -> int:
    """Replicate until killed, stopped, or caught up with ``--until-caught-up``."""
    parser = argparse.ArgumentParser()
    parser.add_argument("config", type=Path)
    parser.add_argument("source")
    parser.add_argument("step", choices=[*STEPS, "none"])
    parser.add_argument("count", type=int)
    parser.add_argument("--batch-records", type=int, default=5000)
    parser.add_argument("--signal", choices=["KILL", "STOP"], default="KILL")
    parser.add_argument("--until-caught-up", action="store_true")
    given = parser.parse_args()
    settings = config.load(given.config)
    observer = Observer(given.step, given.count, signal.Signals[f"SIG{given.signal}"])
    bulk.io = SimpleNamespace(BytesIO=lambda data: HalfSent(data, observer))
    needed = worker_settings(
        settings,
        settings.source(given.source),
        until_caught_up=given.until_caught_up,
        batch_records=given.batch_records,
    )
    worker = Replicator(needed, Progress(given.source), observer)
    signal.signal(signal.SIGTERM, lambda *_: worker.stop())
    try:
        worker.run()
    except CdcError as error:
        print(f"worker: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The changes that flow: the standard workload on both databases at once, then an endless mix of orders on trading."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor

from cdc.config import Config
from cdc.errors import CdcError
from cdc.local import workload
from cdc.local.workload import WorkloadSummary

ORDERS = "orders"
"""Name of the mix among the summaries."""
RATE = 200.0
"""Row changes per second of the mix."""
FOR_EVER_S = 86_400.0


class _Abandoned(CdcError):
    """The demo ends early: no further transaction."""


class Traffic:
    """Two workloads in threads. :meth:`end` leaves none of them running."""

    def __init__(self, settings: Config, scale: float, seed: int) -> None:
        self._dsns = {name: source.admin_dsn or "" for name, source in settings.sources.items()}
        self._scale, self._seed = scale, seed
        self._quiet, self._abandoned = threading.Event(), threading.Event()
        self._done = dict.fromkeys((*self._dsns, ORDERS), 0)
        self._pool = ThreadPoolExecutor(3)
        self._running: dict[str, Future[WorkloadSummary]] = {
            source: self._pool.submit(self._play, source) for source in self._dsns
        }
        self._running[ORDERS] = self._pool.submit(self._orders, self._running["trading"])

    @property
    def changes(self) -> int:
        """Row changes that trading has committed so far."""
        return self._done["trading"] + self._done[ORDERS]

    @property
    def through(self) -> bool:
        """Whether both standard workloads are through."""
        return all(self._running[source].done() for source in self._dsns)

    def workloads(self) -> dict[str, WorkloadSummary]:
        """What the standard workloads committed; waits for them."""
        return {source: self._running[source].result() for source in self._dsns}

    def check(self) -> None:
        """Raise what went wrong in one of them."""
        for running in self._running.values():
            if running.done():
                running.result()

    def quiet(self) -> dict[str, WorkloadSummary]:
        """Stop the mix, and wait for all: what each committed."""
        self._quiet.set()
        return {name: running.result() for name, running in self._running.items()}

    def end(self) -> None:
        """Have them end after the transaction in hand; returns when they have."""
        self._abandoned.set()
        self._quiet.set()
        self._pool.shutdown(cancel_futures=True)

    def _play(self, source: str) -> WorkloadSummary:
        return workload.run(
            self._dsns[source], source, self._seed, self._scale, report=lambda _phase, done: self._count(source, done)
        )

    def _orders(self, after: Future[WorkloadSummary]) -> WorkloadSummary:
        after.result()
        return workload.loop(
            self._dsns["trading"], FOR_EVER_S, RATE, self._seed,
            report=lambda _phase, done: self._count(ORDERS, done), stop=self._quiet.is_set,
        )  # fmt: skip

    def _count(self, name: str, done: int) -> None:
        self._done[name] = done
        if self._abandoned.is_set():
            raise _Abandoned("the demo has ended")

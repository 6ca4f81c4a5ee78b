"""The writing thread: it owns the one writing connection, so that decoding of the next batch overlaps the commit of
this one.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

import psycopg2

from cdc.batch import Batch
from cdc.errors import CdcError, TransientError
from cdc.warehouse.commit import Fence, Observer, PrivacyMark, commit
from cdc.warehouse.refusal import StateRefused, without

DEPTH = 2
"""Batches that may wait for the writer."""


class Writer(threading.Thread):
    """Commits batches in order. The first failure stops it; :meth:`check` raises it in the caller's thread."""

    def __init__(
        self,
        connection: psycopg2.extensions.connection,
        fence: Fence,
        observe: Observer,
        committed: Callable[[Batch], None],
    ) -> None:
        super().__init__(name=f"writer-{fence.log}", daemon=True)
        self._connection = connection
        self._fence = fence
        self._observe = observe
        self._committed = committed
        self._queue: queue.Queue[tuple[Batch, PrivacyMark] | None] = queue.Queue(DEPTH)
        self._failure: BaseException | None = None
        self.refused: dict[str, tuple[str, str]] = {}
        """Tables whose state PostgreSQL refused, with code and message: batches that come later leave them alone."""

    def run(self) -> None:
        """Commit until told to end or something fails; then only drain."""
        while (item := self._queue.get()) is not None:
            if self._failure is None:
                try:
                    self._commit(*item)
                    self._committed(item[0])
                except BaseException as error:  # noqa: BLE001 - it is raised again in the owner's thread
                    self._failure = error
            self._queue.task_done()
        self._queue.task_done()

    def _commit(self, batch: Batch, privacy: PrivacyMark) -> None:
        """One batch; where PostgreSQL refuses a table's state, the same batch without it."""
        while True:
            try:
                given = without(batch, self.refused) if self.refused else batch
                return commit(self._connection, self._fence, given, privacy, self._observe)
            except StateRefused as error:
                self.refused[error.table] = (error.code, error.message)

    def submit(self, batch: Batch, privacy: PrivacyMark) -> None:
        """Hand a batch over; waits while the queue is full. Raises what made the writer fail."""
        while True:
            self.check()
            try:
                self._queue.put((batch, privacy), timeout=0.1)
            except queue.Full:
                continue
            return

    def check(self) -> None:
        """Raise what made the writer fail, if anything did."""
        if self._failure is not None:
            error = self._failure
            raise error if isinstance(error, CdcError) else TransientError(f"writer: {type(error).__name__}")

    @property
    def idle(self) -> bool:
        """Whether all batches handed over are committed (or dropped after a failure)."""
        return self._queue.unfinished_tasks == 0

    def drain(self) -> None:
        """Wait until all batches are committed; raises what made the writer fail."""
        self._queue.join()
        self.check()

    def stop(self) -> None:
        """End the thread after the batches that wait. Does not raise."""
        self._queue.put(None)
        self.join()

"""What the operator sees of a running worker: plain lines with lag and rate. Coordinates, counts, never a value."""

from __future__ import annotations

import sys
import threading
import time
from datetime import UTC, datetime
from typing import TextIO

from cdc.batch import Batch


class Progress:
    """Lines on standard error: notes at once, the stream's state every ``every_s`` seconds when something moved."""

    def __init__(self, log: str, *, every_s: float = 5.0, out: TextIO | None = None) -> None:
        self._log = log
        self._every_s = every_s
        self._out = out or sys.stderr
        self._lock = threading.Lock()
        self._records = 0
        self._told_records = 0
        self._told_at = time.monotonic()
        self._last: Batch | None = None

    def note(self, text: str) -> None:
        """One line, now."""
        stamp = datetime.now(UTC).strftime("%H:%M:%S")
        with self._lock:
            print(f"{stamp} {self._log}: {text}", file=self._out, flush=True)

    def committed(self, batch: Batch) -> None:
        """A batch is in the warehouse."""
        self._records += batch.records
        self._last = batch

    def beat(self, lag: int | None) -> None:
        """Called often; prints when it is time and something moved. ``lag`` is in records."""
        now = time.monotonic()
        if now - self._told_at < self._every_s or self._records == self._told_records or self._last is None:
            return
        rate = (self._records - self._told_records) / (now - self._told_at)
        end = self._last.end
        behind = "unknown" if lag is None else f"{lag:,}"
        self.note(
            f"{rate:,.0f} records/s, lag {behind}, offset {end.next_offset:,}, {end.edge.size:,} entries,"
            f" complete through {instant(end.complete_at)}"
        )
        self._told_at, self._told_records = now, self._records


def instant(nanoseconds: int | None) -> str:
    """An instant in UTC to the microsecond, or that there is none."""
    if nanoseconds is None:
        return "nothing yet"
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{rest // 1000:06d}Z"
    except (OverflowError, ValueError):  # a source's clock may say anything
        return f"{nanoseconds} ns since 1970"

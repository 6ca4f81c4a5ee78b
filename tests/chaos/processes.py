"""Workers as processes whose standard error is followed while they run."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

PATIENCE_S = 60.0
"""A busy machine is slow: what has a limit of its own is measured, all else may take so long."""


class Process:
    """One worker: the real command, or ``tests.chaos.worker``. Ended with the test, also when it is stopped."""

    def __init__(self, module: str, arguments: Sequence[str | Path]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *map(str, arguments)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self._lines: list[str] = []
        self._reader = threading.Thread(target=self._follow, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def said(self) -> str:
        """Everything on its standard error so far."""
        return "".join(self._lines)

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    @property
    def stopped(self) -> bool:
        """Whether a signal has stopped it (state T, proc(5))."""
        return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"

    def send(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def ended(self, timeout_s: float = PATIENCE_S) -> int:
        """Wait for its end; returns the exit code."""
        code = self._process.wait(timeout_s)
        self._reader.join(timeout_s)
        return code

    def says(self, text: str, times: int = 1, timeout_s: float = PATIENCE_S) -> None:
        """Wait until it has said this."""
        until(lambda: self.said.count(text) >= times, timeout_s, lambda: f"it never said {text!r}: {self.said}")

    def end(self) -> None:
        """Whatever it does: it is gone afterwards."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        self.ended()

    def _follow(self) -> None:
        self._lines.extend(iter(self._process.stderr.readline, ""))


def until(
    holds: Callable[[], object], timeout_s: float = PATIENCE_S, otherwise: Callable[[], str] = lambda: "it never came"
) -> float:
    """Wait until something holds; returns how many seconds it took."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < timeout_s, otherwise()
        time.sleep(0.02)
    return time.monotonic() - began


@contextlib.contextmanager
def processes() -> Iterator[Callable[..., Process]]:
    """Start processes that end with the block, and none of which may end in a traceback."""
    started: list[Process] = []

    def start(module: str, *arguments: str | Path) -> Process:
        started.append(Process(module, arguments))
        return started[-1]

    try:
        yield start
    finally:
        for process in started:
            process.end()
    assert [process.said for process in started if "Traceback" in process.said] == []

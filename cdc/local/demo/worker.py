"""One ``cdc replicate`` as a process, whose log the story reads."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

from cdc.config import Config
from cdc.local.demo.claims import ClaimFailed


class Worker:
    """A worker of one source. Its standard error goes to ``replicate-<name>.log`` in the state folder."""

    def __init__(self, name: str, source: str, settings: Config) -> None:
        self.log = settings.state / f"replicate-{name}.log"
        self._command = [sys.executable, "-m", "cdc", "replicate", source, "--config", str(settings.path)]
        self._process: subprocess.Popen[bytes] | None = None
        self._mark = 0

    @property
    def pid(self) -> int:
        """Of the process as it was started last."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it, or start it again after its end."""
        self.mark()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stderr=log, stdin=subprocess.DEVNULL)

    def mark(self) -> None:
        """Have :attr:`said` begin here."""
        self._mark = self.log.stat().st_size if self.log.exists() else 0

    @property
    def said(self) -> list[str]:
        """Lines of its log since the mark, without their times."""
        lines = self.log.read_bytes()[self._mark :].decode(errors="replace").splitlines()
        return [line.partition(": ")[2] for line in lines]

    def says(self, text: str) -> str | None:
        """The first line since the mark with this text in it."""
        return next((line for line in self.said if text in line), None)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL: no chance to finish anything."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._process = None

    def stop(self) -> float:
        """SIGTERM; returns the seconds it took to end.

        Raises:
            ClaimFailed: it did not end, or not well.
        """
        assert self._process is not None
        began = time.monotonic()
        self._process.terminate()
        try:
            code = self._process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            raise ClaimFailed("a worker did not end within 60 s of SIGTERM") from None
        if code != 0:
            raise ClaimFailed(f"a worker ended with exit code {code}: {self._last()}")
        self._process = None
        return time.monotonic() - began

    def check(self) -> None:
        """Raise ClaimFailed when it has ended by itself."""
        if self._process is not None and self._process.poll() is not None:
            raise ClaimFailed(f"a worker has ended: {self._last()}")

    def end(self) -> None:
        """Leave nothing running, whatever happened; also ends a stopped process."""
        if self._process is not None and self._process.poll() is None:
            self.kill()

    def _last(self) -> str:
        return " | ".join(self.said[-3:]) or "it said nothing"

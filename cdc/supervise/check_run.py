"""Runs one scheduled check at a time, as a process of its own, with memory and connections of its own."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from cdc.supervise.checks import CHECKS, Ran, judged

_GRACE_S = 3.0


@dataclass(frozen=True, slots=True)
class _Job:
    check: str
    began: float
    process: subprocess.Popen[bytes]
    answer: IO[bytes]


class Runner:
    """Starts checks and collects how they ended. ``now``: seconds since 1970."""

    def __init__(self, config: Path, now: Callable[[], float]) -> None:
        self._config = config
        self._now = now
        self._job: _Job | None = None

    @property
    def running(self) -> str | None:
        """The check that runs now."""
        return None if self._job is None else self._job.check

    def start(self, check: str) -> None:
        """Start it; nothing else must run."""
        answer = tempfile.TemporaryFile()  # noqa: SIM115 - read when the process has ended; a pipe would fill
        command = [sys.executable, "-m", "cdc", *CHECKS[check], "--config", str(self._config)]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=answer, stderr=subprocess.DEVNULL)
        self._job = _Job(check, self._now(), process, answer)

    def ended(self) -> Ran | None:
        """How the check ended that was started, once it has."""
        job = self._job
        if job is None:
            return None
        code = job.process.poll()
        if code is None:
            return None
        self._job = None
        with job.answer:
            job.answer.seek(0)
            text = job.answer.read().decode(errors="replace")
        return judged(job.check, job.began, max(0.0, self._now() - job.began), code, text)

    def stop(self) -> None:
        """End what runs; it leaves no verdict."""
        job, self._job = self._job, None
        if job is None:
            return
        job.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            job.process.wait(_GRACE_S)
        if job.process.poll() is None:
            job.process.kill()
            job.process.wait()
        job.answer.close()

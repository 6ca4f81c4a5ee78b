"""What every part of the stack can do, and the rules by which one is started, judged and stopped."""

from __future__ import annotations

import hashlib
import json
import signal
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

from cdc.errors import CdcError
from cdc.local import process
from cdc.local.private_file import write_private
from cdc.local.process import ProcessIdentity

Report = Callable[[str], None]

_GRACE = 30
"""Seconds that a running part has to answer before it is restarted: a busy machine is slow, not broken."""


class PartFailed(CdcError):
    """A part of the stack did not come up. The message ends with the lines of its log that say why."""


class Part(Protocol):
    """One process of the stack."""

    @property
    def name(self) -> str:
        """``source``, ``warehouse``, ``broker`` or ``connect``."""

    @property
    def folder(self) -> Path:
        """Its data; also its working directory."""

    @property
    def port(self) -> int:
        """The TCP port on 127.0.0.1 that its clients use."""

    @property
    def logs(self) -> tuple[Path, ...]:
        """Its log files; the first receives what the process prints."""

    @property
    def patience(self) -> float:
        """Seconds it may take until it is ready, on a slow machine."""

    @property
    def stop_signal(self) -> signal.Signals:
        """The signal that ends it in good order."""

    def fetch(self, report: Report) -> None:
        """Make sure that the program it runs is there and is the one that was pinned."""

    def prepare(self) -> None:
        """Make its data folder if it is new, write its configuration, mend what a kill left behind."""

    def command(self) -> list[str]:
        """The command line. With the configuration it tells whether a running process is the wanted one."""

    def environment(self) -> Mapping[str, str]:
        """The whole environment of the process."""

    def settings(self) -> str:
        """The text of its configuration."""

    def ready(self) -> str | None:
        """Ask it: None when it answers as itself, otherwise what is the matter, in a few words."""


@dataclass(frozen=True, slots=True)
class _Running:
    pid: int
    started: int
    boot: str
    fingerprint: str

    @property
    def identity(self) -> ProcessIdentity:
        return ProcessIdentity(self.pid, self.started, self.boot)


class Runner:
    """Starts and stops parts, and remembers their processes in ``<state>/run``."""

    def __init__(self, run_folder: Path) -> None:
        self._folder = run_folder
        self.cancelled = threading.Event()  # set: no start goes on waiting

    def running(self, name: str) -> ProcessIdentity | None:
        """A part's living process, whoever started it."""
        record = self._record(name)
        return record.identity if record is not None and process.alive(record.identity) else None

    def killed(self, name: str) -> bool:
        """Whether a part has ended without being stopped."""
        record = self._record(name)
        return record is not None and not process.alive(record.identity)

    def start(self, part: Part, report: Report) -> bool:
        """Make sure that the part runs with its present configuration and answers. False when it already did.

        Raises:
            PartFailed: it ended, or did not answer in time.
        """
        record = self._record(part.name)
        if record is not None and process.alive(record.identity):
            if record.fingerprint == fingerprint(part) and self._answers(part, record.identity, _GRACE) is None:
                return False
            report(f"{part.name}: runs but does not answer, or with other settings: restarting it")
            self.stop(part, report)
        began = time.monotonic()
        part.fetch(report)
        self._end_forgotten(part, report)
        part.prepare()
        marks = [(log, log.stat().st_size if log.exists() else 0) for log in part.logs]
        identity = process.spawn(part.command(), log=part.logs[0], folder=part.folder, environment=part.environment())
        self._remember(part, identity)
        trouble = self._answers(part, identity, part.patience)
        if trouble is not None:
            self.stop(part, report)
            raise PartFailed(_obituary(part, trouble, marks), hint=f"the whole log: {part.logs[0]}")
        report(f"{part.name}: up on 127.0.0.1:{part.port} ({time.monotonic() - began:.1f} s)")
        return True

    def stop(self, part: Part, report: Report, patience: float = 30) -> bool:
        """End the part's process, and any off the record in its folder. False when none was on record."""
        identity = self.running(part.name)
        if identity is not None and not process.stop(identity, part.stop_signal, patience):
            report(f"{part.name}: did not stop within {patience:.0f} s: killed")
        self._end_forgotten(part, report)
        self._path(part.name).unlink(missing_ok=True)
        return identity is not None

    @staticmethod
    def _end_forgotten(part: Part, report: Report) -> None:
        """End what an interrupted start or a killed parent left: it holds the data folder, or the port."""
        for identity in process.working_in(part.folder):
            report(f"{part.name}: ending process {identity.pid}, left behind in its folder")
            process.stop(identity, part.stop_signal, 5)

    def _answers(self, part: Part, identity: ProcessIdentity, patience: float) -> str | None:
        deadline = time.monotonic() + patience
        while True:
            if not process.alive(identity):
                return "ended"
            trouble = part.ready()
            if trouble is None:
                return None
            if self.cancelled.is_set():
                return "interrupted"
            if time.monotonic() > deadline:
                return f"not ready after {patience:.0f} s: {trouble}"
            time.sleep(0.05)

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.json"

    def _record(self, name: str) -> _Running | None:
        try:
            return _Running(**json.loads(self._path(name).read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def _remember(self, part: Part, identity: ProcessIdentity) -> None:
        record = _Running(identity.pid, identity.started, identity.boot, fingerprint(part))
        write_private(self._path(part.name), json.dumps(asdict(record)))


def fingerprint(part: Part) -> str:
    """Digest of command line and configuration."""
    return hashlib.sha256("\0".join([*part.command(), part.settings()]).encode()).hexdigest()[:32]


def _obituary(part: Part, trouble: str, marks: list[tuple[Path, int]]) -> str:
    said = [line for log, size in marks for line in process.tail(log, since=size)]
    lines = "".join(f"\n    {line}" for line in said) or " (it logged nothing)"
    return f"{part.name}: {trouble}; its log says:{lines}"

"""What all acts share: the stack's configuration, the teller, and every process that must end with the demo."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType

from cdc import config
from cdc.config import Config
from cdc.errors import ConfigError
from cdc.local.demo.claims import ClaimFailed, ask
from cdc.local.demo.telling import Teller
from cdc.local.demo.worker import Worker
from cdc.local.private_file import write_private
from cdc.local.stack import Stack

SOURCES = ("trading", "portfolio")
PATIENCE_S = 240.0
"""How long anything may take on a slow machine before it counts as never."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One performance. Use it in a ``with`` statement: what it started has ended afterwards."""

    settings: Config
    say: Teller
    workers: dict[str, Worker] = field(default_factory=dict)
    checks: list[Callable[[], None]] = field(default_factory=list)
    """Raise when something that must go on has ended; asked while waiting."""
    held: list[str] = field(default_factory=list)
    """What the independent programs have said."""
    _ends: ExitStack = field(default_factory=ExitStack)

    @classmethod
    def of(cls, stack: Stack, say: Teller) -> Stage:
        """A stage on a stack that is up."""
        checkout()
        return cls(config.load(stack.state / "cdc.toml"), say)

    def __enter__(self) -> Stage:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ends.close()

    def worker(self, name: str, source: str) -> Worker:
        """Start ``cdc replicate`` of a source, whose end this stage sees to."""
        worker = Worker(name, source, self.settings)
        self._ends.callback(worker.end)
        worker.start()
        self.workers[name] = worker
        return worker

    def on_exit(self, end: Callable[[], object]) -> None:
        """Have something ended with the stage."""
        self._ends.callback(end)

    def wait(self, reached: Callable[[], object], what: str) -> float:
        """Wait until something holds; returns the seconds it took.

        Raises:
            ClaimFailed: it does not come, or a process that must go on has ended.
        """
        began = time.monotonic()
        while not reached():
            for check in (*(worker.check for worker in self.workers.values()), *self.checks):
                check()
            if time.monotonic() - began > PATIENCE_S:
                raise ClaimFailed(f"waited {PATIENCE_S:.0f} s for {what}")
            time.sleep(0.1)
        return time.monotonic() - began

    def judge(self, program: str, *arguments: str, given: Mapping[str, str] | None = None) -> None:
        """Run one of ``tests.oracle``'s programs: each line that it prints is a claim that held.

        ``given`` goes to its standard input, as JSON.

        Raises:
            ClaimFailed: a claim does not hold; the message is the program's.
        """
        command = [sys.executable, "-m", f"tests.oracle.{program}", *arguments]
        with subprocess.Popen(
            command, cwd=checkout(), text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        ) as process:  # fmt: skip
            assert process.stdin is not None
            assert process.stdout is not None
            assert process.stderr is not None
            try:
                with suppress(BrokenPipeError):  # it ended before reading; why, it says itself
                    process.stdin.write(json.dumps(given or {}))
                    process.stdin.close()
                for line in process.stdout:
                    self.say(line.rstrip())
                    self.held.append(line.rstrip())
                complaints = process.stderr.read().strip().splitlines()
            except BaseException:
                process.kill()
                raise
        if process.returncode != 0:
            raise ClaimFailed(complaints[-1] if complaints else f"tests.oracle.{program} failed")

    def cdc(self, *arguments: str, path: Path | None = None, codes: tuple[int, ...] = (0,)) -> str:
        """Run a command of ours as a process; what it printed.

        Raises:
            ClaimFailed: it ended with another exit code than one of ``codes``.
        """
        command = [sys.executable, "-m", "cdc", *arguments, "--config", str(path or self.settings.path)]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, env=os.environ | {"PYTHONIOENCODING": "utf-8"}
        )
        if done.returncode not in codes:
            said = done.stderr.strip().splitlines() or ["no reason given"]
            raise ClaimFailed(f"cdc {' '.join(arguments)}: exit code {done.returncode}: {said[0]}")
        return done.stdout

    @contextmanager
    def beside(self, name: str, template: str = "template0") -> Iterator[Stage]:
        """Another warehouse database for a while, empty or a copy, as a stage whose commands go there.

        A copy needs a template that nobody is connected to.
        """
        admin = self.settings.warehouse_admin_dsn
        ask(admin, f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy", database="postgres")
        path = self.settings.path.with_name(f"{name}.toml")
        try:
            write_private(path, self.settings.path.read_text().replace("dbname=warehouse ", f"dbname={name} "))
            yield replace(self, settings=config.load(path), workers={})
        finally:
            path.unlink(missing_ok=True)
            ask(admin, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)", database="postgres")


def checkout() -> Path:
    """The source tree, which has the independent checks; an installed package has not.

    Raises:
        ConfigError: this is not a source tree.
    """
    root = Path(__file__).resolve().parents[3]
    if not (root / "tests" / "oracle" / "evidence.py").is_file():
        raise ConfigError(
            "the demo's independent checks are in the source tree (tests/oracle)", hint="make demo, in a checkout"
        )
    return root

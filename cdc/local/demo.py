"""The main job before your eyes: two live databases captured, protected, replicated, a kill in the middle, all checked.

Nothing here is staged: every line says what just happened, and the checks at the end run in a process of their own that
imports nothing of this project (``tests/oracle/evidence.py``).
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import psycopg2

from cdc import config
from cdc.config import Config
from cdc.errors import CdcError, ConfigError
from cdc.local import workload
from cdc.local.stack import Stack
from cdc.warehouse.status import StreamStatus, streams

Say = Callable[[str], None]
SOURCES = ("trading", "portfolio")
KILL_AT_ENTRIES = 500
"""Entries after which the worker of trading is killed: the workload is in full flow then."""
PATIENCE_S = 240.0


class ClaimFailed(CdcError):
    """One of the demo's claims does not hold."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the demo measured, for the scoreboard."""

    changes: int
    transactions: int
    records: int
    entries: int
    descriptions: int
    skipped: int
    kills: int
    seconds_flowing: float
    checks: tuple[str, ...]


class Worker:
    """``cdc replicate`` of one source as a process, its standard error kept in a file."""

    def __init__(self, source: str, settings: Config) -> None:
        self.log = settings.state / f"replicate-{source}.log"
        self._command = [sys.executable, "-m", "cdc", "replicate", source, "--config", str(settings.path)]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> int:
        """Start it; returns its process id."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stderr=log, stdin=subprocess.DEVNULL)
        return self._process.pid

    def kill(self) -> None:
        """SIGKILL: no chance to finish anything."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> float:
        """SIGTERM; returns the seconds it took to end. Raises ClaimFailed when it did not end well."""
        assert self._process is not None
        began = time.monotonic()
        self._process.send_signal(signal.SIGTERM)
        if self._process.wait(timeout=30) != 0:
            raise ClaimFailed(f"the worker ended with {self._process.returncode}", hint=f"see {self.log}")
        return time.monotonic() - began

    def check(self) -> None:
        """Raise ClaimFailed when it has ended by itself."""
        if self._process is not None and self._process.poll() is not None:
            lines = self.log.read_text().splitlines()[-3:]
            raise ClaimFailed(f"the worker has ended: {' | '.join(lines)}", hint=f"see {self.log}")

    def end(self) -> None:
        """Leave nothing running, whatever happened."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()


def run(stack: Stack, say: Say, scale: float, seed: int) -> Outcome:
    """Play the whole story on a stack that is up.

    Raises:
        ClaimFailed: a claim does not hold; the message says which.
    """
    settings = config.load(stack.state / "cdc.toml")
    oracle = _oracle()
    say("connectors: applying both definitions (snapshot, then live changes)")
    _cdc("connectors", "apply", settings=settings)
    say("connectors: trading and portfolio run; all changes go to Kafka, one ordered topic a source")
    workers = {source: Worker(source, settings) for source in SOURCES}
    try:
        for source, worker in workers.items():
            say(f"cdc replicate {source}: process {worker.start()}")
        began = time.monotonic()
        summaries, kills = _flow(settings, workers, say, scale, seed)
        _drain(settings, workers, say)
        flowing = time.monotonic() - began
        for source, worker in workers.items():
            say(f"SIGTERM to cdc replicate {source}: ended in {worker.stop():.1f} s")
    finally:
        for worker in workers.values():
            worker.end()
    checks = _check(oracle, settings, say)
    found = streams(settings.warehouse_auditor_dsn)
    return Outcome(
        changes=sum(summary.changes for summary in summaries.values()),
        transactions=sum(summary.committed for summary in summaries.values()),
        records=sum(stream.records for stream in found),
        entries=sum(stream.entries for stream in found),
        descriptions=sum(stream.extra_entries for stream in found),
        skipped=sum(sum(stream.skipped.values()) for stream in found),
        kills=kills,
        seconds_flowing=flowing,
        checks=checks,
    )


def _flow(
    settings: Config, workers: dict[str, Worker], say: Say, scale: float, seed: int
) -> tuple[dict[str, workload.WorkloadSummary], int]:
    """Run the workload on both databases at once, and kill the worker of trading in the middle of it."""
    say(f"workload: both databases, seed {seed}, scale {scale:g}: key changes, rollbacks, TRUNCATE …")

    def play(source: str) -> workload.WorkloadSummary:
        return workload.run(settings.sources[source].admin_dsn or "", source, seed, scale)

    with ThreadPoolExecutor(len(SOURCES)) as pool:
        running = {source: pool.submit(play, source) for source in SOURCES}
        _wait(lambda: _entries(settings, "trading") >= KILL_AT_ENTRIES, workers, "the first entries")
        workers["trading"].kill()
        database = "its database is quiet again" if running["trading"].done() else "its database still changing"
        say(f"SIGKILL to cdc replicate trading, {_entries(settings, 'trading'):,} entries in, {database}")
        time.sleep(1)
        pid = workers["trading"].start()
        say(f"cdc replicate trading again: process {pid}; it asks the warehouse where to go on")
        summaries = {source: future.result() for source, future in running.items()}
    for source, summary in summaries.items():
        say(
            f"workload: {source} committed {summary.changes:,} row changes in {summary.committed:,} transactions"
            f" ({summary.rolled_back} rolled back) in {summary.seconds:.1f} s"
        )
    return summaries, 1


def _drain(settings: Config, workers: dict[str, Worker], say: Say) -> None:
    """Wait until everything committed at the sources is captured, and everything captured is in the warehouse."""
    from cdc.stream import end_offsets

    for source in SOURCES:
        _wait(_captured(settings, source), workers, f"the capture of {source}")
    ends = end_offsets(settings.kafka, [settings.sources[source].topic for source in SOURCES])
    for source in SOURCES:
        end = ends[settings.sources[source].topic]

        def reached(source: str = source, end: int = end) -> bool:
            # The last offset of a topic can be Kafka's own transaction marker, which is no record.
            return _stream(settings, source).position >= end - 1

        _wait(reached, workers, f"the warehouse to reach the end of {source}")
        stream = _stream(settings, source)
        say(f"{source}: all {stream.records:,} Kafka records are in the warehouse: {stream.entries:,} entries")


def _captured(settings: Config, source: str) -> Callable[[], bool]:
    """Whether Debezium has confirmed everything committed at the source up to now."""
    ((lsn,),) = _ask(settings, source, "SELECT pg_current_wal_insert_lsn()")
    reached = "SELECT confirmed_flush_lsn >= %s FROM pg_replication_slots WHERE slot_name = %s"
    return lambda: _ask(settings, source, reached, lsn, f"cdc_{source}") == [(True,)]


def _ask(settings: Config, source: str, statement: str, *parameters: object) -> list[tuple[object, ...]]:
    connection = psycopg2.connect(settings.sources[source].admin_dsn)
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            return cursor.fetchall()
    finally:
        connection.close()


def _wait(reached: Callable[[], bool], workers: dict[str, Worker], what: str) -> None:
    ends = time.monotonic() + PATIENCE_S
    while not reached():
        for worker in workers.values():
            worker.check()
        if time.monotonic() > ends:
            raise ClaimFailed(
                f"waited {PATIENCE_S:.0f} s for {what}", hint="cdc status; the logs are in the state folder"
            )
        time.sleep(0.1)


def _stream(settings: Config, source: str) -> StreamStatus:
    for stream in streams(settings.warehouse_auditor_dsn):
        if stream.log == source:
            return stream
    raise ClaimFailed(f"the warehouse has no stream {source}")


def _entries(settings: Config, source: str) -> int:
    return next((s.entries for s in streams(settings.warehouse_auditor_dsn) if s.log == source), 0)


def _cdc(*arguments: str, settings: Config) -> None:
    command = [sys.executable, "-m", "cdc", *arguments, "--config", str(settings.path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ClaimFailed(f"cdc {' '.join(arguments)}: {done.stderr.strip().splitlines()[-1]}")


def _oracle() -> Path:
    """The folder of the independent checks. They are in the source tree, not in an installed package."""
    root = Path(__file__).resolve().parents[2]
    if not (root / "tests" / "oracle" / "evidence.py").is_file():
        raise ConfigError(
            "the demo's independent checks are in the source tree (tests/oracle)", hint="make demo, in a checkout"
        )
    return root


def _check(root: Path, settings: Config, say: Say) -> tuple[str, ...]:
    """Run the independent checks in a process of their own; each of its lines is a claim that held."""
    say("checking, in a process that imports nothing of this project:")
    command = [sys.executable, "-m", "tests.oracle.evidence", str(settings.path)]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        held = []
        for line in process.stdout:
            say("  " + line.rstrip())
            held.append(line.rstrip())
        errors = process.stderr.read().strip().splitlines()
    if process.returncode != 0:
        raise ClaimFailed(errors[-1] if errors else "the independent checks failed")
    return tuple(held)


def scoreboard(outcome: Outcome, seconds: float) -> str:
    """The figures of the run, as people read them."""
    rows = [
        ("source transactions", f"{outcome.transactions:,}"),
        ("row changes committed", f"{outcome.changes:,}"),
        ("Kafka records", f"{outcome.records:,}"),
        ("  = entries in the log", f"{outcome.entries - outcome.descriptions:,}"),
        ("  + counted skips", f"{outcome.skipped:,}   (BEGIN, folded END, tombstones, heartbeats, notifications)"),
        ("entries that describe tables", f"{outcome.descriptions:,}"),
        ("SIGKILLs survived", f"{outcome.kills}"),
        ("independent checks", f"{len(outcome.checks)} held"),
        ("flow, first change to last commit", f"{outcome.seconds_flowing:.1f} s"),
        ("whole demo", f"{seconds:.1f} s"),
    ]
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"  {name.ljust(width)}  {value}" for name, value in rows)

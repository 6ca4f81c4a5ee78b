"""One drain of a filled stream: a worker process of ours, or the bare floor, each into a database of its own.

What is counted is what the target holds afterwards, never what an arm says of itself.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import psycopg2

from cdc.local.stack import Stack
from cdc.warehouse.migrate import migrate
from governance.setup import set_up
from tests.bench.cpu import Meter
from tests.bench.filling import Filled
from tests.bench.tables import policy_text


@dataclass(frozen=True, slots=True)
class Drained:
    """One drain. ``seconds``: from owning the stream (or subscribing) to the end; ``memory``: bytes, at most;
    ``cpu``: seconds by where they went; ``log_bytes``, ``table_bytes``: of the entries, and of their tables and indexes.
    """

    arm: str
    changes: int
    seconds: float
    memory: int = 0
    log_bytes: int = 0
    table_bytes: int = 0
    cpu: Mapping[str, float] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """Row changes a second."""
        return self.changes / self.seconds


@dataclass(frozen=True, slots=True)
class Run:
    """One worker process: seconds, bytes at most, CPU seconds by where they went."""

    seconds: float
    memory: int
    cpu: Mapping[str, float]


class Target:
    """A fresh, migrated warehouse and a fresh privacy store, in databases that :meth:`drop` removes."""

    def __init__(self, stack: Stack, filled: Filled) -> None:
        self._stack, self._filled = stack, filled
        self._name = f"bench_{uuid.uuid4().hex[:8]}"
        self.folder = stack.state / "bench" / self._name
        self.folder.mkdir(parents=True)
        addresses = stack.addresses()
        for database in (self._name, f"{self._name}_privacy"):
            self._admin(f"CREATE DATABASE {database} STRATEGY wal_log")
        migrate(self.dsn(addresses.warehouse_admin_dsn))
        set_up(self.dsn(addresses.privacy_admin_dsn, "_privacy"), self.folder / "keyring.json")
        self.config = self._configuration()

    def dsn(self, dsn: str, suffix: str = "") -> str:
        """The same way in, to this target's database."""
        return psycopg2.extensions.make_dsn(dsn, dbname=self._name + suffix)

    @property
    def auditor_dsn(self) -> str:
        """How an auditor gets in."""
        return self.dsn(self._stack.addresses().auditor_dsn)

    def ask(self, statement: str, *parameters: object) -> tuple[object, ...]:
        """One row, as the warehouse's owner."""
        connection = psycopg2.connect(self.dsn(self._stack.addresses().warehouse_admin_dsn))
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(statement, parameters or None)
                return cursor.fetchone() or ()
        finally:
            connection.close()

    def commits(self, statement: str) -> list[tuple[float, int]]:
        """Rows of the statement, asked with the log's name: one for each commit."""
        connection = psycopg2.connect(self.dsn(self._stack.addresses().warehouse_admin_dsn))
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(statement, (self._filled.name,))
                return cursor.fetchall()
        finally:
            connection.close()

    def changes(self) -> int:
        """Row changes in the log."""
        (changes,) = self.ask("SELECT count(*) FROM audit.entry WHERE kind = 'change' AND table_name = 'public.trades'")
        return int(str(changes))

    def work(self, through: int | None = None) -> Run:
        """Run one worker to the end of the topic, or stop it when the log has ``through`` entries."""
        name = self._filled.name
        command = [sys.executable, "-m", "cdc", "replicate", name, "--config", str(self.config), "--until-caught-up"]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr is not None
            for line in process.stderr:
                if "owns stream" in line:
                    break
            began = time.monotonic()
            threading.Thread(target=process.stderr.read, daemon=True).start()
            meter = Meter(process.pid, self._stack.cluster("warehouse").dsn("postgres"))
            while (ended := os.wait4(process.pid, os.WNOHANG))[0] == 0:
                meter.look()
                if through is not None:
                    (size,) = self.ask("SELECT size FROM audit.log WHERE log = %s", name)
                    if int(str(size)) >= through:
                        process.send_signal(signal.SIGTERM)
                        through = None
                time.sleep(0.1)
            seconds = time.monotonic() - began
            meter.close()
            process.returncode = os.waitstatus_to_exitcode(ended[1])
        if process.returncode != 0:
            raise SystemExit(f"the worker ended with {process.returncode}")
        return Run(seconds, ended[2].ru_maxrss * 1024, meter.split())

    def counted(self, arm: str, run: Run) -> Drained:
        """What the warehouse holds now, which must be everything."""
        filled, changes = self._filled, self.changes()
        (log_bytes,) = self.ask("SELECT sum(octet_length(entry))::bigint FROM audit.entry WHERE kind = 'change'")
        (table_bytes,) = self.ask(
            "SELECT sum(pg_total_relation_size(relid))::bigint FROM pg_partition_tree(%s::regclass)",
            f"audit.entry_{filled.name}",
        )
        (rows,) = self.ask(f"SELECT count(*) FROM {filled.name}.trades")
        if changes != filled.changes or rows != filled.changes // 2:
            raise SystemExit(
                f"{arm}: {changes} changes and {rows} rows in the warehouse, {filled.changes} in the topic"
            )
        return Drained(arm, changes, run.seconds, run.memory, int(str(log_bytes)), int(str(table_bytes)), run.cpu)

    def drop(self) -> None:
        """Remove both databases."""
        for database in (self._name, f"{self._name}_privacy"):
            self._admin(f"DROP DATABASE {database} WITH (FORCE)")

    def _admin(self, statement: str) -> None:
        connection = psycopg2.connect(self._stack.cluster("warehouse").dsn("postgres"))
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
        connection.close()

    def _configuration(self) -> Path:
        addresses, name = self._stack.addresses(), self._filled.name
        policy = self.folder / "policy.yaml"
        policy.write_text(policy_text(name, self._filled.columns))
        tables = {
            "kafka": {"bootstrap.servers": addresses.bootstrap_servers},
            "connect": {"url": addresses.connect_url},
            "warehouse": {"dsn": self.dsn(addresses.warehouse_dsn), "auditor_dsn": self.dsn(addresses.auditor_dsn)},
            "privacy": {"dsn": self.dsn(addresses.privacy_dsn, "_privacy")},
            "keyring": {"path": str(self.folder / "keyring.json")},
            f"sources.{name}": {
                "policy": str(policy),
                "definition": str(self.folder.parent / f"{name}.yaml"),
                "topic": name,
            },
        }
        lines = [
            f"[{table}]\n" + "".join(f"{json.dumps(key)} = {json.dumps(value)}\n" for key, value in members.items())
            for table, members in tables.items()
        ]
        path = self.folder / "cdc.toml"
        path.write_text("\n".join(lines))
        path.chmod(0o600)
        return path


def drain(stack: Stack, filled: Filled, arm: str = "cdc replicate") -> Drained:
    """One worker, from an empty warehouse to the end of the topic."""
    target = Target(stack, filled)
    try:
        return target.counted(arm, target.work())
    finally:
        target.drop()


def drain_together(stack: Stack, streams: Sequence[Filled]) -> list[Drained]:
    """A worker for each of several streams, all at once."""
    with ThreadPoolExecutor(len(streams)) as pool:
        return list(pool.map(lambda filled: drain(stack, filled, f"{len(streams)} at once, {filled.name}"), streams))


def drain_cold(stack: Stack, filled: Filled) -> Drained:
    """The second half alone, by a worker that starts with empty caches: every row's predecessor, token and key is looked up."""
    target = Target(stack, filled)
    try:
        first = target.work(through=filled.changes // 2)
        before = target.changes()
        second = target.work()
        whole = target.counted("second half, cold", second)
        return replace(whole, changes=filled.changes - before, memory=max(first.memory, second.memory))
    finally:
        target.drop()


def floor(stack: Stack, filled: Filled) -> Drained:
    """Consume and COPY, nothing else."""
    name = f"floor_{uuid.uuid4().hex[:8]}"
    dsn = stack.cluster("warehouse").dsn("postgres")
    connection = psycopg2.connect(dsn)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name} STRATEGY wal_log")
        target = psycopg2.extensions.make_dsn(dsn, dbname=name)
        command = [
            sys.executable,
            "-m",
            "tests.bench.floor",
            stack.addresses().bootstrap_servers,
            filled.name,
            str(filled.end),
        ]
        done = subprocess.run(command, input=target, capture_output=True, text=True, check=True)
        counting = psycopg2.connect(target)
        with counting, counting.cursor() as cursor:
            cursor.execute('SELECT count(*) FROM payload WHERE payload LIKE \'%%"table":"trades"%%\'')
            (changes,) = cursor.fetchone() or (0,)
        counting.close()
        if changes != filled.changes:
            raise SystemExit(f"floor: {changes} of {filled.changes} changes in the table")
        return Drained("floor", changes, float(done.stdout))
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")
        connection.close()

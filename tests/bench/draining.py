"""One drain of a filled stream: a worker process of ours, or the bare floor, each into a database of its own.

What is counted is what the target holds afterwards, never what an arm says of itself.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

import psycopg2

from cdc.local.stack import Stack
from cdc.warehouse.migrate import migrate
from governance.setup import set_up
from tests.bench.filling import HERE, Filled


@dataclass(frozen=True, slots=True)
class Drained:
    """One drain. ``seconds``: from owning the stream (or subscribing) to the last commit; ``memory``: bytes, at most."""

    arm: str
    changes: int
    seconds: float
    memory: int = 0
    log_bytes: int = 0
    cpu: tuple[float, float] = (0.0, 0.0)

    @property
    def rate(self) -> float:
        """Row changes a second."""
        return self.changes / self.seconds


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

    def ask(self, statement: str, *parameters: object) -> tuple[object, ...]:
        """One row, as the warehouse's owner."""
        connection = psycopg2.connect(self.dsn(self._stack.addresses().warehouse_admin_dsn))
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(statement, parameters or None)
                return cursor.fetchone() or ()
        finally:
            connection.close()

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
        policy.write_text((HERE / "policy.yaml").read_text().format(name=name))
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


def drain(target: Target, filled: Filled, arm: str = "cdc replicate") -> Drained:
    """Run one worker from an empty warehouse to the end of the topic."""
    seconds, usage = _worker(target, filled)
    (changes, log_bytes) = target.ask(
        "SELECT count(*), sum(octet_length(entry))::bigint FROM audit.entry WHERE kind = 'change' AND table_name = 'public.trades'"
    )
    (rows,) = target.ask(f"SELECT count(*) FROM {filled.name}.trades")
    if changes != filled.changes or rows != filled.changes // 2:
        raise SystemExit(f"{arm}: {changes} changes and {rows} rows in the warehouse, {filled.changes} in the topic")
    return Drained(
        arm, filled.changes, seconds, usage.ru_maxrss * 1024, int(str(log_bytes)), (usage.ru_utime, usage.ru_stime)
    )


def _worker(target: Target, filled: Filled) -> tuple[float, os.struct_rusage]:
    command = [
        sys.executable,
        "-m",
        "cdc",
        "replicate",
        filled.name,
        "--config",
        str(target.config),
        "--until-caught-up",
    ]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        began = 0.0
        for line in process.stderr:
            if "owns stream" in line and not began:
                began = time.monotonic()
        _pid, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0 or not began:
        raise SystemExit(f"the worker ended with {process.returncode}")
    return time.monotonic() - began, usage


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

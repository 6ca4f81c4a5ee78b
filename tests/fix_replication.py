"""Fixtures of end-to-end tests: both databases captured by real Debezium, the standard workload in their topics.

``captured``   once per session: the native stack, connectors applied, the workload run and wholly in Kafka
``warehouse``  a new, migrated warehouse database for one test; drains the same topics from offset 0, same privacy store
"""

from __future__ import annotations

import atexit
import contextlib
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psycopg2
import pytest

from cdc import config
from cdc.config import Config
from cdc.errors import Conflict
from cdc.local import workload
from cdc.local.stack import Stack
from cdc.warehouse.migrate import migrate
from connectors.postgres_profile import HEARTBEAT_QUERY

SOURCES = ("trading", "portfolio")
SEED = 7
SCALE = 0.2


@dataclass(frozen=True, slots=True)
class Captured:
    """Two sources whose changes are in Kafka. ``summaries`` says what the workload committed, by source."""

    stack: Stack
    config: Path
    summaries: dict[str, workload.WorkloadSummary]

    def wait(self, source: str, timeout_s: float = 120) -> None:
        """Wait until everything that this source has committed so far is in its topic."""
        settings = config.load(self.config)
        connection = psycopg2.connect(settings.sources[source].admin_dsn)
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_current_wal_insert_lsn()")
            lsn = cursor.fetchone()[0]
            cursor.execute(HEARTBEAT_QUERY)  # the next heartbeat's change, early
            ends = time.monotonic() + timeout_s
            while True:
                # The slot moves when Connect has committed to Kafka; the heartbeat moves it past records of no table.
                cursor.execute(
                    "SELECT confirmed_flush_lsn >= %s FROM pg_replication_slots WHERE slot_name = %s",
                    (lsn, f"cdc_{source}"),
                )
                row = cursor.fetchone()
                if row is not None and row[0]:
                    break
                assert time.monotonic() < ends, f"{source} is not captured after {timeout_s} s"
                time.sleep(0.1)
        connection.close()


@dataclass(frozen=True, slots=True)
class Warehouse:
    """A warehouse of its own with the configuration file that points to it."""

    name: str
    path: Path

    @property
    def settings(self) -> Config:
        return config.load(self.path)

    def replicate(self, *arguments: str, timeout_s: float = 300) -> subprocess.CompletedProcess[str]:
        """Run ``cdc replicate`` to its end."""
        return subprocess.run(
            [sys.executable, "-m", "cdc", "replicate", "--config", str(self.path), *arguments],
            capture_output=True, text=True, timeout=timeout_s, check=False,
        )  # fmt: skip

    def drain(self, *sources: str) -> None:
        """Bring everything that the topics hold into the warehouse; several sources at once, a worker each."""
        wanted = sources or SOURCES
        with ThreadPoolExecutor(len(wanted)) as pool:
            for done in pool.map(lambda source: self.replicate(source, "--until-caught-up"), wanted):
                assert done.returncode == 0, done.stderr

    def start(self, source: str, *arguments: str) -> subprocess.Popen[str]:
        """Start a worker that runs on."""
        return subprocess.Popen(
            [sys.executable, "-m", "cdc", "replicate", source, "--config", str(self.path), *arguments],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def query(self, statement: str, parameters: tuple[object, ...] = ()) -> list[tuple]:
        """Rows of a query as the warehouse's owner."""
        connection = psycopg2.connect(self.settings.warehouse_admin_dsn)
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(statement, parameters)
                return cursor.fetchall()
        finally:
            connection.close()

    def leaves(self, log: str) -> list[bytes]:
        """The leaf hashes of a log, in order."""
        return [bytes(row[0]) for row in self.query("SELECT leaf FROM audit.entry WHERE log = %s ORDER BY seq", (log,))]


def cdc(*arguments: str, path: Path) -> None:
    """Run a command of ours that must succeed."""
    done = subprocess.run(
        [sys.executable, "-m", "cdc", *arguments, "--config", str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session")
def captured(stack: Stack) -> Captured:
    path = stack.state / "cdc.toml"
    cdc("connectors", "apply", *SOURCES, path=path)
    settings = config.load(path)
    _keep_wal(settings.sources["trading"].admin_dsn)
    summaries = {}
    for source in SOURCES:
        try:
            summaries[source] = workload.run(settings.sources[source].admin_dsn, source, SEED, SCALE)
        except Conflict:  # a kept stack has it already
            continue
    found = Captured(stack, path, summaries)
    for source in SOURCES:
        found.wait(source)
    return found


def _keep_wal(dsn: str) -> None:
    """Hold the source's WAL: what was deleted stays findable there, however many tests restart the source meanwhile."""
    connection = psycopg2.connect(dsn)
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_create_physical_replication_slot('kept_by_tests', true)"
            " WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = 'kept_by_tests')"
        )
    connection.close()


@pytest.fixture
def warehouse(captured: Captured) -> Iterator[Warehouse]:
    made = new_warehouse(captured)
    yield made
    drop_warehouse(captured, made)


def new_warehouse(captured: Captured) -> Warehouse:
    """A migrated warehouse database beside the stack's own: a clone of one that is migrated once per session."""
    name = f"warehouse_{uuid.uuid4().hex[:10]}"
    _admin(captured, f"CREATE DATABASE {name} TEMPLATE {_template(captured.config)}")
    path = captured.config.with_name(f"{name}.toml")
    path.write_text(captured.config.read_text().replace("dbname=warehouse ", f"dbname={name} "))
    warehouse = Warehouse(name, path)
    assert migrate(warehouse.settings.warehouse_admin_dsn) == []  # what a clone lacks: rights on the database itself
    return warehouse


@cache
def _template(path: Path) -> str:
    """A migrated database that nobody is connected to, gone with the session."""
    name = f"template_{uuid.uuid4().hex[:10]}"
    dsn = config.load(path).warehouse_admin_dsn
    _as_admin(dsn, f"CREATE DATABASE {name}")
    atexit.register(_drop_quietly, dsn, name)
    migrate(psycopg2.extensions.make_dsn(dsn, dbname=name))
    return name


def _drop_quietly(dsn: str, name: str) -> None:
    with contextlib.suppress(psycopg2.OperationalError):  # a stack that is gone has taken it along
        _as_admin(dsn, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def drop_warehouse(captured: Captured, warehouse: Warehouse) -> None:
    """Drop the database, whoever is connected, and its configuration file."""
    _admin(captured, f"DROP DATABASE IF EXISTS {warehouse.name} WITH (FORCE)")
    warehouse.path.unlink(missing_ok=True)


def _admin(captured: Captured, statement: str) -> None:
    _as_admin(config.load(captured.config).warehouse_admin_dsn, statement)


def _as_admin(dsn: str, statement: str) -> None:
    connection = psycopg2.connect(dsn)
    connection.autocommit = True
    connection.cursor().execute(statement)
    connection.close()

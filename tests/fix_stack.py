"""Fixtures with real servers. A service that cannot be had here skips its tests, and fails them under ``--require-services``.

``stack``               the whole native stack, once per session; ``$CDC_TEST_STATE`` keeps one running between sessions
``warehouse_cluster``   PostgreSQL alone, once per session; ``fresh_database()`` clones a template in milliseconds
``warehouse_database``  one migrated warehouse database for one test, dropped after it
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import psycopg2
import pytest
from psycopg2 import sql

from cdc.errors import ConfigError, Unreachable
from cdc.local import artifacts, java, mariadb, postgres
from cdc.local.addresses import free_port
from cdc.local.part import Runner
from cdc.local.private_file import private_folder
from cdc.local.stack import Stack

MISSING = "service missing: "
"""How a skip says that a service cannot be had here. Docker is the one service that no run has to have."""

LOGINS = ("cdc_replicator", "cdc_auditor", "cdc_privacy")


def missing_service(reason: str) -> None:
    """End the test: the service that it needs cannot be had here."""
    pytest.skip(MISSING + reason)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--require-services", action="store_true", help="a missing service fails its tests instead of skipping them"
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):
    report = yield
    if report.skipped and item.config.getoption("--require-services") and isinstance(report.longrepr, tuple):
        reason = report.longrepr[2].removeprefix("Skipped: ")
        if reason.startswith(MISSING) and "Docker" not in reason:
            report.outcome, report.longrepr = "failed", f"{reason} (--require-services)"
    return report


def pytest_report_header() -> list[str]:
    versions = []
    for name, ask in (
        ("PostgreSQL", postgres.server_version),
        ("MariaDB", mariadb.server_version),
        ("Kafka", lambda: _pinned("worker", "kafka-clients")),
        ("Debezium", lambda: _pinned("debezium-connector-postgres", "debezium-connector-postgres")),
        ("Java", lambda: java.find_java().version),
    ):
        try:
            versions.append(f"{name} {ask()}")
        except ConfigError as error:
            versions.append(f"{name} missing ({error})")
    return [f"services: {', '.join(versions)}"]


def _pinned(lock: str, artifact: str) -> str:
    return artifacts.read_lock(artifacts.runtime_folder() / f"{lock}.lock").version_of(artifact)


def started(stack: Stack) -> Stack:
    """Bring a stack up for tests; a prerequisite that is missing here is a missing service."""
    lines: list[str] = []
    try:
        stack.up(lines.append)
    except (ConfigError, Unreachable) as error:
        missing_service(f"the native stack: {error}")
    return stack


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """The whole native stack. Tests may kill and restart its parts, and leave it repaired."""
    kept = os.environ.get("CDC_TEST_STATE")
    state = Path(kept) if kept else Path(tempfile.mkdtemp(prefix="cdc-stack-"))
    stack = Stack(state)
    if not kept:
        atexit.register(_remove, stack)
    yield started(stack)
    if not kept:
        _remove(stack)


def _remove(stack: Stack) -> None:
    if stack.state.exists():
        stack.reset()
        atexit.unregister(_remove)


@dataclass(frozen=True, slots=True)
class FreshDatabase:
    """One database of its own, and how each role gets in."""

    name: str
    admin_dsn: str
    replicator_dsn: str
    auditor_dsn: str
    privacy_dsn: str


@dataclass
class WarehouseCluster:
    """A PostgreSQL cluster for tests that need only SQL. It does not survive a crash of the machine: fsync is off."""

    cluster: postgres.Cluster
    templates: dict[str, str] = field(default_factory=dict)
    cloning: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1))
    spare: Future[str] | None = None

    def fresh_database(self, prefix: str = "test", template: str | None = None) -> FreshDatabase:
        """A new database, cloned from ``warehouse`` (migrated), from another template of ``template()``, or empty."""
        if template == "warehouse" and template not in self.templates:
            from cdc.warehouse.migrate import migrate

            self.template("warehouse", migrate)
        return self._described(self._clone(prefix, self.templates[template] if template else "template0"))

    def migrated_database(self) -> FreshDatabase:
        """A migrated database for one test. While that runs, the next test's is cloned."""
        spare, self.spare = self.spare, None
        found = self.fresh_database("warehouse", "warehouse") if spare is None else self._described(spare.result())
        self.spare = self.cloning.submit(self._clone, "warehouse", self.templates["warehouse"])
        return found

    def _clone(self, prefix: str, origin: str) -> str:
        name = f"{prefix}_{uuid.uuid4().hex[:12]}"
        with self._admin() as cursor:
            cursor.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY wal_log").format(*map(sql.Identifier, (name, origin)))
            )
        return name

    def template(self, name: str, build: Callable[[str], object]) -> None:
        """Make a template once: ``build`` gets the owner's DSN of a new, empty database and must close its connections."""
        if name not in self.templates:
            fresh = self.fresh_database(f"template_{name}")
            build(fresh.admin_dsn)
            self.templates[name] = fresh.name

    def drop(self, database: FreshDatabase) -> None:
        """Drop a database, whoever is still connected."""
        with self._admin() as cursor:
            cursor.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(database.name)))

    def _described(self, name: str) -> FreshDatabase:
        return FreshDatabase(name, self.cluster.dsn(name), *(self.cluster.dsn(name, user) for user in LOGINS))

    def _admin(self) -> _Cursor:
        return _Cursor(self.cluster.dsn("postgres"))


class _Cursor:
    """A cursor outside any transaction, on a connection of its own."""

    def __init__(self, dsn: str) -> None:
        self._connection = psycopg2.connect(dsn)
        self._connection.autocommit = True

    def __enter__(self) -> psycopg2.extensions.cursor:
        return self._connection.cursor()

    def __exit__(self, *_error: object) -> None:
        self._connection.close()


@pytest.fixture(scope="session")
def warehouse_cluster() -> Iterator[WarehouseCluster]:
    """PostgreSQL alone, with the warehouse's login roles; one password (``test``) for all."""
    folder = private_folder(Path(tempfile.mkdtemp(prefix="cdc-warehouse-")))
    # Tests connect thousands of times; stretching a password that everybody knows is most of what that costs a client.
    tuning = {**postgres.WAREHOUSE, "fsync": "off", "shared_buffers": "128MB", "scram_iterations": "1"}
    cluster = postgres.Cluster("warehouse", folder / "data", folder / "warehouse.log", free_port(set()), "test", tuning)
    runner = Runner(private_folder(folder / "run"))

    def remove() -> None:
        if folder.exists():
            runner.stop(cluster, lambda _line: None)
            shutil.rmtree(folder)

    atexit.register(remove)
    try:
        runner.start(cluster, lambda _line: None)
    except ConfigError as error:
        missing_service(f"PostgreSQL: {error}")
    warehouse = WarehouseCluster(cluster)
    with warehouse._admin() as cursor:
        cursor.execute("ALTER ROLE postgres PASSWORD 'test'")  # initdb has stretched it
        for login in LOGINS:
            cursor.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'test'").format(sql.Identifier(login)))
    yield warehouse
    warehouse.cloning.shutdown()
    remove()
    atexit.unregister(remove)


@pytest.fixture
def warehouse_database(warehouse_cluster: WarehouseCluster) -> Iterator[FreshDatabase]:
    """One migrated warehouse database."""
    database = warehouse_cluster.migrated_database()
    yield database
    warehouse_cluster.drop(database)

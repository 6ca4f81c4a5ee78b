"""A database that nobody here designed, taken through ``cdc connectors init`` to the warehouse, and away again."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

import psycopg2
from confluent_kafka.admin import AdminClient

from cdc.local.postgres import binaries
from cdc.local.stack import Stack
from connectors.client import ConnectClient
from connectors.errors import NotFound
from connectors.postgres_profile import HEARTBEAT_QUERY
from tests.audit import cdc
from tests.fix_replication import Captured, Warehouse, drop_warehouse, new_warehouse


@dataclass(frozen=True, slots=True)
class Own:
    """One source of its own: a database in the stack's source cluster, a warehouse, and the files of ``init``."""

    name: str
    database: str
    stack: Stack
    warehouse: Warehouse
    admin_dsn: str = field(repr=False)

    @property
    def folder(self) -> Path:
        """Where ``init`` writes."""
        return self.stack.state / "sources" / self.name

    @property
    def secret(self) -> Path:
        return self.stack.state / "secrets" / f"{self.name}.properties"

    @property
    def policy(self) -> Path:
        return self.folder / "policy.yaml"

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "CDC_CONFIG": str(self.warehouse.path), "CDC_SOURCE_DSN": self.admin_dsn}

    def cdc(self, *arguments: str, code: int | None = 0, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command that must end with this exit code; None: with any."""
        done = subprocess.run(
            [sys.executable, "-m", "cdc", *arguments],
            env={**self.environment, **environment}, input=stdin, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert code in {None, done.returncode}, f"{done.returncode}: {done.stderr}"
        return done

    def apply(self, timeout_s: float = 180) -> None:
        """``cdc connectors apply`` for a new connector, and wait until it streams: its baseline is in Kafka.

        In this process, and without the seconds for which the command looks on: that Debezium streams says more.
        """
        arguments = ("connectors", "apply", self.name)
        with patch.dict(os.environ, self.environment), patch("connectors.apply.STEADY_S", 0):
            done = cdc(*arguments)
        assert done.code == 0, f"{done.code}: {done.err}"
        streams = (
            "SELECT FROM pg_replication_slots s JOIN pg_stat_replication r ON r.pid = s.active_pid"
            f" WHERE s.slot_name = 'cdc_{self.name}' AND r.state = 'streaming'"
        )
        ends = time.monotonic() + timeout_s
        while not self.ask(streams):
            assert time.monotonic() < ends, f"{self.name} does not stream after {timeout_s} s"
            time.sleep(0.1)

    def run(self, *statements: str) -> None:
        """As superuser, each statement in a transaction of its own."""
        connection = psycopg2.connect(self.admin_dsn)
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
        finally:
            connection.close()

    def psql(self, file: Path) -> None:
        """Run a file of SQL as a DBA does."""
        parts = psycopg2.extensions.parse_dsn(self.admin_dsn)
        done = subprocess.run(
            [binaries() / "psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", f"--file={file}"],
            env={"PGHOST": parts["host"], "PGPORT": parts["port"], "PGUSER": parts["user"], "PGPASSWORD": parts["password"], "PGDATABASE": self.database},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr

    def ask(self, query: str) -> list[tuple]:
        connection = psycopg2.connect(self.admin_dsn)
        try:
            with connection.cursor() as cursor:
                cursor.execute(query)
                return cursor.fetchall()
        finally:
            connection.close()

    def wait(self, timeout_s: float = 180) -> None:
        """Wait until everything that is committed now is in the topic.

        The slot moves past a position with a captured change after it. One is made: the next heartbeat's own, early.
        """
        ((lsn,),) = self.ask("SELECT pg_current_wal_insert_lsn()::text")
        if self.ask("SELECT to_regclass('cdc.heartbeat') IS NOT NULL") == [(True,)]:
            self.run(HEARTBEAT_QUERY)
        reached = f"SELECT confirmed_flush_lsn >= '{lsn}' FROM pg_replication_slots WHERE slot_name = 'cdc_{self.name}'"
        ends = time.monotonic() + timeout_s
        while self.ask(reached) != [(True,)]:
            assert time.monotonic() < ends, f"not captured after {timeout_s} s"
            time.sleep(0.1)

    def drain(self) -> None:
        """Bring everything that is committed now into the warehouse."""
        self.wait()
        self.warehouse.drain(self.name)


def run_as(dsn: str, *statements: str) -> None:
    connection = psycopg2.connect(dsn)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
    finally:
        connection.close()


@contextlib.contextmanager
def own_source(stack: Stack, name: str | None = None, database: str | None = None, server: str | None = None) -> Iterator[Own]:
    """An empty database and a warehouse; everything that came of them is gone afterwards. ``server``: DSN of a
    superuser of the server to make the database on; default: the stack's source.
    """
    name = name or f"own_{uuid.uuid4().hex[:8]}"
    database = database or name
    anywhere = server or stack.addresses().sources["trading"].admin_dsn
    run_as(psycopg2.extensions.make_dsn(anywhere, dbname="postgres"), f'CREATE DATABASE "{database}"')
    captured = Captured(stack, stack.state / "cdc.toml", {})
    warehouse = new_warehouse(captured)
    own = Own(name, database, stack, warehouse, psycopg2.extensions.make_dsn(anywhere, dbname=database))
    try:
        yield own
    finally:
        drop_warehouse(captured, warehouse)
        forget(own)


def forget(own: Own) -> None:
    """Connector, offsets, topic, slot, database, role and files."""
    addresses = own.stack.addresses()
    with ConnectClient(addresses.connect_url) as client, contextlib.suppress(NotFound):
        client.stop(own.name)
        client.delete_offsets(own.name)
        client.delete(own.name)
    AdminClient({"bootstrap.servers": addresses.bootstrap_servers}).delete_topics([own.name])
    maintenance = psycopg2.extensions.make_dsn(own.admin_dsn, dbname="postgres")
    slot = f"SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = 'cdc_{own.name}'"
    ends = time.monotonic() + 30
    while True:
        try:
            run_as(maintenance, slot)
            break
        except psycopg2.errors.ObjectInUse:
            assert time.monotonic() < ends
            time.sleep(0.2)
    run_as(maintenance, f'DROP DATABASE IF EXISTS "{own.database}" WITH (FORCE)', f'DROP ROLE IF EXISTS "cdc_{own.name}"')
    shutil.rmtree(own.folder, ignore_errors=True)
    own.secret.unlink(missing_ok=True)

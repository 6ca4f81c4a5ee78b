"""A MariaDB server of the tests' own, and databases on it that real Debezium captures into a warehouse.

``mariadb`` once per session: Debian's server, or a skip that says how to install it.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg2
import pytest
from confluent_kafka.admin import AdminClient

from cdc.cli.source_files import places
from cdc.errors import ConfigError
from cdc.local.addresses import free_port
from cdc.local.mariadb import Server, demand_installed
from cdc.local.mariadb_prepare import statements
from cdc.local.part import Runner
from cdc.local.private_file import private_folder, write_private
from cdc.local.stack import Stack
from cdc.warehouse.migrate import sql_folder
from connectors.client import ConnectClient
from connectors.errors import NotFound
from connectors.mariadb_profile import HEARTBEAT_QUERY
from tests.fix_replication import Captured, Warehouse, cdc, drop_warehouse, new_warehouse
from tests.fix_stack import missing_service

PASSWORD = "capture"
DEFINITION = """\
name: {name}
kind: mariadb
topic: {name}
server_id: {server_id}
database:
  host: ${{secret:{name}/host}}
  port: ${{secret:{name}/port}}
  name: {name}
  user: ${{secret:{name}/user}}
  password: ${{secret:{name}/password}}
  sslmode: disable
schemas: [{name}]
schema_history:
  bootstrap_servers: ${{secret:{name}/bootstrap_servers}}
heartbeat_interval_ms: 2000
"""


@contextlib.contextmanager
def maria_server() -> Iterator[Server]:
    """A server with what capture needs, gone afterwards.

    ConfigError: MariaDB is not installed here.
    """
    folder = private_folder(Path(tempfile.mkdtemp(prefix="cdc-mariadb-")))
    server = Server(folder / "mariadb", folder / "mariadb.log", free_port(set()), "test")
    runner = Runner(private_folder(folder / "run"))

    def remove() -> None:
        if folder.exists():
            runner.stop(server, lambda _line: None)
            shutil.rmtree(folder)

    atexit.register(remove)
    try:
        runner.start(server, lambda _line: None)
        script = (sql_folder() / "source" / "mariadb" / "capture.sql").read_text()
        run(server, *statements(script), f"ALTER USER cdc_capture@'%' IDENTIFIED BY '{PASSWORD}' ACCOUNT UNLOCK")
        yield server
    finally:
        remove()
        atexit.unregister(remove)


@pytest.fixture(scope="session")
def mariadb() -> Iterator[Server]:
    """One server; a database each test module."""
    try:
        demand_installed()
    except ConfigError as error:
        missing_service(f"MariaDB: {error} → {error.hint}")
    with maria_server() as server:
        yield server


def run(server: Server, *wanted: str, database: str | None = None) -> list[tuple]:
    """Run statements as root, each for itself; the rows of the last."""
    with server.connect(database) as connection, connection.cursor() as cursor:
        for statement in wanted:
            cursor.execute(statement)
        return list(cursor.fetchall())


@dataclass(frozen=True, slots=True)
class MariaSource:
    """A database on the server, its connector, and a warehouse."""

    name: str
    server: Server
    stack: Stack
    captured: Captured
    warehouse: Warehouse

    def run(self, *wanted: str) -> list[tuple]:
        """Run statements in the database, as root."""
        return run(self.server, *wanted, database=self.name)

    def declare(self, policy: str) -> None:
        """Write the source's files: declaration, definition, policy, secret."""
        where = places(self.warehouse.settings, self.name)
        port, kafka = self.server.port, self.stack.addresses().bootstrap_servers
        dsn = f"mariadb://cdc_capture:{PASSWORD}@127.0.0.1:{port}/{self.name}"
        declared = {"dsn": dsn, "definition": "definition.yaml", "policy": "policy.yaml", "topic": self.name}
        lines = "".join(f"{key} = {json.dumps(value)}\n" for key, value in declared.items())
        private_folder(where.declaration.parent)
        write_private(where.definition, DEFINITION.format(name=self.name, server_id=7_000 + port % 1000))
        write_private(where.policy, policy)
        secret = f"host=127.0.0.1\nport={port}\nuser=cdc_capture\npassword={PASSWORD}\nbootstrap_servers={kafka}\n"
        write_private(where.secret, secret)
        write_private(where.declaration, f"[sources.{self.name}]\n{lines}")

    def often(self) -> None:
        """Let the heartbeats, which tests wait for, come twice a second."""
        path = places(self.warehouse.settings, self.name).definition
        write_private(path, path.read_text() + "heartbeat_interval_ms: 500\n")

    def beat(self) -> None:
        """Change the heartbeat's row as the connector does."""
        with self.server.connect(None) as connection, connection.cursor() as cursor:
            cursor.execute(HEARTBEAT_QUERY)

    def apply(self) -> None:
        """``cdc connectors apply``."""
        cdc("connectors", "apply", self.name, path=self.warehouse.path)

    def wait(self, warehouse: Warehouse | None = None, timeout_s: float = 120) -> None:
        """Drain until a heartbeat from after this moment is in the warehouse: all that was committed is before it.

        The heartbeat's change is made here; the connector's own would come later.
        """
        into = warehouse or self.warehouse
        ((now,),) = self.run("SELECT date_format(now(6), '%Y-%m-%d %H:%i:%s.%f+00')")
        self.beat()
        ends = time.monotonic() + timeout_s
        while True:
            into.drain(self.name)
            try:
                beats = into.query(f'SELECT beat_at > %s FROM {self.name}."cdc.heartbeat"', (now,))
            except psycopg2.errors.UndefinedTable:  # the snapshot has not begun
                beats = []
            if beats == [(True,)]:
                return
            assert time.monotonic() < ends, f"not captured after {timeout_s} s"


@contextlib.contextmanager
def maria_source(stack: Stack, server: Server) -> Iterator[MariaSource]:
    """An empty database and a warehouse; connector, topics, files and both are gone afterwards."""
    name = f"maria_{uuid.uuid4().hex[:8]}"
    run(server, f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
    captured = Captured(stack, stack.state / "cdc.toml", {})
    source = MariaSource(name, server, stack, captured, new_warehouse(captured))
    try:
        yield source
    finally:
        where = places(source.warehouse.settings, name)
        addresses = stack.addresses()
        with ConnectClient(addresses.connect_url) as client, contextlib.suppress(NotFound):
            client.stop(name)
            client.delete_offsets(name)
            client.delete(name)
        admin = AdminClient({"bootstrap.servers": addresses.bootstrap_servers})
        admin.delete_topics([name, f"{name}.schema-history"])
        run(server, f"DROP DATABASE {name}")
        shutil.rmtree(where.declaration.parent, ignore_errors=True)
        where.secret.unlink(missing_ok=True)
        drop_warehouse(captured, source.warehouse)

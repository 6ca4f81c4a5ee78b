"""The supervisor against a real Connect, Debezium, Kafka and source: restarts what may be, and leaves what may not."""

from __future__ import annotations

import contextlib
import io
import json
import threading
import time
import tomllib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg2
import pytest

from cdc.local.stack import Stack
from cdc.supervise import settings
from cdc.supervise.supervisor import Supervisor
from cdc.telemetry import Progress
from connectors import definition, secrets
from connectors.apply import apply
from connectors.client import ConnectClient
from tests.chaos.processes import until
from tests.fix_replication import Captured, Warehouse, drop_warehouse, new_warehouse
from tests.real.test_connectors import dsn_for, with_admin

PATIENCE_S = 120.0
SOURCE = """
CREATE SCHEMA shop; CREATE TABLE shop.orders (id int PRIMARY KEY, note text); ALTER TABLE shop.orders REPLICA IDENTITY FULL;
GRANT USAGE ON SCHEMA shop TO debezium; GRANT SELECT ON ALL TABLES IN SCHEMA shop TO debezium;
"""
DEFINITION = """\
name: {name}
kind: postgres
topic: {name}
database:
  host: ${{secret:trading/host}}
  port: ${{secret:trading/port}}
  name: {name}
  user: debezium
  password: ${{secret:trading/password}}
schemas: [shop]
heartbeat_interval_ms: 1000
"""

FILLER = "SELECT pg_logical_emit_message(false, 'filler', repeat('x', 4000000))"


@dataclass
class Watched:
    """One source of its own, captured, with a warehouse of its own and a supervisor whose clock the test moves."""

    name: str
    admin_dsn: str = field(repr=False)
    warehouse: Warehouse
    client: ConnectClient
    log: io.StringIO = field(default_factory=io.StringIO)
    ahead_s: float = 0.0
    supervisor: Supervisor | None = None

    def start(self) -> Supervisor:
        """A new supervisor, which remembers what the warehouse has."""
        if self.supervisor is not None:
            self.supervisor.end()
        configured = self.warehouse.settings
        defined = {self.name: definition.load(configured.sources[self.name].definition)}
        self.supervisor = Supervisor(
            configured, settings.load(configured), defined, Progress("supervise", form="json", out=self.log), self.now
        )
        return self.supervisor

    def now(self) -> float:
        return time.time() + self.ahead_s

    def run(self, *statements: str) -> None:
        with_admin(self.admin_dsn, *statements)

    def state(self) -> set[str]:
        return {task.state for task in self.client.status(self.name).tasks}

    def fails(self) -> None:
        until(lambda: self.state() == {"FAILED"}, PATIENCE_S)

    def slot_active(self) -> bool:
        connection = psycopg2.connect(self.admin_dsn)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT coalesce(bool_or(active), false) FROM pg_replication_slots WHERE slot_name = %s",
                (f"cdc_{self.name}",),
            )
            ((active,),) = cursor.fetchall()
        connection.close()
        return active

    def runs(self) -> None:
        """A task is RUNNING before Debezium has connected."""
        until(lambda: self.client.status(self.name).running and self.slot_active(), PATIENCE_S)

    def stopped(self) -> None:
        self.runs()
        self.client.stop(self.name)
        until(lambda: not self.client.status(self.name).tasks and not self.slot_active(), PATIENCE_S)

    def operations(self, act: str) -> list[dict[str, str]]:
        rows = self.warehouse.query(
            "SELECT entry::json #> '{content,detail}' FROM audit.entry WHERE log = 'operations'"
            " AND entry::json #>> '{content,name}' = %s ORDER BY seq",
            (act,),
        )
        return [detail for (detail,) in rows]

    def told(self) -> set[str]:
        return {one.finding.alert for one in self.supervisor.book.open.values()}

    def exported(self) -> dict[tuple[str, ...], float]:
        return {
            (sample.name, *(sample.labels[name] for name in sorted(sample.labels))): sample.value
            for family in self.supervisor.metrics.registry.collect()
            for sample in family.samples
        }


@pytest.fixture(scope="module")
def watched(stack: Stack) -> Iterator[Watched]:
    address = stack.addresses().sources["trading"]
    name = f"watch_{uuid.uuid4().hex[:8]}"
    admin = dsn_for(address.admin_dsn, dbname=name)
    with_admin(dsn_for(admin, dbname="postgres"), f"CREATE DATABASE {name}")
    golden = (Path(__file__).parents[1] / "golden" / "source.sql").read_text()
    with_admin(
        admin,
        golden.replace("cdc_golden", f"cdc_{name}"),
        SOURCE,
        f"ALTER PUBLICATION cdc_{name} ADD TABLES IN SCHEMA shop",
    )
    captured = Captured(stack, stack.state / "cdc.toml", {})
    warehouse = new_warehouse(captured)
    definition_path = warehouse.path.with_name(f"{name}.yaml")
    definition_path.write_text(DEFINITION.format(name=name))
    _declare(warehouse.path, name, definition_path, dsn_for(address.dsn, dbname=name))
    with ConnectClient(stack.addresses().connect_url) as client:
        apply(client, definition.load(definition_path), secrets.in_folder(stack.state / "secrets"), timeout_s=180)
        made = Watched(name, admin, warehouse, client)
        yield made
        if made.supervisor is not None:
            made.supervisor.end()
        client.stop(name)
        client.delete_offsets(name)
        client.delete(name)
    drop = f"SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = 'cdc_{name}'"
    until(lambda: _done(admin, drop), PATIENCE_S)
    with_admin(dsn_for(admin, dbname="postgres"), f"DROP DATABASE {name} WITH (FORCE)")
    drop_warehouse(captured, warehouse)
    definition_path.unlink()


@contextlib.contextmanager
def writing(watched: Watched) -> Iterator[None]:
    """WAL at a steady pace by the test's clock, which hurries."""
    ending = threading.Event()

    def write() -> None:
        while not ending.wait(0.1):
            watched.run(FILLER)
            watched.ahead_s += 4

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join(30)


def _done(dsn: str, statement: str) -> bool:
    try:
        with_admin(dsn, statement)
    except psycopg2.errors.ObjectInUse:
        return False
    return True


def _declare(path: Path, name: str, definition_path: Path, dsn: str) -> None:
    """The same configuration with this source alone; a check only once in a while."""
    kept = {key: value for key, value in tomllib.loads(path.read_text()).items() if key != "sources"}
    lines = [
        f"[{table}]\n" + "".join(f"{json.dumps(key)} = {json.dumps(value)}\n" for key, value in values.items())
        for table, values in kept.items()
    ]
    source = {"definition": str(definition_path), "policy": "none", "dsn": dsn, "topic": name}
    lines.append(f"[sources.{name}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in source.items()))
    lines.append('[supervise]\nverify_every = "365d"\n')
    path.write_text("\n".join(lines))


def test_what_failed_is_restarted_later_and_later_and_runs_when_it_is_mended(watched: Watched):
    supervisor = watched.start()
    supervisor.round()
    up = {key[1]: value for key, value in watched.exported().items() if key[0] == "cdc_up"}
    assert up == dict.fromkeys(up, 1.0)
    assert set(up) == {"warehouse", "privacy", "connect", "kafka", f"source/{watched.name}"}
    watched.stopped()
    watched.run(f"ALTER PUBLICATION cdc_{watched.name} RENAME TO elsewhere")
    watched.client.resume(watched.name)
    watched.fails()
    supervisor.round()
    (first,) = watched.operations("connector-restarted")
    assert (first["connector"], first["attempt"]) == (watched.name, "1")
    assert "Publication autocreation is disabled" in first["cause"]
    watched.fails()
    watched.start().round()  # another supervisor: the log `operations` says when the last restart was
    assert len(watched.operations("connector-restarted")) == 1
    watched.run(f"ALTER PUBLICATION elsewhere RENAME TO cdc_{watched.name}")
    watched.ahead_s += 121
    watched.supervisor.round()
    assert [each["attempt"] for each in watched.operations("connector-restarted")] == ["1", "2"]
    watched.runs()
    watched.supervisor.round()
    found = watched.exported()
    assert found["cdc_connector_state", watched.name, "RUNNING"] == 1
    assert found["cdc_connector_restarts_total", watched.name] == 1
    assert found["cdc_connector_restart_attempts", watched.name] == 2


def test_slot_topic_and_connector_are_exported(watched: Watched):
    watched.run("INSERT INTO shop.orders VALUES (1, 'hunter2')")
    watched.runs()
    slot = (f"cdc_{watched.name}", watched.name)
    supervisor, ends = watched.start(), time.monotonic() + 90
    while True:  # RUNNING comes before the slot is read
        supervisor.round()
        found = watched.exported()
        if found[("cdc_slot_active", *slot)] == 1:
            break
        assert time.monotonic() < ends
        time.sleep(0.5)
    assert found[("cdc_slot_present", *slot)] == 1
    assert found["cdc_slot_wal_status", slot[0], slot[1], "reserved"] == 1
    assert 0 <= found[("cdc_slot_retained_bytes", *slot)] < found[("cdc_slot_wal_limit_bytes", *slot)]
    assert found["cdc_connector_tasks", watched.name, "RUNNING"] == 1
    assert "hunter2" not in watched.log.getvalue()


def test_a_slot_that_grows_is_forecast(watched: Watched):
    """A stopped connector, WAL at a steady pace: a line through the window says when the budget is used up."""
    watched.stopped()
    text = watched.warehouse.path.read_text()
    watched.warehouse.path.write_text(
        text.replace('verify_every = "365d"', 'verify_every = "365d"\nslot_budget = "1024MiB"')
    )
    supervisor = watched.start()
    for _ in range(6):
        watched.run(FILLER)
        supervisor.round()
        watched.ahead_s += 20
    found = watched.exported()
    seconds = found["cdc_slot_exhaustion_seconds", f"cdc_{watched.name}", watched.name]
    rate = 4_000_000 / 20
    left = 2**30 - found["cdc_slot_retained_bytes", f"cdc_{watched.name}", watched.name]
    assert seconds == pytest.approx(left / rate, rel=0.5)
    assert "slot-growing" in watched.told()
    single = watched.start()
    watched.run(FILLER)
    assert "slot-growing" not in {found.alert for found in single.once()}  # one look has no pace
    with writing(watched):
        assert "slot-growing" in {found.alert for found in single.once(observe_s=90)}
    watched.client.resume(watched.name)
    watched.warehouse.path.write_text(text)
    watched.runs()


def test_after_a_loss_of_data_nothing_is_restarted(watched: Watched):
    """The slot is dropped and made anew while the connector is stopped: what came between is lost."""
    watched.run("UPDATE cdc.heartbeat SET beat_at = clock_timestamp()")
    watched.stopped()
    slot = f"cdc_{watched.name}"
    watched.run(f"SELECT pg_drop_replication_slot('{slot}')")
    supervisor = watched.start()
    supervisor.round(at_once=True)
    assert {"slot-missing", "connector-not-running"} <= watched.told()
    watched.run(
        "INSERT INTO shop.orders VALUES (2, 'lost')",
        f"SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput')",
    )
    watched.client.resume(watched.name)
    watched.fails()
    before = len(watched.operations("connector-restarted"))
    for _ in range(2):
        supervisor.round()
        watched.ahead_s += 7200
    assert len(watched.operations("connector-restarted")) == before
    (left,) = watched.operations("connector-not-restarted")
    assert (left["connector"], left["cause"]) == (watched.name, "position-gone")
    assert "connector-data-loss" in watched.told()
    assert watched.state() == {"FAILED"}
    assert watched.exported()["cdc_connector_data_loss", "position-gone", watched.name] == 1
    watched.start().round()
    assert len(watched.operations("connector-not-restarted")) == 1

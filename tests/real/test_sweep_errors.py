"""PostgreSQL quotes rows in its errors, and its log repeats them: what is said when something fails with values in flight."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg2
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic
from psycopg2.extensions import make_dsn

from cdc import config
from cdc.local.workload import CANARIES
from governance.setup import set_up
from tests.fix_replication import Captured, Warehouse
from tests.fix_stack import FreshDatabase, WarehouseCluster
from tests.oracle.sweep import sweep
from tests.oracle.topic import read_topic
from tests.real.planted import VALUES, as_superuser, families, leaking, replicate

__all__ = ["leaking"]

AGAIN = "trying again in 1 s"
"""What a worker says after the second failure in a row."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What breaks the commit. ``says`` is in the warehouse's log when it happened, ``ends`` what the worker exits with."""

    name: str
    statements: tuple[str, ...]
    says: str
    ends: int
    reports: str

    def arrange(self, admin_dsn: str, database: str, customer_id: int) -> None:
        """Have it strike the row that holds the planted values."""
        names = {"{database}": database, "{customer}": str(customer_id)}
        for statement in self.statements:
            for name, value in names.items():
                statement = statement.replace(name, value)  # noqa: PLW2901
            as_superuser(admin_dsn, statement)


def customer(captured: Captured) -> int:
    """The customer whose name, e-mail, phone, tax id and address were planted."""
    connection = psycopg2.connect(config.load(captured.config).sources["trading"].admin_dsn)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT customer_id FROM customers WHERE full_name = %s", (VALUES[0],))
            ((found,),) = cursor.fetchall()
            return int(found)
    finally:
        connection.close()


def function(returns: str, body: str) -> str:
    return f"CREATE FUNCTION public.fault() RETURNS {returns} LANGUAGE plpgsql AS $$ BEGIN {body}; END $$"


ON_ENTRIES = "CREATE TRIGGER fault BEFORE INSERT ON audit.entry FOR EACH ROW WHEN (new.row_key = '[\"{customer}\"]')"
FAULTS = (
    Fault(
        "check on entries",
        ("""ALTER TABLE audit.entry ADD CONSTRAINT fault CHECK (row_key <> '["{customer}"]')""",),
        "Failing row contains",
        1,
        "SQLSTATE 23514",
    ),
    Fault(
        "check on state",
        (
            function(
                "event_trigger",
                "IF EXISTS (SELECT FROM pg_event_trigger_ddl_commands() WHERE object_identity = 'trading_state.customers')"
                " THEN ALTER TABLE trading_state.customers ADD CONSTRAINT fault CHECK (_key <> '[\"{customer}\"]'); END IF",
            ),
            "CREATE EVENT TRIGGER fault ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION public.fault()",
        ),
        "Failing row contains",
        1,
        "SQLSTATE 23514",
    ),
    Fault(
        "a message that quotes the row",
        (
            function("trigger", "RAISE EXCEPTION USING ERRCODE = '22P02', MESSAGE = new::text, DETAIL = new::text"),
            f"{ON_ENTRIES} EXECUTE FUNCTION public.fault()",
        ),
        "22P02",
        1,
        "SQLSTATE 22P02",
    ),
    Fault(
        "wrong type",
        (
            "DROP INDEX audit.entry_row",
            "ALTER TABLE audit.entry ALTER COLUMN row_key TYPE integer USING NULL::integer",
        ),
        "invalid input syntax for type integer",
        1,
        "SQLSTATE 22P02",
    ),
    Fault(
        "statement timeout",
        (
            function("trigger", "PERFORM pg_sleep(1); RETURN new"),
            f"{ON_ENTRIES} EXECUTE FUNCTION public.fault()",
            "ALTER ROLE cdc_replicator IN DATABASE {database} SET statement_timeout = '900ms'",
        ),
        "canceling statement due to statement timeout",
        0,
        "SQLSTATE 57014",
    ),
    Fault(
        "connection lost",
        (
            function("trigger", "PERFORM pg_terminate_backend(pg_backend_pid()); RETURN new"),
            f"{ON_ENTRIES} EXECUTE FUNCTION public.fault()",
        ),
        "terminating connection due to administrator command",
        0,
        "trying again",
    ),
)
TALKATIVE = (
    "log_min_error_statement = 'error'",
    "log_error_verbosity = 'verbose'",
    "log_min_messages = 'info'",
    "log_statement = 'all'",
)
"""A server that says all it can: every statement, and DETAIL and CONTEXT of every error. The local stack's does not."""


def logged(log: Path, since: int) -> bytes:
    """What a server has logged since its log had this size."""
    with log.open("rb") as file:
        file.seek(since)
        return file.read()


def talkative(dsn: str, database: str) -> None:
    as_superuser(dsn, *(f"ALTER DATABASE {database} SET {setting}" for setting in TALKATIVE))


def test_a_talkative_server_logs_the_column_in_clear_and_the_worker_does_not(
    leaking: tuple[FreshDatabase, Path], captured: Captured, warehouse_cluster: WarehouseCluster, tmp_path: Path
) -> None:
    """The control of the errors below: they do carry rows, and the sweep of a log does find them."""
    database, path = leaking
    errors = tmp_path / "worker.log"
    talkative(database.admin_dsn, database.name)
    fault = next(fault for fault in FAULTS if fault.name == "check on state")
    fault.arrange(database.admin_dsn, database.name, customer(captured))
    before = warehouse_cluster.cluster.log.stat().st_size
    assert replicate(path, "trading", errors) == 1
    (tmp_path / "warehouse.log").write_bytes(logged(warehouse_cluster.cluster.log, before))
    found = families(sweep([tmp_path / "warehouse.log"], {}, VALUES))
    assert set(found) == {"name"}
    assert families(sweep([errors], {}, VALUES)) == {}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_an_error_with_values_in_flight_tells_nobody_their_text(
    captured: Captured, warehouse: Warehouse, tmp_path: Path, fault: Fault
) -> None:
    admin = warehouse.settings.warehouse_admin_dsn
    talkative(admin, warehouse.name)
    fault.arrange(admin, warehouse.name, customer(captured))
    log, errors = captured.stack.state / "log" / "warehouse.log", tmp_path / "worker.log"
    before = log.stat().st_size
    ended = replicate(warehouse.path, "trading", errors, until=AGAIN)
    said, lines = logged(log, before), errors.read_text()
    assert fault.says.encode() in said
    assert b"COPY entry_trading, line" in said or b"Failing row" in said
    assert ended == fault.ends, lines[-300:]
    assert fault.reports in lines
    assert "Traceback" not in lines
    assert "DETAIL" not in lines
    stored = "SELECT count(*) FROM audit.entry WHERE table_name = 'public.customers' AND row_key::text = %s"
    assert warehouse.query(stored, (f'["{customer(captured)}"]',)) == [(0,)]
    (tmp_path / "warehouse.log").write_bytes(said)
    assert families(sweep([tmp_path / "warehouse.log", errors], {}, VALUES)) == {}


@pytest.mark.parametrize(
    ("fault", "ends", "reports"),
    [
        (
            "RAISE EXCEPTION USING ERRCODE = 'check_violation', MESSAGE = new::text, DETAIL = new::text",
            4,
            "SQLSTATE 23514",
        ),
        ("PERFORM pg_terminate_backend(pg_backend_pid())", 0, "the privacy store does not answer"),
    ],
    ids=["refuses", "goes away"],
)
def test_a_privacy_store_that_fails_with_values_in_flight_tells_nobody_their_text(
    captured: Captured, warehouse: Warehouse, tmp_path: Path, fault: str, ends: int, reports: str
) -> None:
    settings = warehouse.settings
    name = f"privacy_{uuid.uuid4().hex[:10]}"
    admin = make_dsn(settings.privacy_admin_dsn, dbname=name)
    as_superuser(settings.warehouse_admin_dsn, f"CREATE DATABASE {name}")
    try:
        set_up(admin, tmp_path / "keyring.json")
        talkative(admin, name)
        as_superuser(
            admin,
            function("trigger", f"{fault}; RETURN new"),
            "CREATE TRIGGER fault BEFORE INSERT ON privacy.token FOR EACH ROW EXECUTE FUNCTION public.fault()",
        )
        path = tmp_path / "cdc.toml"
        text = warehouse.path.read_text().replace("dbname=privacy ", f"dbname={name} ")
        path.write_text(text.replace(str(settings.keyring), str(tmp_path / "keyring.json")))
        log, errors = captured.stack.state / "log" / "warehouse.log", tmp_path / "worker.log"
        before = log.stat().st_size
        ended = replicate(path, "trading", errors, until=AGAIN)
        said, lines = logged(log, before), errors.read_text()
        assert b"privacy.token" in said
        assert ended == ends, lines[-300:]
        assert reports in lines
        assert "Traceback" not in lines
        (tmp_path / "warehouse.log").write_bytes(said)
        assert families(sweep([tmp_path / "warehouse.log", errors], {}, VALUES)) == {}
    finally:
        as_superuser(settings.warehouse_admin_dsn, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def poisoned(captured: Captured, request: pytest.FixtureRequest) -> Iterator[tuple[str, bytes]]:
    """A topic whose one record holds a planted value, and cannot be decoded."""
    kafka = config.load(captured.config).kafka
    name = f"poisoned-{uuid.uuid4().hex[:8]}"
    wanted = next(canary.value for canary in CANARIES if canary.family == "name").encode()
    record = next(r for r in read_topic(kafka["bootstrap.servers"], "trading") if r.value and wanted in r.value)
    admin = AdminClient(dict(kafka))
    admin.create_topics([NewTopic(name, 1, 1)])[name].result()
    producer = Producer(dict(kafka))
    producer.produce(name, key=record.key, value=request.param(record.value, wanted))
    assert producer.flush(20) == 0
    yield name, wanted
    admin.delete_topics([name])[name].result()


@pytest.mark.parametrize(
    "poisoned",
    [
        lambda value, wanted: value[: value.index(wanted) + len(wanted)],
        lambda value, wanted: value.replace(b'"' + wanted + b'"', b'{"' + wanted + b'":' + b"1}"),
        lambda value, wanted: value.replace(b'"op":"', b'"op":"' + wanted),
    ],
    ids=["cut off", "an object for a text", "an operation that is none"],
    indirect=True,
)
def test_a_record_that_cannot_be_decoded_is_kept_sealed_and_named_by_its_coordinates_only(
    warehouse: Warehouse, tmp_path: Path, poisoned: tuple[str, bytes]
) -> None:
    topic, _ = poisoned
    path, errors = tmp_path / "cdc.toml", tmp_path / "worker.log"
    path.write_text(warehouse.path.read_text().replace('topic = "trading"', f'topic = "{topic}"'))
    assert replicate(path, "trading", errors) == 0
    lines = errors.read_text()
    assert f"quarantined: record {topic}/0 offset 0" in lines
    assert "Traceback" not in lines
    ((kind, entry),) = warehouse.query("SELECT kind, entry FROM audit.entry WHERE log = 'trading'")
    assert kind == "quarantined"
    (stored := tmp_path / "entry.json").write_text(entry)
    assert families(sweep([errors, stored], {}, VALUES)) == {}

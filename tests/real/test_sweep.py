"""The plaintext sweep: planted values are in the sources, in Kafka for a while, and nowhere else in any encoding.

The data directory and WAL of the whole warehouse cluster are swept, so whatever else ran on this stack is swept with it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg2
import pytest
from psycopg2.extensions import make_dsn

from cdc.local.workload import CANARIES
from governance.setup import set_up
from tests.fix_replication import SOURCES, Captured, Warehouse, drop_warehouse, new_warehouse
from tests.fix_stack import FreshDatabase, WarehouseCluster
from tests.oracle.sweep import Hit, sweep
from tests.oracle.topic import read_topic

VALUES = [canary.value for canary in CANARIES]
AGAIN = "trying again in 1 s"
"""What a worker says after the second failure in a row."""
KEPT = {canary.value for canary in CANARIES if canary.fate == "kept"}


def families(hits: dict[str, list[Hit]]) -> dict[str, list[Hit]]:
    """What was found, named by family: a test's output must not become a leak of its own."""
    names = {canary.value: canary.family for canary in CANARIES}
    return {names[value]: found for value, found in hits.items() if found}


def as_superuser(dsn: str, *statements: str) -> None:
    connection = psycopg2.connect(dsn)
    connection.autocommit = True
    try:
        for statement in statements:
            connection.cursor().execute(statement)
    finally:
        connection.close()


def replicate(path: Path, source: str, errors: Path, until: str = "never said") -> int:
    """Run ``cdc replicate`` with its standard error in a file, to its end or, by SIGTERM, until it has said something."""
    with errors.open("ab") as file:
        command = [sys.executable, "-m", "cdc", "replicate", source, "--config", str(path), "--until-caught-up"]
        process = subprocess.Popen(command, stdout=file, stderr=file)
    try:
        ends = time.monotonic() + 300
        while process.poll() is None and until not in errors.read_text() and time.monotonic() < ends:
            time.sleep(0.2)
        process.terminate()
        return process.wait(timeout=30)
    finally:
        process.kill()


def size(paths: list[Path]) -> int:
    """Bytes in these files and folders."""
    files = [Path(folder, name) for path in paths for folder, _, names in os.walk(path) for name in names]
    return sum(file.stat().st_size for file in (*files, *(path for path in paths if path.is_file())) if file.exists())


@dataclass(frozen=True, slots=True)
class Drained:
    """A warehouse that holds everything, and what its workers said on the way."""

    warehouse: Warehouse
    errors: Path


@pytest.fixture(scope="module")
def drained(captured: Captured, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drained]:
    errors = tmp_path_factory.mktemp("sweep") / "workers.log"
    warehouse = new_warehouse(captured)
    try:
        for source in SOURCES:
            assert replicate(warehouse.path, source, errors) == 0, errors.read_text()[-300:]
        yield Drained(warehouse, errors)
    finally:
        drop_warehouse(captured, warehouse)


def everything_but_the_source(captured: Captured, errors: Path) -> list[Path]:
    """All that the stack and its workers have written, but the source cluster and Kafka's data."""
    state = captured.stack.state
    others = [path for path in state.iterdir() if path.name not in {"source", "broker"}]
    return [*others, *(path for path in (state / "broker").iterdir() if path.name != "data"), errors]


def test_every_value_is_found_in_the_source(captured: Captured, drained: Drained) -> None:
    settings = drained.warehouse.settings
    dumps = {source: str(settings.sources[source].admin_dsn) for source in SOURCES}
    dumped = sweep([], dumps, VALUES)
    assert {value for value, hits in dumped.items() if hits} == KEPT
    for value in KEPT:
        (canary,) = (c for c in CANARIES if c.value == value)
        assert {hit.place for hit in dumped[value]} == {canary.database}
    as_superuser(dumps["trading"], "CHECKPOINT")
    stored = sweep([captured.stack.state / "source"], {}, VALUES)
    missing = [canary.family for canary in CANARIES if not dumped[canary.value] and not stored[canary.value]]
    assert missing == []


def test_kafka_holds_what_was_committed_and_nothing_else(drained: Drained, tmp_path: Path) -> None:
    copy = tmp_path / "records"
    with copy.open("wb") as file:
        for source in SOURCES:
            for record in read_topic(drained.warehouse.settings.kafka["bootstrap.servers"], source):
                file.write((record.key or b"") + b"\n" + (record.value or b"") + b"\n")
    found = sweep([copy], {}, VALUES)
    assert {canary.family for canary in CANARIES if not found[canary.value]} == {
        canary.family for canary in CANARIES if canary.fate == "rolled back"
    }


def test_no_value_is_found_anywhere_else(
    captured: Captured, drained: Drained, capsys: pytest.CaptureFixture[str]
) -> None:
    warehouse = drained.warehouse
    settings = warehouse.settings
    assert holds_the_canaries(warehouse)  # sealed, but there: an empty warehouse has no leaks
    as_superuser(settings.warehouse_admin_dsn, "CHECKPOINT")
    paths = everything_but_the_source(captured, drained.errors)
    names = {path.name for path in paths}
    assert {"warehouse", "log", "connect", "secrets", "run", "cdc.toml", "server.properties"} <= names
    assert {file.name for file in (captured.stack.state / "log").iterdir()} >= {
        "broker.log",
        "connect.log",
        "source.log",
        "warehouse.log",
    }
    assert list((captured.stack.state / "warehouse" / "pg_wal").glob("0000*"))
    assert drained.errors.stat().st_size > 0
    began = time.monotonic()
    dumps = {"warehouse": settings.warehouse_admin_dsn, "privacy store": settings.privacy_admin_dsn}
    found = sweep(paths, dumps, VALUES)
    seconds = time.monotonic() - began
    assert families(found) == {}
    with capsys.disabled():
        print(f"\nswept {size(paths):,} bytes of files and 2 dumps for {len(VALUES)} values in {seconds:.1f} s: none")


def holds_the_canaries(warehouse: Warehouse) -> bool:
    """Whether the rows and messages that carry the planted values are in this log: their number is the source's."""
    for source, table, column in (
        ("trading", "customers", "maiden_name"),
        ("portfolio", "clients", "passport_no"),
        ("trading", "audit_notes", "note"),
        ("portfolio", "cash_movements", "reference"),
    ):
        connection = psycopg2.connect(warehouse.settings.sources[source].admin_dsn)
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT count({column}) FROM {table}")
            ((held,),) = cursor.fetchall()
        connection.close()
        if not held or warehouse.query(f"SELECT count({column}) FROM {source}.{table}") != [(held,)]:
            return False
    return all(
        count > 0
        for (count,) in warehouse.query("SELECT count(*) FROM audit.entry WHERE kind = 'message' GROUP BY log")
    )


# Where one column is left in clear, the sweep must say so. The control has a cluster of its own: no other sweep sees it.


LEAKED = {"name", "non-ascii name", "deleted row"}
"""Families of the committed values of customers.full_name."""


@pytest.fixture
def leaking(
    drained: Drained, warehouse_cluster: WarehouseCluster, tmp_path: Path
) -> Iterator[tuple[FreshDatabase, Path]]:
    """A warehouse under a copy of the policy that leaves one column in clear, and its configuration file."""
    original = drained.warehouse.settings.sources["trading"].policy.read_text()
    protected = "full_name: {protect: seal, class: personal}"
    assert original.count(protected) == 1
    policy = tmp_path / "trading.yaml"
    policy.write_text(original.replace(protected, "full_name: clear"))
    database = warehouse_cluster.fresh_database("leaking", template="warehouse")
    settings = drained.warehouse.settings
    path = tmp_path / "cdc.toml"
    path.write_text(
        drained.warehouse.path.read_text()
        .replace(settings.warehouse_dsn, database.replicator_dsn)
        .replace(settings.warehouse_admin_dsn, database.admin_dsn)
        .replace(str(settings.sources["trading"].policy), str(policy))
    )
    yield database, path
    warehouse_cluster.drop(database)


def test_one_column_in_clear_is_found_and_only_that(
    leaking: tuple[FreshDatabase, Path], warehouse_cluster: WarehouseCluster, tmp_path: Path
) -> None:
    database, path = leaking
    errors = tmp_path / "worker.log"
    assert replicate(path, "trading", errors) == 0, errors.read_text()[-300:]
    as_superuser(database.admin_dsn, "CHECKPOINT")
    assert set(families(sweep([], {"leaking": database.admin_dsn}, VALUES))) == LEAKED
    assert set(families(sweep([warehouse_cluster.cluster.folder], {}, VALUES))) == LEAKED
    assert families(sweep([errors], {}, VALUES)) == {}


def test_a_talkative_server_logs_the_column_in_clear_and_the_worker_does_not(
    leaking: tuple[FreshDatabase, Path], drained: Drained, warehouse_cluster: WarehouseCluster, tmp_path: Path
) -> None:
    """The control of the errors below: they do carry rows, and the sweep of a log does find them."""
    database, path = leaking
    errors = tmp_path / "worker.log"
    talkative(database.admin_dsn, database.name)
    fault = next(fault for fault in FAULTS if fault.name == "check on state")
    fault.arrange(database.admin_dsn, database.name, customer(drained.warehouse))
    before = warehouse_cluster.cluster.log.stat().st_size
    assert replicate(path, "trading", errors) == 1
    (tmp_path / "warehouse.log").write_bytes(logged(warehouse_cluster.cluster.log, before))
    found = families(sweep([tmp_path / "warehouse.log"], {}, VALUES))
    assert set(found) == {"name"}
    assert families(sweep([errors], {}, VALUES)) == {}


# PostgreSQL quotes rows in its errors, and its log repeats them: errors while values are in flight.


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


def customer(warehouse: Warehouse) -> int:
    """The customer whose name, e-mail, phone, tax id and address were planted."""
    connection = psycopg2.connect(warehouse.settings.sources["trading"].admin_dsn)
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


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_an_error_with_values_in_flight_tells_nobody_their_text(
    captured: Captured, warehouse: Warehouse, tmp_path: Path, fault: Fault
) -> None:
    admin = warehouse.settings.warehouse_admin_dsn
    talkative(admin, warehouse.name)
    fault.arrange(admin, warehouse.name, customer(warehouse))
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
    assert warehouse.query("SELECT count(*) FROM audit.entry WHERE table_name = 'public.customers'") == [(0,)]
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
def poisoned(captured: Captured, drained: Drained, request: pytest.FixtureRequest) -> Iterator[tuple[str, bytes]]:
    """A topic whose one record holds a planted value, and cannot be decoded."""
    from confluent_kafka import Producer
    from confluent_kafka.admin import AdminClient, NewTopic

    kafka = drained.warehouse.settings.kafka
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
def test_a_record_that_cannot_be_decoded_is_named_by_its_coordinates_only(
    warehouse: Warehouse, tmp_path: Path, poisoned: tuple[str, bytes]
) -> None:
    topic, _ = poisoned
    path, errors = tmp_path / "cdc.toml", tmp_path / "worker.log"
    path.write_text(warehouse.path.read_text().replace('topic = "trading"', f'topic = "{topic}"'))
    assert replicate(path, "trading", errors) == 1
    lines = errors.read_text()
    assert f"{topic}/0@0" in lines or f"{topic}/0" in lines
    assert "Traceback" not in lines
    assert families(sweep([errors], {}, VALUES)) == {}
    assert warehouse.query("SELECT next_offset FROM pipeline.stream WHERE log = 'trading'") == [(0,)]

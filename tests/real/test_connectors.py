"""Connectors against a real Connect, Debezium and PostgreSQL: fitness of the source, apply, and the golden records themselves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import psycopg2
import pytest

from cdc.local.stack import Stack
from connectors import secrets
from connectors.apply import apply
from connectors.check import demand_fit, source
from connectors.client import ConnectClient
from connectors.definition import Database, Definition
from connectors.errors import NotFound, Rejected, SourceUnfit, TaskFailed, Unreachable
from tests.golden import capture as capturing
from tests.golden.records import Golden, records

EXCLUDE = (r"golden\.parted_\d+",)


@dataclass(frozen=True)
class Source:
    """A database of its own, fit to be captured, and its definition."""

    definition: Definition
    admin_dsn: str = field(repr=False)
    dsn: str = field(repr=False)

    def run(self, *statements: str) -> None:
        with_admin(self.admin_dsn, *statements)

    def codes(self, definition: Definition | None = None) -> set[str]:
        return {finding.code for finding in source(definition or self.definition, self.dsn) if finding.refuse}


def with_admin(dsn: str, *statements: str) -> None:
    connection = psycopg2.connect(dsn)
    connection.autocommit = True
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
    connection.close()


def dsn_for(dsn: str, **changed: str) -> str:
    return psycopg2.extensions.make_dsn(dsn, **changed)


@pytest.fixture(scope="module")
def template(stack: Stack) -> Iterator[str]:
    admin = stack.addresses().sources["trading"].admin_dsn
    name = f"template_{uuid.uuid4().hex[:8]}"
    with_admin(dsn_for(admin, dbname="postgres"), f"CREATE DATABASE {name}")
    with_admin(dsn_for(admin, dbname=name), (capturing.HERE / "source.sql").read_text())
    yield name
    with_admin(dsn_for(admin, dbname="postgres"), f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def fit(stack: Stack, template: str) -> Iterator[Source]:
    """A copy of the golden source, with a publication of its own name."""
    address = stack.addresses().sources["trading"]
    name = f"fit_{uuid.uuid4().hex[:8]}"
    admin = dsn_for(address.admin_dsn, dbname=name)
    with_admin(dsn_for(admin, dbname="postgres"), f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY wal_log")
    with_admin(admin, f"ALTER PUBLICATION cdc_golden RENAME TO cdc_{name}")
    bundle = stack.state / "secrets" / "trading.properties"
    database = Database(
        "${secret:trading/host}", "${secret:trading/port}", name, "debezium", "${secret:trading/password}"
    )
    definition = Definition(bundle, name, "postgres", name, database, ("golden",), (), EXCLUDE, 1, 1000, 20)
    yield Source(definition, admin, dsn_for(address.dsn, dbname=name))
    with_admin(dsn_for(admin, dbname="postgres"), f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def test_a_fit_source_has_nothing_to_mend_and_its_limits_are_told(fit: Source):
    limits = demand_fit(fit.definition, fit.dsn)
    assert {finding.code for finding in limits} == {"lossy_type"}
    assert {finding.problem.split(":")[0] for finding in limits} == {"golden.times.c_timetz", "golden.texts.c_varbit"}


@pytest.mark.parametrize(
    ("harm", "code"),
    [
        ("ALTER TABLE golden.account REPLICA IDENTITY DEFAULT", "replica_identity"),
        ("ALTER TABLE golden.parted_2025 REPLICA IDENTITY DEFAULT", "replica_identity"),
        ("ALTER PUBLICATION {p} SET (publish = 'insert, update, delete')", "publication_operations"),
        ("ALTER PUBLICATION {p} SET (publish_via_partition_root = false)", "publication_root"),
        ("ALTER PUBLICATION {p} SET (publish_generated_columns = none)", "generated_unpublished"),
        ("ALTER PUBLICATION {p} DROP TABLES IN SCHEMA golden", "publication_table"),
        ("DROP PUBLICATION {p}", "publication_missing"),
        ("REVOKE SELECT ON golden.account FROM debezium", "select"),
        ("REVOKE USAGE ON SCHEMA golden FROM debezium", "select"),
        ("ALTER TABLE golden.account SET UNLOGGED", "unlogged"),
        ("REVOKE UPDATE ON cdc.heartbeat FROM debezium", "capture_privilege"),
        ("REVOKE INSERT ON cdc.signal FROM debezium", "capture_privilege"),
        ("UPDATE cdc.heartbeat SET system_identifier = '1'", "heartbeat_stale"),
        ("UPDATE cdc.heartbeat SET timeline = 99", "heartbeat_stale"),
    ],
)
def test_what_would_lose_evidence_is_refused_with_the_sql_that_mends_it(fit: Source, harm: str, code: str):
    fit.run(harm.format(p=fit.definition.publication))
    with pytest.raises(SourceUnfit) as caught:
        demand_fit(fit.definition, fit.dsn)
    assert code in str(caught.value)
    assert caught.value.exit_code == 4
    for _ in range(3):  # a new publication may lack what only its existence shows
        fit.run(*(finding.fix for finding in source(fit.definition, fit.dsn) if finding.fix))
    assert fit.codes() == set()


@pytest.mark.parametrize(
    ("harm", "code"),
    [
        ("ALTER TABLE golden.account ENABLE ROW LEVEL SECURITY", "row_security"),
        ("ALTER TABLE golden.account ADD COLUMN v bigint GENERATED ALWAYS AS (id * 2) VIRTUAL", "generated_virtual"),
        ("ALTER TABLE golden.account ADD COLUMN deep int[][]", "nested_array"),
        ("DROP TABLE cdc.signal", "capture_table"),
        ("CREATE TABLE golden.loose (code text UNIQUE)", "key_shared"),
        ("CREATE TABLE golden.heir () INHERITS (golden.account)", "inherited"),
        ('CREATE TABLE golden."a""b" (id int PRIMARY KEY)', "quote_in_name"),
        ('ALTER TABLE golden.account ADD COLUMN "a""b" int', "quote_in_name"),
        ("CREATE TABLE golden.loose (code text NOT NULL); CREATE UNIQUE INDEX ON golden.loose (code) WHERE code > 'm'", "key_shared"),
        ("DROP PUBLICATION {p}; CREATE PUBLICATION {p} FOR TABLE golden.account (id, owner)", "publication_columns"),
        ("DROP PUBLICATION {p}; CREATE PUBLICATION {p} FOR TABLE golden.account WHERE (id > 1)", "publication_filter"),
    ],
)
def test_what_no_statement_of_ours_mends_is_refused_too(fit: Source, harm: str, code: str):
    fit.run(harm.format(p=fit.definition.publication))
    assert code in fit.codes()


def test_a_unique_index_that_no_rows_can_share_is_a_key(fit: Source):
    fit.run(
        "CREATE TABLE golden.unique_code (code text NOT NULL UNIQUE, kind text UNIQUE NULLS NOT DISTINCT)",
        "CREATE TABLE golden.unique_expression (code text)",
        "CREATE UNIQUE INDEX ON golden.unique_expression (lower(code))",
    )
    assert "key_shared" not in fit.codes()


def test_updates_really_fail_where_a_generated_column_is_not_published(fit: Source):
    fit.run("INSERT INTO golden.numbers (id) VALUES (1)", "UPDATE golden.numbers SET c_whole = 1")
    fit.run(f"ALTER PUBLICATION {fit.definition.publication} SET (publish_generated_columns = none)")
    with pytest.raises(psycopg2.Error, match="cannot update"):
        fit.run("UPDATE golden.numbers SET c_whole = 2")


def test_the_definition_must_name_what_is_there(fit: Source):
    assert fit.codes(replace(fit.definition, exclude=())) == {"partition_captured"}
    assert fit.codes(replace(fit.definition, schemas=("golden", "gone"))) == {"schema_empty"}
    assert fit.codes(replace(fit.definition, schemas=(), tables=("golden.account", "golden.gone"))) == {"table_missing"}


def test_a_role_that_may_not_replicate_is_refused(fit: Source):
    role = f"stranger_{uuid.uuid4().hex[:8]}"
    fit.run(f"CREATE ROLE {role} LOGIN PASSWORD 'p'")
    try:
        found = source(fit.definition, dsn_for(fit.dsn, user=role, password="p"))
        assert {"role_replication", "select", "capture_privilege"} <= {finding.code for finding in found}
        assert any(finding.fix == f'ALTER ROLE "{role}" REPLICATION;' for finding in found)
    finally:
        fit.run(f"DROP ROLE {role}")


def test_a_server_without_logical_decoding_is_refused(warehouse_cluster, fit: Source):
    database = warehouse_cluster.fresh_database()
    assert "wal_level" in {finding.code for finding in source(fit.definition, database.admin_dsn)}
    warehouse_cluster.drop(database)


def test_a_database_that_does_not_answer_is_unreachable_and_no_password_is_shown(fit: Source):
    for changed in ({"port": "1"}, {"password": "hunter2"}, {"dbname": "gone"}):
        with pytest.raises(Unreachable) as caught:
            source(fit.definition, dsn_for(fit.dsn, **changed))
        assert "hunter2" not in str(caught.value)


@pytest.fixture
def client(stack: Stack) -> Iterator[ConnectClient]:
    with ConnectClient(stack.addresses().connect_url) as client:
        yield client


@pytest.fixture
def applied(stack: Stack, client: ConnectClient, fit: Source) -> Iterator[Callable[..., str]]:
    """Applies the definition, with changes; the connector and its slot go at the end."""

    def do(**changes: object) -> str:
        definition = replace(fit.definition, **changes)
        return apply(client, definition, secrets.in_folder(stack.state / "secrets"), timeout_s=90).action

    yield do
    name = fit.definition.name
    try:
        client.stop(name)
        client.delete_offsets(name)
        client.delete(name)
    except NotFound:
        pass
    drop = f"SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = '{fit.definition.slot}'"
    for _ in range(20):
        try:
            return fit.run(drop)
        except psycopg2.errors.ObjectInUse:
            fit.run("SELECT pg_sleep(0.5)")


def test_apply_creates_keeps_updates_and_resumes(client: ConnectClient, fit: Source, applied: Callable[..., str]):
    assert applied() == "created"
    assert client.status(fit.definition.name).running
    assert applied() == "unchanged"
    assert applied(poll_interval_ms=30) == "updated"
    assert client.config(fit.definition.name)["poll.interval.ms"] == "30"
    client.stop(fit.definition.name)
    assert applied(poll_interval_ms=30) == "resumed"
    assert "hunter2" not in json.dumps(client.config(fit.definition.name))


def test_a_password_that_the_source_refuses_is_rejected_and_nothing_is_created(
    client: ConnectClient, fit: Source, applied: Callable[..., str]
):
    with pytest.raises(Rejected) as caught:
        applied(database=replace(fit.definition.database, password="hunter2"))
    assert "hunter2" not in str(caught.value)
    with pytest.raises(NotFound):
        client.config(fit.definition.name)


def test_a_task_that_fails_says_why_and_is_restarted_by_the_next_apply(fit: Source, applied: Callable[..., str]):
    publication = fit.definition.publication
    fit.run(f"ALTER PUBLICATION {publication} RENAME TO elsewhere")
    with pytest.raises(TaskFailed, match="Publication autocreation is disabled"):
        applied()
    fit.run(f"ALTER PUBLICATION elsewhere RENAME TO {publication}")
    assert applied() == "restarted"


def test_the_command_line_applies_what_is_configured_and_lists_it(stack: Stack):
    def cdc(*arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "CDC_CONFIG": str(stack.state / "cdc.toml")}
        return subprocess.run(
            [sys.executable, "-m", "cdc", "connectors", *arguments],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    done = cdc("apply", "portfolio")
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert "running, into topic portfolio" in done.stderr
    listed = json.loads(cdc("list", "--output", "json").stdout)["connectors"]
    (row,) = (row for row in listed if row["name"] == "portfolio")
    assert (row["state"], row["topic"], [task["state"] for task in row["tasks"]]) == (
        "RUNNING",
        "portfolio",
        ["RUNNING"],
    )
    assert "\n\nNAME " in cdc("list").stdout
    assert cdc("apply", "gone").returncode == 3


VOLATILE = {"ts_ms", "ts_us", "ts_ns", "lsn", "txId", "sequence", "id", "beat_at", "system_identifier", "timestamp"}


def lasting(record: Golden) -> object:
    """What of a record must be the same in every capture. ``id`` of rows stays: only transactions' ids are dropped."""
    value = json.loads(record.value) if record.value else None
    names = [name for name, _ in record.headers]
    if value is None:
        return (record.case, "tombstone", record.key, names)
    payload = value["payload"]
    if "status" in payload:
        counts = sorted(
            (c["data_collection"].partition("@")[0], c["event_count"]) for c in payload["data_collections"] or ()
        )
        return (record.case, payload["status"], payload["event_count"], counts)
    if "op" not in payload:
        return (record.case, value["schema"]["name"], payload.get("type"))
    source = {name: item for name, item in payload["source"].items() if name not in VOLATILE}
    order = (payload["transaction"] or {}).get("total_order")
    images = (payload.get("before"), payload.get("after"), payload.get("message"))
    return (record.case, payload["op"], record.key, images, source, order, value["schema"], names)


def test_debezium_still_writes_the_golden_records(stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(capturing, "HERE", tmp_path)
    monkeypatch.setattr(sys, "argv", ["capture", str(stack.state)])
    (tmp_path / "source.sql").write_text((Path(__file__).parents[1] / "golden" / "source.sql").read_text())
    capturing.main()
    (folder,) = tmp_path.glob("debezium-postgres-*")

    def steady(found: tuple[Golden, ...]) -> list[object]:
        return [lasting(record) for record in found if b"common.Heartbeat" not in (record.value or b"")]

    wanted = ("changes", "transactions", "messages", "types")
    assert steady(records(*wanted, folder=folder)) == steady(records(*wanted))

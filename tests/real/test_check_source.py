"""``cdc connectors check`` against a real source and a real connector: each harm is done, named, mended by what the finding says, and gone."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg2
import pytest

from cdc import config
from cdc.checks.report import Report
from cdc.checks.run import check
from cdc.local import unprivileged
from cdc.local.stack import Stack
from connectors.check import server as server_check
from connectors.check import source as look
from connectors.client import ConnectClient
from connectors.definition import load
from tests.fix_own import Own, own_source
from tests.fix_stack import missing_service
from tests.real.other_server import Other, binaries, initialise, running

TABLES = (
    "CREATE SCHEMA app",
    "CREATE TABLE app.thing (id int PRIMARY KEY, v text)",
    "CREATE TABLE app.loose (v text)",
    "CREATE VIEW app.seen AS SELECT 1 AS one",
)


@pytest.fixture(scope="module")
def own(stack: Stack) -> Iterator[Own]:
    """A database with tables, and the files of ``init``; nothing of the preparation SQL has been run."""
    with own_source(stack) as made:
        made.run(*TABLES)
        made.cdc("connectors", "init", made.name)
        declared = made.folder / "source.toml"
        declared.write_text(declared.read_text() + f'admin_dsn = "{made.admin_dsn}"\n')
        yield made


def looked(own: Own) -> Report:
    return check(config.load(own.warehouse.path), [own.name], everything=False)


def codes(own: Own, *severities: str) -> set[str]:
    wanted = severities or ("error", "warning")
    return {each.finding.code for each in looked(own).found if each.finding.severity in wanted}


def of_the_database(own: Own) -> set[str]:
    """Errors and warnings of the database alone."""
    found = look(load(own.folder / "definition.yaml"), str(config.load(own.warehouse.path).source(own.name).dsn))
    return {finding.code for finding in found if finding.severity != "info"}


def mend(own: Own, folder: Path) -> str:
    """Run what ``--fix-sql`` prints, as a DBA does, twice."""
    done = own.cdc("connectors", "check", own.name, "--fix-sql")
    (folder / "fix.sql").write_text(done.stdout)
    own.psql(folder / "fix.sql")
    own.psql(folder / "fix.sql")
    return done.stdout


def test_the_sql_that_is_printed_prepares_a_source_from_nothing(own: Own, tmp_path: Path):
    before = {each.finding.code for each in looked(own).found if each.finding.check.area == "source"}
    assert before == {"source_unreachable"}  # the role does not exist: what it would see nobody can say
    script = mend(own, tmp_path)
    source = config.load(own.warehouse.path).source(own.name)
    password = psycopg2.extensions.parse_dsn(source.dsn)["password"]
    assert password not in script
    assert "SUPERUSER" not in script
    assert "postgres" not in script  # what is granted is granted to the connector, whoever looked
    own.run(f"ALTER ROLE cdc_{own.name} PASSWORD '{password}'")
    assert of_the_database(own) == set()
    attributes = own.ask(f"SELECT rolsuper, rolcreaterole, rolcreatedb, rolbypassrls, rolreplication, rolcanlogin FROM pg_roles WHERE rolname = 'cdc_{own.name}'")
    assert attributes == [(False, False, False, False, True, True)]
    written = own.ask(
        "SELECT n.nspname || '.' || c.relname, p FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace,"
        " unnest('{INSERT,UPDATE,DELETE,TRUNCATE}'::text[]) p WHERE n.nspname IN ('app', 'cdc') AND c.relkind = 'r'"
        f" AND has_table_privilege('cdc_{own.name}', c.oid, p) ORDER BY 1, 2"
    )
    assert written == [("cdc.heartbeat", "UPDATE"), ("cdc.signal", "INSERT")]
    known = {each.finding.code: each.finding.problem for each in looked(own).found if each.finding.severity == "info"}
    assert known["table_keyless"] == "app.loose has no key"
    assert known["not_captured"] == "1 view of app not captured: seen"


HARMS = (
    {
        "publication_table": "ALTER PUBLICATION cdc_{n} DROP TABLES IN SCHEMA app",
        "publication_operations": "ALTER PUBLICATION cdc_{n} SET (publish = 'insert, update, delete')",
        "replica_identity": "ALTER TABLE app.thing REPLICA IDENTITY DEFAULT",
        "select": "REVOKE SELECT ON app.thing FROM cdc_{n}",
        "capture_privilege": "REVOKE UPDATE ON cdc.heartbeat FROM cdc_{n}",
        "role_replication": "ALTER ROLE cdc_{n} NOREPLICATION",
        "role_attributes": "ALTER ROLE cdc_{n} CREATEDB CREATEROLE",
        "role_writes": "GRANT DELETE ON app.thing TO cdc_{n}",
        "unlogged": "ALTER TABLE app.loose SET UNLOGGED",
    },
    {
        "publication_missing": "DROP PUBLICATION cdc_{n}",
        "role_superuser": "ALTER ROLE cdc_{n} SUPERUSER",
        "capture_table": "DROP TABLE cdc.signal",
    },
)


@pytest.mark.parametrize("harms", HARMS, ids=("what-lacks", "what-is-too-much"))
def test_each_harm_is_named_and_the_sql_that_is_printed_mends_it(own: Own, tmp_path: Path, harms: dict[str, str]):
    own.run(*(harm.format(n=own.name) for harm in harms.values()))
    assert set(harms) <= of_the_database(own)
    mend(own, tmp_path)
    assert of_the_database(own) == set()


@pytest.fixture(scope="module")
def applied(own: Own) -> Own:
    """The same, captured."""
    own.cdc("policy", "init", own.name)
    own.apply()
    own.wait()
    return own


def until(true: Callable[[], bool], what: str) -> None:
    ends = time.monotonic() + 60
    while not true():
        assert time.monotonic() < ends, what
        time.sleep(0.2)


def test_a_fresh_connector_has_no_error_and_its_slot_fits_its_position(applied: Own):
    for _ in range(2):  # while heartbeats move both
        assert codes(applied) <= {"topic_replication"}


RISKY = {
    "skipped.operations": ("t", "skipped_operations"),
    "snapshot.mode": ("no_data", "snapshot_mode"),
    "errors.tolerance": ("all", "errors_tolerance"),
    "offset.mismatch.strategy": ("no_validation", "offset_mismatch"),
    "decimal.handling.mode": ("double", "decimal_mode"),
    "publication.autocreate.mode": ("filtered", "publication_autocreate"),
    "column.mask.with.4.chars": ("app.thing.v", "columns_altered"),
}


def test_a_risky_configuration_is_named_and_apply_ends_it(applied: Own):
    with ConnectClient(applied.stack.addresses().connect_url) as client:
        client.stop(applied.name)
        live = client.config(applied.name)
        live |= {setting: value for setting, (value, _) in RISKY.items()}
        live["database.password"] = config_password(applied)
        client.put_config(applied.name, live)
        until(lambda: client.config(applied.name)["errors.tolerance"] == "all", "the configuration")
    found = looked(applied)
    named = {each.finding.code for each in found.found}
    assert {code for _, code in RISKY.values()} | {"secret_plain", "configuration_differs", "connector_stopped", "slot_inactive"} <= named
    assert config_password(applied) not in str([each.document() for each in found.found])
    assert applied.cdc("connectors", "check", applied.name, code=6).stdout.count("→ cdc connectors apply") > 0
    with ConnectClient(applied.stack.addresses().connect_url) as client:
        client.resume(applied.name)
    applied.cdc("connectors", "apply", applied.name)
    until(lambda: codes(applied) <= {"topic_replication"}, "no finding is left")  # a task that is busy starts late


def config_password(own: Own) -> str:
    return str(psycopg2.extensions.parse_dsn(config.load(own.warehouse.path).source(own.name).dsn)["password"])


def test_a_slot_that_was_dropped_and_made_anew_is_ahead_of_the_stored_position(applied: Own):
    slot = f"cdc_{applied.name}"
    with ConnectClient(applied.stack.addresses().connect_url) as client:
        client.stop(applied.name)
        free = f"SELECT count(*) = 0 FROM pg_replication_slots WHERE slot_name = '{slot}' AND active"
        until(lambda: applied.ask(free) == [(True,)], "the slot is free")
        assert {"connector_stopped", "slot_inactive"} <= codes(applied)
        applied.run(f"SELECT pg_drop_replication_slot('{slot}')")
        assert "slot_missing" in codes(applied)
        applied.run("INSERT INTO app.thing SELECT n, 'x' FROM generate_series(1, 1000) n", f"SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput')")
        assert "slot_ahead" in codes(applied)
        client.delete_offsets(applied.name)  # what the finding says: the tables are read anew
        applied.cdc("connectors", "apply", applied.name)
        applied.wait()
    until(lambda: codes(applied) <= {"topic_replication"}, "no finding is left")


def test_a_task_that_fails_is_named_with_its_cause(applied: Own):
    applied.run(f"ALTER ROLE cdc_{applied.name} NOLOGIN")
    try:
        found = {each.finding.code for each in looked(applied).found}
        assert "source_unreachable" in found
        assert "configuration_invalid" in found  # Connect cannot get in either
        assert "slot_inactive" not in found
    finally:
        applied.run(f"ALTER ROLE cdc_{applied.name} LOGIN")


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Other]:
    """A server with settings that are near to losing something."""
    programs = binaries().get(18)
    if programs is None:
        missing_service("PostgreSQL 18")
    folder = tmp_path_factory.mktemp("odd")
    unprivileged.disguise().give(folder)
    initialise(programs, folder / "data")
    settings = {
        "wal_level": "logical", "max_replication_slots": "2", "max_wal_senders": "2", "wal_sender_timeout": "0", "max_slot_wal_keep_size": "1MB",
        "min_wal_size": "32MB", "max_wal_size": "32MB", "wal_keep_size": "0", "idle_replication_slot_timeout": "2d", "max_prepared_transactions": "5",
    }  # fmt: skip
    with running(programs, folder / "data", **settings) as other:
        yield other


def test_a_servers_settings_and_sessions(odd: Other, own: Own, monkeypatch: pytest.MonkeyPatch):
    definition = load(own.folder / "definition.yaml")
    dsn = odd.dsn()

    def found() -> set[str]:
        return {finding.code for finding in look(definition, dsn)}

    assert {"wal_sender_timeout", "slot_idle_timeout", "slot_headroom", "role_superuser", "publication_missing", "schema_empty"} <= found()
    odd.run("SELECT pg_create_physical_replication_slot('a')", "SELECT pg_create_physical_replication_slot('b')")
    assert "slots_taken" in found()
    odd.run("SELECT pg_drop_replication_slot('a')", "SELECT pg_drop_replication_slot('b')")
    assert "slots_taken" not in found()
    monkeypatch.setattr(server_check, "OPEN_S", 0.0)
    connection = psycopg2.connect(dsn)
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE held (v int)")
        assert "transaction_open" in found()
        cursor.execute("PREPARE TRANSACTION 'x'")
    assert {"transaction_prepared"} == found() & {"transaction_prepared", "transaction_open"}
    connection.rollback()
    odd.run("ROLLBACK PREPARED 'x'")
    assert not found() & {"transaction_prepared", "transaction_open"}
    connection.close()


def test_a_slot_whose_wal_was_removed_is_lost(odd: Other, own: Own):
    definition = load(own.folder / "definition.yaml")
    odd.run(f'CREATE DATABASE "{own.database}"')
    try:
        slot = definition.slot

        def found() -> set[str]:
            return {finding.code for finding in look(definition, odd.dsn(own.database))}

        odd.run(f"SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput')")
        assert "slot_foreign" in found()  # of the database postgres
        odd.run(f"SELECT pg_drop_replication_slot('{slot}')")
        odd.run(f"SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput')", database=own.database)
        assert "slot_inactive" in found()
        for _ in range(8):
            odd.run("CREATE TABLE IF NOT EXISTS filler (v text)", "INSERT INTO filler SELECT repeat('x', 1000) FROM generate_series(1, 5000)", "SELECT pg_switch_wal()", "CHECKPOINT")
            if "slot_lost" in found():
                break
        assert "slot_lost" in found()
        odd.run(f"SELECT pg_drop_replication_slot('{slot}')")
        assert "slot_lost" not in found()
    finally:
        odd.run(f'DROP DATABASE "{own.database}" WITH (FORCE)')


def test_a_standby_makes_a_slot_without_failover_a_finding(odd: Other, own: Own):
    """A standby is whoever streams physically: a receiver is enough."""
    programs = binaries()[18]
    definition = load(own.folder / "definition.yaml")
    odd.run(f'CREATE DATABASE "{own.database}"')
    odd.run(f"SELECT pg_create_logical_replication_slot('{definition.slot}', 'pgoutput')", database=own.database)
    folder = odd.folder.parent / "received"
    folder.mkdir()
    unprivileged.disguise().give(folder)
    receiver = subprocess.Popen(
        [*unprivileged.disguise().prefix, programs / "pg_receivewal", "-d", odd.dsn(), "-D", folder, "--no-loop"],
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"}, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        until(lambda: "slot_failover" in {finding.code for finding in look(definition, odd.dsn(own.database))}, "a receiver streams")
        odd.run(f"SELECT pg_drop_replication_slot('{definition.slot}')")
        odd.run(f"SELECT pg_create_logical_replication_slot('{definition.slot}', 'pgoutput', failover => true)", database=own.database)
        found = {finding.code for finding in look(definition, odd.dsn(own.database))}
        assert "standby_slots" in found
        assert "slot_failover" not in found
    finally:
        receiver.terminate()
        receiver.wait(30)
        odd.run(f"SELECT pg_drop_replication_slot('{definition.slot}')", f'DROP DATABASE "{own.database}" WITH (FORCE)')

"""The sources and the standard workload on a real PostgreSQL: what it says it commits is what the WAL holds."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest
import yaml
from psycopg2 import sql

from cdc.errors import ConfigError, Conflict, Unreachable
from cdc.local import postgres
from cdc.local.addresses import free_port
from cdc.local.part import Runner
from cdc.local.private_file import private_folder
from cdc.local.workload import PHASES, WorkloadSummary, canaries, loop, run
from cdc.local.workload.large import LARGEST_DOCUMENT
from tests.fix_stack import FreshDatabase, WarehouseCluster, missing_service
from tests.oracle import wal
from tests.oracle.sweep import sweep
from tests.oracle.tables import compare_clear, render

REPOSITORY = Path(__file__).parents[2]
SOURCES = ("trading", "portfolio")
both = pytest.mark.parametrize("source", SOURCES)


@pytest.fixture(scope="module")
def cluster() -> Iterator[WarehouseCluster]:
    """A source cluster (wal_level = logical) whose templates ``trading`` and ``portfolio`` hold the source schemas."""
    folder = private_folder(Path(tempfile.mkdtemp(prefix="cdc-source-")))
    tuning = {**postgres.SOURCE, "fsync": "off"}
    server = postgres.Cluster("source", folder / "data", folder / "source.log", free_port(set()), "test", tuning)
    runner = Runner(private_folder(folder / "run"))
    try:
        try:
            runner.start(server, lambda _line: None)
        except ConfigError as error:
            missing_service(f"PostgreSQL: {error}")
        made = WarehouseCluster(server)
        for source in SOURCES:
            made.template(source, lambda dsn, source=source: apply(dsn, source))
        query(server.dsn("postgres"), "ALTER ROLE debezium PASSWORD 'test'")
        yield made
    finally:
        runner.stop(server, lambda _line: None)
        shutil.rmtree(folder)


def apply(dsn: str, source: str) -> None:
    for file in sorted((REPOSITORY / "sql" / "source" / source).glob("*.sql")):
        query(dsn, file.read_text())


def query(dsn: str, statement: str | sql.Composable, *parameters: object) -> list[tuple]:
    connection = psycopg2.connect(dsn)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement, parameters or None)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


def columns(dsn: str) -> dict[str, list[str]]:
    statement = """
        SELECT n.nspname || '.' || c.relname, array_agg(a.attname::text ORDER BY a.attnum)
        FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped AND n.nspname IN ('public', 'cdc') GROUP BY 1"""
    return dict(query(dsn, statement))


@pytest.fixture
def database(cluster: WarehouseCluster, source: str) -> Iterator[FreshDatabase]:
    made = cluster.fresh_database(source, template=source)
    yield made
    cluster.drop(made)


@pytest.fixture(scope="module")
def played(cluster: WarehouseCluster) -> dict[str, tuple[FreshDatabase, WorkloadSummary, wal.Committed]]:
    """Both databases after one run, with what PostgreSQL decoded of it. The slots stay, so that the WAL does."""
    answer = {}
    for source in SOURCES:
        made = cluster.fresh_database(source, template=source)
        slot = f"oracle_{source}"
        wal.create_slot(made.admin_dsn, slot)
        summary = run(made.admin_dsn, source, seed=7, scale=0.2)
        answer[source] = made, summary, wal.decode(made.admin_dsn, slot, f"cdc_{source}")
    return answer


@both
def test_what_is_counted_is_what_the_write_ahead_log_holds(played, source):
    _, summary, committed = played[source]
    counted = {}
    for table, done in summary.tables.items():
        counted[table, "inserted"] = done.inserted
        counted[table, "updated"] = done.updated + done.rekeyed
        counted[table, "deleted"] = done.deleted
        counted[table, "truncated"] = done.truncated
    assert {key: rows for key, rows in counted.items() if rows} == dict(committed.changes)
    assert summary.committed == committed.transactions
    assert summary.messages == committed.messages.total()
    assert summary.changes > 1000
    assert min(summary.rolled_back, summary.empty, summary.messages) > 5
    assert max(committed.per_transaction) > (3000 if source == "trading" else 300)


@both
def test_the_same_seed_gives_the_same_rows_and_another_seed_other_ones(cluster, source):
    made = [cluster.fresh_database(source, template=source) for _ in range(3)]
    for database, seed in zip(made, (11, 11, 12), strict=True):
        run(database.admin_dsn, source, seed, scale=0.05)
    tables = {table: names for table, names in columns(made[0].admin_dsn).items() if table.startswith("public.")}
    first, second, other = (
        {t: render(d.admin_dsn, sql.Identifier(*t.split(".")), [], names) for t, names in tables.items()} for d in made
    )
    assert first == second
    assert all(first.values())
    assert [table for table in tables if first[table] == other[table]] == []
    for database in made:
        cluster.drop(database)


@both
def test_every_phase_runs_with_nothing_but_the_foundation(database, source):
    for seed, phase in enumerate(PHASES[source]):
        assert run(database.admin_dsn, source, seed, scale=0.02, phases=[phase]).changes > 0, phase


@both
def test_a_seed_runs_once_and_mistakes_are_named_before_anything_is_written(database, source):
    with pytest.raises(ConfigError, match="no such phase: nonsense"):
        run(database.admin_dsn, source, phases=["nonsense"])
    with pytest.raises(ConfigError, match="no workload for database"):
        run(database.admin_dsn, "billing")
    run(database.admin_dsn, source, seed=1, scale=0.05)
    with pytest.raises(Conflict, match="seed 1 has run"):
        run(database.admin_dsn, source, seed=1, scale=0.05)
    run(database.admin_dsn, source, seed=2, scale=0.05)
    with pytest.raises(Unreachable):
        run("host=127.0.0.1 port=1 dbname=x user=x", source)


SHAPES = {
    "trading": {
        "identical rows without a key": "SELECT 1 FROM order_events GROUP BY order_events.* HAVING count(*) > 1",
        "a row of nulls": "SELECT 1 FROM order_events WHERE num_nulls(order_id, event, detail, occurred_at) = 4",
        "a person's data without a person": "SELECT 1 FROM audit_notes WHERE customer_id IS NULL",
        "NaN": "SELECT 1 FROM orders WHERE limit_price = 'NaN'",
        "infinite number": "SELECT 1 FROM orders WHERE limit_price = '-Infinity'",
        "more digits than a double": "SELECT 1 FROM orders WHERE scale(limit_price) > 28",
        "trailing zeros": "SELECT 1 FROM orders WHERE scale(limit_price) > min_scale(limit_price) + 3",
        "endless instant": "SELECT 1 FROM orders WHERE good_till = 'infinity'",
        "endless date": "SELECT 1 FROM accounts WHERE closed_on = '-infinity'",
        "microseconds": "SELECT 1 FROM risk_snapshots WHERE session_time = '23:59:59.999999'",
        "Debezium's marker as a value": "SELECT 1 FROM orders WHERE client_note = '__debezium_unavailable_value'",
        "empty text": "SELECT 1 FROM contact_points WHERE label = ''",
        "out of line, uncompressed": "SELECT 1 FROM documents WHERE pg_column_size(body) > 100000",
        "out of line, compressed": "SELECT 1 FROM prospectuses WHERE pg_column_compression(body) IS NOT NULL",
        "an added column": "SELECT 1 FROM customers WHERE maiden_name = 'Müller-Żółć'",
        "a key that was there twice": "SELECT 1 FROM customers WHERE risk_class = 9",
        "rows after a truncate": "SELECT 1 FROM intraday_margin",
        "generated": "SELECT 1 FROM executions WHERE notional > 0",
    },
    "portfolio": {
        "identical rows without a key": "SELECT 1 FROM valuation_log GROUP BY valuation_log.* HAVING count(*) > 1",
        "equal numbers that differ in scale": "SELECT 1 FROM valuation_log GROUP BY portfolio_id, net_asset_value"
        " HAVING count(DISTINCT scale(net_asset_value)) > 1",
        "thirty digits": "SELECT 1 FROM prices WHERE scale(price) >= 28",
        "NaN": "SELECT 1 FROM prices WHERE price = 'NaN'",
        "large": "SELECT 1 FROM statements WHERE length(body) > 90000",
        "an added column": "SELECT 1 FROM prices WHERE haircut = 1.150",
        "rows after a truncate": "SELECT 1 FROM daily_accruals WHERE accrual_date = '2026-01-06'",
    },
}


@pytest.mark.parametrize(("source", "shape"), [(s, shape) for s, shapes in SHAPES.items() for shape in shapes])
def test_shapes_are_there_at_the_end(played, source, shape):
    assert query(played[source][0].admin_dsn, SHAPES[source][shape])


def test_a_large_document_passes_kafkas_default_record_limit(played):
    ((bytes_,),) = query(played["trading"][0].admin_dsn, "SELECT max(octet_length(body)) FROM documents")
    assert bytes_ > LARGEST_DOCUMENT * 0.8
    assert 2 * bytes_ > 1 << 20


def test_persons_are_the_same_in_both_databases(played):
    emails = [
        set(query(played[source][0].admin_dsn, statement))
        for source, statement in (
            ("trading", "SELECT email, ssn FROM customers"),
            ("portfolio", "SELECT email, tax_id FROM clients"),
        )
    ]
    assert len(emails[0] & emails[1]) > 20


def test_planted_values_are_where_they_should_be(cluster, played):
    planted = {c.value: c for c in canaries(7)}
    server = cluster.cluster
    in_files = sweep([server.folder / "base", server.folder / "pg_wal"], {}, planted)
    assert [planted[value].family for value, hits in in_files.items() if not hits] == []
    in_dumps = sweep([], {source: played[source][0].admin_dsn for source in SOURCES}, planted)
    kept = {(c.family, c.database) for c in planted.values() if c.fate == "kept"}
    assert {(planted[value].family, hit.place) for value, hits in in_dumps.items() for hit in hits} == kept
    assert not any(sweep([server.log], {}, planted).values())


@both
def test_policy_and_tables_name_the_same_columns(database, source):
    policy = yaml.safe_load((REPOSITORY / "governance" / "policies" / f"{source}.yaml").read_text())
    assert policy["source"] == source
    assert {table: list(rules["columns"]) for table, rules in policy["tables"].items()} == columns(database.admin_dsn)
    keys = dict(query(
        database.admin_dsn,
        """SELECT n.nspname || '.' || c.relname, array_agg(a.attname::text)
           FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
           JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey)
           WHERE i.indisprimary AND n.nspname IN ('public', 'cdc') GROUP BY 1""",
    ))  # fmt: skip
    for table, rules in policy["tables"].items():
        protection = {c: rule if isinstance(rule, str) else rule["protect"] for c, rule in rules["columns"].items()}
        assert all(protection[column] in {"clear", "token"} for column in keys.get(table, [])), table
        assert all("domain" in rules["columns"][c] for c, how in protection.items() if how == "token"), table
        if "subject" in rules:
            assert protection[rules["subject"]["column"]] == "clear", table


@both
def test_capture_has_what_it_needs_also_for_tables_made_later(cluster, database, source):
    owner = database.admin_dsn
    query(
        owner, "CREATE TABLE later (a int, twice int GENERATED ALWAYS AS (a * 2) STORED); INSERT INTO later VALUES (1)"
    )
    query(owner, "UPDATE later SET a = 2; DELETE FROM later; CREATE TABLE cdc.copied AS SELECT 1 AS a")
    published = {
        f"{schema}.{table}" for schema, table in query(owner, "SELECT schemaname, tablename FROM pg_publication_tables")
    }
    assert published == set(columns(owner))
    weak = "SELECT oid::regclass FROM pg_class WHERE oid = ANY(%s::regclass[]) AND relreplident <> 'f'"
    assert query(owner, weak, sorted(published)) == []
    connector = cluster.cluster.dsn(database.name, "debezium")
    for table in published:
        query(connector, sql.SQL("SELECT * FROM {}").format(sql.Identifier(*table.split("."))))
    beat = """UPDATE cdc.heartbeat SET beat_at = clock_timestamp(),
        system_identifier = (SELECT system_identifier::text FROM pg_control_system()),
        timeline = (SELECT timeline_id FROM pg_control_checkpoint()) RETURNING system_identifier, timeline"""
    ((identifier, timeline),) = query(connector, beat)
    assert (int(identifier) > 0, timeline) == (True, 1)
    query(connector, "INSERT INTO cdc.signal VALUES ('1', 'log', '{}')")
    for refused in ("INSERT INTO later VALUES (1)", "UPDATE cdc.signal SET data = ''", "DELETE FROM cdc.heartbeat"):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            query(connector, refused)


def test_the_loop_writes_ten_rows_a_transaction_at_the_asked_rate_and_stops(cluster):
    database = cluster.fresh_database("trading", template="trading")
    loop(database.admin_dsn, 0.5, seed=3)  # makes people and accounts on the way
    wal.create_slot(database.admin_dsn, "oracle_loop")
    summary = loop(database.admin_dsn, 2, rate=400, seed=4)
    committed = wal.decode(database.admin_dsn, "oracle_loop", "cdc_trading")
    wal.drop_slot(database.admin_dsn, "oracle_loop")
    assert set(committed.per_transaction) == {10}
    assert summary.changes == committed.changes.total()
    assert 400 < summary.changes <= 900
    assert loop(database.admin_dsn, 60, stop=lambda: True).changes == 0
    cluster.drop(database)


@pytest.fixture
def twin(cluster: WarehouseCluster, played) -> Iterator[tuple[str, str]]:
    """The played trading database, and a copy that looks like the warehouse: schema ``trading`` instead of ``public``."""
    original = played["trading"][0]
    cluster.templates["played"] = original.name
    copy = cluster.fresh_database("twin", template="played")
    query(copy.admin_dsn, "ALTER SCHEMA public RENAME TO trading; ALTER TABLE cdc.heartbeat SET SCHEMA trading")
    query(copy.admin_dsn, 'ALTER TABLE trading.heartbeat RENAME TO "cdc.heartbeat"')
    yield original.admin_dsn, copy.admin_dsn
    cluster.drop(copy)


def test_equal_tables_compare_equal_whatever_the_sessions_settings(twin):
    source, warehouse = twin
    query(warehouse, "ALTER ROLE postgres SET TimeZone = 'Asia/Tokyo'")
    try:
        for table, names in columns(source).items():
            if table != "cdc.signal":
                assert compare_clear(source, warehouse, "trading", table, names[:1], names) is None, table
    finally:
        query(warehouse, "ALTER ROLE postgres RESET TimeZone")


@pytest.mark.parametrize(
    ("table", "keys", "change"),
    [
        ("orders", ["order_id"], "UPDATE orders SET limit_price = 1.10 WHERE limit_price = 1.1000000000"),
        (
            "orders",
            ["order_id"],
            "UPDATE orders SET placed_at = placed_at + '1 microsecond' WHERE order_id = (SELECT min(order_id) FROM orders)",
        ),
        ("orders", ["order_id"], "UPDATE orders SET client_note = NULL WHERE client_note = ''"),
        ("orders", ["order_id"], "UPDATE orders SET client_note = normalize(client_note, NFD)"),
        ("order_events", [], "DELETE FROM order_events WHERE ctid = (SELECT min(ctid) FROM order_events)"),
        ("order_events", [], "INSERT INTO order_events SELECT * FROM order_events LIMIT 1"),
        ("tape_staging", [], "UPDATE tape_staging SET size = NULL WHERE ctid = (SELECT min(ctid) FROM tape_staging)"),
        ("prospectuses", ["symbol", "edition"], "UPDATE prospectuses SET body = overlay(body placing '#' from 70000)"),
        ("documents", ["document_id"], "TRUNCATE documents"),
    ],
)
def test_a_difference_of_one_byte_row_or_null_is_found(twin, table, keys, change):
    source, warehouse = twin
    query(warehouse, f"SET search_path = trading; {change}")
    names = columns(source)[f"public.{table}"]
    assert compare_clear(source, warehouse, "trading", table, keys, names) is not None
    assert compare_clear(source, warehouse, "trading", "instruments", ["symbol"], ["symbol", "isin"]) is None


def test_comparing_nothing_is_a_difference(twin):
    source, warehouse = twin
    found = compare_clear(source, warehouse, "trading", "instruments", ["symbol"], ["symbol"], at_least=10**6)
    assert found is not None
    assert "fewer than" in found.reason

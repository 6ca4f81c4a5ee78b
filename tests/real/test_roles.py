"""Who may do what in a warehouse: what is not granted is refused by PostgreSQL itself, and history even to its superuser by triggers."""

from __future__ import annotations

import psycopg2
import pytest
from psycopg2 import sql

from tests.builders import FILLS, ORDERS, Feed
from tests.warehouse import everything, query, worker

ROW = {"id": 1, "owner": "ann", "price": "1.50", "note": "n", "pin": "1"}


@pytest.fixture
def filled(warehouse_database):
    feed = Feed()
    feed.begin()
    feed.row(ORDERS, "c", None, ROW)
    feed.row(FILLS, "c", None, {"symbol": "x" * 70_000, "quantity": 1, "secret": None})
    feed.end()
    with worker(warehouse_database) as it:
        it.bring(feed.records)
    query(warehouse_database.admin_dsn, "SELECT audit.append_operation('made', '{}')")
    query(warehouse_database.admin_dsn, "SELECT audit.cut_partitions('trading', 6000000)")
    return warehouse_database


def refused(dsn: str, statement: str) -> None:
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        query(dsn, statement)


REPLICATOR = [
    "UPDATE audit.entry SET entry = entry", "UPDATE audit.entry SET recorded_at = now()", "DELETE FROM audit.entry", "TRUNCATE audit.entry", "DELETE FROM audit.body", "UPDATE audit.body SET body = ''", "TRUNCATE audit.body",
    "UPDATE audit.log SET size = size", "INSERT INTO audit.log (log, origin) VALUES ('x', 'x/1')", "DELETE FROM audit.log", "TRUNCATE audit.log",
    "SELECT entry FROM audit.entry", "SELECT leaf FROM audit.entry", "SELECT * FROM audit.entry", "SELECT subject FROM audit.entry", "SELECT body FROM audit.body", "SELECT 1 FROM audit.entry_trading", "SELECT 1 FROM audit.entry_trading$0",
    "INSERT INTO audit.entry (log, seq, kind, ordered_at, entry, leaf) VALUES ('trading', 9, 'end', 0, '{}', sha256(''))", "INSERT INTO audit.entry_operations (log, seq, kind, ordered_at, entry, leaf) VALUES ('operations', 9, 'operation', 0, '{}', sha256(''))",
    "INSERT INTO audit.entry_trading$0 SELECT * FROM audit.entry_trading$0", "DELETE FROM audit.entry_trading$0", "TRUNCATE audit.entry_trading$0", "COPY audit.entry TO STDOUT", "COPY audit.entry (entry) TO STDOUT",
    "CREATE TABLE audit.x (y int)", "CREATE TABLE pipeline.x (y int)", "CREATE TABLE public.x (y int)", "CREATE SCHEMA x", "CREATE VIEW audit.x AS SELECT 1",
    "DROP TRIGGER append_only ON audit.entry", "ALTER TABLE audit.entry DISABLE TRIGGER ALL", "ALTER TABLE audit.entry ADD COLUMN x int", "DROP TABLE audit.entry", "SET session_replication_role = replica",
    "SELECT audit.append_leaf(0, '{}', sha256('x'))", "SELECT audit.advance('operations', 1, 2, ARRAY[sha256('x')])", "SELECT audit.advance('trading', 4, 3, ARRAY[sha256('x')])",
    "DELETE FROM pipeline.stream", "DELETE FROM pipeline.state_table", "INSERT INTO pipeline.state_table (log, table_name) VALUES ('trading', 'x')", "UPDATE pipeline.state_table SET keyless = true", "UPDATE pipeline.table_version SET seq = 0", "DELETE FROM pipeline.table_version", "TRUNCATE pipeline.stream",
    "DELETE FROM trading_state.orders", "TRUNCATE trading_state.orders", "DROP VIEW trading.orders", "ALTER TABLE trading_state.orders ADD COLUMN x int", "CREATE TABLE trading_state.x (y int)",
    "CREATE FUNCTION audit.f() RETURNS int LANGUAGE sql AS 'SELECT 1'", "CREATE ROLE x", "SET SESSION AUTHORIZATION postgres", "SET ROLE cdc_auditor", "SELECT pg_read_file('PG_VERSION')", "SELECT * FROM migration.applied",
]  # fmt: skip


@pytest.mark.parametrize("statement", REPLICATOR)
def test_what_the_replicator_may_not(filled, statement):
    before = everything(filled)
    refused(filled.replicator_dsn, statement)
    assert everything(filled) == before


def test_the_replicator_cannot_write_the_operations_log_by_hand(filled):
    with pytest.raises(psycopg2.Error):
        query(filled.replicator_dsn, "INSERT INTO audit.entry (log, seq, kind, ordered_at, entry, leaf) VALUES ('operations', 1, 'operation', 0, '{}', sha256(''))")
    assert query(filled.auditor_dsn, "SELECT count(*) FROM audit.entry WHERE log = 'operations'") == [(1,)]


def test_the_replicator_cannot_cut_partitions_without_end(filled):
    with pytest.raises(psycopg2.errors.InvalidParameterValue):
        query(filled.replicator_dsn, "SELECT audit.cut_partitions('trading', 100000000000)")


def test_the_replicator_cannot_take_names_that_are_taken(filled):
    """Logs become schemas: none may be one of ours, or of PostgreSQL."""
    for name in ("audit", "pipeline", "migration", "public", "pg_catalog", "pg_x", "information_schema", "privacy"):
        with pytest.raises(psycopg2.Error):
            query(filled.replicator_dsn, "SELECT audit.create_log(%s, %s)", name, f"{name}/1")


@pytest.mark.parametrize("name", ["", "Trading", "a-b", "a.b", 'a"b', "1a", "é", "a" * 42, "a b"])
def test_names_of_logs(filled, name):
    """Also: an origin that is not of the log."""
    with pytest.raises(psycopg2.errors.InvalidName):
        query(filled.replicator_dsn, "SELECT audit.create_log('fresh', 'operations/2')")
    with pytest.raises(psycopg2.errors.InvalidName):
        query(filled.replicator_dsn, "SELECT audit.create_log(%s, %s)", name, f"{name}/1")


def test_every_partition_stores_entries_as_they_are(filled):
    """Inherited when it is made, from the migration and from cut_partitions alike; and its bounds are said once."""
    query(filled.admin_dsn, "SELECT audit.cut_partitions('trading', 6000000)")
    found = query(
        filled.admin_dsn,
        "SELECT c.relname, a.attstorage::text, (SELECT count(*) FROM pg_constraint k WHERE k.conrelid = c.oid AND conname = 'bounds')"
        " FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'entry'"
        " WHERE c.relnamespace = 'audit'::regnamespace AND c.relname LIKE 'entry%' AND c.relkind IN ('r', 'p')",
    )
    assert len(found) > 4
    assert {(storage, bounds) for _name, storage, bounds in found} == {("m", 0)}


def test_partitions_of_one_log_never_take_the_name_of_another(filled):
    query(filled.replicator_dsn, "SELECT audit.create_log('trading_7', 'trading_7/1')")
    query(filled.replicator_dsn, "SELECT audit.create_log('a_0', 'a_0/1')")
    query(filled.replicator_dsn, "SELECT audit.create_log('a', 'a/1')")
    for name in ("a", "a_0", "trading_7"):
        query(filled.admin_dsn, "INSERT INTO audit.entry (log, seq, kind, ordered_at, entry, leaf) VALUES (%s, 0, 'end', 0, '{}', sha256(''))", name)


AUDITOR = [
    "INSERT INTO audit.entry (log, seq, kind, ordered_at, entry, leaf) VALUES ('trading', 99, 'end', 0, '{}', sha256(''))", "UPDATE audit.entry SET entry = ''", "DELETE FROM audit.entry", "TRUNCATE audit.entry", "INSERT INTO audit.body VALUES ('trading', 99, '')",
    "UPDATE audit.log SET size = 0", "UPDATE pipeline.stream SET next_offset = 0", "UPDATE pipeline.lease SET owner = NULL", "DELETE FROM pipeline.table_version", "UPDATE pipeline.state_table SET truncated_through = 9", "INSERT INTO trading_state.orders (_key, _seq, _deleted) VALUES ('x', 1, false)",
    "UPDATE trading_state.orders SET _seq = 0", "UPDATE trading.orders SET id = 0", "DELETE FROM trading.orders", "CREATE TABLE public.x (y int)", "CREATE SCHEMA x", "SELECT audit.create_log('x', 'x/1')", "SELECT audit.cut_partitions('trading', 1)", "SELECT audit.advance('trading', 0, 0, '{}')",
    "SELECT pipeline.define_state('trading', 't', 't', false, '[]', '[]')", "SELECT pipeline.end_owner('trading', 1)",
]  # fmt: skip


@pytest.mark.parametrize("statement", AUDITOR)
def test_what_the_auditor_may_not(filled, statement):
    before = everything(filled)
    refused(filled.auditor_dsn, statement)
    assert everything(filled) == before


def test_what_the_auditor_reads(filled):
    for relation in ("audit.entry", "audit.body", "audit.log", "pipeline.stream", "pipeline.lease", "pipeline.table_version", "pipeline.state_table", "trading.orders", "trading_state.orders", "trading.fills"):
        assert query(filled.auditor_dsn, f"SELECT count(*) FROM {relation}")


def test_what_the_replicator_needs_for_its_work(filled):
    assert query(filled.replicator_dsn, "SELECT log, seq, kind, ordered_at, table_name, row_key, version, prev FROM audit.entry WHERE seq = 0 AND log = 'trading'")


PARTS = ["entry", "entry_trading", "entry_trading$0", "entry_trading$5000000", "entry_operations", "entry_operations$0", "body"]


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("statement", ["UPDATE {} SET log = log", "DELETE FROM {}", "TRUNCATE {}", "TRUNCATE {} CASCADE"])
def test_history_is_append_only_even_for_a_superuser(filled, part, statement):
    if part == "entry_trading$5000000":
        query(filled.admin_dsn, "INSERT INTO audit.entry (log, seq, kind, ordered_at, entry, leaf) VALUES ('trading', 5000001, 'end', 0, '{}', sha256(''))")
    with pytest.raises(psycopg2.errors.InsufficientPrivilege, match="refused: history is append-only"):
        query(filled.admin_dsn, sql.SQL(statement).format(sql.Identifier("audit", part)))


def test_two_statements_cannot_take_one_place(filled):
    with pytest.raises(psycopg2.errors.UniqueViolation):
        query(filled.replicator_dsn, "INSERT INTO audit.entry_trading (log, seq, kind, ordered_at, entry, leaf) VALUES ('trading', 0, 'end', 0, '{}', sha256(''))")


def test_nothing_is_stored_where_no_partition_is(filled):
    with pytest.raises(psycopg2.errors.CheckViolation):
        query(filled.replicator_dsn, "INSERT INTO audit.entry_trading (log, seq, kind, ordered_at, entry, leaf) VALUES ('trading', 99000000, 'end', 0, '{}', sha256(''))")


def test_privileges_of_functions_are_not_public(filled):
    functions = query(
        filled.admin_dsn,
        "SELECT p.oid::regprocedure::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname IN ('audit', 'pipeline')"
        " AND (p.proacl IS NULL OR EXISTS (SELECT FROM aclexplode(p.proacl) WHERE grantee = 0))",
    )
    assert functions == []
    definers = query(
        filled.admin_dsn,
        "SELECT p.oid::regprocedure::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname IN ('audit', 'pipeline')"
        " AND p.prosecdef AND NOT EXISTS (SELECT FROM unnest(p.proconfig) c WHERE c LIKE 'search\\_path=pg\\_catalog, pg\\_temp')",
    )
    assert definers == []

"""Everything runs, and one service or privilege is not as it must be: one line that names it, and nothing is written."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, NewTopic
from psycopg2.extensions import make_dsn

from governance.setup import set_up
from tests.fix_replication import Warehouse
from tests.fix_stack import FreshDatabase
from tests.real.planted import as_superuser
from tests.real.refusing import DEAD, edit, folder, refused

__all__ = ["folder"]


def rewritten(warehouse: Warehouse, tmp_path: Path, was: str, now: str) -> Path:
    text = warehouse.path.read_text()
    assert was in text
    path = tmp_path / "cdc.toml"
    path.write_text(text.replace(was, now))
    return path


def assert_nothing_written(warehouse: Warehouse) -> None:
    for table in ("audit.entry", "audit.body", "pipeline.state_table", "pipeline.table_version"):
        assert warehouse.query(f"SELECT count(*) FROM {table}") == [(0,)], table


PRIVILEGES = {
    "REVOKE INSERT ON audit.entry_trading FROM cdc_replicator": "INSERT on the log's entries",
    "REVOKE INSERT ON audit.body FROM cdc_replicator": "INSERT on audit.body",
    "REVOKE UPDATE ON pipeline.stream FROM cdc_replicator": "UPDATE on pipeline.stream",
    "REVOKE EXECUTE ON FUNCTION audit.advance(text, bigint, bigint, bytea[]) FROM cdc_replicator": "audit.advance",
    "REVOKE EXECUTE ON FUNCTION audit.create_log(text, text) FROM cdc_replicator": "audit.create_log",
    "REVOKE EXECUTE ON FUNCTION pipeline.end_owner(text, bigint) FROM cdc_replicator": "pipeline.end_owner",
    "REVOKE EXECUTE ON FUNCTION pipeline.define_state(text, text, text, boolean, jsonb, jsonb) FROM cdc_replicator": (
        "pipeline.define_state"
    ),
    "REVOKE SELECT ON pipeline.lease FROM cdc_replicator": "pipeline.lease",
    "REVOKE SELECT ON audit.log FROM cdc_replicator": "audit.log",
    "REVOKE USAGE ON SCHEMA audit FROM cdc_replicator": "schemas",
    "REVOKE USAGE ON SCHEMA pipeline FROM cdc_replicator": "schemas",
    "REVOKE TEMPORARY ON DATABASE {database} FROM cdc_replicator, PUBLIC": "TEMPORARY",
}


@pytest.mark.parametrize("statement", PRIVILEGES)
def test_a_missing_privilege_in_the_warehouse_is_named(
    folder: Path, warehouse_database: FreshDatabase, statement: str
) -> None:
    edit("cdc.toml", "host=127.0.0.1 port=1 dbname=warehouse user=cdc_replicator password=hush-hush",
         warehouse_database.replicator_dsn)(folder)  # fmt: skip
    as_superuser(
        warehouse_database.admin_dsn,
        "SELECT audit.create_log('trading', 'trading/1')",
        statement.replace("{database}", warehouse_database.name),
    )
    said = refused(folder / "cdc.toml", 2, "replicate", "trading")
    assert PRIVILEGES[statement] in said.line
    assert "cdc migrate" in said.hint


def test_a_warehouse_without_tables_is_to_be_migrated(warehouse: Warehouse) -> None:
    as_superuser(warehouse.settings.warehouse_admin_dsn, "DROP SCHEMA audit, pipeline CASCADE")
    said = refused(warehouse.path, 2, "replicate", "trading")
    assert "the warehouse has no tables yet" in said.line
    assert said.hint == "cdc migrate"


def test_a_warehouse_that_lets_nobody_in_is_named_without_the_password(warehouse: Warehouse, tmp_path: Path) -> None:
    for was, now in (
        (f"dbname={warehouse.name} user=cdc_replicator", "dbname=no_such_database user=cdc_replicator"),
        ("user=cdc_replicator password=", "user=cdc_replicator password=hush-hush"),
    ):
        said = refused(rewritten(warehouse, tmp_path, was, now), 5, "replicate", "trading")
        assert "no connection to the warehouse with [warehouse] dsn" in said.line
        assert "role and password" in said.hint
    assert_nothing_written(warehouse)


@contextmanager
def privacy_database(warehouse: Warehouse) -> Iterator[tuple[str, str]]:
    """A new, empty database beside the stack's privacy store: its name, and its owner's DSN."""
    name = f"privacy_{uuid.uuid4().hex[:10]}"
    as_superuser(warehouse.settings.warehouse_admin_dsn, f"CREATE DATABASE {name}")
    try:
        yield name, make_dsn(warehouse.settings.privacy_admin_dsn, dbname=name)
    finally:
        as_superuser(warehouse.settings.warehouse_admin_dsn, f"DROP DATABASE {name} WITH (FORCE)")


def test_a_privacy_store_that_is_not_as_it_must_be_is_named_before_the_stream_is_owned(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    port = re.search(r"port=\d+ dbname=privacy ", warehouse.path.read_text())
    assert port is not None
    said = refused(rewritten(warehouse, tmp_path, port[0], "port=1 dbname=privacy "), 5, "replicate", "trading")
    assert "the privacy store does not answer" in said.line
    assert "[privacy] dsn" in said.hint
    said = refused(
        rewritten(warehouse, tmp_path, "user=cdc_privacy password=", "user=cdc_privacy password=hush-hush"),
        5, "replicate", "trading",
    )  # fmt: skip
    assert "the privacy store does not answer" in said.line
    with privacy_database(warehouse) as (name, admin):
        path = rewritten(warehouse, tmp_path, "dbname=privacy ", f"dbname={name} ")
        said = refused(path, 2, "replicate", "trading")
        assert "the privacy store has no tables yet ([privacy] dsn)" in said.line
        assert "cdc keys init" in said.hint
        set_up(admin, tmp_path / "another.json")
        said = refused(path, 2, "replicate", "trading")
        assert f"{warehouse.settings.keyring}: this keyring does not belong to the privacy store" in said.line
        assert "backup" in said.hint
        as_superuser(admin, "REVOKE INSERT ON privacy.token FROM cdc_privacy")
        path.write_text(path.read_text().replace(str(warehouse.settings.keyring), str(tmp_path / "another.json")))
        said = refused(path, 2, "replicate", "trading")
        assert "this role lacks INSERT on privacy.token in the privacy store" in said.line
        assert "cdc_privacy" in said.hint
    assert_nothing_written(warehouse)
    assert warehouse.query("SELECT count(*) FROM pipeline.stream") == [(0,)]


def test_a_topic_that_is_not_there_is_named(warehouse: Warehouse, tmp_path: Path) -> None:
    said = refused(rewritten(warehouse, tmp_path, 'topic = "trading"', 'topic = "treding"'), 2, "replicate", "trading")
    assert "Kafka has no topic 'treding'" in said.line
    assert "cdc connectors apply" in said.hint
    assert warehouse.query("SELECT count(*) FROM pipeline.stream") == [(0,)]
    assert "treding" not in AdminClient(dict(warehouse.settings.kafka)).list_topics(timeout=10).topics


def test_a_topic_of_two_partitions_has_no_order(warehouse: Warehouse, tmp_path: Path) -> None:
    admin, name = AdminClient(dict(warehouse.settings.kafka)), f"two-{uuid.uuid4().hex[:8]}"
    admin.create_topics([NewTopic(name, 2, 1)])[name].result()
    try:
        path = rewritten(warehouse, tmp_path, 'topic = "trading"', f'topic = "{name}"')
        said = refused(path, 4, "replicate", "trading")
    finally:
        admin.delete_topics([name])[name].result()
    assert f"partition-count: topic '{name}' has 2 partitions" in said.line
    assert said.hint
    assert warehouse.query("SELECT count(*) FROM pipeline.stream") == [(0,)]


@pytest.mark.parametrize(
    ("now", "code", "line"),
    [
        (f'"bootstrap.servers" = "{DEAD}"', 5, f"Kafka at {DEAD} does not answer"),
        ('"bootstrap.server" = "127.0.0.1:9092"', 2, "[kafka]"),
        ('"bootstrap.servers" = "127.0.0.1:9092"\n"fetch.wait.max.ms" = "soon"', 2, "[kafka]"),
    ],
    ids=["nobody there", "unknown setting", "value that is none"],
)
def test_kafka_settings_that_do_not_lead_anywhere_are_named(
    warehouse: Warehouse, tmp_path: Path, now: str, code: int, line: str
) -> None:
    kafka = warehouse.settings.kafka["bootstrap.servers"]
    path = rewritten(warehouse, tmp_path, f'"bootstrap.servers" = "{kafka}"', now)
    said = refused(path, code, "replicate", "trading")
    assert line in said.line
    assert said.hint
    assert_nothing_written(warehouse)

"""A warehouse comes to the newest version once, whoever asks for it how often."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor

import psycopg2
import pytest

from cdc.errors import ConfigError, Conflict, Unreachable
from cdc.warehouse import migrate as module
from cdc.warehouse import preflight
from cdc.warehouse.migrate import migrate, sql_folder
from tests.warehouse import query

ALL = sorted(file.name for file in (sql_folder() / "migrations").glob("*.sql"))


@pytest.fixture
def empty(warehouse_cluster):
    database = warehouse_cluster.fresh_database("empty")
    yield database
    warehouse_cluster.drop(database)


def test_twice_is_a_no_op(empty):
    assert migrate(empty.admin_dsn) == ALL
    before = query(empty.admin_dsn, "SELECT name, sha256, applied_at FROM migration.applied ORDER BY 1")
    assert migrate(empty.admin_dsn) == []
    assert query(empty.admin_dsn, "SELECT name, sha256, applied_at FROM migration.applied ORDER BY 1") == before


def test_two_at_once(empty):
    with ThreadPoolExecutor(4) as pool:
        applied = list(pool.map(lambda _: migrate(empty.admin_dsn), range(4)))
    assert sorted(map(len, applied)) == [0, 0, 0, len(ALL)]


def test_another_text_is_a_conflict(empty, tmp_path, monkeypatch):
    migrate(empty.admin_dsn)
    folder = shutil.copytree(sql_folder(), tmp_path / "sql")
    monkeypatch.setattr(module, "sql_folder", lambda: folder)
    changed = folder / "migrations" / ALL[1]
    changed.write_text(changed.read_text() + "\n")
    with pytest.raises(Conflict, match=f"{ALL[1]} was applied with another text"):
        migrate(empty.admin_dsn)


def test_a_migration_that_fails_leaves_nothing(empty, tmp_path, monkeypatch):
    folder = shutil.copytree(sql_folder(), tmp_path / "sql")
    monkeypatch.setattr(module, "sql_folder", lambda: folder)
    (folder / "migrations" / "9999_broken.sql").write_text("SELECT planted_value FROM nowhere;")
    with pytest.raises(Exception) as caught:  # noqa: PT011
        migrate(empty.admin_dsn)
    assert not isinstance(caught.value, AssertionError)
    assert query(empty.admin_dsn, "SELECT to_regnamespace('audit'), to_regnamespace('migration')") == [(None, None)]
    (folder / "migrations" / "9999_broken.sql").write_text("SELECT 1;")
    assert migrate(empty.admin_dsn) == [*ALL, "9999_broken.sql"]


def test_a_role_that_may_not(empty):
    for dsn in (empty.replicator_dsn, empty.auditor_dsn):
        with pytest.raises(ConfigError, match="admin_dsn") as caught:
            migrate(dsn)
        assert "test" not in str(caught.value)
    assert query(empty.admin_dsn, "SELECT to_regnamespace('audit'), to_regnamespace('migration')") == [(None, None)]


def test_no_server():
    with pytest.raises(Unreachable, match="admin_dsn") as caught:
        migrate("host=127.0.0.1 port=1 user=postgres password=planted dbname=x")
    assert "planted" not in str(caught.value)


def test_who_gets_in(empty):
    """Privileges of a database are not cloned with it: this one was migrated itself."""
    migrate(empty.admin_dsn)
    with pytest.raises(psycopg2.OperationalError, match="permission denied"):
        query(empty.privacy_dsn, "SELECT 1")
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        query(empty.auditor_dsn, "CREATE TEMPORARY TABLE x (y int)")
    query(empty.replicator_dsn, "CREATE TEMPORARY TABLE x (y int)")


def test_preflight(empty):
    with pytest.raises(ConfigError, match="has no tables yet") as caught:
        preflight.check(empty.replicator_dsn, "trading")
    assert caught.value.hint == "cdc migrate"
    migrate(empty.admin_dsn)
    preflight.check(empty.replicator_dsn, "trading")
    with pytest.raises(ConfigError, match="lacks"):
        preflight.check(empty.auditor_dsn, "trading")
    query(empty.admin_dsn, "REVOKE UPDATE ON pipeline.stream FROM cdc_replicator")
    with pytest.raises(ConfigError, match=r"lacks UPDATE on pipeline\.stream"):
        preflight.check(empty.replicator_dsn, "trading")
    with pytest.raises(Unreachable) as caught:
        preflight.check("host=127.0.0.1 port=1 user=x password=planted sslpassword=planted dbname=y", "trading")
    assert "planted" not in str(caught.value) + str(caught.value.hint)

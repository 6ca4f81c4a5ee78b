"""The checks of a MariaDB server: each harm is done on a real one, named, mended by what the finding says, and gone."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from cdc.local.mariadb import Server
from connectors.check import source as look
from connectors.check.epoch import epoch
from connectors.check.position import unknown
from connectors.definition import Definition, parse
from connectors.finding import Finding
from tests.fix_mariadb import DEFINITION, run


@pytest.fixture
def checked(mariadb: Server) -> Iterator[tuple[Definition, str, Server]]:
    """A database with a table, and an account of its own with what the preparation grants."""
    name = f"check_{uuid.uuid4().hex[:8]}"
    grants = "SELECT, RELOAD, SHOW DATABASES, LOCK TABLES, REPLICATION SLAVE, BINLOG MONITOR"
    run(mariadb, f"CREATE DATABASE {name}", f"CREATE TABLE {name}.t (id int PRIMARY KEY)")
    run(mariadb, f"CREATE USER {name}@'%' IDENTIFIED BY 'p'", f"GRANT {grants} ON *.* TO {name}@'%'")
    run(mariadb, f"GRANT UPDATE ON cdc.heartbeat TO {name}@'%'", f"GRANT INSERT ON cdc.`signal` TO {name}@'%'")
    definition = parse(DEFINITION.format(name=name, server_id=7999), Path("definition.yaml"))
    yield definition, f"mariadb://{name}:p@127.0.0.1:{mariadb.port}/{name}", mariadb
    run(mariadb, f"DROP DATABASE {name}", f"DROP USER {name}@'%'")


def found(checked: tuple[Definition, str, Server], offset: Mapping[str, object] | None = None) -> dict[str, Finding]:
    definition, dsn, _ = checked
    return {finding.code: finding for finding in look(definition, dsn, (lambda: offset) if offset else unknown)}


HARMS = (
    ("account_privileges", "REVOKE REPLICATION SLAVE ON *.* FROM {n}@'%'"),
    ("account_privileges", "REVOKE BINLOG MONITOR ON *.* FROM {n}@'%'"),
    ("binlog_format", "SET GLOBAL binlog_format = 'MIXED'"),
    ("binlog_row_image", "SET GLOBAL binlog_row_image = 'MINIMAL'"),
    ("engine", "ALTER TABLE {n}.t ENGINE = MyISAM"),
)


def test_each_harm_is_named_and_its_sql_mends_it(checked: tuple[Definition, str, Server]) -> None:
    name, server = checked[0].name, checked[2]
    assert found(checked) == {}
    for code, harm in HARMS:
        run(server, harm.format(n=name))
        mended = found(checked)
        assert set(mended) == {code}
        run(server, mended[code].fix)
        assert found(checked) == {}


def test_too_many_privileges_and_logs_that_go_too_soon(checked: tuple[Definition, str, Server]) -> None:
    name, server = checked[0].name, checked[2]
    run(server, f"GRANT ALL PRIVILEGES ON *.* TO {name}@'%'")
    assert set(found(checked)) == {"account_super"}
    run(server, f"REVOKE ALL PRIVILEGES ON *.* FROM {name}@'%'")
    run(server, f"GRANT SELECT, RELOAD, REPLICATION SLAVE, BINLOG MONITOR ON *.* TO {name}@'%'")
    ((before,),) = run(server, "SELECT @@GLOBAL.expire_logs_days")
    try:
        run(server, "SET GLOBAL expire_logs_days = 1")
        assert set(found(checked)) == {"binlog_expiry"}
    finally:
        run(server, f"SET GLOBAL expire_logs_days = {before}")


def test_a_stored_position_in_a_log_that_is_gone(checked: tuple[Definition, str, Server]) -> None:
    ((file, *_),) = run(checked[2], "SHOW MASTER STATUS")
    assert found(checked, {"file": file, "pos": 4}) == {}
    assert set(found(checked, {"file": "binlog.000000", "pos": 4})) == {"binlog_purged"}


def test_the_epoch_is_what_the_heartbeat_says(checked: tuple[Definition, str, Server]) -> None:
    ((system, timeline),) = run(checked[2], "SELECT system_identifier, timeline FROM cdc.heartbeat")
    assert epoch(checked[0], checked[1]) == (system, timeline)

"""MariaDB's tables change at a live source: what state follows by itself, what suspends and is rebuilt, snapshots by signal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from cdc.local.mariadb import Server
from cdc.local.stack import Stack
from tests.fix_mariadb import MariaSource, maria_source
from tests.independent.reader import verify
from tests.oracle.mariadb import compare_maria

SCHEMA = (
    "CREATE TABLE accounts (id int PRIMARY KEY, name varchar(20), balance int, note varchar(10), mood enum('calm'), gone text, old_name text)",
    "CREATE TABLE moved (id int PRIMARY KEY, v text)",
    "CREATE TABLE dropped (id int PRIMARY KEY, v text)",
    "CREATE TABLE other (id int PRIMARY KEY, v varchar(9) NOT NULL)",
    "CREATE TABLE loose (v varchar(9), n int)",
    "INSERT INTO accounts SELECT seq, concat('n', seq), seq, 'x', 'calm', 'g', 'o' FROM seq_1_to_300",
    "INSERT INTO moved VALUES (1, 'a')",
    "INSERT INTO dropped VALUES (1, 'a'), (2, 'b')",
    "INSERT INTO other VALUES (1, 'a')",
    "INSERT INTO loose VALUES ('a', 1), ('a', 1), (NULL, NULL)",
)
ADDITIVE = (
    "ALTER TABLE accounts ADD COLUMN added text",
    "ALTER TABLE accounts ADD COLUMN first_one int FIRST",
    "ALTER TABLE accounts ADD COLUMN after_name decimal(12,3) AFTER name",
    "ALTER TABLE accounts MODIFY balance bigint",
    "ALTER TABLE accounts MODIFY note varchar(50)",
    "ALTER TABLE accounts MODIFY note text",
    "ALTER TABLE accounts MODIFY name varchar(20) NOT NULL",
    "ALTER TABLE accounts MODIFY name varchar(20)",
    "ALTER TABLE accounts MODIFY mood enum('calm','wild')",
    "ALTER TABLE accounts ADD INDEX (name), COMMENT = 'it''s; -- fine'",
    "UPDATE accounts SET mood = 'wild', balance = balance + 5000000000, note = repeat('long ', 8), first_one = id, after_name = 1.5 WHERE id <= 50",
    "CREATE TABLE fresh (id int PRIMARY KEY, v text)",
    "INSERT INTO fresh VALUES (1, 'a')",
    "ALTER TABLE loose ADD COLUMN added int",
    "UPDATE loose SET added = 7, n = 2 WHERE v = 'a' LIMIT 1",
    "DELETE FROM loose WHERE v IS NULL",
)


class Own:
    def __init__(self, source: MariaSource) -> None:
        self.source, self.name = source, source.name
        self.run, self.wait, self.query = source.run, source.wait, source.warehouse.query

    def cdc(self, *arguments: str, code: int | None = 0) -> subprocess.CompletedProcess[str]:
        dsn = f"mariadb://root:{self.source.server.password}@127.0.0.1:{self.source.server.port}/{self.name}"
        environment = {**os.environ, "CDC_CONFIG": str(self.source.warehouse.path), "CDC_SOURCE_DSN": dsn}
        done = subprocess.run([sys.executable, "-m", "cdc", *arguments], env=environment, capture_output=True, text=True, check=False)
        assert code in {None, done.returncode}, done.stderr
        return done

    def suspended(self) -> dict[str, str]:
        (stream,) = json.loads(self.cdc("status", "--output", "json").stdout)
        return {each["table"].partition(".")[2]: each["code"] for each in stream["suspended"]}

    def differences(self, *without: str) -> list[str]:
        settings = self.source.warehouse.settings
        with self.source.server.connect() as connection:
            compared = compare_maria(
                connection, settings.warehouse_auditor_dsn, settings.privacy_admin_dsn, settings.keyring, self.name,
                settings.source(self.name).policy, [self.name], {f"{self.name}.{table}" for table in without},
            )  # fmt: skip
        return [table.difference for table in compared if table.difference]


@pytest.fixture(scope="module")
def own(stack: Stack, mariadb: Server) -> Iterator[Own]:
    with maria_source(stack, mariadb) as source:
        made = Own(source)
        made.run(*SCHEMA)
        made.cdc("connectors", "init", made.name, "--apply-sql")
        source.often()
        clear = [part for table in ("accounts", "moved", "dropped", "other", "loose") for part in ("--clear", f"{table}.*")]
        made.cdc("policy", "init", made.name, *clear)
        made.cdc("connectors", "apply", made.name)
        made.wait()
        yield made
        made.run(f"DROP USER cdc_{made.name}@'%'")


def drift(own: Own, code: int = 0) -> set[tuple[str, str, str | None, int]]:
    told = json.loads(own.cdc("connectors", "drift", own.name, "--output", "json", code=code).stdout)
    return {(each["table"].partition(".")[2], each["code"], each["column"], each["rows"]) for each in told["drift"]}


def test_additive_changes_apply_by_themselves(own: Own) -> None:
    own.run(*ADDITIVE)
    own.wait()
    assert own.suspended() == {}
    assert own.differences() == []


def test_an_incremental_snapshot_by_signal_brings_what_no_change_told(own: Own) -> None:
    """ADD COLUMN … DEFAULT gives rows a value without a change; a snapshot through the signal table reads them again."""
    own.run("ALTER TABLE accounts ADD COLUMN spoken varchar(9) DEFAULT 'said'", "UPDATE accounts SET name = 'n' WHERE id = 1")
    own.wait()
    state = f'SELECT count(*) FROM {own.name}."{own.name}.accounts" WHERE spoken IS NOT NULL'  # sealed: no policy knows it
    assert own.query(state) == [(1,)]
    assert drift(own, code=6) == {("accounts", "column-default", "spoken", 299)}  # wider numbers and texts are no drift
    wanted = json.dumps({"data-collections": [f"{own.name}.accounts"], "type": "incremental"})
    own.run(f"INSERT INTO cdc.`signal` VALUES ('again-{own.name}', 'execute-snapshot', '{wanted}')")
    ends = time.monotonic() + 120
    while own.query(state) != [(300,)]:
        own.run("UPDATE accounts SET balance = balance + 1 WHERE id = 7", "DELETE FROM accounts WHERE id = 0")
        own.wait()
        assert time.monotonic() < ends
    assert own.differences() == []
    assert drift(own) == set()
    ((read,),) = own.query(
        "SELECT count(*) FROM audit.entry WHERE log = %s AND table_name = %s AND operation = 'r'", (own.name, f"{own.name}.accounts")
    )
    assert read > 500  # the first snapshot, and this one


@pytest.mark.parametrize(
    ("statements", "code"),
    [
        (("ALTER TABLE accounts DROP COLUMN gone",), "column-gone"),
        (("ALTER TABLE accounts RENAME COLUMN old_name TO new_name", "UPDATE accounts SET new_name = 'all'"), "column-gone"),
        (("ALTER TABLE accounts CHANGE new_name newer_name text", "UPDATE accounts SET newer_name = 'every'"), "column-gone"),
        (("UPDATE accounts SET balance = id", "ALTER TABLE accounts MODIFY balance int"), "column-changed"),
        (("ALTER TABLE accounts MODIFY balance varchar(30)",), "column-changed"),
        (
            ("ALTER TABLE accounts DROP COLUMN note", "UPDATE accounts SET name = 'm' WHERE id = 2", "ALTER TABLE accounts ADD COLUMN note int"),
            "column-gone",
        ),
    ],
    ids=["dropped", "renamed", "changed", "narrowed", "to text", "dropped and re-added"],
)
def test_other_changes_suspend_and_a_rebuild_brings_the_state_back(own: Own, statements: tuple[str, ...], code: str) -> None:
    own.run(*statements, "UPDATE accounts SET first_one = coalesce(first_one, 0) + 1 WHERE id < 5")
    own.wait()
    assert own.suspended() == {"accounts": code}
    assert f"cdc rebuild {own.name} {own.name}.accounts" in own.cdc("status").stdout
    done = json.loads(own.cdc("rebuild", own.name, f"{own.name}.accounts", "--output", "json").stdout)
    assert (done["code"], done["as_text"]) == (code, [])
    assert own.suspended() == {}
    own.run("UPDATE accounts SET first_one = 1 - coalesce(first_one, 0) WHERE id = 9")
    own.wait()
    assert own.differences() == []


def test_renamed_dropped_and_recreated_tables(own: Own) -> None:
    """As docs/operations.md says: no row change tells of a table that is dropped or renamed; the log has the schema after it."""
    own.run("RENAME TABLE moved TO renamed", "INSERT INTO renamed VALUES (2, 'b')", "DROP TABLE dropped", "CREATE TABLE dropped (id int PRIMARY KEY, v text)", "INSERT INTO dropped VALUES (7, 'c')")
    own.wait()
    assert own.suspended() == {}
    held = {table: own.query(f'SELECT count(*) FROM {own.name}."{own.name}.{table}"') for table in ("moved", "renamed", "dropped")}
    assert held == {"moved": [(1,)], "renamed": [(1,)], "dropped": [(3,)]}


def test_truncate_and_key_changes(own: Own) -> None:
    own.run("UPDATE other SET id = 5 WHERE id = 1", "INSERT INTO other VALUES (1, 'b')", "TRUNCATE TABLE fresh", "INSERT INTO fresh VALUES (9, 'z')", "TRUNCATE TABLE loose", "INSERT INTO loose VALUES ('q', 1, 1), ('q', 1, 1)")  # fmt: skip
    own.wait()
    assert own.differences("moved", "renamed", "dropped") == []


def test_a_unique_column_that_may_be_null_is_no_key(own: Own) -> None:
    """Debezium takes it for one in the stream; two rows with null would be one in state."""
    own.run("CREATE TABLE nulls (a int UNIQUE, b varchar(9))", "INSERT INTO nulls VALUES (NULL, 'one'), (NULL, 'two'), (3, 'three')", "UPDATE nulls SET a = 4 WHERE a = 3", "DELETE FROM nulls WHERE b = 'one'")
    own.wait()
    assert own.differences("moved", "renamed", "dropped") == []
    assert own.query("SELECT keyless FROM pipeline.state_table WHERE table_name = %s", (f"{own.name}.nulls",)) == [(True,)]


def test_a_boolean_is_a_number_whenever_its_table_was_made(own: Own) -> None:
    own.run("CREATE TABLE flags (id boolean PRIMARY KEY, a bool, b boolean NOT NULL)", "INSERT INTO flags VALUES (1, 0, 1), (0, NULL, 0)", "UPDATE flags SET a = 1 WHERE id = 1")
    own.wait()
    assert own.differences("moved", "renamed", "dropped") == []
    names = "SELECT row_key FROM audit.entry WHERE table_name = %s AND operation = 'u'"
    assert len(own.query(names, (f"{own.name}.flags",))) == 1


@pytest.mark.parametrize("statement", ["ALTER TABLE other DROP PRIMARY KEY, ADD PRIMARY KEY (id, v)", "ALTER TABLE other DROP PRIMARY KEY"], ids=["other", "none"])
def test_a_changed_key_suspends_and_a_rebuild_brings_the_state_back(own: Own, statement: str) -> None:
    own.run(statement, "INSERT INTO other VALUES (1000, 'k')" if "ADD" in statement else "INSERT INTO other VALUES (1001, 'k')")
    own.wait()
    assert own.suspended() == {"other": "key-changed"}
    own.cdc("rebuild", own.name, f"{own.name}.other")
    assert own.suspended() == {}
    assert own.differences("moved", "renamed", "dropped") == []


def test_the_log_of_all_of_it_is_whole(own: Own) -> None:
    done = json.loads(own.cdc("audit", "verify", own.name, "--output", "json", code=None).stdout)
    (log,) = (one for one in done["logs"] if one["log"] == own.name)
    assert log["findings"] == []
    rows = own.query(
        "SELECT e.seq, e.entry, b.body, encode(e.leaf, 'hex') FROM audit.entry e LEFT JOIN audit.body b USING (log, seq)"
        " WHERE e.log = %s ORDER BY e.seq",
        (own.name,),
    )
    assert verify(rows) == []

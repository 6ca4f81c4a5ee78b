"""TRUNCATE and ALTERs that rewrite a table, while Debezium's first snapshot reads.

Both are not MVCC-safe (PostgreSQL documentation, "Caveats" of concurrency control): to a snapshot from before, the
table is empty afterwards. The profile has the connector lock all tables before it reads (``snapshot.locking.mode``).
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg2
import pytest

from cdc import config
from cdc.local.stack import Stack
from connectors import profile, secrets
from connectors.client import ConnectClient
from connectors.definition import load
from tests.fix_own import Own, own_source

PATIENCE_S = 120.0
SCHEMA = (
    "CREATE TABLE a_first (id int PRIMARY KEY, v text)",  # large: what is in it is still being read when the test looks
    "INSERT INTO a_first SELECT g, repeat('x', 100) FROM generate_series(1, 60000) g",
    "CREATE TABLE emptied (id int PRIMARY KEY, v text)",
    "CREATE TABLE rewritten (id int PRIMARY KEY, n int)",
    "INSERT INTO emptied VALUES (1, 'a'), (2, 'b'), (3, 'c')",
    "INSERT INTO rewritten VALUES (1, 10), (2, 20), (3, 30)",
)
LOCKED = """
SELECT c.relname::text, l.granted FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
  JOIN pg_stat_activity a ON a.pid = l.pid JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = 'public' AND c.relkind = 'r' AND l.mode = 'AccessShareLock' AND a.usename = 'cdc_{name}'
"""


@pytest.fixture
def own(stack: Stack) -> Iterator[Own]:
    with own_source(stack) as own:
        own.run(*SCHEMA)
        own.cdc("connectors", "init", own.name, "--apply-sql")
        definition = own.folder / "definition.yaml"
        definition.write_text(f"{definition.read_text()}heartbeat_interval_ms: 1000\n")
        own.cdc("policy", "init", own.name, "--clear", "*.*")
        yield own


def start(own: Own, **changed: str) -> None:
    """The connector as the profile has it, but for these settings; does not wait until it runs."""
    settings = config.load(own.warehouse.path)
    definition = load(own.folder / "definition.yaml")
    wanted = profile.configuration(profile.expand(definition, secrets.in_folder(settings.state / "secrets")))
    with ConnectClient(settings.connect_url) as client:
        client.put_config(own.name, wanted | {name.replace("_", "."): value for name, value in changed.items()})


def until(reached: Callable[[], bool]) -> None:
    ends = time.monotonic() + PATIENCE_S
    while not reached():
        assert time.monotonic() < ends
        time.sleep(0.005)


def locks(own: Own) -> set[tuple[str, bool]]:
    return set(own.ask(LOCKED.format(name=own.name)))


@contextmanager
def stopped(own: Own, *locked: str) -> Iterator[None]:
    """Connect stands still (SIGSTOP) while its snapshot reads the first table, once it has locked these."""
    pid = next(part.pid for part in own.stack.status() if part.name == "connect")
    assert pid is not None
    until(lambda: {(table, True) for table in locked} <= locks(own))
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
        assert {(table, True) for table in locked} <= locks(own)  # it was reading all the time
    finally:
        os.kill(pid, signal.SIGCONT)


def ids(own: Own, table: str) -> list[int]:
    return [number for (number,) in own.warehouse.query(f'SELECT id FROM {own.name}."{table}" ORDER BY id')]


def findings(own: Own) -> list[tuple[str, str]]:
    done = own.cdc("audit", "verify", own.name, "--output", "json", code=None)
    return [(found["table"], found["cause"]) for log in json.loads(done.stdout)["logs"] for found in log["findings"]]


def test_what_would_empty_a_table_waits_until_the_snapshot_is_through(own: Own) -> None:
    start(own)
    with stopped(own, "a_first", "emptied", "rewritten"):
        for refused in (
            "TRUNCATE emptied",
            "ALTER TABLE rewritten ALTER n TYPE bigint",
            "ALTER TABLE emptied ADD w int",
        ):
            with pytest.raises(psycopg2.errors.LockNotAvailable):
                own.run("SET lock_timeout = '300ms'", refused)
        own.run(
            "UPDATE emptied SET v = 'changed' WHERE id = 1",
            "INSERT INTO rewritten VALUES (4, 40)",
            "CREATE INDEX ON rewritten (n)",
            "ANALYZE emptied",
        )
    began = time.monotonic()
    own.run("TRUNCATE emptied", "ALTER TABLE rewritten ALTER n TYPE bigint")
    print(f"TRUNCATE and ALTER waited {time.monotonic() - began:.1f} s for the rest of a snapshot")
    own.run("UPDATE rewritten SET n = 11 WHERE id = 1", "INSERT INTO emptied VALUES (2, 'after')")
    own.drain()
    assert ids(own, "emptied") == [2]
    assert ids(own, "rewritten") == [1, 2, 3, 4]
    assert findings(own) == []
    emptied = own.warehouse.query(
        "SELECT operation FROM audit.entry WHERE table_name = 'public.emptied' AND kind <> 'schema' ORDER BY seq"
    )
    assert [operation for (operation,) in emptied] == ["r", "r", "r", "u", "t", "c"]


def test_without_the_locks_the_tables_read_as_empty_which_is_named_and_one_command_mends(own: Own) -> None:
    start(own, snapshot_locking_mode="none")
    with stopped(own, "a_first"):
        own.run(
            "UPDATE emptied SET v = 'changed' WHERE id = 1",
            "TRUNCATE emptied",
            "INSERT INTO emptied VALUES (2, 'after')",
        )
        own.run("ALTER TABLE rewritten ALTER n TYPE bigint", "UPDATE rewritten SET n = 11 WHERE id = 1")
    own.drain()
    assert ids(own, "emptied") == [2]
    assert ids(own, "rewritten") == [1]
    said = findings(own)
    assert {table for table, _ in said} == {"public.emptied", "public.rewritten"}
    assert all("the snapshot read it as empty" in cause for _, cause in said)
    drifted = json.loads(own.cdc("connectors", "drift", own.name, "--output", "json", code=6).stdout)
    assert [(each["table"], each["code"], each["rows"]) for each in drifted["drift"]] == [
        ("public.rewritten", "rows-unread", 2)
    ]
    own.cdc("connectors", "apply", own.name)
    own.cdc("stream", "rebaseline", own.name, "public.rewritten", "--reason", "rewritten in the snapshot", "--yes")
    own.drain()
    assert ids(own, "rewritten") == [1, 2, 3]
    own.cdc("connectors", "drift", own.name)

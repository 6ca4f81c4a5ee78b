"""After a gap the tables are read anew while the source goes on: state equals the source, and every answer says so."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator

import psycopg2
import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from cdc.local.stack import Stack
from connectors.client import ConnectClient
from tests.fix_own import Own, own_source
from tests.independent.reader import verify
from tests.oracle.comparison import compare_source

SCHEMA = (
    "CREATE TABLE kept (id int PRIMARY KEY, note text, n int NOT NULL DEFAULT 0)",
    "CREATE TABLE loose (note text, n int)",
    'CREATE SCHEMA "Odd One"',
    'CREATE TABLE "Odd One"."Order Details" (id int PRIMARY KEY, note text)',
    "INSERT INTO kept SELECT g, 'first' FROM generate_series(1, 300) g",
    "INSERT INTO loose SELECT 'x' || g % 7, g % 3 FROM generate_series(1, 60) g",
    """INSERT INTO "Odd One"."Order Details" SELECT g, 'odd' FROM generate_series(1, 20) g""",
)
MISSED = (
    "UPDATE kept SET note = 'missed' WHERE id <= 20",
    "DELETE FROM kept WHERE id BETWEEN 21 AND 40",
    "INSERT INTO kept SELECT g, 'missed' FROM generate_series(301, 320) g",
    "DELETE FROM loose WHERE note = 'x1'",
    "INSERT INTO loose SELECT 'missed', g FROM generate_series(1, 9) g",
    """DELETE FROM "Odd One"."Order Details" WHERE id = 1""",
)


@pytest.fixture(scope="module")
def own(stack: Stack) -> Iterator[Own]:
    with own_source(stack) as own:
        own.run(*SCHEMA)
        own.cdc("connectors", "init", own.name, "--apply-sql")
        definition = own.folder / "definition.yaml"
        definition.write_text(f"{definition.read_text()}heartbeat_interval_ms: 1000\n")
        own.cdc("policy", "init", own.name, "--clear", "*.n", "--clear", "*.id", "--clear", "loose.note")
        own.apply()
        own.drain()
        yield own


class Writer:
    """Changes all tables without a pause until it is told to stop; as a superuser, a transaction each."""

    def __init__(self, own: Own) -> None:
        self._connection = psycopg2.connect(own.admin_dsn)
        self._connection.autocommit = True
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.rounds = 0
        self.longest_s = 0.0

    def __enter__(self) -> Writer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join(60)
        self._connection.close()

    def _run(self) -> None:
        with self._connection.cursor() as cursor:
            while not self._ending.wait(0.005):
                n, began = self.rounds, time.monotonic()
                cursor.execute("INSERT INTO kept VALUES (%s, 'while')", (10_000 + n,))
                cursor.execute("UPDATE kept SET n = n + 1 WHERE id = %s", (1 + n % 20,))
                cursor.execute("DELETE FROM kept WHERE id = %s", (10_000 + n - 50,))
                cursor.execute("INSERT INTO loose VALUES ('while', %s)", (n % 5,))
                cursor.execute("DELETE FROM loose WHERE ctid = (SELECT ctid FROM loose LIMIT 1)")
                self.longest_s = max(self.longest_s, time.monotonic() - began)
                self.rounds += 1


def lose(own: Own) -> None:
    """Changes that reach the topic, and that retention takes before the worker has read them."""
    own.run(*MISSED)
    own.wait()
    client = AdminClient({"bootstrap.servers": own.warehouse.settings.kafka["bootstrap.servers"]})
    for future in client.delete_records([TopicPartition(own.name, 0, -1)]).values():  # -1: up to its end
        future.result(10)
    halted = own.warehouse.replicate(own.name, "--until-caught-up")
    assert halted.returncode == 4, halted.stderr
    assert "position-lost" in halted.stderr


def differences(own: Own) -> dict[str, str]:
    settings = own.warehouse.settings
    compared = compare_source(own.admin_dsn, settings.warehouse_auditor_dsn, own.name, own.policy)
    assert len(compared) == 5
    return {table.table: table.difference for table in compared if table.difference and table.table != "cdc.heartbeat"}


def test_state_is_right_again_after_a_gap_while_the_source_goes_on(own: Own) -> None:
    assert differences(own) == {}
    lose(own)
    shown = own.cdc("stream", "show", own.name, code=4)
    assert f"go on     cdc stream rebaseline {own.name} --reason" in shown.stdout
    assert differences(own) != {}
    with Writer(own) as writer:
        asked = own.cdc("stream", "rebaseline", own.name, "--reason", "x", code=4)
        assert "no terminal" in asked.stderr
        done = own.cdc("stream", "rebaseline", own.name, "--reason", "retention, ticket 1", "--yes")
        at = writer.rounds
        ends = time.monotonic() + 60
        while writer.rounds < at + 20:
            assert time.monotonic() < ends
            time.sleep(0.05)
    assert "have 3 tables" in done.stderr
    assert "gap recorded as entry" in done.stderr
    assert "read public.kept: " in done.stderr
    own.drain()
    assert differences(own) == {}
    rows = own.warehouse.query(
        "SELECT e.seq, e.entry, b.body, encode(e.leaf, 'hex') FROM audit.entry e LEFT JOIN audit.body b USING (log, seq)"
        " WHERE e.log = %s ORDER BY e.seq",
        (own.name,),
    )
    assert verify(rows) == []
    verified = own.cdc("audit", "verify", own.name, "--output", "json", code=None)
    assert verified.returncode == 0, verified.stdout
    kinds = [json.loads(text)["kind"] for _, text, _, _ in rows]
    assert (kinds.count("gap"), kinds.count("absent") >= 20 + 1) == (1, True)
    print(f"writers: {writer.rounds} rounds, the longest {writer.longest_s:.1f} s")


def test_every_answer_says_that_the_tables_were_read_anew(own: Own) -> None:
    status = own.cdc("status")
    assert "gap at entry" in status.stdout
    assert "3 tables were read anew after it\n" in status.stdout
    (stream,) = json.loads(own.cdc("status", "--output", "json").stdout)
    assert stream["gaps"][0]["read_anew"] == ["Odd One.Order Details", "public.kept", "public.loose"]
    assert stream["gaps"][0]["unread"] == 0
    answer = own.cdc("audit", "as-of", f"{own.name}.public.kept", "--at", "now")
    assert "read anew after it: public.kept (entry " in answer.stdout
    assert "may differ" not in answer.stdout
    document = json.loads(own.cdc("audit", "as-of", "kept", "--at", "now", "--output", "json").stdout)
    assert [each["table"] for each in document["completeness"]["gaps"][0]["read_anew"]] == stream["gaps"][0]["read_anew"]
    operations = own.warehouse.query("SELECT entry FROM audit.entry WHERE log = 'operations' AND entry LIKE '%%tables-read-anew%%'")
    assert "retention, ticket 1" in operations[0][0]


def test_a_lock_that_cannot_be_had_leaves_everything_as_it_was(own: Own) -> None:
    before = own.ask("SELECT count(*) FROM cdc.signal WHERE id LIKE 'rebaseline%'")
    holding = psycopg2.connect(own.admin_dsn)
    try:
        holding.cursor().execute("UPDATE kept SET n = n + 1 WHERE id = 2")
        refused = own.cdc("stream", "rebaseline", own.name, "--reason", "x", "--yes", "--lock-timeout", "0.5", code=4)
        assert "will      have 3 tables" in refused.stderr  # no halt, so no gap
        assert "nothing was asked of the connector" in refused.stderr
        own.cdc("stream", "rebaseline", own.name, "keptt", "--reason", "x", "--yes", code=3)
        assert own.ask("SELECT count(*) FROM cdc.signal WHERE id LIKE 'rebaseline%'") == before
    finally:
        holding.close()


def test_what_cannot_be_asked_is_refused_before_the_gap_is_accepted(own: Own) -> None:
    lose_one = "UPDATE kept SET note = 'again' WHERE id = 3"
    own.run(lose_one)
    own.wait()
    client = AdminClient({"bootstrap.servers": own.warehouse.settings.kafka["bootstrap.servers"]})
    for future in client.delete_records([TopicPartition(own.name, 0, -1)]).values():
        future.result(10)
    assert own.warehouse.replicate(own.name, "--until-caught-up").returncode == 4
    entries = own.warehouse.leaves(own.name)

    def refuses(code: int, says: str, **environment: str) -> None:
        refused = own.cdc("stream", "rebaseline", own.name, "--reason", "x", "--yes", code=code, **environment)
        assert says in refused.stderr
        assert "\n  → " in refused.stderr
        assert own.warehouse.leaves(own.name) == entries

    refuses(5, "does not answer", CDC_SOURCE_DSN=psycopg2.extensions.make_dsn(own.admin_dsn, port="1"))
    own.run("ALTER TABLE cdc.signal RENAME TO elsewhere")
    try:
        refuses(4, "has no table cdc.signal")
    finally:
        own.run("ALTER TABLE cdc.elsewhere RENAME TO signal")
    with ConnectClient(own.stack.addresses().connect_url) as connect:
        connect.stop(own.name)
        refuses(4, "does not run")
        connect.resume(own.name)
    own.cdc("connectors", "apply", own.name)
    own.cdc("stream", "rebaseline", own.name, "kept", "--reason", "again", "--yes")
    own.drain()
    assert differences(own) == {}
    status = own.cdc("status")
    assert "1 tables were read anew after it; current state of 2 others may differ" in status.stdout

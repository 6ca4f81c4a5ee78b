"""Tables read anew beside the stream, asked for on the command line, against real Debezium: begun, paused, resumed, stopped."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator

import psycopg2
import pytest

from cdc.local.stack import Stack
from connectors.client import ConnectClient
from tests.fix_own import Own, own_source
from tests.independent.reader import verify
from tests.oracle.comparison import compare_source

ROWS = 20_000
CHUNK = 64
SCHEMA = (
    "CREATE TABLE big (id bigint PRIMARY KEY, note text, n int NOT NULL)",
    "CREATE TABLE loose (note text)",
    "CREATE TABLE nothing (id int PRIMARY KEY)",
    "CREATE TABLE pairs (region text, id int, note text, PRIMARY KEY (region, id))",
    'CREATE TABLE "Order Details" (id int PRIMARY KEY)',
    'CREATE TABLE "Mixed" ("Id" int PRIMARY KEY)',
    'INSERT INTO "Mixed" VALUES (1), (2)',
    f"INSERT INTO big SELECT g, 'secret ' || g, g % 10 FROM generate_series(1, {ROWS}) g",
    "INSERT INTO loose VALUES ('x'), ('x')",
    "INSERT INTO pairs SELECT 'r' || g % 3, g, 'odd' FROM generate_series(1, 200) g",
    "ANALYZE big",
)
SNAPSHOT = ("connectors", "snapshot")


@pytest.fixture(scope="module")
def own(stack: Stack) -> Iterator[Own]:
    with own_source(stack) as own:
        own.run(*SCHEMA)
        own.cdc("connectors", "init", own.name, "--apply-sql")
        definition = own.folder / "definition.yaml"
        definition.write_text(f"{definition.read_text()}heartbeat_interval_ms: 1000\n")
        own.cdc("policy", "init", own.name, "--clear", "*.n")
        own.apply()
        with ConnectClient(stack.addresses().connect_url) as client:  # many chunks, so that one can pause among them
            client.put_config(own.name, {**client.config(own.name), "incremental.snapshot.chunk.size": str(CHUNK)})
        running(own)
        own.drain()
        yield own


def running(own: Own) -> None:
    with ConnectClient(own.stack.addresses().connect_url) as client:
        since = time.monotonic()
        ends = since + 60
        while time.monotonic() - since < 2:
            if not client.status(own.name).running:
                since = time.monotonic()
            assert time.monotonic() < ends
            time.sleep(0.1)


def signals(own: Own) -> list[tuple[str, str]]:
    return own.ask("SELECT id, type FROM cdc.signal WHERE id LIKE 'snapshot-%' ORDER BY id")


def status(own: Own, *arguments: str) -> dict:
    return json.loads(own.cdc(*SNAPSHOT, "status", own.name, "--output", "json", *arguments).stdout)


def begin(own: Own, *arguments: str) -> None:
    done = own.cdc(*SNAPSHOT, "start", own.name, *arguments, "--reason", "ticket 1", "--yes")
    assert "has begun" in done.stderr


@contextlib.contextmanager
def held_back(own: Own) -> Iterator[None]:
    """Have the connector wait before each of its marks, so that a snapshot lasts for as long as commands need to start."""
    ending = threading.Event()

    def hold() -> None:
        connection = psycopg2.connect(own.admin_dsn)
        while not ending.wait(0.02):
            connection.cursor().execute("LOCK TABLE cdc.signal IN SHARE MODE")
            ending.wait(0.3)
            connection.rollback()
        connection.close()

    holder = threading.Thread(target=hold)
    holder.start()
    try:
        yield
    finally:
        ending.set()
        holder.join(60)


def test_what_cannot_be_read_is_refused_and_nothing_is_asked(own: Own) -> None:
    def refused(code: int, says: str, *arguments: str, stop: tuple[str, ...] = ("--yes",)) -> None:
        done = own.cdc(*SNAPSHOT, "start", own.name, *arguments, "--reason", "x", *stop, code=code)
        assert says in done.stderr
        assert signals(own) == []

    refused(4, "no primary key", "loose")
    refused(4, "has a blank, a dot or a quote in its name", "Order Details")
    refused(3, "names are exact", "bigg")
    refused(4, "names note, which the policy protects", "big", "--where", "note = 'secret 1'")
    refused(4, "names big", "big", "--where", "big::text LIKE '%secret%'")
    refused(2, "SQLSTATE 42601", "big", "--where", "n =")
    refused(2, "about one table", "big", "nothing", "--where", "n = 1")
    refused(4, "no terminal", "big", stop=())
    with ConnectClient(own.stack.addresses().connect_url) as client:
        client.stop(own.name)
        refused(4, "does not run", "big")
        client.resume(own.name)
    running(own)
    own.cdc(*SNAPSHOT, "status", own.name, code=3)
    own.cdc(*SNAPSHOT, "pause", own.name, "--reason", "x", code=3)


def test_a_plan_says_what_it_would_take_and_does_nothing(own: Own) -> None:
    document = json.loads(own.cdc(*SNAPSHOT, "plan", own.name, "--output", "json").stdout)
    tables = {line["table"]: line for line in document["tables"]}
    assert set(tables) == {"public.big", "public.nothing", "public.pairs", 'public."Mixed"'}
    assert tables["public.big"]["rows"] == ROWS
    assert tables["public.big"]["source_bytes"] > ROWS * 30
    assert tables["public.big"]["warehouse_bytes"] > ROWS * 100
    assert (tables["public.big"]["seconds"], document["chunk_rows"]) == (None, CHUNK)
    part = json.loads(own.cdc(*SNAPSHOT, "plan", own.name, "big", "--where", "n = 3", "--output", "json").stdout)
    assert part["rows"] == pytest.approx(ROWS / 10, rel=0.2)
    assert signals(own) == []


def test_a_snapshot_is_paused_in_the_middle_and_resumed_while_changes_go_on(own: Own) -> None:
    ending, rounds = threading.Event(), []

    def write() -> None:
        connection = psycopg2.connect(own.admin_dsn)
        connection.autocommit = True
        with connection.cursor() as cursor:
            while not ending.wait(0.01):
                n = len(rounds)
                cursor.execute("UPDATE big SET n = n + 1, note = 'changed' WHERE id = %s", (1 + n * 7 % ROWS,))
                cursor.execute("DELETE FROM big WHERE id = %s", (ROWS - n % 500,))
                cursor.execute("INSERT INTO big VALUES (%s, 'new', 0)", (ROWS + 1 + n,))
                rounds.append(n)
        connection.close()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        with held_back(own):
            begin(own, "big", "nothing", "pairs", "Mixed")
            paused = own.cdc(*SNAPSHOT, "pause", own.name, "--reason", "the market opens")
        assert "is paused" in paused.stderr
        before, at = status(own), len(rounds)
        assert before["state"] == "paused"
        assert 0 < before["rows"] < ROWS
        (big,) = (line for line in before["tables"] if line["table"] == "public.big")
        assert (big["state"], 0 < big["read"] < 1, big["expected_rows"]) == ("paused", True, pytest.approx(ROWS, rel=0.3))
        assert "is under way" in own.cdc(*SNAPSHOT, "start", own.name, "big", "--reason", "x", "--yes", code=4).stderr
        assert "nothing to pause" in own.cdc(*SNAPSHOT, "pause", own.name, "--reason", "x", code=4).stderr
        hidden = own.cdc("connectors", "offsets", "get", own.name, "--output", "json").stdout
        assert "incremental_snapshot_collections" in hidden
        assert "primary_key" not in hidden
        assert "maximum_key" not in hidden
        after = status(own)
        assert len(rounds) > at + 20
        assert after["rows"] <= before["rows"] + CHUNK  # the chunk that was in hand
        assert "is running" in own.cdc(*SNAPSHOT, "resume", own.name, "--reason", "it closed").stderr
        done = status(own, "--wait")
    finally:
        ending.set()
        writer.join(60)
    assert done["state"] == "complete"
    assert [(line["table"], line["state"]) for line in done["tables"]] == [
        ("public.Mixed", "read"), ("public.big", "read"), ("public.nothing", "read"), ("public.pairs", "read")
    ]  # fmt: skip
    assert done["rows"] >= ROWS * 0.9
    assert done["rows_per_second"] > 0
    own.drain()
    compared = compare_source(own.admin_dsn, own.warehouse.settings.warehouse_auditor_dsn, own.name, own.policy)
    differences = {table.table: table.difference for table in compared if table.table != "cdc.heartbeat"}
    assert set(differences.values()) == {None} or not any(differences.values()), differences
    print(f"{len(rounds)} rounds of changes meanwhile; {done['rows']} rows at {done['rows_per_second']:.0f}/s")


def test_the_log_is_sound_and_says_who_asked_for_what(own: Own) -> None:
    rows = own.warehouse.query(
        "SELECT e.seq, e.entry, b.body, encode(e.leaf, 'hex') FROM audit.entry e LEFT JOIN audit.body b USING (log, seq)"
        " WHERE e.log = %s ORDER BY e.seq",
        (own.name,),
    )
    assert verify(rows) == []
    assert own.cdc("audit", "verify", own.name, code=None).returncode == 0
    reread = [json.loads(text) for _, text, *_ in rows if '"operation":"r"' in text and '"table":"public.big"' in text]
    assert len(reread) > ROWS * 1.5
    found = own.warehouse.query("SELECT entry FROM audit.entry WHERE log = 'operations' AND entry LIKE '%%snapshot-%%' ORDER BY seq")
    operations = [json.loads(text)["content"] for (text,) in found]
    mine = [(each["name"], each["detail"]["reason"]) for each in operations if each["detail"]["log"] == own.name]
    assert mine == [("snapshot-start", "ticket 1"), ("snapshot-pause", "the market opens"), ("snapshot-resume", "it closed")]
    assert operations[0]["detail"]["tables"] == 'public."Mixed", public.big, public.nothing, public.pairs'


def test_a_part_of_a_table_is_read_and_a_whole_reading_later_still_finds_what_is_gone(own: Own) -> None:
    ((expected,),) = own.ask("SELECT count(*) FROM big WHERE n = 3")
    done = own.cdc(*SNAPSHOT, "start", own.name, "big", "--where", "n = 3", "--reason", "ticket 2", "--yes", "--wait")
    assert f"complete: {expected:,} rows" in done.stderr
    assert "rows/s, the pace of the last snapshot" in done.stderr
    own.drain()
    asked = own.warehouse.query("SELECT entry FROM audit.entry WHERE log = %s AND table_name = 'cdc.signal' AND entry LIKE '%%filter%%'", (own.name,))
    assert len(asked) == 1
    assert "additional-condition" not in asked[0][0]
    own.cdc("stream", "rebaseline", own.name, "nothing", "--reason", "x", "--yes")
    own.drain()
    assert own.warehouse.query("SELECT cardinality(tables) FROM audit.read_anew(%s) ORDER BY completed DESC LIMIT 1", (own.name,)) == [(1,)]


def test_a_snapshot_is_given_up_running_or_paused(own: Own) -> None:
    for pause in (False, True):
        with held_back(own):
            begin(own, "big", *(["pairs"] if pause else []))
            if pause:
                own.cdc(*SNAPSHOT, "pause", own.name, "--reason", "x")
                assert "no terminal" in own.cdc(*SNAPSHOT, "stop", own.name, "--reason", "x", code=4).stderr
            assert "is stopped" in own.cdc(*SNAPSHOT, "stop", own.name, "--reason", "the wrong table", "--yes").stderr
        found = status(own)
        assert found["state"] == "stopped"
        assert {line["state"] for line in found["tables"]} == {"not read"}
        assert "is under way" not in own.cdc("connectors", "offsets", "get", own.name).stdout
    begin(own, "nothing")
    assert status(own, "--wait")["state"] == "complete"

"""Positions, slots, topics, plugins, loggers and logs on the command line, against a real Connect and PostgreSQL."""

from __future__ import annotations

import csv
import io
import json
import re
import time
from collections.abc import Iterator

import pytest

from cdc.local.stack import Stack
from connectors.client import ConnectClient
from connectors.offsets import lsn_number
from tests.fix_own import Own, own_source, run_as

SCHEMA = ("CREATE TABLE item (id int PRIMARY KEY, note text)", "INSERT INTO item SELECT g, 'first' FROM generate_series(1, 10) g")


@pytest.fixture(scope="module")
def own(stack: Stack) -> Iterator[Own]:
    with own_source(stack) as own:
        own.run(*SCHEMA)
        own.cdc("connectors", "init", own.name, "--apply-sql")
        definition = own.folder / "definition.yaml"
        definition.write_text(f"{definition.read_text()}heartbeat_interval_ms: 500\n")
        own.cdc("policy", "init", own.name, "--clear", "*.*.*")
        own.apply()
        own.drain()
        yield own


def state(own: Own) -> str:
    with ConnectClient(own.stack.addresses().connect_url) as client:
        return client.status(own.name).state


def offsets(own: Own, *arguments: str, code: int = 0):
    return own.cdc("connectors", "offsets", *arguments, code=code)


def position(own: Own) -> str:
    (found,) = json.loads(offsets(own, "get", own.name, "--output", "json").stdout)["offsets"]
    assert found["partition"] == {"server": own.name}
    assert found["offset"]["lsn"] == lsn_number(found["position"])
    return found["position"]


def items(own: Own) -> dict[int, str]:
    return dict(own.warehouse.query(f"SELECT id, note FROM {own.name}.item"))


def end(own: Own) -> str:
    ((lsn,),) = own.ask("SELECT pg_current_wal_insert_lsn()::text")
    return lsn


def operations(own: Own) -> list[dict]:
    found = own.warehouse.query("SELECT entry FROM audit.entry WHERE log = 'operations' AND entry LIKE '%%offsets-%%' ORDER BY seq")
    return [json.loads(text)["content"] for (text,) in found]


def test_a_position_is_shown_and_only_a_stopped_connector_lets_it_be_changed(own: Own) -> None:
    shown = offsets(own, "get", own.name)
    assert position(own)
    assert f'{{"server":"{own.name}"}}' in shown.stdout
    refused = offsets(own, "set", own.name, "--lsn", position(own), "--reason", "x", "--yes", code=4)
    assert "is RUNNING; its position can be changed only while it is STOPPED" in refused.stderr
    offsets(own, "set", own.name, "--reason", "x", "--yes", code=2)
    offsets(own, "set", own.name, "--lsn", "zero", "--reason", "x", "--yes", code=2)
    offsets(own, "get", "nobody", code=3)


def test_what_loses_or_fails_is_refused_unless_it_is_meant_and_the_connector_goes_on(own: Own) -> None:
    for lsn, says in (("FF/0", "is never read: the log lacks it"), ("0/10", "refuses to go on from there")):
        done = offsets(own, "set", own.name, "--lsn", lsn, "--stop", "--reason", "x", "--yes", code=4)
        assert says in done.stderr
        assert "--accept-loss" in done.stderr
    assert "reads every table anew" in offsets(own, "reset", own.name, "--stop", "--reason", "x", "--yes", code=4).stderr
    assert state(own) == "RUNNING"
    assert operations(own) == []


@pytest.mark.parametrize("before", ["RUNNING", "PAUSED", "STOPPED"])
def test_what_connect_refuses_leaves_the_connector_as_it_was(own: Own, before: str) -> None:
    with ConnectClient(own.stack.addresses().connect_url) as client:
        if before != "RUNNING":
            client.ask("PUT", f"/connectors/{own.name}/{'pause' if before == 'PAUSED' else 'stop'}")
        wait_for(own, before)
        wrong = '{"offsets": [{"partition": {"server": "' + own.name + '"}, "offset": {"lsn": {"not": "a number"}}}]}'
        done = own.cdc(
            "connectors", "offsets", "set", own.name, "--document", "-", "--stop", "--reason", "wrong", "--yes",
            stdin=wrong, code=None,
        )  # fmt: skip
        assert done.returncode != 0
        wait_for(own, before)
        client.resume(own.name)
    wait_for(own, "RUNNING")


def wait_for(own: Own, wanted: str) -> None:
    ends = time.monotonic() + 60
    while state(own) != wanted:
        assert time.monotonic() < ends
        time.sleep(0.1)


def test_a_later_position_leaves_out_what_lies_between_and_says_so_before(own: Own) -> None:
    own.drain()
    with ConnectClient(own.stack.addresses().connect_url) as client:
        client.stop(own.name)
        wait_for(own, "STOPPED")
    own.run("UPDATE item SET note = 'never seen' WHERE id = 1")
    done = offsets(own, "set", own.name, "--lsn", end(own), "--accept-loss", "--reason", "ticket 1", "--yes")
    assert "means     what the source committed between" in done.stderr
    assert "before    " in done.stderr
    own.cdc("connectors", "apply", own.name)
    own.run("UPDATE item SET note = 'seen' WHERE id = 2")
    own.drain()
    assert (items(own)[1], items(own)[2]) == ("first", "seen")
    (operation,) = [each for each in operations(own) if each["detail"]["reason"] == "ticket 1"]
    assert (operation["name"], operation["detail"]["connector"]) == ("offsets-set", own.name)
    assert "@" in operation["detail"]["by"]
    assert operation["detail"]["context"] == ""
    assert lsn_number(operation["detail"]["before"]) < lsn_number(operation["detail"]["after"])


def test_a_reset_reads_all_tables_anew_and_mends_what_was_left_out(own: Own) -> None:
    done = offsets(own, "reset", own.name, "--stop", "--accept-loss", "--reason", "ticket 2", "--yes")
    assert "after     nothing stored" in done.stderr
    assert "runs again" in done.stderr
    ends = time.monotonic() + 60
    while True:
        own.drain()
        if items(own)[1] == "never seen":
            break
        assert time.monotonic() < ends
        time.sleep(0.5)
    assert position(own)


def test_a_position_that_the_slot_no_longer_has_stops_the_connector_and_says_so(own: Own) -> None:
    failed = offsets(own, "set", own.name, "--lsn", "0/10", "--stop", "--accept-loss", "--reason", "x", "--yes", code=1)
    assert "goes on from there and fails" in failed.stderr
    assert "confirmed" in failed.stderr
    (here,) = re.findall(r"^before    (\S+)", failed.stderr, re.MULTILINE)
    back = offsets(own, "set", own.name, "--lsn", here, "--stop", "--accept-loss", "--reason", "back", "--yes")
    assert "runs again" in back.stderr
    own.run("UPDATE item SET note = 'after all' WHERE id = 3")
    own.drain()
    assert items(own)[3] == "after all"


def test_slots_are_shown_with_whose_they_are_and_what_is_the_matter(own: Own) -> None:
    other = f"other_{own.name}"
    run_as(own.admin_dsn, f"SELECT pg_create_logical_replication_slot('{other}', 'pgoutput')")
    try:
        lines = json.loads(own.cdc("connectors", "slots", own.name, "--output", "json").stdout)["slots"]
        found = {line["name"]: line for line in lines}
        mine, foreign = found[f"cdc_{own.name}"], found[other]
        assert (mine["source"], mine["active"], mine["plugin"], mine["wal_status"]) == (own.name, True, "pgoutput", "reserved")
        assert mine["problem"] is None
        assert mine["retained"] >= mine["unconfirmed"] >= 0
        assert lsn_number(mine["restart_lsn"]) <= lsn_number(mine["confirmed_flush_lsn"])
        assert (foreign["source"], foreign["active"], foreign["database"]) == (None, False, own.database)
        assert "nobody reads it" in foreign["problem"]
        assert foreign["inactive_since"] is not None
        shown = own.cdc("connectors", "slots").stdout
        assert f"{other} at 127.0.0.1:" in shown
        assert shown.count(f"cdc_{own.name} ") == 1
        table = csv.DictReader(io.StringIO(own.cdc("connectors", "slots", own.name, "--output", "csv").stdout))
        assert {row["name"] for row in table} >= {other, f"cdc_{own.name}"}
    finally:
        run_as(own.admin_dsn, f"SELECT pg_drop_replication_slot('{other}')")


def test_topics_are_shown_and_forgotten(own: Own) -> None:
    def shown(*arguments: str) -> list[dict]:
        return json.loads(own.cdc("connectors", "topics", own.name, "--output", "json", *arguments).stdout)["topics"]

    assert shown() == [{"topic": own.name}]
    assert shown("--reset") == [{"topic": own.name}]
    own.cdc("connectors", "topics", "nobody", code=3)


def test_plugins_and_their_options_are_found(own: Own) -> None:
    listed = json.loads(own.cdc("connectors", "plugins", "list", "--output", "json").stdout)["plugins"]
    assert {"source", "converter", "transformation"} <= {each["type"] for each in listed}
    found = json.loads(own.cdc("connectors", "plugins", "describe", "postgres", "--search", "slot.name", "--output", "json").stdout)
    assert found["class"] == "io.debezium.connector.postgresql.PostgresConnector"
    assert "slot.name" in {each["name"] for each in found["options"]}
    assert all(each["documentation"] for each in found["options"])
    own.cdc("connectors", "plugins", "describe", "oracle", code=3)


def test_a_level_is_set_and_what_writes_rows_into_logs_asks(own: Own) -> None:
    def level() -> str:
        document = json.loads(own.cdc("connectors", "loggers", "get", "io.debezium.connector.postgresql", "--output", "json").stdout)
        return document["loggers"][0]["level"]

    own.cdc("connectors", "loggers", "set", "io.debezium.connector.postgresql", "WARN")
    assert level() == "WARN"
    assert "no terminal" in own.cdc("connectors", "loggers", "set", "io.debezium.connector.postgresql", "DEBUG", code=4).stderr
    assert level() == "WARN"
    assert "on every worker" in own.cdc("connectors", "loggers", "set", "io.debezium.connector.postgresql", "INFO", "--scope", "cluster").stderr
    ends = time.monotonic() + 30
    while level() != "INFO":
        assert time.monotonic() < ends


def test_logs_are_of_one_connector_and_without_values(own: Own) -> None:
    done = own.cdc("connectors", "logs", own.name, "--lines", "500")
    lines = done.stdout.splitlines()
    assert lines
    assert all(f"[{own.name}|" in line for line in lines)
    assert "connect.log" in done.stderr
    assert own.cdc("connectors", "logs", "nobody").stdout == ""

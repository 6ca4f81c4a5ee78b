"""Records that decode and cannot be protected: those of a person whose subject was closed. Nobody else's wait."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2
import pytest
from psycopg2 import sql

from tests.chaos.judge import balanced, whole
from tests.chaos.topics import own_topic, payload, transaction_ends
from tests.fix_replication import Captured, Warehouse, cdc
from tests.oracle.topic import TopicRecord, read_topic
from tests.real.test_resolution import asked
from tests.real.test_resolution import cdc as command

LOG = "trading"


def execute(dsn: str, statement: str, *names: str, given: tuple[object, ...] = ()) -> None:
    connection = psycopg2.connect(dsn)
    connection.autocommit = True
    try:
        connection.cursor().execute(sql.SQL(statement).format(*map(sql.Identifier, names)), given)
    finally:
        connection.close()


@contextmanager
def own_store(captured: Captured, warehouse: Warehouse) -> Iterator[str]:
    """A privacy store of this test's own; its owner's DSN."""
    admin, name = captured.stack.cluster("warehouse").dsn("postgres"), f"privacy_{warehouse.name}"
    warehouse.path.write_text(warehouse.path.read_text().replace("dbname=privacy ", f"dbname={name} "))
    execute(admin, "CREATE DATABASE {} STRATEGY wal_log", name)
    try:
        cdc("keys", "init", path=warehouse.path)
        yield captured.stack.cluster("warehouse").dsn(name)
    finally:
        execute(admin, "DROP DATABASE IF EXISTS {} WITH (FORCE)", name)


def customer_of(record: TopicRecord) -> str | None:
    """Whose order it is."""
    name, held = payload(record)
    return str(held["after"]["customer_id"]) if name.endswith("public.orders.Envelope") and held["op"] in "cu" else None


@pytest.fixture(scope="module")
def halves(captured: Captured) -> tuple[list[TopicRecord], list[TopicRecord]]:
    found = read_topic(captured.stack.addresses().bootstrap_servers, LOG)
    begun = next(n for n, record in enumerate(found) if payload(record)[1].get("op") == "c")
    ends = transaction_ends(found)
    first, second = (next(end for end in ends if end > begun + count) for count in (1_000, 1_500))
    return found[:first], found[first:second]


def test_a_closed_subject(captured: Captured, warehouse: Warehouse, halves: tuple[list[TopicRecord], ...]) -> None:
    first, second = halves
    customer = next(who for who in map(customer_of, second) if who is not None and who in {*map(customer_of, first)})
    with own_topic(warehouse, LOG) as topic, own_store(captured, warehouse) as store:
        topic.create(first)
        warehouse.drain(LOG)
        ((subject,),) = warehouse.query(
            "SELECT DISTINCT subject FROM audit.entry WHERE table_name = 'public.orders' AND entry::json #>> '{after,customer_id}' = %s",
            (customer,),
        )
        closed = bytes.fromhex(subject.split("/")[0])
        execute(store, "UPDATE privacy.subject SET status = 'closed' WHERE id = %s", given=(closed,))
        topic.produce(second)
        done = warehouse.replicate(LOG, "--until-caught-up", timeout_s=120)
        assert done.returncode == 0, done.stderr
        held = asked(warehouse, "quarantine", "list", LOG)["records"]
        mine = {len(first) + n for n, record in enumerate(second) if customer_of(record) == customer}
        assert mine
        assert mine <= {each["offset"] for each in held}
        assert {each["reason"] for each in held} == {"subject-closed"}
        assert done.stderr.count("quarantined: the record at offset") == len(held) < len(second) // 4
        assert balanced(warehouse, LOG) == len(first) + len(second)
        whole(warehouse, LOG)
        command(warehouse, "audit", "verify", LOG)

        worker = warehouse.start(LOG)
        try:
            refused = command(warehouse, "quarantine", "replay", LOG, str(held[0]["seq"]), code=6).stderr
            assert "it still cannot be protected (subject-closed)" in refused
            execute(store, "UPDATE privacy.subject SET status = 'open' WHERE id = %s", given=(closed,))
            command(warehouse, "quarantine", "replay", LOG, "--all")
        finally:
            worker.terminate()
            worker.communicate(timeout=60)
        assert asked(warehouse, "quarantine", "list", LOG)["records"] == []
        (stream,) = json.loads(command(warehouse, "status", "--output", "json").stdout)
        for each in stream["suspended"]:
            command(warehouse, "rebuild", LOG, each["table"])
        whole(warehouse, LOG)
        command(warehouse, "audit", "verify", LOG)


def test_an_environment_fault_is_nobodys_record(
    captured: Captured, warehouse: Warehouse, halves: tuple[list[TopicRecord], ...]
) -> None:
    """The source's own subject is closed: nothing at all can be sealed, so the stream halts and quarantines nothing."""
    with own_topic(warehouse, LOG) as topic, own_store(captured, warehouse) as store:
        topic.create(halves[0][:60])
        warehouse.drain(LOG)
        execute(store, "UPDATE privacy.subject SET status = 'closed' WHERE type = 'source'")
        topic.produce(halves[0][60:200])
        done = warehouse.replicate(LOG, "--until-caught-up", timeout_s=120)
        assert done.returncode == 4, done.stderr
        assert "cdc: protection: the subject " in done.stderr
        assert warehouse.query("SELECT count(*) FROM audit.entry WHERE kind = 'quarantined'") == [(0,)]

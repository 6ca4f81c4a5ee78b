"""Records out of quarantine, from the person's command to the rebuilt state: an older worker could not read them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pytest

from tests.chaos.judge import balanced, whole
from tests.chaos.topics import OwnTopic, own_topic, payload, transaction_ends
from tests.fix_replication import Captured, Warehouse, drop_warehouse, new_warehouse
from tests.oracle.topic import TopicRecord, read_topic

LOG = "trading"
ORDERS = "public.orders"


@dataclass(frozen=True, slots=True)
class Fed:
    """A stretch of the real topic. Offsets in it: of an order's last change, of one that has a later one, of a row of
    a table without a key, of foreign content; and the keys of the two orders.
    """

    records: list[TopicRecord]
    last: int
    earlier: int
    keyless: int
    foreign: int
    orders: tuple[str, str]


@pytest.fixture(scope="module")
def fed(captured: Captured) -> Fed:
    found = read_topic(captured.stack.addresses().bootstrap_servers, LOG)
    begun = next(n for n, record in enumerate(found) if payload(record)[1].get("op") == "c")
    records = found[: next(end for end in transaction_ends(found) if end > begun + 1_500)]
    orders: dict[str, list[int]] = {}
    keyless = -1
    for n, record in enumerate(records):
        name, held = payload(record)
        if name.endswith("public.orders.Envelope") and held["op"] in "cud":
            orders.setdefault(str((held["after"] or held["before"])["order_id"]), []).append(n)
        elif record.key is None and held.get("op") == "c" and n > begun:
            keyless = n
    last = next(key for key, at in orders.items() if len(at) > 1 and payload(records[at[-1]])[1]["op"] == "u")
    earlier = next(key for key, at in orders.items() if len(at) > 2 and key != last and payload(records[at[-2]])[1]["op"] == "u")
    foreign = transaction_ends(records)[-2]
    records.insert(foreign, TopicRecord(**{**records[0]._asdict(), "offset": foreign, "key": b"42", "value": b'{"a": 1}'}))
    shift = [n + (n >= foreign) for n in (orders[last][-1], orders[earlier][-2], keyless)]
    return Fed(records, *shift, foreign, (last, earlier))


@pytest.fixture
def topic(warehouse: Warehouse) -> Iterator[OwnTopic]:
    with own_topic(warehouse, LOG) as topic:
        yield topic


def cdc(warehouse: Warehouse, *command: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "cdc", *command, "--config", str(warehouse.path)],
        capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    return done


def asked(warehouse: Warehouse, *command: str, code: int = 0) -> dict:
    document: dict = json.loads(cdc(warehouse, *command, "--output", "json", code=code).stdout)
    return document


def older_worker(warehouse: Warehouse, *unreadable: int, code: int = 0, **environment: str) -> None:
    worker = older(warehouse, unreadable=unreadable, **environment)
    _, said = worker.communicate(timeout=180)
    assert worker.returncode == code, said


def older(warehouse: Warehouse, *arguments: str, unreadable: Iterable[int], **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.real.older", "replicate", LOG, "--until-caught-up", *arguments, "--config", str(warehouse.path)],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "UNREADABLE": " ".join(map(str, unreadable)), **environment},
    )  # fmt: skip


def shown(warehouse: Warehouse, view: str) -> list[tuple]:
    return warehouse.query(f"SELECT t::text FROM {view} t ORDER BY 1")


def suspended(warehouse: Warehouse) -> dict[str, str]:
    (stream,) = json.loads(cdc(warehouse, "status", "--output", "json").stdout)
    return {each["table"]: each["command"] for each in stream["suspended"]}


def test_out_of_quarantine(captured: Captured, warehouse: Warehouse, topic: OwnTopic, fed: Fed) -> None:
    topic.create(fed.records)
    older_worker(warehouse, fed.last, fed.earlier, fed.keyless)
    held = {each["offset"]: each for each in asked(warehouse, "quarantine", "list", LOG)["records"]}
    assert sorted(held) == sorted([fed.last, fed.earlier, fed.keyless, fed.foreign])
    keyless_table = held[fed.keyless]["table"]
    assert suspended(warehouse) == {keyless_table: f"cdc quarantine list {LOG}"}
    assert {at: each["waits"] for at, each in held.items()} == {fed.last: "row", fed.earlier: "row", fed.keyless: "table", fed.foreign: None}
    assert "are in quarantine" in cdc(warehouse, "rebuild", LOG, keyless_table, code=4).stderr
    history = asked(warehouse, "audit", "history", "trading.public.orders", fed.orders[0])
    assert {each["seq"] for each in history["completeness"]["quarantined"]} == {
        held[at]["seq"] for at in (fed.last, fed.earlier, fed.foreign)
    }
    inside = asked(warehouse, "audit", "transaction", held[fed.last]["transaction"], "--source", LOG)
    (unread,) = (each for each in inside["changes"] if each["seq"] == held[fed.last]["seq"])
    assert (unread["kind"], unread["what"]) == ("quarantined", "a record that could not be read")
    verify = cdc(warehouse, "audit", "verify", LOG).stdout
    assert "what 4 quarantined records say" in verify

    # Nobody owns the stream: what was asked stays asked, and a worker carries it out. It still cannot read the foreign one.
    told = cdc(warehouse, "quarantine", "replay", LOG, "--all", "--wait", "0", code=4).stderr
    assert "4 of 4 not carried out within 0 s; they stay asked" in told
    assert "has not been carried out yet" in cdc(warehouse, "quarantine", "replay", LOG, "--all", code=4).stderr
    warehouse.drain(LOG)
    ((size,),) = warehouse.query("SELECT size FROM audit.log WHERE log = %s", (LOG,))
    worker, patient = warehouse.start(LOG), ("--wait", "150")  # on a busy machine it may take longer than the 60 s of the command to start
    try:
        seq = str(held[fed.foreign]["seq"])
        refused = cdc(warehouse, "quarantine", "replay", LOG, seq, *patient, code=6).stderr
        assert f"entry {int(seq):,} stays in quarantine: it still cannot be decoded (not-connect-json)" in refused
        assert warehouse.query("SELECT size FROM audit.log WHERE log = %s", (LOG,)) == [(size,)]
        assert [each["seq"] for each in asked(warehouse, "quarantine", "list", LOG)["records"]] == [int(seq)]
        cdc(warehouse, "quarantine", "resolve", LOG, seq, "--reason", "a test message of ours", *patient)
        cdc(warehouse, "quarantine", "resolve", LOG, seq, "--reason", "again", code=3)
    finally:
        worker.terminate()
        worker.communicate(timeout=60)

    assert asked(warehouse, "quarantine", "list", LOG)["records"] == []
    done = {each["offset"]: each["resolution"] for each in asked(warehouse, "quarantine", "list", LOG, "--all")["records"]}
    assert {at: each["how"] for at, each in done.items()} == {
        fed.last: "replayed", fed.earlier: "replayed", fed.keyless: "replayed", fed.foreign: "dismissed"
    }  # fmt: skip
    assert done[fed.foreign]["reason"] == "a test message of ours"
    assert "database user cdc_replicator" in done[fed.foreign]["by"]
    resolved = warehouse.query("SELECT seq FROM audit.entry WHERE log = %s AND kind = 'resolved' ORDER BY seq", (LOG,))
    assert sorted(each["seq"] for each in done.values()) == [seq for (seq,) in resolved]
    operations = warehouse.query("SELECT entry::json #>> '{content,name}' FROM audit.entry WHERE log = 'operations'")
    names = [name for (name,) in operations if name.startswith("quarantine-")]
    assert names == ["quarantine-replay"] * 5 + ["quarantine-resolve"]
    (stream,) = json.loads(cdc(warehouse, "status", "--output", "json").stdout)
    assert stream["quarantine"] is None
    assert suspended(warehouse) == {keyless_table: f"cdc rebuild {LOG} {keyless_table}"}

    lives = [asked(warehouse, "audit", "history", "trading.public.orders", key)["changes"] for key in fed.orders]
    assert lives[0][-1]["resolves"] == held[fed.last]["seq"]
    assert lives[0][-1]["version"] == lives[0][-2]["version"] + 1
    assert lives[1][-1]["replay_of"] == f"entry/{lives[1][-2]['seq']}"
    assert f"(out of quarantine, entry {held[fed.last]['seq']:,})" in lives[0][-1]["what"]
    ((instant,),) = warehouse.query(
        "SELECT to_char(audit.instant(min(later.ordered_at) + 1000) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"
        " FROM audit.entry held JOIN audit.entry later USING (log) WHERE log = %s AND held.seq = %s AND later.seq > held.seq"
        " AND later.ordered_at > held.ordered_at AND later.transaction_id <> held.transaction_id",
        (LOG, held[min(fed.last, fed.earlier)]["seq"]),
    )
    then = asked(warehouse, "audit", "as-of", "trading.public.orders", "--at", instant, "--limit", "1")
    now = asked(warehouse, "audit", "as-of", "trading.public.orders", "--at", "now", "--limit", "1")
    known = {held[at]["seq"]: done[at]["seq"] for at in (fed.last, fed.earlier, fed.foreign) if held[at]["seq"] <= then["as_of"]["seq"]}
    assert known
    assert {each["seq"]: each["resolved_by"] for each in then["completeness"]["quarantined"]} == known
    assert now["completeness"]["quarantined"] == []
    cdc(warehouse, "rebuild", LOG, keyless_table)
    warehouse.drain(LOG)
    assert suspended(warehouse) == {}
    assert whole(warehouse, LOG) > 0
    assert balanced(warehouse, LOG) == len(fed.records)
    cdc(warehouse, "audit", "verify", LOG)
    as_others_see_it(captured, warehouse, topic, keyless_table)


def as_others_see_it(captured: Captured, warehouse: Warehouse, topic: OwnTopic, *others: str) -> None:
    """A warehouse that could read all of it from the beginning shows the same rows."""
    again = new_warehouse(captured)
    try:
        again.path.write_text(again.path.read_text().replace(f'topic = "{LOG}"', f'topic = "{topic.name}"'))
        again.drain(LOG)
        for table in (ORDERS, *others):
            view = f"{LOG}.{table.removeprefix('public.')}"
            assert shown(warehouse, view) == shown(again, view)
            assert len(shown(again, view)) > 3
    finally:
        drop_warehouse(captured, again)


def test_rows_wait_whoever_owns_the_stream(captured: Captured, warehouse: Warehouse, topic: OwnTopic, fed: Fed) -> None:
    """Also one that was shown no record of the table before. SIGKILL as soon as one waits, and when both do; then both are out of quarantine, and nobody rebuilds anything."""
    topic.create(fed.records)
    left = f"SELECT count(*) FROM pipeline.row_wait WHERE log = '{LOG}'"
    for rows in (1, 2):
        worker, ends = older(warehouse, "--batch-records", "40", unreadable=(fed.last, fed.earlier), FRESH="1"), time.monotonic() + 120
        while warehouse.query(left)[0][0] < rows and worker.poll() is None:
            assert time.monotonic() < ends
            time.sleep(0.01)
        worker.kill()
        worker.communicate()
    older_worker(warehouse, fed.last, fed.earlier)
    waiting = {key: (since, tuple(unread)) for key, since, unread in warehouse.query("SELECT row_key, since, open FROM pipeline.row_wait")}
    held = {each["offset"]: each for each in asked(warehouse, "quarantine", "list", LOG)["records"]}
    assert waiting == {
        json.dumps([key], separators=(",", ":")): (held[at]["seq"], (held[at]["seq"],)) for key, at in zip(fed.orders, (fed.last, fed.earlier), strict=True)
    }
    assert suspended(warehouse) == {}
    (stream,) = json.loads(cdc(warehouse, "status", "--output", "json").stdout)
    assert stream["waiting"] == [{"table": ORDERS, "rows": 2, "seq": min(since for since, _ in waiting.values())}]
    assert f"current state of 2 rows of {ORDERS} waits for records in quarantine" in cdc(warehouse, "status").stdout
    assert asked(warehouse, "quarantine", "show", LOG, str(held[fed.last]["seq"]))["records"][0]["waits"] == "row"
    answer = asked(warehouse, "audit", "history", "trading.public.orders", fed.orders[0])
    assert answer["completeness"]["waiting"] == [{"table": ORDERS, "rows": 2, "since_seq": min(since for since, _ in waiting.values())}]
    assert "2 rows of public.orders from their records in quarantine on: they wait" in cdc(warehouse, "audit", "verify", LOG).stdout
    cdc(warehouse, "quarantine", "resolve", LOG, str(held[fed.foreign]["seq"]), "--reason", "none of ours", "--wait", "0", code=4)
    for each in (fed.earlier, fed.last):
        cdc(warehouse, "quarantine", "replay", LOG, str(held[each]["seq"]), "--wait", "0", code=4)
    warehouse.drain(LOG)
    assert warehouse.query(left) == [(0,)]
    assert whole(warehouse, LOG) > 0
    assert balanced(warehouse, LOG) == len(fed.records)
    cdc(warehouse, "audit", "verify", LOG)
    as_others_see_it(captured, warehouse, topic)


def test_a_record_whose_table_nobody_could_tell(captured: Captured, warehouse: Warehouse, topic: OwnTopic, fed: Fed) -> None:
    """No state waits for it: replayed, it goes to state at once, and once, though its owner dies before it says so."""
    topic.create(fed.records[: fed.foreign])
    older_worker(warehouse, fed.last, fed.keyless, TABLELESS="1")
    assert suspended(warehouse) == {}
    answer = asked(warehouse, "audit", "history", "trading.public.orders", fed.orders[0])
    assert [each["table"] for each in answer["completeness"]["quarantined"]] == [None, None]
    cdc(warehouse, "quarantine", "replay", LOG, "--all", "--wait", "0", code=4)
    older_worker(warehouse, code=9, DIES="1")
    older_worker(warehouse, code=9, DIES="1")  # the first of them is there already, and now also said to be
    warehouse.drain(LOG)
    counts = "SELECT count(*), count(DISTINCT entry::json #>> '{content,of}') FROM audit.entry WHERE kind = 'resolved'"
    assert warehouse.query(counts) == [(2, 2)]
    assert warehouse.query("SELECT count(*) FROM pipeline.resolution_request WHERE done_at IS NULL OR refused IS NOT NULL") == [(0,)]
    ((keyless_table,),) = warehouse.query("SELECT table_name FROM audit.entry WHERE kafka_offset = %s AND kind = 'change'", (fed.keyless,))
    assert suspended(warehouse) == {}
    whole(warehouse, LOG)
    cdc(warehouse, "audit", "verify", LOG)
    as_others_see_it(captured, warehouse, topic, keyless_table)


def test_who_may_ask(warehouse: Warehouse) -> None:
    """The auditor's role may look, and not ask."""
    text = warehouse.path.read_text()
    settings = warehouse.settings
    warehouse.path.write_text(text.replace(settings.warehouse_dsn, settings.warehouse_auditor_dsn))
    refused = cdc(warehouse, "quarantine", "resolve", LOG, "3", "--reason", "because", code=2).stderr
    assert "SQLSTATE 42501" in refused

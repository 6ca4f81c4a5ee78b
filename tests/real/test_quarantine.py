"""A corpus of bad records amid real ones, on a real topic: each takes its place in the log, sealed; all else flows.

Produced as a foreign program would: the rest of the topic is what real Debezium wrote. (DDL in the middle of a huge
transaction is in ``test_evolution.py``.)
"""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from tests.chaos.judge import balanced, whole
from tests.chaos.topics import BOUNDARY, OwnTopic, own_topic, payload, transaction_ends
from tests.fix_replication import Captured, Warehouse, drop_warehouse, new_warehouse
from tests.oracle.topic import TopicRecord, read_topic

LOG = "trading"
PLANTED = b"Plantagenet-7731"
MEGABYTES_10 = 10_000_000


@pytest.fixture(scope="module")
def records(captured: Captured) -> list[TopicRecord]:
    """The first of the real topic, through an end of a transaction beyond the initial snapshot."""
    found = read_topic(captured.stack.addresses().bootstrap_servers, LOG)
    begun = next(n for n, record in enumerate(found) if payload(record)[1].get("op") == "c")
    return found[: next(end for end in transaction_ends(found) if end > begun + 3_000)]


def without_its_key_column(record: TopicRecord) -> TopicRecord:
    def change(after: dict[str, Any]) -> None:
        del after[next(iter(json.loads(record.key or b"")["payload"]))]

    return changed(record, change)


def changed(record: TopicRecord, change: Callable[[dict[str, Any]], None]) -> TopicRecord:
    """The same row record with another after image."""
    at = record.value.index(b',"payload":')
    held = json.loads(record.value)["payload"]
    change(held["after"])
    return record._replace(value=record.value[:at] + b',"payload":' + json.dumps(held, ensure_ascii=False).encode() + b"}")


def corpus(record: TopicRecord) -> dict[str, tuple[TopicRecord, str, bool]]:
    """What becomes of one insert that real Debezium wrote; the reason word; whether its table can be told."""
    value, key = record.value, record.key
    at = value.index(b',"payload":')
    schema, rest = value[:at], value[at:]
    renamed = json.loads(schema + b"}")
    renamed["schema"]["name"] += "2"
    wrong = json.dumps(renamed["schema"]).encode()
    deep = b',"payload":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    return {
        "no JSON": (record._replace(key=None, value=PLANTED + b" is no JSON"), "not-connect-json", False),
        "foreign topic content": (record._replace(key=b"42", value=json.dumps({"ssn": PLANTED.decode()}).encode()), "not-connect-json", False),
        "truncated JSON": (record._replace(value=value[:-40] + PLANTED), "not-connect-json", True),
        "truncated, closed": (record._replace(value=value[:-40] + PLANTED + b'"}}'), "malformed", True),
        "invalid UTF-8": (record._replace(value=schema + b',"payload":{"before":null,"after":"\xff\xfe' + PLANTED + b'"}}'), "malformed", True),
        "wrong schema": (record._replace(value=b'{"schema":' + wrong + rest), "unknown-record-type", True),
        "another type": (record._replace(value=schema + b',"payload":{"after":{"customer_id":"%s"},"op":"c"}}' % PLANTED), "malformed", True),
        "unknown operation": (record._replace(value=value.replace(b'"op":"c"', b'"op":"%s"' % PLANTED)), "unknown-operation", True),
        "a key column that is missing": (without_its_key_column(record), "malformed", True),
        "no Kafka key, no row": (record._replace(value=schema + b',"payload":{}}', key=None), "malformed", True),
        "key no JSON": (record._replace(key=PLANTED, value=PLANTED), "not-connect-json", False),
        "tombstone without its delete": (record._replace(key=b'{"%s":1}' % PLANTED, value=None), "tombstone-without-delete", False),
        "deep nesting": (record._replace(value=schema + deep), "malformed", True),
        "ten megabytes": (record._replace(value=schema + b',"payload":"' + PLANTED * 650_000 + b'"}'), "malformed", True),
        "key": (record._replace(key=key[:-2] + PLANTED, value=value[:-2] + PLANTED), "not-connect-json", True),
    }  # fmt: skip


NAMES = tuple(
    corpus(TopicRecord(0, b'{"schema":{},"payload":{"id":1}}', b'{"schema":{"name":""},"payload":{"op":"c","after":{"id":1}}}', 0))
)
"""Of the corpus, for the parameters of tests that have no record yet."""
REFUSED = {
    "public.market_ticks": lambda after: after.update(size=99_999_999_999),  # an integer column
    "public.executions": lambda after: after.update(price="1e200000"),  # a numeric one
}
"""Rows that decode, with a value that the state column cannot hold."""
LARGE, NO_KEY, CUT = "public.orders", "public.accounts", "public.allocations"
"""A good row of ten megabytes; a good row without its Kafka key; a row cut off inside its transaction."""


@dataclass(frozen=True, slots=True)
class Drained:
    """What became of the topic. ``at``: offsets of the bad records by name, and of the changed rows by table."""

    warehouse: Warehouse
    topic: OwnTopic
    fed: Sequence[TopicRecord]
    at: dict[str, int]
    table: str
    said: str

    def entry(self, name: str) -> dict[str, Any]:
        """The entry of one bad record."""
        rows = self.warehouse.query(
            "SELECT coalesce(b.body, e.entry)::json -> 'content', e.entry::json FROM audit.entry e LEFT JOIN audit.body b USING (log, seq)"
            " WHERE e.log = %s AND e.kafka_offset = %s AND e.kind <> 'schema'",
            (LOG, self.at[name]),
        )
        ((content, entry),) = rows
        return {**entry, "content": content}


def table_of(record: TopicRecord) -> str:
    name, held = payload(record)
    return f"public.{name.split('.')[2]}" if name.endswith(".Envelope") and held["op"] == "c" and record.key else ""


@pytest.fixture(scope="module")
def drained(captured: Captured, records: list[TopicRecord]) -> Iterator[Drained]:
    """A warehouse that has read all of it."""
    seen = Counter(record.key for record in records)
    newest = {table_of(record): n for n, record in enumerate(records) if seen[record.key] == 1}  # no later change
    fed = list(records)
    for table, change in REFUSED.items():
        fed[newest[table]] = changed(fed[newest[table]], change)
    fed[newest[LARGE]] = changed(fed[newest[LARGE]], lambda after: after.update(client_note="x" * MEGABYTES_10))
    fed[newest[NO_KEY]] = fed[newest[NO_KEY]]._replace(key=None)
    fed[newest[CUT]] = fed[newest[CUT]]._replace(value=fed[newest[CUT]].value[:-40] + PLANTED)
    used = {*REFUSED, LARGE, NO_KEY, CUT, ""}
    n = next(n for n, record in enumerate(records) if table_of(record) not in used)
    place = next(end for end in transaction_ends(records) if end > n)
    bad = corpus(records[n])
    at = {name: place + k for k, name in enumerate(bad)}
    at |= {table: newest[table] + len(bad) * (newest[table] >= place) for table in used - {""}}
    fed[place:place] = [record for record, _, _ in bad.values()]
    warehouse = new_warehouse(captured)
    try:
        with own_topic(warehouse, LOG) as topic:
            topic.create(fed)
            done = warehouse.replicate(LOG, "--until-caught-up", timeout_s=180)
            assert done.returncode == 0, done.stderr
            yield Drained(warehouse, topic, fed, at, table_of(records[n]), done.stdout + done.stderr)
    finally:
        drop_warehouse(captured, warehouse)


def said(warehouse: Warehouse, *command: str) -> str:
    """What a command that must succeed says on standard output."""
    done = subprocess.run(
        [sys.executable, "-m", "cdc", *command, "--config", str(warehouse.path)],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert PLANTED.decode() not in done.stdout + done.stderr
    return done.stdout


def planted(warehouse: Warehouse) -> int:
    """Entries and bodies that hold the planted value, plainly or in base64 at any of its three phases."""
    needles = [PLANTED.decode(), *(base64.b64encode(b"x" * n + PLANTED)[4:-4].decode() for n in range(3))]
    pattern = "|".join(needles).replace("+", "[+]")
    ((found,),) = warehouse.query(
        "SELECT (SELECT count(*) FROM audit.entry WHERE entry ~ %s) + (SELECT count(*) FROM audit.body WHERE body ~ %s)",
        (pattern, pattern),
    )
    return int(found)


@pytest.mark.parametrize("name", NAMES)
def test_a_bad_record_takes_its_place(drained: Drained, records: list[TopicRecord], name: str) -> None:
    entry = drained.entry(name)
    n = next(n for n, record in enumerate(records) if table_of(record) == drained.table)
    _, reason, told = corpus(records[n])[name]
    assert (entry["kind"], entry["content"]["reason"]) == ("quarantined", reason)
    assert entry.get("table") == (drained.table if told else None)
    assert "transaction" not in entry
    assert entry["content"]["sealed"].keys() == {"seal"}


def test_a_row_that_is_cut_off_inside_its_transaction(drained: Drained) -> None:
    entry = drained.entry(CUT)
    assert (entry["kind"], entry["table"]) == ("quarantined", CUT)
    assert entry["transaction"]["id"]
    assert "order" not in entry["transaction"]


@pytest.mark.parametrize("table", REFUSED)
def test_a_value_beyond_its_state_column(drained: Drained, table: str) -> None:
    """Its history has it; the table's state stands still and says so."""
    entry = drained.entry(table)
    after: dict[str, Any] = {}
    REFUSED[table](after)
    assert entry["kind"] == "change"
    assert {name: entry["after"][name] for name in after} == {name: str(value) for name, value in after.items()}


def test_a_good_row_of_ten_megabytes(drained: Drained) -> None:
    entry = drained.entry(LARGE)
    assert entry["kind"] == "change"
    held = drained.warehouse.query(f"SELECT max(octet_length(client_note)) FROM {LOG}.orders")
    assert held[0][0] > MEGABYTES_10


def test_a_row_without_its_kafka_key(drained: Drained) -> None:
    """As if its table had lost its key, which may be: recorded, and the state says that it cannot follow."""
    assert drained.entry(NO_KEY)["flags"] == ["keyless"]


def test_what_waits_and_why(drained: Drained) -> None:
    (stream,) = json.loads(said(drained.warehouse, "status", "--output", "json"))
    codes = {each["table"]: each["code"] for each in stream["suspended"]}
    assert codes == dict.fromkeys(REFUSED, "value-refused") | {
        NO_KEY: "key-changed", drained.table: "quarantine"
    }  # fmt: skip
    rows = {each["table"]: each["rows"] for each in stream["waiting"]}
    assert rows == {CUT: 1, drained.table: 1}  # of the latter's records some tell the row, and some do not
    text, count = said(drained.warehouse, "status"), len(NAMES) + 1
    assert stream["quarantine"]["records"] == count
    assert f"{LOG}: {count} records in quarantine, the oldest is entry " in text
    listed = json.loads(said(drained.warehouse, "quarantine", "list", LOG, "--output", "json"))["records"]
    assert {record["offset"] for record in listed} == {drained.at[name] for name in (*NAMES, CUT)}
    assert f"{listed[3]['offset']}" in said(drained.warehouse, "quarantine", "show", LOG, str(listed[3]["seq"]))


def test_all_else_arrives_and_nothing_is_said(drained: Drained) -> None:
    assert PLANTED.decode() not in drained.said
    assert drained.said.count("quarantined: record ") == len(NAMES) + 1
    assert planted(drained.warehouse) == 0
    bad = {drained.at[name] for name in (*NAMES, CUT)}
    rows = {
        n for n, record in enumerate(drained.fed)
        if n not in bad and record.value is not None and payload(record)[0].endswith(".Envelope") and payload(record)[1]["op"] in "crud"
    }  # fmt: skip
    stored = drained.warehouse.query("SELECT kafka_offset FROM audit.entry WHERE log = %s AND kind = 'change'", (LOG,))
    assert sorted(offset for (offset,) in stored) == sorted(rows)
    assert balanced(drained.warehouse, LOG) == len(drained.fed)
    whole(drained.warehouse, LOG)
    assert "PASS" in said(drained.warehouse, "audit", "verify", LOG)


def test_reading_it_again_gives_the_same_leaves(captured: Captured, drained: Drained) -> None:
    again = new_warehouse(captured)
    try:
        again.path.write_text(again.path.read_text().replace(f'topic = "{LOG}"', f'topic = "{drained.topic.name}"'))
        done = again.replicate(LOG, "--until-caught-up", "--batch-records", "200", timeout_s=180)
        assert done.returncode == 0, done.stderr
        assert again.leaves(LOG) == drained.warehouse.leaves(LOG)
    finally:
        drop_warehouse(captured, again)


def test_an_end_that_counts_otherwise_halts(captured: Captured, records: list[TopicRecord]) -> None:
    """What precedes it is in the log; nobody guesses which event is missing."""
    end = transaction_ends(records)[3]
    value = json.loads(records[end - 1].value)
    assert value["schema"]["name"] == BOUNDARY
    value["payload"]["event_count"] += 1
    spoilt = records[end - 1]._replace(value=json.dumps(value).encode().replace(b'{"schema": ', b'{"schema":', 1).replace(b', "payload": ', b',"payload":', 1))
    warehouse = new_warehouse(captured)
    try:
        with own_topic(warehouse, LOG) as topic:
            topic.create([*records[: end - 1], spoilt])
            done = warehouse.replicate(LOG, "--until-caught-up", timeout_s=120)
            assert done.returncode == 4, done.stderr
            assert "transaction-incomplete: END at offset" in done.stderr
            assert warehouse.query("SELECT next_offset, halted_code FROM pipeline.stream") == [(end - 1, "transaction-incomplete")]
            whole(warehouse, LOG)
    finally:
        drop_warehouse(captured, warehouse)

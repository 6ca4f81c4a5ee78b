"""A corpus of bad records amid real ones, on a real topic: each takes its place in the log, sealed; all else flows.

Produced as a foreign program would: the rest of the topic is what real Debezium wrote.
"""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.chaos.judge import balanced, whole
from tests.chaos.topics import OwnTopic, own_topic, payload, transaction_ends
from tests.fix_replication import Captured, Warehouse, drop_warehouse, new_warehouse
from tests.oracle.topic import TopicRecord, read_topic

LOG = "trading"
PLANTED = b"Plantagenet-7731"


@pytest.fixture(scope="module")
def records(captured: Captured) -> list[TopicRecord]:
    """The first of the real topic, through an end of a transaction beyond the initial snapshot."""
    found = read_topic(captured.stack.addresses().bootstrap_servers, LOG)
    begun = next(n for n, record in enumerate(found) if payload(record)[1].get("op") == "c")
    return found[: next(end for end in transaction_ends(found) if end > begun + 150)]


@pytest.fixture
def topic(warehouse: Warehouse) -> Iterator[OwnTopic]:
    with own_topic(warehouse, LOG) as topic:
        yield topic


def corpus(record: TopicRecord) -> dict[str, TopicRecord]:
    """What becomes of one insert that real Debezium wrote."""
    value, key = record.value, record.key
    at = value.index(b',"payload":')
    schema, rest = value[:at], value[at:]
    renamed = json.loads(schema + b"}")
    renamed["schema"]["name"] += "2"
    wrong = json.dumps(renamed["schema"]).encode()
    return {
        "no JSON": record._replace(key=None, value=PLANTED + b" is no JSON"),
        "foreign topic content": record._replace(key=b"42", value=json.dumps({"ssn": PLANTED.decode()}).encode()),
        "truncated JSON": record._replace(value=value[:-40] + PLANTED),
        "truncated, closed": record._replace(value=value[:-40] + PLANTED + b'"}}'),
        "invalid UTF-8": record._replace(
            value=schema + b',"payload":{"before":null,"after":"\xff\xfe' + PLANTED + b'"}}'
        ),
        "wrong schema": record._replace(value=b'{"schema":' + wrong + rest),
        "another type": record._replace(
            value=schema + b',"payload":{"after":{"customer_id":"%s"},"op":"c"}}' % PLANTED
        ),
        "unknown operation": record._replace(value=value.replace(b'"op":"c"', b'"op":"%s"' % PLANTED)),
        "missing Kafka key": record._replace(value=schema + b',"payload":{}}', key=None),
        "key no JSON": record._replace(key=PLANTED, value=PLANTED),
        "tombstone without its delete": record._replace(key=b'{"%s":1}' % PLANTED, value=None),
        "deep nesting": record._replace(value=schema + b',"payload":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
        "ten megabytes": record._replace(value=schema + b',"payload":"' + PLANTED * 650_000 + b'"}'),
        "key": record._replace(key=key[:-2] + PLANTED, value=value[:-2] + PLANTED),
    }


def said(warehouse: Warehouse, *command: str) -> str:
    """What a command that must succeed says on standard output."""
    done = subprocess.run(
        [sys.executable, "-m", "cdc", *command, "--config", str(warehouse.path)],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
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


def test_the_corpus_between_transactions(
    captured: Captured, warehouse: Warehouse, topic: OwnTopic, records: list[TopicRecord]
) -> None:
    """Nothing is lost and nothing is said; a warehouse that reads it again has the same leaves."""
    n = next(n for n, record in enumerate(records) if payload(record)[1].get("op") == "c")
    ends = transaction_ends(records)
    place = next(end for end in ends if end > n)
    bad = list(corpus(records[n]).values())
    fed = [*records[:place], *bad, *records[place:]]
    topic.create(fed)
    done = warehouse.replicate(LOG, "--until-caught-up", timeout_s=120)
    assert done.returncode == 0, done.stderr
    assert PLANTED.decode() not in done.stdout + done.stderr
    assert done.stderr.count("quarantined: record ") == len(bad)
    assert balanced(warehouse, LOG) == len(fed)
    whole(warehouse, LOG)
    offsets = warehouse.query("SELECT kafka_offset FROM audit.entry WHERE kind = 'quarantined' ORDER BY seq", ())
    assert [offset for (offset,) in offsets] == list(range(place, place + len(bad)))
    assert planted(warehouse) == 0
    text, (stream,) = said(warehouse, "status"), json.loads(said(warehouse, "status", "--output", "json"))
    assert stream["quarantine"]["records"] == len(bad)
    assert f"{LOG}: {len(bad)} records in quarantine, the oldest is entry " in text
    table = next(s for s in stream["suspended"] if s["code"] == "quarantine")
    assert f"current state of {table['table']} is suspended since entry" in text
    listed = json.loads(said(warehouse, "quarantine", "list", LOG, "--output", "json"))["records"]
    assert [record["offset"] for record in listed] == list(range(place, place + len(bad)))
    assert {record["reason"] for record in listed} >= {"not-connect-json", "tombstone-without-delete"}
    assert f"{listed[3]['offset']}" in said(warehouse, "quarantine", "show", LOG, str(listed[3]["seq"]))
    said(warehouse, "audit", "verify", LOG)
    leaves = warehouse.leaves(LOG)
    again = new_warehouse(captured)
    try:
        again.path.write_text(again.path.read_text().replace(f'topic = "{LOG}"', f'topic = "{topic.name}"'))
        done = again.replicate(LOG, "--until-caught-up", "--batch-records", "40", timeout_s=120)
        assert done.returncode == 0, done.stderr
        assert again.leaves(LOG) == leaves
    finally:
        drop_warehouse(captured, again)

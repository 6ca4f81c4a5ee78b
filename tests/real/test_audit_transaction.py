"""Everything that one source transaction changed, in its order; and what its end counts, or that it has none yet."""

from __future__ import annotations

import csv
import io
import json
from random import Random

import pytest

from tests.audit import ask, configuration
from tests.builders import FILLS, ORDERS, TOPIC_ID, Feed
from tests.history import History
from tests.real.test_audit_as_of import FILL, ROW, baseline, bring, change
from tests.warehouse import log, query, worker


@pytest.mark.parametrize("seed", range(3))
def test_every_transaction_of_a_random_life(warehouse_database, tmp_path, seed):
    with worker(warehouse_database) as it:
        it.bring(History(Random(f"transaction {seed}")).grow(25).feed.records, limit=20)
    expected: dict[str, list[int]] = {}
    ends: dict[str, list[dict]] = {}
    for seq, text, _, _ in log(warehouse_database):
        transaction = json.loads(text).get("transaction")
        if transaction:
            expected.setdefault(transaction["id"], []).append(seq)
            if "end" in transaction:
                ends.setdefault(transaction["id"], []).append(transaction["end"])
    path = configuration(warehouse_database, tmp_path)
    assert len(expected) > 5
    for name, seqs in expected.items():
        document = ask(path, "transaction", name, "--output", "json").document
        assert [each["seq"] for each in document["changes"]] == seqs
        assert [(run["end"]["count"], run["end"]["tables"]) for run in document["occurrences"]] == [
            (end["count"], end["tables"]) for end in ends[name]
        ]
        assert sum(run["entries"] for run in document["occurrences"]) == len(seqs)


def test_what_a_person_reads(warehouse_database, tmp_path):
    feed = Feed()
    baseline(feed, (ORDERS, [ROW]))
    feed.clock_ms += 1000
    feed.begin()
    feed.row(ORDERS, "u", ROW, {**ROW, "price": "2.50"})
    feed.message("actor", "ann")
    feed.row(FILLS, "c", None, FILL)
    feed.truncate(FILLS)
    feed.end()
    bring(warehouse_database, feed)
    path = configuration(warehouse_database, tmp_path)
    said = ask(path, "transaction", "701")
    lines = said.out.splitlines()
    assert lines[0] == "trading: transaction 701"
    assert [line.split()[:2] for line in lines if line[:1].isdigit()] == [
        ["1", "changed"],
        ["2", "message"],
        ["3", "created"],
        ["4", "truncated"],
    ]
    assert any(line.split() == ["1", "changed", "public.orders", "1", "6", "price", "1.50", "2.50"] for line in lines)
    assert any("message actor" in line and "content" in line and "sealed:" in line for line in lines)
    assert (
        "end               entries 6 to 10: 4 of the transaction; its end counts 4 (messages 1, public.fills 2, public.orders 1)"
        in lines
    )
    assert "\x1b" not in said.out
    rows = list(csv.DictReader(io.StringIO(ask(path, "transaction", "701", "--output", "csv").out)))
    assert [row["order"] for row in rows] == ["1", "2", "3", "3", "3", "4"]
    assert json.loads(next(row["after"] for row in rows if row["kind"] == "message")).keys() == {"seal"}
    full = ask(path, "transaction", "701", "--full", "--output", "ndjson").lines
    assert full[0]["before"]["price"] == "1.50"
    assert full[1]["message"]["prefix"] == "actor"


def test_one_that_has_not_ended_one_without_changes_and_one_again(warehouse_database, tmp_path):
    feed = Feed()
    baseline(feed, (ORDERS, [ROW]))
    start = len(feed.records)
    change(feed, (ORDERS, "u", ROW, {**ROW, "price": "2.50"}))
    end = len(feed.records)
    feed.begin()
    feed.end()
    feed.again(feed.records[start:end])
    feed.begin()
    for number in range(10, 30):
        feed.row(ORDERS, "c", None, {**ROW, "id": number})
    bring(warehouse_database, feed, limit=5)
    path = configuration(warehouse_database, tmp_path)
    empty = ask(path, "transaction", "702", "--output", "json").document
    assert [(each["kind"], each["what"]) for each in empty["changes"]] == [
        ("end", "end of a transaction without changes")
    ]
    assert empty["occurrences"][0]["end"] == {"count": "0", "tables": {}}
    twice = ask(path, "transaction", "701", "--output", "json").document
    assert [each["what"] for each in twice["changes"]] == ["changed", "replay, not applied: changed"]
    assert [run["entries"] for run in twice["occurrences"]] == [1, 1]
    unfinished = ask(path, "transaction", "703", "--output", "json").document
    assert 0 < len(unfinished["changes"]) < 20
    assert unfinished["occurrences"][0]["end"] is None
    assert unfinished["completeness"]["open_transaction"] == "703"
    assert "it has not ended: the log does not have the rest yet" in ask(path, "transaction", "703").out


def test_which_source(warehouse_database, tmp_path):
    feed = Feed()
    baseline(feed, (ORDERS, [ROW]))
    change(feed, (ORDERS, "u", ROW, {**ROW, "price": "2.50"}))
    bring(warehouse_database, feed)
    query(warehouse_database.replicator_dsn, "SELECT audit.create_log('portfolio', 'portfolio/1')")
    query(
        warehouse_database.admin_dsn,
        "INSERT INTO pipeline.stream (log, topic, topic_id) VALUES ('portfolio', 'portfolio', %s)",
        TOPIC_ID,
    )
    query(  # the same entries in another log, as its own source would have made them
        warehouse_database.admin_dsn,
        "INSERT INTO audit.entry SELECT (jsonb_populate_record(e, '{\"log\": \"portfolio\"}')).* FROM audit.entry e WHERE log = 'trading';"
        " UPDATE audit.log SET size = t.size, edge = t.edge FROM audit.log t WHERE t.log = 'trading' AND audit.log.log = 'portfolio'",
    )
    path = configuration(warehouse_database, tmp_path)
    several = ask(path, "transaction", "701")
    assert several.code == 3
    assert "several logs have a transaction of that id: portfolio, trading" in several.err
    assert "--source portfolio" in several.err
    assert (
        ask(path, "transaction", "701", "--source", "portfolio", "--output", "json").document["source"] == "portfolio"
    )
    assert ask(path, "transaction", "701", "--source", "trading", "--output", "json").document["source"] == "trading"


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("7010",), 3, "no log has a transaction of that id"),
        (("701", "--source", "planted"), 3, "that log has no transaction of that id"),
        (("planted'; --",), 3, "no log has a transaction of that id"),
        (("701\udcff",), 2, "ID: not UTF-8"),
        ((), 2, "Missing argument"),
    ],
)
def test_what_goes_wrong(warehouse_database, tmp_path, arguments, code, says):
    feed = Feed()
    baseline(feed, (ORDERS, [ROW]))
    change(feed, (ORDERS, "u", ROW, {**ROW, "price": "2.50"}))
    bring(warehouse_database, feed)
    said = ask(configuration(warehouse_database, tmp_path), "transaction", *arguments)
    assert (said.code, said.out) == (code, "")
    assert says in said.err
    assert "planted" not in said.err

"""Transactions that do not add up, another source, replays, bodies: what one stream of records becomes, or why it halts."""

from __future__ import annotations

import json
from dataclasses import replace

import msgspec
import pytest

from cdc.errors import Halted, LedgerError
from cdc.event import Record
from tests.builders import FILLS, HEARTBEAT, HOLDERS, ORDERS, POLICY, Feed, Worker, connect, entries, key_schema
from tests.independent.reader import verify

ROW = {"id": 1, "owner": "ann", "price": "1.50", "note": "n", "pin": "1"}
FILL = {"symbol": "ABC", "quantity": 7, "secret": "s"}


def log_of(feed: Feed) -> list[dict]:
    """The entries of all records in one batch, sound to the independent reader."""
    worker = Worker()
    worker.read(feed.records)
    batch = worker.batch()
    assert batch is not None
    assert verify(entries([batch]), edge=[node.hex() for node in batch.end.edge.hashes]) == []
    return [json.loads(text) for _, text, _, _ in entries([batch])]


def halt_of(records: list[Record]) -> Halted:
    worker = Worker()
    worker.read(records)
    with pytest.raises(Halted) as caught:
        worker.take(len(records))
    assert str(caught.value).startswith(caught.value.code)
    assert caught.value.hint
    return caught.value


def transaction(rows: int = 2) -> list[Record]:
    feed = Feed()
    feed.begin()
    for number in range(rows):
        feed.row(ORDERS, "c", None, {**ROW, "id": number})
    feed.end()
    return feed.records


def test_a_transaction_that_does_not_add_up():
    begin, first, second, end = transaction()
    for records, code, offset in [
        ([begin, first, end], "transaction-incomplete", 3),
        ([begin, end], "transaction-incomplete", 3),
        ([begin, first, second, second, end], "transaction-incomplete", 2),
        ([begin, second, end], "transaction-incomplete", 2),
        ([end], "transaction-incomplete", 3),
        ([begin, first, second, end, end], "transaction-incomplete", 3),
        ([begin, begin], "transaction-without-end", 0),
        ([begin, first, begin], "transaction-without-end", 0),
        ([first], "transaction-without-begin", 1),
        ([begin, first, second, end, first], "transaction-without-begin", 1),
    ]:
        halted = halt_of(records)
        assert halted.code == code
        assert f"offset {offset}" in str(halted)
        assert "ann" not in str(halted)


def test_an_event_or_end_of_another_transaction():
    begin, first, *_ = transaction()
    feed = Feed(xid=800, offset=10)
    feed.begin()
    feed.row(ORDERS, "c", None, ROW)
    feed.end()
    assert halt_of([begin, feed.records[1]]).code == "transaction-without-begin"
    assert halt_of([begin, first, feed.records[2]]).code == "transaction-incomplete"


def test_the_halt_comes_in_a_later_batch_too():
    feed = Feed()
    feed.begin()
    for number in range(5):
        feed.row(ORDERS, "c", None, {**ROW, "id": number})
    feed.end(count=6)
    worker = Worker()
    worker.read(feed.records[:-1])
    assert worker.batch(limit=3) is not None
    assert worker.standing.open_count == 4
    worker.read(feed.records[-1:])
    with pytest.raises(Halted, match="END at offset 6 counts 6 events, the log has 5"):
        worker.batch(limit=3)


def test_another_source_epoch_halts():
    feed = Feed()
    feed.row(HEARTBEAT, "r", None, {"id": 1, "system_identifier": "77", "timeline": 1}, snapshot="last")
    feed.begin()
    feed.row(HEARTBEAT, "u", {"id": 1, "system_identifier": "77", "timeline": 1}, {"id": 1, "system_identifier": "77", "timeline": 2})
    halted = halt_of(feed.records)
    assert halted.code == "source-epoch"
    assert "77/1" in str(halted)
    assert "77/2" in str(halted)
    assert "offset 2" in str(halted)


def test_a_policy_that_hides_which_source_this_is_halts():
    feed = Feed()
    feed.row(HEARTBEAT, "r", None, {"id": 1, "system_identifier": "77", "timeline": 1}, snapshot="last")
    worker = Worker(plan=replace(POLICY, tables={}))
    worker.read(feed.records)
    with pytest.raises(Halted, match="heartbeat-protected"):
        worker.take(len(feed.records))


def test_the_epoch_stands_in_every_entry_once_it_is_known():
    feed = Feed()
    feed.snapshot(ORDERS, [ROW])
    feed.row(HEARTBEAT, "r", None, {"id": 1, "system_identifier": "77", "timeline": 1}, snapshot="last")
    feed.notify("COMPLETED")
    log = log_of(feed)
    assert [entry.get("epoch") for entry in log] == [None, None, None, "77/1", "77/1", "77/1"]


def test_a_replay_is_flagged_and_has_no_version():
    feed = Feed()
    feed.begin()
    feed.row(ORDERS, "c", None, ROW)
    feed.row(ORDERS, "u", ROW, {**ROW, "price": "2"})
    feed.truncate(FILLS)
    feed.message("p", "m")
    feed.end()
    feed.again(feed.records[:])
    log = log_of(feed)
    first, again = [entry for entry in log[:5] if entry["kind"] != "schema"], log[5:]
    assert [entry.get("replay_of") for entry in first] == [None] * 4
    assert [entry["replay_of"].split("/")[1] for entry in again] == ["1", "2", "3", "4"]
    assert [entry["kind"] for entry in again] == [entry["kind"] for entry in first]
    assert not any("version" in entry or "prev" in entry for entry in again)
    assert [entry["key"] for entry in again[:2]] == [["1"], ["1"]]
    assert again[-1]["transaction"]["end"]["count"] == "4"


def test_a_partial_replay_goes_on_where_it_is_new():
    """A connector that died within a transaction emits it again from its beginning."""
    feed = Feed(gap=0)
    feed.begin()
    feed.row(ORDERS, "c", None, ROW)
    feed.row(ORDERS, "u", ROW, {**ROW, "price": "2"})
    feed.end()
    worker = Worker()
    worker.read(feed.records[:2])
    lost = worker.take(2)  # as if the position had been stored inside the transaction
    assert lost.end.open_transaction is not None
    assert lost.end.high == (24000056, 1)


def test_bodies():
    feed = Feed()
    long = "é\\\n" * 20_000
    feed.begin()
    feed.row(FILLS, "c", None, {**FILL, "symbol": long})
    feed.row(ORDERS, "c", None, {**ROW, "note": long, "price": None})
    feed.message("p", long)
    feed.end()
    worker = Worker()
    worker.read(feed.records)
    batch = worker.batch()
    assert batch is not None
    rows = entries([batch])
    assert verify(rows) == []
    assert [seq for seq, _, body, _ in rows if body is not None] == [seq for seq, _ in batch.bodies] == [1, 3, 4]
    assert all(len(text.encode()) <= 65_535 for _, text, _, _ in rows)
    assert json.loads(rows[1][2])["after"]["symbol"] == long


def test_records_must_balance():
    feed = Feed()
    feed.heartbeat()
    feed.snapshot(ORDERS, [ROW])
    worker = Worker()
    worker.read(feed.records)
    worker._offsets.append(99)  # delivered, and lost on the way
    with pytest.raises(LedgerError, match="4 records do not balance"):
        worker.take(len(worker._events) + 1)


def test_versions_and_previous_entries_of_a_row():
    feed = Feed()
    feed.begin()
    feed.row(ORDERS, "c", None, ROW)
    feed.row(ORDERS, "d", ROW, None)
    feed.row(ORDERS, "c", None, ROW)
    feed.change_key(ORDERS, ROW, {**ROW, "id": 2})
    feed.end()
    log = [entry for entry in log_of(feed) if entry["kind"] == "change"]
    assert [(e["operation"], e["key"], e["version"], e["prev"], e.get("linked_key")) for e in log] == [
        ("c", ["1"], "1", None, None), ("d", ["1"], "2", "1", None), ("c", ["1"], "3", "2", None), ("d", ["1"], "4", "3", ["2"]), ("c", ["2"], "1", None, ["1"]),
    ]  # fmt: skip


def test_a_key_change_under_tokens_links_tokens():
    feed = Feed()
    before, after = ({"email": mail, "no": 1, "v": None} for mail in ("ann@example.com", "bob@example.com"))
    feed.begin()
    feed.row(HOLDERS, "c", None, before)
    feed.change_key(HOLDERS, before, after)
    feed.end()
    _, made, gone, moved = log_of(feed)
    assert gone["linked_key"] == moved["key"]
    assert moved["linked_key"] == gone["key"] == made["key"]
    assert "example.com" not in json.dumps([made, gone, moved])


def test_transactions_without_entries_leave_an_end():
    feed = Feed()
    feed.begin()
    feed.heartbeat()
    feed.end()
    (end,) = log_of(feed)
    assert (end["kind"], end["offset"], end["transaction"]["end"]) == ("end", "2", {"count": "0", "offset": "2", "tables": {}})


def test_a_wild_clock_never_turns_the_order_back():
    feed = Feed()
    for clock in (1_700_000_000_000, 4_000_000_000_000, 1_000_000_000_000, 1_700_000_000_001):
        feed.clock_ms = clock
        feed.begin()
        feed.row(FILLS, "c", None, FILL)
        feed.end()
    ordered = [int(entry["ordered_at"]) for entry in log_of(feed)]
    assert ordered == sorted(ordered)


def test_complete_through_is_the_last_transaction_end_and_only_after_the_baseline():
    feed = Feed()
    feed.snapshot(ORDERS, [ROW])
    worker = Worker()
    worker.read(feed.records)
    assert worker.batch().end.complete_seq is None
    at = len(feed.records)
    feed.notify("COMPLETED")
    worker.read(feed.records[at:])
    assert worker.batch().end.complete_seq == 3
    at = len(feed.records)
    feed.begin()
    feed.row(ORDERS, "u", ROW, ROW)
    feed.end()
    feed.message("p", "after the transaction")
    worker.read(feed.records[at:])
    batch = worker.batch()
    assert (batch.end.complete_seq, batch.end.complete_at) == (4, feed.clock_ms * 1_000_000)


def test_a_row_whose_record_has_no_key_is_told_apart():
    """The schema pair decides; the same table with and without a key are two versions of it."""
    feed = Feed()
    keyed = feed.row(ORDERS, "r", None, ROW, snapshot="true")
    feed.records.append(msgspec.structs.replace(keyed, key=None, offset=1))
    log = log_of(feed)
    assert [entry["kind"] for entry in log] == ["schema", "change", "schema", "change"]
    assert isinstance(log[3]["key"], str)


def test_salts_follow_from_the_record_alone():
    feed = Feed()
    feed.snapshot(ORDERS, [ROW])
    once, twice = log_of(feed), log_of(feed)
    assert [entry["salt"] for entry in once] == [entry["salt"] for entry in twice]
    assert len({entry["salt"] for entry in once}) == 3


def test_key_schema_is_needed_for_row_keys():
    """The key's order is that of the key schema, not of the table."""
    turned = replace(HOLDERS, key=("no", "email"))
    feed = Feed()
    feed.row(turned, "r", None, {"email": "a", "no": 3, "v": None}, snapshot="true")
    assert connect(key_schema(turned), {"no": 3, "email": "a"}) == feed.records[0].key
    assert log_of(feed)[1]["key"][0] == "3"

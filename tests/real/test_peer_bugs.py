"""Bugs that other systems of this kind have or had, each as a test of what this one does instead. The docstrings name the class of bug."""

from __future__ import annotations

import json
from itertools import pairwise

import msgspec
import pytest

from cdc.debezium import Decoder
from cdc.errors import Fenced, LedgerError, RecordError
from cdc.warehouse.commit import commit
from governance import policy
from tests.builders import FILLS, ORDERS, Column, Feed, Table, connect, envelope_schema, key_schema
from tests.independent.reader import verify
from tests.warehouse import PRIVACY, edge, log, query, rows, verified, worker

ROW = {"id": 1, "owner": "ann", "price": "1.50", "note": "planted-note", "pin": "planted-pin"}
PLACEHOLDER = "__debezium_unavailable_value"
LARGE = Table(
    "public", "large",
    (Column("id", optional=False), Column("text"), Column("sealed"), Column("token"), Column("raw", "BYTEA", "bytes"), Column("many", "_TEXT", "array"), Column("n")),
    ("id",),
)  # fmt: skip
LARGE_PLAN = policy.parse("""
source: trading
tables:
  public.large: {columns: {id: clear, text: clear, sealed: seal, token: {protect: token, domain: d}, raw: clear, many: clear, n: clear}}
""")


def entries(database) -> list[dict]:
    return [entry for _, text, _, _ in log(database) if (entry := json.loads(text))["kind"] == "change"]


def transaction(feed: Feed, *changes: tuple) -> list:
    at = len(feed.records)
    feed.begin()
    for table, op, before, after in changes:
        feed.row(table, op, before, after)
    feed.end()
    return feed.records[at:]


def sound(database) -> None:
    assert verify(log(database), edge=edge(database)[1]) == []
    assert verified(database) == []


def test_a_value_that_was_not_sent_is_recognised_before_it_is_protected(warehouse_database):
    """Unchanged TOAST, protected first: the placeholder was hashed or encrypted, not recognised, and overwrote the good value."""
    whole = {"id": "1", "text": "t" * 3000, "sealed": "s" * 3000, "token": "x" * 3000, "raw": "cmF3", "many": ["a", None], "n": "1"}
    placeholders = {
        "text": PLACEHOLDER, "sealed": PLACEHOLDER, "token": PLACEHOLDER, "raw": "X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ==", "many": [PLACEHOLDER],
    }  # fmt: skip
    feed = Feed()
    with worker(warehouse_database, LARGE_PLAN) as it:
        it.bring(transaction(feed, (LARGE, "c", None, whole)))
        before = query(warehouse_database.auditor_dsn, "SELECT text, sealed, token, raw, many FROM trading.large")
        it.bring(transaction(feed, (LARGE, "u", None, whole | placeholders | {"n": "2"})))
    after = query(warehouse_database.auditor_dsn, "SELECT text, sealed, token, raw, many FROM trading.large")
    assert [[bytes(c) if isinstance(c, memoryview) else c for c in r] for r in after] == [[bytes(c) if isinstance(c, memoryview) else c for c in r] for r in before]
    assert rows(warehouse_database, "trading.large", "n") == {("2",): 1}
    image = entries(warehouse_database)[-1]["after"]
    assert {name: image[name] for name in placeholders} == {name: {"unavailable": "toast"} for name in placeholders}
    sound(warehouse_database)


def test_rows_of_one_source_position_are_all_kept(warehouse_database):
    """LSN as identity: of a COPY or multi-row INSERT, whose rows share a position, all but one were dropped as duplicates."""
    feed = Feed(committed=24_000_000)
    feed.begin()
    records = []
    for number in range(5):
        feed.lsn -= 56  # the same LSN for each row, as in one COPY
        records.append(feed.row(ORDERS, "c", None, {**ROW, "id": number}))
        feed.row(FILLS, "c", None, {"symbol": "A", "quantity": 1, "secret": None})
        feed.lsn -= 56
    feed.end()
    assert len({json.loads(record.value)["payload"]["source"]["lsn"] for record in records}) == 1
    with worker(warehouse_database) as it:
        it.bring(feed.records)
    assert sum(rows(warehouse_database, "trading.orders", "id").values()) == 5
    assert rows(warehouse_database, "trading.fills", "symbol") == {("A",): 5}
    assert len(entries(warehouse_database)) == 10
    assert not any("replay_of" in entry for entry in entries(warehouse_database))
    sound(warehouse_database)


def test_each_update_of_a_row_within_one_transaction_is_an_entry(warehouse_database):
    """History keyed by commit and row: two updates of a row in one transaction collapsed to one."""
    feed = Feed()
    steps = [{**ROW, "price": f"{n}.00"} for n in range(4)]
    with worker(warehouse_database) as it:
        it.bring(transaction(feed, (ORDERS, "c", None, steps[0]), *((ORDERS, "u", a, b) for a, b in pairwise(steps))))
    assert [(entry["version"], entry["after"]["price"]) for entry in entries(warehouse_database)] == [(str(n + 1), f"{n}.00") for n in range(4)]
    assert rows(warehouse_database, "trading.orders", "price") == {("3.00",): 1}
    sound(warehouse_database)


def test_a_batch_that_is_brought_again_adds_nothing(warehouse_database):
    """Append, then commit the offset, nothing unique: a crash in between wrote history twice."""
    feed = Feed()
    records = transaction(feed, (ORDERS, "c", None, ROW), (FILLS, "c", None, {"symbol": "A", "quantity": 1, "secret": None}))
    with worker(warehouse_database) as it:
        (batch,) = it.bring(records)
        stored = log(warehouse_database)
        with pytest.raises((Fenced, LedgerError)):
            commit(it.connection, it.fence, batch, PRIVACY, lambda _step: None)
    with worker(warehouse_database) as it:  # the offset is the warehouse's: what Kafka thinks does not matter
        assert it.worker.standing.next_offset == records[-1].offset + 1
    assert log(warehouse_database) == stored
    assert rows(warehouse_database, "trading.fills", "symbol") == {("A",): 1}


def test_an_owner_that_lost_the_stream_writes_nothing_of_what_it_holds(warehouse_database):
    """Rows kept in memory over a change of owner were written after it."""
    feed = Feed()
    with worker(warehouse_database) as old:
        held = old.prepare(transaction(feed, (ORDERS, "c", None, ROW)))
        assert held is not None
        query(warehouse_database.admin_dsn, "UPDATE pipeline.lease SET epoch = epoch + 1")
        query(warehouse_database.admin_dsn, "UPDATE pipeline.stream SET epoch = epoch + 1")
        with pytest.raises(Fenced):
            commit(old.connection, old.fence, held, PRIVACY, lambda _step: None)
    assert log(warehouse_database) == []


@pytest.mark.parametrize("damage", ["truncated", "key", "type"])
def test_no_value_of_a_record_is_in_an_error(damage):
    """Personal data in errors: messages quoted the key, the value or the whole record."""
    feed = Feed()
    record = transaction(feed, (ORDERS, "c", None, {**ROW, "owner": "planted-owner"}))[1]
    value = record.value or b""
    damaged = {
        "truncated": replace_bytes(record, value[: len(value) // 2] + b"planted-owner}"),
        "key": replace_bytes(record, value, connect(key_schema(ORDERS), {"planted-key": "planted-owner"})[:-9] + b"}"),
        "type": replace_bytes(record, connect(envelope_schema(ORDERS), {"op": "planted-owner", "after": ROW})),
    }[damage]
    try:
        Decoder().decode(damaged)
    except RecordError as error:
        seen: BaseException | None = error
        while seen is not None:
            assert "planted" not in f"{seen!r}{seen}{getattr(seen, 'hint', '')}"
            seen = seen.__context__ if not seen.__suppress_context__ else seen.__cause__
    else:
        assert damage == "key"  # a key that says nothing about the row is not read
    assert "planted" not in repr(damaged)


def replace_bytes(record, value, key=None):
    return msgspec.structs.replace(record, value=value, key=key if key is not None else record.key)


def test_clocks_of_source_and_worker_do_not_order_anything(warehouse_database):
    """The worker's clock, or a time stamp, as order or duplicate key: a clock that went back lost or reordered changes."""
    feed = Feed()
    steps = [{**ROW, "price": f"{n}.00"} for n in range(4)]
    parts = []
    for before, after in zip([None, *steps], steps, strict=False):
        parts.append(transaction(feed, (ORDERS, "u" if before else "c", before, after)))
        feed.clock_ms -= 3_600_000  # each transaction an hour before the one before
    parts.append(transaction(feed, (FILLS, "c", None, {"symbol": "A", "quantity": 1, "secret": None}), (FILLS, "c", None, {"symbol": "A", "quantity": 1, "secret": None})))
    with worker(warehouse_database) as it:
        for records in parts:
            it.bring(records)
    assert [entry["after"]["price"] for entry in entries(warehouse_database)[:4]] == [f"{n}.00" for n in range(4)]
    clocks = [int(json.loads(text)["ordered_at"]) for _, text, _, _ in log(warehouse_database)]
    assert clocks == sorted(clocks)
    assert rows(warehouse_database, "trading.orders", "price") == {("3.00",): 1}
    assert rows(warehouse_database, "trading.fills", "symbol") == {("A",): 2}
    sound(warehouse_database)


def test_a_delete_keeps_what_it_deleted_and_says_where_the_source_did_not_tell(warehouse_database):
    """Before images ignored on delete, or zero values where the source sent none: nobody knew what was deleted."""
    feed = Feed()
    with worker(warehouse_database) as it:
        it.bring(transaction(feed, (ORDERS, "c", None, ROW), (ORDERS, "d", ROW, None)))
        it.bring(transaction(feed, (ORDERS, "c", None, {**ROW, "id": 2}), (ORDERS, "u", None, {**ROW, "id": 2, "price": "9"})))
    deleted, updated = entries(warehouse_database)[1], entries(warehouse_database)[3]
    assert deleted["before"] == entries(warehouse_database)[0]["after"]
    assert "flags" not in deleted
    assert updated["flags"] == ["before-missing"]
    assert "before" not in updated
    assert rows(warehouse_database, "trading.orders", "id") == {("2",): 1}
    sound(warehouse_database)

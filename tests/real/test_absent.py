"""Re-snapshots: rows that one does not show are absent from then on, in the log, in state and in answers."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from cdc.warehouse.projection import Projections
from governance import policy
from tests.builders import Column, Feed, Table
from tests.independent.reader import verify
from tests.warehouse import edge, log, query, rebuilt_alike, rows, verified, worker

ITEMS = Table("public", "items", (Column("id", optional=False), Column("note")), ("id",))
OTHERS = Table("public", 'Oth.er "s', (Column("id", optional=False), Column("note")), ("id",))
LOOSE = Table("public", "loose", (Column("note"),))
SIGNAL = Table("cdc", "signal", (Column("id", optional=False), Column("type"), Column("data")), ("id",))
CLEAR = policy.parse("""
source: trading
tables:
  public.items: {columns: {id: clear, note: clear}}
  public."Oth.er ""s": {columns: {id: clear, note: clear}}
  public.loose: {columns: {note: clear}}
  cdc.signal: {columns: {id: clear, type: clear, data: clear}}
""")


def item(number: int, note: str = "a") -> dict:
    return {"id": str(number), "note": note}


def life() -> Feed:
    """A first snapshot, changes, and a second snapshot that lacks item 2, other 7 and one of three loose rows."""
    feed = Feed()
    feed.notify("STARTED")
    feed.snapshot(ITEMS, [item(1), item(2), item(3)])
    feed.snapshot(OTHERS, [item(7)])
    feed.snapshot(LOOSE, [{"note": "x"}, {"note": "x"}, {"note": "y"}])
    feed.notify("COMPLETED")
    feed.begin()
    feed.row(ITEMS, "u", item(2), item(2, "b"))
    feed.row(ITEMS, "d", item(3), None)
    feed.end()
    again(feed)
    feed.begin()
    feed.row(ITEMS, "c", None, item(2, "back"))
    feed.row(ITEMS, "u", item(1), item(1, "c"))
    feed.row(LOOSE, "d", {"note": "y"}, None)
    feed.end()
    return feed


def again(feed: Feed) -> None:
    feed.notify("STARTED")
    feed.snapshot(ITEMS, [item(1), item(4)])
    feed.snapshot(OTHERS, [])
    feed.snapshot(LOOSE, [{"note": "x"}, {"note": "y"}])
    feed.notify("COMPLETED")


def sound(database) -> None:
    assert verify(log(database), edge=edge(database)[1]) == []
    assert verified(database) == []


@pytest.mark.parametrize("limit", [10_000, 2])
def test_what_a_re_snapshot_does_not_show_is_absent(warehouse_database, limit):
    feed = life()
    with worker(warehouse_database, CLEAR) as it:
        it.bring(feed.records, limit)
    absent = [json.loads(text) for _, text, _, _ in log(warehouse_database) if '"kind":"absent"' in text]
    assert [(e["table"], e["key"], e.get("version"), e.get("content")) for e in absent] == [
        ('public."Oth.er ""s"', ["7"], "2", None),
        ("public.items", ["2"], "3", None),
        ("public.loose", absent[2]["key"], None, {"copies": "2"}),
        ("public.loose", absent[3]["key"], None, {"copies": "1"}),
    ] or {e["content"]["copies"] for e in absent[2:]} == {"1", "2"}
    assert len({e["offset"] for e in absent}) == 1
    assert [e["ordinal"] for e in absent] == ["1", "2", "3", "4"]
    assert rows(warehouse_database, "trading.items", "id", "note") == {("1", "c"): 1, ("2", "back"): 1, ("4", "a"): 1}
    assert rows(warehouse_database, 'trading."public.""Oth.er """"s"""', "id", "note") == Counter()
    assert rows(warehouse_database, "trading.loose", "note") == {("x",): 1}
    assert query(warehouse_database.auditor_dsn, "SELECT version FROM audit.entry WHERE row_key = '[\"2\"]' ORDER BY seq") == [(1,), (2,), (3,), (4,)]
    sound(warehouse_database)
    for table, state in (("public.items", "items"), ("public.loose", "loose"), ('public."Oth.er ""s"', '"public.""Oth.er """"s"""')):
        rebuilt_alike(warehouse_database, table, f"trading_state.{state}")
    sound(warehouse_database)


def test_another_worker_with_other_batches_makes_the_same_bytes(warehouse_cluster):
    found = []
    for limit in (10_000, 3, 1):
        database = warehouse_cluster.fresh_database("absent", template="warehouse")
        with worker(database, CLEAR) as it:
            it.bring(life().records, limit)
        found.append(log(database))
        warehouse_cluster.drop(database)
    assert found[0] == found[1] == found[2]


def test_a_re_snapshot_of_some_rows_or_one_that_did_not_end_calls_nothing_absent(warehouse_database):
    feed = Feed()
    feed.notify("STARTED")
    feed.snapshot(ITEMS, [item(1), item(2)])
    feed.notify("COMPLETED")
    feed.notify("STARTED")
    feed.snapshot(ITEMS, [item(1)])
    feed.notify("ABORTED")
    feed.begin()
    feed.row(SIGNAL, "c", None, {"id": "s", "type": "execute-snapshot", "data": '{"data-collections":["public.items"],"additional-conditions":[{}]}'})
    feed.end()
    feed.notify("STARTED")
    feed.snapshot(ITEMS, [item(1)])
    feed.notify("COMPLETED")
    with worker(warehouse_database, CLEAR) as it:
        it.bring(feed.records)
        assert rows(warehouse_database, "trading.items", "id") == {("1",): 1, ("2",): 1}
        at = len(feed.records)
        feed.notify("STARTED")  # whole: the signal was of the one before
        feed.snapshot(ITEMS, [item(1)])
        feed.notify("COMPLETED")
        it.bring(feed.records[at:])
    assert rows(warehouse_database, "trading.items", "id") == {("1",): 1}
    sound(warehouse_database)


def test_a_suspended_table_has_its_absent_rows_in_the_log_alone(warehouse_database):
    feed = life()
    with worker(warehouse_database, CLEAR) as it:
        assert isinstance(it.projections, Projections)
        it.bring(feed.records[:4])
        it.projections.suspended["public.items"] = ("column-gone", "for this test")
        it.bring(feed.records[4:])
    assert rows(warehouse_database, "trading.items", "id", "note") == {("1", "a"): 1, ("2", "a"): 1, ("3", "a"): 1}
    assert query(warehouse_database.auditor_dsn, "SELECT count(*) FROM audit.entry WHERE kind = 'absent' AND table_name = 'public.items'") == [(1,)]
    sound(warehouse_database)


def interrupted() -> Feed:
    """The first snapshot; a signal; the re-snapshot that it asked for begins inside the signal's own transaction."""
    feed = Feed()
    feed.notify("STARTED")
    feed.snapshot(ITEMS, [item(1), item(2)])
    feed.notify("COMPLETED")
    feed.begin()
    feed.row(ITEMS, "c", None, item(3))
    feed.row(SIGNAL, "c", None, {"id": "s", "type": "execute-snapshot", "data": "{}"})
    transaction, feed._transaction = feed._transaction, None
    feed.notify("STARTED")
    feed.snapshot(ITEMS, [item(number) for number in range(3, 40)])
    feed.notify("COMPLETED")
    feed._transaction = transaction
    feed.end()
    feed.begin()
    feed.row(ITEMS, "u", item(3), item(3, "b"))
    feed.end()
    return feed


def test_a_re_snapshot_inside_a_transaction_is_committed_in_batches_and_gives_the_same_bytes(warehouse_cluster):
    found = []
    for limit in (10_000, 5, 3):
        database = warehouse_cluster.fresh_database("absent", template="warehouse")
        with worker(database, CLEAR) as it:
            records = interrupted().records
            for at in range(0, len(records), limit):
                it.bring(records[at : at + limit], limit)
                assert len(it.worker._events) <= limit
        found.append(log(database))
        sound(database)
        assert rows(database, "trading.items", "id") == Counter([(str(number),) for number in range(3, 40)])
        warehouse_cluster.drop(database)
    assert found[0] == found[1] == found[2]
    entries = [json.loads(text) for _, text, _, _ in found[0]]
    (end,) = [entry for entry in entries if entry["kind"] == "end"]
    assert end["transaction"]["end"]["count"] == "2"
    signal = next(entry for entry in entries if entry.get("table") == "cdc.signal" and entry["kind"] == "change")
    assert "end" not in signal["transaction"]

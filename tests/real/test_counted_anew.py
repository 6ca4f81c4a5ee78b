"""A table without a key, of which changes are missing: it counts below none until it is read anew, and is right then."""

from __future__ import annotations

import json

import pytest

from cdc.errors import Halted
from cdc.gap import Gap, Going, batch
from cdc.warehouse.commit import commit
from tests.builders import TOPIC_ID, Feed
from tests.real.test_absent import CLEAR, LOOSE, sound
from tests.warehouse import PRIVACY, log, query, rebuilt_alike, rows, worker

SAID = {"at": "2026-01-31T10:00:00.000000Z", "by": "a test", "reason": "planned"}


def before() -> Feed:
    feed = Feed()
    feed.notify("STARTED")
    feed.snapshot(LOOSE, [{"note": "x"}])
    feed.notify("COMPLETED")
    return feed


def deleted(feed: Feed, *notes: str) -> None:
    feed.begin()
    for note in notes:
        feed.row(LOOSE, "d", {"note": note}, None)
    feed.end()


def accept(it) -> None:
    """What `cdc stream accept-gap` commits."""
    standing = it.worker.standing
    gap = Gap("position-lost", "offset 1", "offset 2", 2, Going(standing.next_offset, TOPIC_ID, standing.source_epoch))
    made = batch(standing, "trading/1", gap, SAID, "0" * 32)
    commit(it.connection, it.fence, made, PRIVACY, lambda _step: None)
    it.close()


@pytest.mark.parametrize("limit", [10_000, 2])
def test_rows_whose_insert_is_missing_count_below_none_until_they_are_counted_anew(warehouse_database, limit):
    feed = before()
    with worker(warehouse_database, CLEAR) as it:
        it.bring(feed.records, limit)
        accept(it)
    read = len(feed.records)
    deleted(feed, "missed", "missed", "x")
    with worker(warehouse_database, CLEAR) as it:
        it.bring(feed.records[read:], limit)
        assert rows(warehouse_database, "trading.loose", "note") == {}
        assert query(warehouse_database.admin_dsn, "SELECT note, _copies FROM trading_state.loose ORDER BY 1") == [("missed", -2), ("x", 0)]
        sound(warehouse_database)
        read = len(feed.records)
        feed.notify("STARTED")
        feed.snapshot(LOOSE, [{"note": "missed"}, {"note": "missed"}, {"note": "missed"}, {"note": "y"}])
        feed.notify("COMPLETED")
        deleted(feed, "missed")
        it.bring(feed.records[read:], limit)
        assert rows(warehouse_database, "trading.loose", "note") == {("missed",): 2, ("y",): 1}
        absent = [json.loads(text) for _, text, _, _ in log(warehouse_database) if '"kind":"absent"' in text]
        assert [entry["content"] for entry in absent] == [{"copies": "-2"}]
        sound(warehouse_database)
        read = len(feed.records)
        deleted(feed, "y", "y")
        with pytest.raises(Halted, match="state-diverged"):  # counted anew: nothing is known to be missing any more
            it.bring(feed.records[read:], limit)
    rebuilt_alike(warehouse_database, "public.loose", "trading_state.loose")
    sound(warehouse_database)


def test_without_a_gap_the_stream_halts(warehouse_database):
    feed = before()
    deleted(feed, "missed")
    with worker(warehouse_database, CLEAR) as it, pytest.raises(Halted, match="state-diverged"):
        it.bring(feed.records)

"""A connector that went back sends an event again, and the copy cannot be read: replayed, it is recorded and changes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from cdc.warehouse.rebuild import rebuild
from tests.builders import FILLS, ORDERS
from tests.fix_stack import FreshDatabase
from tests.waiting import Life, life, row, updated
from tests.warehouse import log, rows


@pytest.fixture
def trading(warehouse_database: FreshDatabase) -> Iterator[Life]:
    with life(warehouse_database) as it:
        yield it


def sent_again(trading: Life, since: int, *unread: int) -> None:
    """The records from ``since`` on once more. ``unread``: the copies, counted from there, that cannot be read."""
    feed = trading.feed
    at = len(feed.records)
    feed.again(feed.records[since:at])
    trading.unreadable.update(feed.records[at + n].offset for n in unread)


def late(trading: Life) -> list[dict]:
    """The entries that resolve a record in quarantine."""
    return [entry for entry in map(json.loads, (text for _, text, _, _ in log(trading.database))) if "resolves" in entry and entry["kind"] != "schema"]


def test_a_copy_of_a_change_that_others_follow(trading: Life) -> None:
    """The row has a newer version, from before the copy."""
    trading.begin(1, 2)
    since = len(trading.feed.records)
    trading.does(updated(1, "1.50", "2"))
    trading.does(updated(1, "2", "3"), updated(2, "1.50", "2"))
    sent_again(trading, since, 1)
    trading.bring()
    assert len(trading.waits()) == 1
    trading.whole()
    assert trading.resolve("replayed", *trading.open()) == [None]
    assert trading.shown() == [(1, "3"), (2, "2")]
    assert trading.state(1) == ("3", "3", "False")
    (copy,) = late(trading)
    assert copy["replay_of"].endswith("/1")
    assert "version" not in copy
    trading.does(updated(1, "3", "4"))
    trading.bring()
    assert trading.state(1) == ("4", "4", "False")
    trading.whole()


def test_a_copy_of_the_rows_newest_change(trading: Life) -> None:
    """Two of one transaction, which is the last: of the same row, and a delete."""
    trading.begin(1, 2)
    since = len(trading.feed.records)
    trading.does(updated(1, "1.50", "2"), updated(1, "2", "3"), (ORDERS, "d", row(2), None))
    sent_again(trading, since, 1, 2, 3)
    trading.bring()
    first, second, deleted, *_ = trading.open()
    assert trading.resolve("replayed", second, first, deleted) == [None] * 3
    assert trading.state(1) == ("3", "3", "False")
    assert trading.state(2) == ("2", "None", "True")
    assert [entry["replay_of"].rpartition("/")[2] for entry in late(trading)] == ["1", "2", "3"]
    trading.whole()


def test_a_copy_of_a_row_without_a_key_is_not_counted(trading: Life) -> None:
    trading.begin(table=FILLS, rows=[{"symbol": "A", "quantity": 1, "secret": "s"}])
    since = len(trading.feed.records)
    trading.does((FILLS, "c", None, {"symbol": "B", "quantity": 1, "secret": "s"}))
    sent_again(trading, since, 1)
    trading.bring()
    assert trading.resolve("replayed", *trading.open()) == [None]
    rebuild(trading.database.admin_dsn, "trading", "public.fills")
    assert rows(trading.database, "trading.fills", "symbol") == {("A",): 1, ("B",): 1}
    trading.whole()


@pytest.mark.parametrize("order", [1, -1])
def test_neither_the_event_nor_its_copy_could_be_read(trading: Life, order: int) -> None:
    """The event counts, in whatever order they are replayed; one that is of its transaction too, and stays unreadable, does not hide it."""
    trading.begin(1, 2)
    since = len(trading.feed.records)
    offsets = trading.does(updated(1, "1.50", "2"), updated(2, "1.50", "2"), (FILLS, "c", None, {"symbol": "B", "quantity": 1, "secret": "s"}), unread=(0, 2))
    sent_again(trading, since, *(offset - trading.feed.records[since].offset for offset in offsets))
    trading.does(updated(1, "2", "3"))
    trading.bring()
    trading.whole()
    for seq in trading.open()[::order]:
        assert trading.resolve("replayed", seq) == [None]
    rebuild(trading.database.admin_dsn, "trading", "public.fills")
    assert trading.shown() == [(1, "3"), (2, "2")]
    assert trading.waits() == []
    assert rows(trading.database, "trading.fills", "symbol") == {("B",): 1}
    trading.whole()


def test_an_event_that_stands_behind_others_of_its_transaction_is_no_copy(trading: Life) -> None:
    """Also where foreign content stands among them, which nobody can read."""
    trading.begin(1, 2)
    feed = trading.feed
    feed.begin()
    feed.row(*updated(1, "1.50", "2"))
    feed.add(b"42", b'{"a": 1}')
    feed.row(*updated(2, "1.50", "2"))
    trading.unreadable.add(feed.row(*updated(1, "2", "3")).offset)
    feed.end()
    trading.bring()
    _, unread = trading.open()
    assert trading.resolve("replayed", unread) == [None]
    assert trading.state(1) == ("3", "3", "False")
    assert "replay_of" not in late(trading)[0]
    trading.whole()


def test_a_copy_of_a_message(trading: Life) -> None:
    since = len(trading.feed.records)
    trading.feed.begin()
    trading.feed.message("note", "one")
    trading.feed.end()
    sent_again(trading, since, 1)
    trading.bring()
    assert trading.resolve("replayed", *trading.open()) == [None]
    assert late(trading)[0]["replay_of"].endswith("/1")
    trading.whole()

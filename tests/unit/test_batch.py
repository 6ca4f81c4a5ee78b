"""Where a stream may be cut."""

from __future__ import annotations

from cdc.batch import cut
from cdc.debezium import Decoder
from tests.builders import ORDERS, Feed

ROW = {"id": 1, "owner": None, "price": None, "note": None, "pin": None}


def events(script: str) -> list:
    """One letter an event: ``(`` BEGIN, ``)`` END, ``r`` row of the open transaction, ``m`` message of it, ``h`` heartbeat, ``s`` snapshot row."""
    feed = Feed(gap=0)
    for letter in script:
        if letter == "(":
            feed.begin()
        elif letter == ")":
            feed.end()
        elif letter == "r":
            feed.row(ORDERS, "c", None, ROW)
        elif letter == "m":
            feed.message("p", "x")
        elif letter == "h":
            feed.heartbeat()
        else:
            transaction, feed._transaction = feed._transaction, None
            feed.row(ORDERS, "r", None, ROW, snapshot="true")
            feed._transaction = transaction
    decoder = Decoder()
    return [decoder.decode(record) for record in feed.records]


def cut_at(script: str, *, inside: bool = False, limit: int = 100) -> int:
    return cut(events(script), inside=inside, limit=limit)


def test_everything_through_the_last_transaction_end():
    assert cut_at("") == 0
    assert cut_at("sss") == 3
    assert cut_at("s(rr)") == 5
    assert cut_at("(r)h(rr") == 4
    assert cut_at("(r)(r)") == 6
    assert cut_at("(rr") == 0
    assert cut_at("(") == 0


def test_a_transaction_larger_than_a_batch_is_split_before_its_last_entry():
    assert cut_at("(rrrr", limit=5) == 4
    assert cut_at("(rrmh", limit=5) == 3
    assert cut_at("(rrhh", limit=5) == 2
    assert cut_at("(rrss", limit=5) == 4  # a snapshot inside a transaction does not pile up
    assert cut_at("(rrrr", limit=6) == 0
    assert cut_at("rrr"[:0] + "(r)(rrrrr", limit=5) == 3


def test_inside_a_transaction_nothing_is_taken_that_leaves_no_entry_for_its_end():
    inside = events("(rrr")[1:]
    assert cut(inside, inside=True, limit=3) == 2
    assert cut(inside[:1], inside=True, limit=1) == 0
    assert cut(events("(hhh"), inside=False, limit=3) == 0

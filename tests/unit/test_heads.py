"""Newest versions of rows, cached: one query for what is not known, and never older than what was assembled."""

from __future__ import annotations

import pytest

from cdc import heads
from cdc.heads import Heads
from tests.builders import ORDERS, Feed, Worker


class Source:
    """A warehouse with some heads, that counts how it is asked."""

    def __init__(self, **known: tuple[int, int]) -> None:
        self.known = known
        self.asked: list[tuple[str, list[str]]] = []

    def heads(self, table: str, keys: list[str]) -> dict[str, tuple[int, int]]:
        self.asked.append((table, keys))
        return {key: self.known[key] for key in keys if key in self.known}


def test_one_query_a_table_and_none_for_what_is_known():
    source = Source(a=(3, 17))
    known = Heads(source)
    known.load([("t", "b"), ("t", "a"), ("t", "a"), ("u", "a")])
    assert sorted(source.asked) == [("t", ["a", "b"]), ("u", ["a"])]
    assert known.get("t", "a") == (3, 17)
    assert known.get("t", "b") is None
    known.load([("t", "a"), ("t", "b")])
    known.load([])
    assert len(source.asked) == 2


def test_what_was_assembled_is_newer_than_the_warehouse():
    feed = Feed()
    feed.begin()
    feed.row(ORDERS, "c", None, {"id": 1, "owner": None, "price": None, "note": None, "pin": None})
    feed.end()
    worker = Worker()
    worker.read(feed.records)
    batch = worker.batch()
    source = Source()
    known = Heads(source)
    known.load([("public.orders", '["1"]')])
    known.remember(batch)
    known.load([("public.orders", '["1"]')])
    assert known.get("public.orders", '["1"]') == (1, 1)
    assert len(source.asked) == 1


def test_the_older_generation_is_forgotten_and_no_sooner(monkeypatch):
    monkeypatch.setattr(heads, "LIMIT", 2)
    source = Source()
    known = Heads(source)
    known.load([("t", key) for key in "abc"])
    known.load([("t", "a")])  # moves a to the younger generation
    known.load([("t", key) for key in "de"])
    assert len(source.asked) == 2
    known.load([("t", "a"), ("t", "f")])  # a is in the older one still
    assert source.asked[2:] == [("t", ["f"])]
    known.load([("t", "b")])
    assert source.asked[3:] == [("t", ["b"])]


def test_a_row_that_was_not_loaded_is_a_mistake():
    with pytest.raises(KeyError):
        Heads(Source()).get("t", "a")

"""Decoders generated per table version."""

from __future__ import annotations

import msgspec
import pytest

from cdc.debezium import Decoder
from cdc.rows import PLACEHOLDER
from tests.builders import Column, Feed, Table

WIRES = [
    ("int16", 3, "3"), ("int64", -(2**63), str(-(2**63))), ("string", "x", "x"), ("bytes", "AA==", "AA=="), ("boolean", False, "false"), ("float", 0.1, "0.1"), ("double", "NaN", "NaN"), ("array", [1, None, "x"], ["1", None, "x"]),
    ("struct", {"b": 1, "a": None}, {"struct": {"a": None, "b": "1"}}), ("map", {"k": "v"}, {"struct": {"k": "v"}}),
]  # fmt: skip


@pytest.mark.parametrize(("wire", "sent", "value"), WIRES)
@pytest.mark.parametrize("name", ["v", 'needs "escapes"', "tab\t"])
def test_both_ways_of_decoding_agree(wire, sent, value, name):
    table = Table("public", "t", (Column(name, wire=wire), Column("w", wire=wire)))
    event = Decoder().decode(Feed().row(table, "u", {name: None, "w": sent}, {name: sent, "w": None}))
    assert (event.before, event.after) == ((None, value), (value, None))
    assert not event.table.columns[0].optional or event.before[0] is None


def test_the_order_of_columns_is_the_schema_s_and_not_the_payload_s():
    table = Table("public", "t", (Column("a"), Column("b")))
    event = Decoder().decode(Feed().row(table, "c", None, {"b": "2", "a": "1"}))
    assert event.after == ("1", "2")


def test_the_placeholder_means_left_out_only_without_a_before_image():
    table = Table("public", "t", (Column("id", optional=False), Column("v")), ("id",))
    row = {"id": "1", "v": PLACEHOLDER}
    feed = Feed()
    records = [feed.row(table, "u", None, row), feed.row(table, "u", row, row), feed.row(table, "c", None, row), feed.row(table, "r", None, row)]
    events = [Decoder().decode(record) for record in records]
    assert [event.after[1] for event in events] == [{"unavailable": "toast"}, PLACEHOLDER, PLACEHOLDER, PLACEHOLDER]
    assert [event.before_missing for event in events] == [True, False, False, False]


def test_a_key_change_brings_the_other_half_s_key_in_the_key_s_order():
    table = Table("public", "t", (Column("a"), Column("n", "INT4", "int32"), Column("v")), ("n", "a"))
    feed = Feed()
    feed.change_key(table, {"a": "x", "n": 1, "v": None}, {"a": "y", "n": 2, "v": None})
    decoder = Decoder()
    gone, _, made = [decoder.decode(record) for record in feed.records]
    assert (gone.other_key, made.other_key) == (("2", "y"), ("1", "x"))


def test_wide_tables():
    table = Table("public", "wide", tuple(Column(f"column {n}", "INT4", "int32") for n in range(1600)))
    event = Decoder().decode(Feed().row(table, "c", None, {column.name: n for n, column in enumerate(table.columns)}))
    assert event.after == tuple(str(n) for n in range(1600))


def test_the_other_key_of_a_key_change_may_hold_control_characters():
    """As Connect's header converter writes them: quotes and backslashes escaped, nothing else."""
    table = Table("public", "odd", (Column("a\tb", optional=False), Column("n", "INT8", "int64", optional=False)), ("a\tb", "n"))
    feed = Feed()
    feed.change_key(table, {"a\tb": "x", "n": 1}, {"a\tb": "y", "n": 1})
    header = (("__debezium.newkey", b'{"a\tb":"y\n\\"\\\\","n":9007199254740993}'),)
    record = msgspec.structs.replace(feed.records[0], headers=header)
    assert Decoder().decode(record).other_key == ('y\n"\\', "9007199254740993")


@pytest.mark.parametrize("native", ["0", "1"])
@pytest.mark.parametrize(
    ("wire", "entry"),
    [
        ("+292278994-08-16Z", "infinity"), ("+292278994-08-17Z", "infinity"), ("+5877611-06-21Z", "infinity"),
        ("+292269055-12-02Z", "-infinity"), ("+292269055-12-03Z", "-infinity"), ("-5877611-06-22Z", "-infinity"),
        ("+5874897-12-31Z", "+5874897-12-31Z"), ("-4713-11-24Z", "-4713-11-24Z"), ("2025-06-02Z", "2025-06-02Z"), (PLACEHOLDER, PLACEHOLDER), (None, None),
    ],
)  # fmt: skip
def test_an_infinite_date_is_one_word_whoever_wrote_it(wire, entry, native, monkeypatch):
    """A snapshot and the stream of Debezium write other days beyond the calendar."""
    monkeypatch.setenv("CDC_NATIVE", native)
    table = Table("public", "t", (Column("id", "INT4", "int32"), Column("d", "DATE", semantic="io.debezium.time.IsoDate"), Column("t", "TEXT")), ("id",))
    feed = Feed()
    feed.begin()
    row = {"id": 1, "d": wire, "t": wire}
    record = feed.row(table, "u", row, row)
    event = Decoder().decode(record)
    assert (event.before, event.after) == (("1", entry, wire), ("1", entry, wire))

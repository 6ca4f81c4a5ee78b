"""The row key that a record's Kafka key gives, where its value cannot be read, is that of every other entry of the row."""

from __future__ import annotations

import os
from dataclasses import replace
from unittest.mock import patch

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from cdc.debezium import Decoder
from cdc.errors import RecordError
from cdc.protect import ProtectedEvent, ProtectedQuarantine, ProtectedTable, Protector
from cdc.quarantine import quarantined, row_by_state
from cdc.warehouse.state_table import StateTable
from governance import policy
from tests.builders import Column, Feed, Table
from tests.memory_keys import MemoryKeys

TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=8) | st.sampled_from(
    ["", "\\N", "\x00", "\u2028", "😀", '"', "\\", "__debezium_unavailable_value"]
)
KINDS = [
    ("TEXT", "string", TEXTS), ("UUID", "string", st.uuids().map(str)), ("NUMERIC", "string", st.decimals(allow_nan=False).map(str)),
    ("INT8", "int64", st.integers(-(2**63), 2**63 - 1)), ("INT2", "int16", st.integers(-9, 9)), ("BOOL", "boolean", st.booleans()),
    ("BYTEA", "bytes", st.sampled_from(["", "AAEC", "/+8="])),
]  # fmt: skip
NAMES = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=6) | st.sampled_from(["id", "a%b", 'q"', "\\", "\uffff"])


@st.composite
def rows(draw):
    """A table with a key of one to three columns, in any order among others; two rows; its policy."""
    names = draw(st.lists(NAMES, min_size=2, max_size=6, unique=True))
    kinds = [draw(st.sampled_from(KINDS)) for _ in names]
    key = draw(st.permutations(names))[: draw(st.integers(1, min(3, len(names))))]
    columns = tuple(Column(n, kind, wire, optional=n not in key) for n, (kind, wire, _) in zip(names, kinds, strict=True))
    rules = {n: draw(st.sampled_from(["clear", {"protect": "token", "domain": "d"}])) for n in names}
    told: dict = {"retention": "operational", "columns": rules}
    if draw(st.booleans()):
        told["subject"] = {"type": "customer", "column": draw(st.sampled_from(names))}
    plan = policy.parse(yaml.safe_dump({"source": "trading", "tables": {"public.t": told}}, allow_unicode=True))
    image = st.fixed_dictionaries({n: k[2] for n, k in zip(names, kinds, strict=True)})
    return Table("public", "t", columns, tuple(key)), [draw(image), draw(image)], plan


@pytest.mark.parametrize("native", ["0", "1"])
@settings(max_examples=150, deadline=None)
@given(rows())
def test_it_is_the_same_text(native, given_rows):
    table, images, plan = given_rows
    feed = Feed()
    for image in images:
        feed.row(table, "c", None, image)
    with patch.dict(os.environ, {"CDC_NATIVE": native}):
        decoder, protector = Decoder(), Protector("trading", plan, MemoryKeys())
        read = protector.protect([decoder.decode(record) for record in feed.records])
        for event, record in zip(read, feed.records, strict=True):
            cut = structs.replace(record, offset=record.offset + 10, value=record.value[:-3])
            with pytest.raises(RecordError):
                decoder.decode(cut)
            (odd,) = protector.protect([quarantined(cut, "malformed", decoder.row_of(cut))])
            assert isinstance(event, ProtectedEvent)
            assert isinstance(odd, ProtectedQuarantine)
            assert odd.key == event.key
            state = state_of(event.table)
            assert state.holds(event.key)
            (fresh,) = protector.protect([quarantined(cut, "malformed", row_by_state(cut, {"public.t": state.key_columns()}.get))])
            assert isinstance(fresh, ProtectedQuarantine)
            # MariaDB's boolean is spelt otherwise, and the key alone does not say of which kind of source it is.
            assert fresh.key == (None if any(c.wire == "boolean" for c in table.columns if c.name in table.key) else event.key)


def state_of(table: ProtectedTable) -> StateTable:
    """The state table that this version of its source table makes."""
    columns = {column.name: (column.type, column.protect) for column in table.state_columns}
    return StateTable("t", table.keyless, table.version.key, columns)


class Lacking(MemoryKeys):
    """No token exists yet."""

    def __init__(self) -> None:
        self.made: list = []

    def existing_token(self, _domain, _text):
        return None

    def ensure_tokens(self, wanted):
        self.made.append(wanted)


@pytest.mark.parametrize("subject", [True, False])
def test_a_token_that_does_not_exist(subject):
    """It is made where everything of the table is under the source's own subject; else nobody knows whose it is."""
    table = Table("public", "t", (Column("id", optional=False), Column("owner")), ("id",))
    told: dict = {"columns": {"id": {"protect": "token", "domain": "d"}, "owner": "seal"}}
    if subject:
        told["subject"] = {"type": "customer", "column": "owner"}
    plan = policy.parse(yaml.safe_dump({"source": "trading", "tables": {"public.t": told}}))
    keys, feed, decoder = Lacking(), Feed(), Decoder()
    feed.row(table, "c", None, {"id": "a", "owner": "o"})
    feed.row(table, "c", None, {"id": "b", "owner": "o"})
    decoder.decode(feed.records[0])
    cut = structs.replace(feed.records[1], value=b"{")
    (odd,) = Protector("trading", plan, keys).protect([quarantined(cut, "malformed", decoder.row_of(cut))])
    if subject:
        assert (odd.key, keys.made) == (None, [])
    else:
        assert odd.key is not None
        assert keys.made == [{"d": {"b": keys.subject("source", "trading")}}]


@pytest.mark.parametrize(
    "change",
    [
        lambda r: structs.replace(r, key=None),
        lambda r: structs.replace(r, key=r.key[:-1]),
        lambda r: structs.replace(r, key=r.key[:-1] + b"x"),
        lambda r: structs.replace(r, key=r.key.replace(b'"payload":{"id":', b'"payload":{"no":')),
        lambda r: structs.replace(r, key=r.key.replace(b'"payload":{"id":', b'"payload":{"id":1,"no":')),
        lambda r: structs.replace(r, key=r.key.replace(b'"payload":{"id":8', b'"payload":{"id":"8"')),
        lambda r: structs.replace(r, key=r.key.replace(b'"payload":{"id":8', b'"payload":{"id":null')),
        lambda r: structs.replace(r, key=r.key.replace(b"INT8", b"INT4")),
        lambda r: structs.replace(r, value=r.value.replace(b"public.t.Envelope", b"public.u.Envelope")),
        lambda r: structs.replace(r, key=r.key.replace(b'"payload":{', b'"payload":' + b"[" * 100_000)),
    ],
)
def test_what_tells_no_row(change):
    table = Table("public", "t", (Column("id", "INT8", "int64", optional=False), Column("v")), ("id",))
    plan = policy.parse(yaml.safe_dump({"source": "trading", "tables": {"public.t": {"columns": {"id": "clear", "v": "clear"}}}}))
    feed, decoder = Feed(), Decoder()
    feed.row(table, "c", None, {"id": 7, "v": "x"})
    decoder.decode(feed.row(table, "c", None, {"id": 8, "v": "x"}))
    whole = structs.replace(feed.records[1], value=feed.records[1].value[:-3])

    stranger = Decoder()  # to which only bad records have shown the schema
    for _ in range(2):
        odd = structs.replace(whole, value=feed.records[1].value.replace(b'"op":"c"', b'"op":"x"'))
        with pytest.raises(RecordError):
            stranger.decode(odd)
        assert stranger.row_of(odd) is None

    state = {"public.t": {"id": ("bigint", "clear")}, "public.u": {"id": ("bigint", "clear")}}

    def keys(record):
        both = [decoder.row_of(record), row_by_state(record, state.get)]
        return [odd.key for odd in Protector("trading", plan, MemoryKeys()).protect([quarantined(record, "malformed", row) for row in both])]

    assert keys(whole) == ['["8"]', '["8"]']
    changed = change(whole)
    assert changed != whole
    assert keys(changed) == [None, None]


@pytest.mark.parametrize(
    "state",
    [
        None,
        {},
        {"id": ("integer", "clear")},
        {"id": ("text", "token")} | {"v": ("text", "clear")},
        {"v": ("text", "clear"), "id": ("bigint", "clear")},
        {"no": ("bigint", "clear")},
    ],
)
def test_another_key_than_state_has(state):
    table = Table("public", "t", (Column("id", "INT8", "int64", optional=False), Column("v", optional=False)), ("id",))
    assert row_by_state(Feed().row(table, "c", None, {"id": 7, "v": "x"}), lambda _table: state) is None


def test_a_row_key_is_held_where_it_is_made_as_the_others():
    state = StateTable("t", False, ("id", "_key"), {"id": ("bigint", "clear"), "_key_": ("text", "token")})
    assert state.holds('["7",{"token":"tok_x"}]')
    assert not state.holds('["7","8"]')
    assert not state.holds('[{"token":"tok_x"},{"token":"tok_x"}]')
    assert not state.holds('["7"]')
    assert not replace(state, rekeyed=True).holds('["7",{"token":"tok_x"}]')

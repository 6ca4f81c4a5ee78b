"""The one door out of plaintext: what a policy protects leaves it sealed, as a token, or not at all."""

from __future__ import annotations

import base64
import json
from dataclasses import replace

import pytest

from cdc.debezium import Decoder
from cdc.event import ChangeEvent, LogicalMessage
from cdc.protect import Protector
from governance import policy, seal
from tests.builders import FILLS, HOLDERS, ORDERS, POLICY, Column, Feed, Table
from tests.independent import canonical
from tests.independent.chain import keyless_key
from tests.memory_keys import MemoryKeys

PLANTED = "planted-value"
ROW = {"id": 7, "owner": PLANTED + "-o", "price": "1.50", "note": PLANTED + "-n", "pin": PLANTED + "-p"}
KEYS = MemoryKeys()


def protect(feed: Feed, rules: policy.Policy = POLICY) -> list:
    decoder = Decoder()
    return Protector("trading", rules, KEYS).protect([decoder.decode(record) for record in feed.records])


def one(table: Table, op: str = "c", before: dict | None = None, after: dict | None = None, rules: policy.Policy = POLICY, **more):
    feed = Feed()
    feed.row(table, op, before, after, **more)
    return protect(feed, rules)[0]


def test_every_protection():
    event = one(ORDERS, after=ROW)
    after = json.loads(event.after)
    subject = KEYS.subject("customer", ROW["owner"])
    assert after["id"] == "7"
    assert after["price"] == "1.50"
    assert after["owner"] == {"token": KEYS.token("owner", ROW["owner"])}
    assert after["pin"] == {"dropped": ""}
    cell = base64.b64decode(after["note"]["seal"])
    tail = seal.associated_tail("trading", "public.orders", "note", b'["7"]')
    assert KEYS.cipher(subject).open(cell, tail) == seal.TEXT + ROW["note"].encode()
    assert (event.subject_after, event.subject_before, event.key) == (subject.label, None, '["7"]')
    assert event.after == canonical.write(after).encode()


def test_nothing_of_an_event_shows_what_is_protected():
    feed = Feed()
    feed.row(ORDERS, "u", ROW, {**ROW, "owner": PLANTED + "-2"})
    feed.row(FILLS, "c", None, {"symbol": "S", "quantity": 1, "secret": PLANTED})
    feed.row(HOLDERS, "d", {"email": PLANTED, "no": 1, "v": None}, None, moved={"email": PLANTED + "-new", "no": 2})
    feed.message("p", PLANTED)
    for event in protect(feed):
        whole = "".join(str(getattr(event, name)) for name in getattr(event, "__struct_fields__", ()))
        assert PLANTED not in whole
        assert "cGxhbnRlZC" not in whole


def test_null_is_visible_and_a_column_nobody_listed_is_sealed():
    event = one(ORDERS.with_column(Column("unlisted")), after={**ROW, "owner": None, "note": None, "pin": None, "unlisted": PLANTED})
    after = json.loads(event.after)
    assert [after["owner"], after["note"], after["pin"]] == [None, None, None]
    assert list(after["unlisted"]) == ["seal"]
    assert event.subject_after == KEYS.subject("source", "trading").label


def test_a_table_nobody_listed_is_sealed_whole_and_its_key_tokenised():
    table = Table("public", "unknown", (Column("id", optional=False), Column("n", "INT4", "int32"), Column("tags", "_TEXT", "array")), ("id",))
    event = one(table, after={"id": PLANTED, "n": 5, "tags": [PLANTED, None]})
    after = json.loads(event.after)
    assert [list(value) for value in after.values()] == [["token"], ["seal"], ["seal"]]
    assert json.loads(event.key) == [after["id"]]
    opened = KEYS.cipher(KEYS.subject("source", "trading")).open(
        base64.b64decode(after["tags"]["seal"]), seal.associated_tail("trading", "public.unknown", "tags", event.key.encode())
    )
    assert opened == seal.STRUCTURE + canonical.write([PLANTED, None]).encode()


@pytest.mark.parametrize("operation", ["c", "d", "u"])
def test_subjects_of_both_images(operation):
    before, after = ROW, {**ROW, "owner": "other"}
    event = one(ORDERS, operation, before if operation != "c" else None, after if operation != "d" else None)
    labels = [KEYS.subject("customer", image["owner"]).label for image in (before, after)]
    assert event.subject_before == (labels[0] if operation != "c" else None)
    assert event.subject_after == (labels[1] if operation != "d" else None)


def test_equal_values_are_equal_only_in_the_same_cell():
    def note(row: dict, table: Table = ORDERS) -> str:
        return json.loads(one(table, after=row).after)["note"]["seal"]

    assert note(ROW) == note(dict(ROW))
    assert note(ROW) != note({**ROW, "id": 8})
    assert note(ROW) != note({**ROW, "owner": "other"})


def test_row_keys_without_a_key():
    row = {"symbol": "S", "quantity": None, "secret": PLANTED}
    event = one(FILLS, after=row)
    assert event.key == keyless_key(json.loads(event.after))
    wider = one(FILLS.with_column(Column("extra")), after={**row, "extra": None})
    assert wider.key == event.key
    assert one(FILLS, "d", before=row).key == event.key
    changed = one(FILLS, "u", before=row, after={**row, "quantity": 1})
    assert (changed.before_key, changed.key != event.key) == (event.key, True)


def test_clear_structs_have_canonical_bytes():
    rules = policy.parse("source: trading\ntables:\n  public.p: {columns: {id: clear, at: clear}}\n")
    table = Table("public", "p", (Column("id", optional=False), Column("at", "PATH", "struct")), ("id",))
    event = one(table, after={"id": "1", "at": {"x": 1.5, "srid": None, "wkb": "AA=="}}, rules=rules)
    assert event.after == b'{"at":{"struct":{"srid":null,"wkb":"AA==","x":"1.5"}},"id":"1"}'
    assert event.state.split("\t")[1] == '{"struct":{"srid":null,"wkb":"AA==","x":"1.5"}}'


def test_what_the_source_left_out_is_marked_and_mints_nothing():
    """Unchanged TOAST under a weak replica identity: no before image, and a placeholder."""
    asked: list = []

    class Recording(MemoryKeys):
        def ensure_tokens(self, wanted: dict) -> None:
            asked.append(wanted)

    feed = Feed()
    feed.row(ORDERS, "u", None, {**ROW, "owner": "ann", "note": "__debezium_unavailable_value", "price": "__debezium_unavailable_value"})
    (event,) = Protector("trading", POLICY, Recording()).protect([Decoder().decode(feed.records[0])])
    after = json.loads(event.after)
    assert event.before_missing
    assert after["note"] == after["price"] == {"unavailable": "toast"}
    assert asked == [{"owner": {"ann": KEYS.subject("customer", "ann")}}]


def test_messages():
    feed = Feed()
    feed.message("p", PLANTED)
    (sealed,) = protect(feed)
    content = json.loads(sealed.content)
    assert content["prefix"] == "p"
    tail = seal.associated_tail("trading", "", "p", b"[]")
    opened = KEYS.cipher(KEYS.subject("source", "trading")).open(base64.b64decode(content["content"]["seal"]), tail)
    assert base64.b64decode(opened[1:]).decode() == PLANTED
    (clear,) = protect(feed, replace(POLICY, messages="clear"))
    assert base64.b64decode(json.loads(clear.content)["content"]).decode() == PLANTED


def test_plaintext_never_passes_the_door():
    """What is not protected on purpose comes out as another type, or not at all."""
    feed = Feed()
    feed.begin()
    feed.row(ORDERS, "c", None, ROW)
    feed.message("p", "x")
    feed.end()
    assert not any(isinstance(event, ChangeEvent | LogicalMessage) for event in protect(feed))


def test_the_state_of_a_deleted_row_is_its_key():
    event = one(ORDERS, "d", before=ROW)
    names = [column.name for column in event.table.state_columns]
    assert dict(zip(names, event.state.split("\t"), strict=True)) == {"id": "7", "owner": "\\N", "price": "\\N", "note": "\\N"}

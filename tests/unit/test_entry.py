"""The entry codec against the vectors, and what it refuses."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import msgspec
import pytest

from cdc.entry import (
    MAX_ENTRY,
    Body,
    End,
    Entry,
    EntryError,
    Subject,
    Transaction,
    canonical,
    decode,
    digest,
    encode,
    leaf,
    member_order,
    qualified_name,
    split_qualified_name,
)
from cdc.entry.canonical import parse
from cdc.entry.model import Aside
from tests.independent import canonical as independent
from tests.independent import example, reader
from tests.independent.vectors import REFUSED, WRITTEN, expand

VECTORS = json.loads((Path(__file__).parent.parent / "vectors" / "entry-v1.json").read_text())
ROWS = [row for log in VECTORS["logs"] for row in log["rows"]]
RAW = msgspec.Raw


def members(kind: str, **wanted) -> dict:
    """The members of the first entry of the vectors that is of this kind and has these members."""
    for row in ROWS:
        entry = json.loads(row["entry"])
        if entry["kind"] == kind and wanted.items() <= entry.items():
            return entry
    raise AssertionError(kind)


def written(entry: dict) -> bytes:
    return independent.write(entry).encode()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{json.loads(row['entry'])['kind']}-{row['seq']}")
def test_the_vectors_decode_and_come_back_byte_for_byte(row):
    text, body = row["entry"].encode(), expand(row["body"])
    body = None if body is None else body.encode()
    entry = decode(text, body)
    assert encode(entry) == (text, body)
    assert leaf(text).hex() == row["leaf"]
    assert int(entry.seq) == row["seq"]


def test_every_kind_that_is_written_today_is_in_the_vectors():
    kinds = {json.loads(row["entry"])["kind"] for row in ROWS}
    assert kinds == {"change", "end", "message", "schema", "truncate", "baseline", "operation"}


@pytest.mark.parametrize("text", VECTORS["canonical"])
def test_canonical_texts_of_the_vectors(text):
    assert canonical(parse(text.encode())) == text.encode()


def test_the_canonical_texts_are_those_of_their_values():
    assert [canonical(value).decode() for value in WRITTEN] == VECTORS["canonical"]


@pytest.mark.parametrize("refused", VECTORS["refused"], ids=lambda refused: refused["why"])
def test_other_spellings_are_refused(refused):
    assert REFUSED[refused["why"]] == refused["text"]
    with pytest.raises(EntryError):
        parse(refused["text"].encode())
    with pytest.raises(independent.NotCanonical):
        independent.read(refused["text"])


@pytest.mark.parametrize(
    "value",
    [
        1,
        1.5,
        True,
        ("a",),
        b"a",
        {1: "a"},
        {"a": 1},
        ["a", False],
        "\ud800",
        {"\udfff": "a"},
        {"a": {"b": [0]}},
        RAW(b"1"),
    ],
)
def test_values_without_canonical_form_are_refused(value):
    with pytest.raises(EntryError):
        canonical(value)
    with pytest.raises(EntryError):
        encode(entry_of("change", after=value, key=["1"]))


def entry_of(kind: str, **changed) -> Entry:
    """An entry that need not be whole: :func:`encode` does not judge."""
    common = {"kind": kind, "ordered_at": "1", "origin": "trading/1", "salt": "0" * 32, "seq": "0"}
    if isinstance(changed.get("after"), RAW):  # taken as it is, by contract: hand it over where it is refused
        changed["after"] = [changed["after"]]
    return Entry(**common, **changed)


def test_nesting_that_no_reader_could_follow_is_refused():
    deep: object = "a"
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(EntryError, match="deep"):
        canonical(deep)
    with pytest.raises(EntryError):
        parse(b"[" * 100_000 + b"]" * 100_000)


@pytest.mark.parametrize("struct", [Entry, Body, Subject, End, Transaction, Aside])
def test_fields_are_declared_in_canonical_order(struct):
    assert list(struct.__struct_fields__) == member_order(struct.__struct_fields__)


def test_raw_pieces_give_the_bytes_that_plain_values_give():
    for row in ROWS:
        plain = decode(row["entry"].encode(), (expand(row["body"]) or "").encode() or None)
        loose = ("after", "before", "content", "key", "linked_key")
        raw = {
            name: RAW(canonical(getattr(plain, name))) for name in loose if getattr(plain, name) is not msgspec.UNSET
        }
        assert encode(msgspec.structs.replace(plain, **raw)) == encode(plain)


@pytest.mark.parametrize("kind", ["change", "schema", "baseline", "message", "truncate", "end", "operation"])
def test_a_missing_member_is_refused(kind):
    whole = members(kind)
    decode(written(whole))
    for name in whole:
        entry = {member: value for member, value in whole.items() if member != name}
        if (kind, name) in {
            (kind, "epoch"),
            ("end", "captured_at"),
            ("message", "transaction"),
            ("truncate", "transaction"),
        }:
            decode(written(entry))
            continue
        with pytest.raises(EntryError):
            decode(written(entry))


@pytest.mark.parametrize(
    ("kind", "added"),
    [
        ("change", {"actor": "me"}),
        ("change", {"content": {}}),
        ("change", {"linked_key": ["2"]}),
        ("change", {"replay_of": "1/2"}),
        ("change", {"flags": []}),
        ("change", {"flags": ["keyless"]}),
        ("baseline", {"committed_at": "1"}),
        ("baseline", {"table": "public.orders"}),
        ("operation", {"offset": "1"}),
        ("end", {"table": "public.orders"}),
    ],
)
def test_a_member_out_of_place_is_refused(kind, added):
    with pytest.raises(EntryError):
        decode(written(members(kind) | added))


@pytest.mark.parametrize(
    ("kind", "changed"),
    [
        ("change", {"seq": "01"}),
        ("change", {"seq": "-1"}),
        ("change", {"seq": "1\n"}),
        ("change", {"seq": "١"}),
        ("change", {"seq": ""}),
        ("change", {"salt": "0" * 31}),
        ("change", {"salt": "A" * 32}),
        ("change", {"format": "2"}),
        ("change", {"kind": "changed"}),
        ("change", {"origin": "trading"}),
        ("change", {"origin": "operations/1"}),
        ("operation", {"origin": "trading/1"}),
        ("change", {"operation": "t"}),
        ("change", {"operation": "d"}),
        ("change", {"topic_id": "short"}),
        ("change", {"table": "orders"}),
        ("change", {"table": '"public".orders'}),
        ("change", {"table": "Public.orders"}),
        ("change", {"plan": "0"}),
        ("change", {"key": []}),
        ("change", {"key": "0" * 64}),
        ("change", {"key": {"id": "1"}}),
        ("change", {"key": [{"id": "1"}]}),
        ("change", {"prev": None, "version": "2"}),
        ("change", {"prev": "0", "version": "1"}),
        ("change", {"version": "0"}),
        ("change", {"subject": {}}),
        ("change", {"subject": {"after": "me"}}),
        ("change", {"subject": {"after": example.SUBJECT, "before": example.SUBJECT}}),
        ("change", {"after": None}),
        ("change", {"after": {"id": {"sealed": "AA=="}}}),
        ("change", {"after": {"id": {"unavailable": "null"}}}),
        ("change", {"after": {"id": {"seal": "AA==", "token": "tok_"}}}),
        ("change", {"flags": ["keyless", "before-missing"]}),
        ("change", {"transaction": {"id": "1:2"}}),
        ("change", {"transaction": {"id": "1:2", "order": "1", "total": "1"}}),
        ("end", {"transaction": {"id": "1:2"}}),
        ("schema", {"schema": "0" * 64}),
        ("schema", {"plan": "0" * 64}),
        ("schema", {"content": {"columns": []}}),
        ("message", {"content": {"prefix": None, "content": None}}),
        ("message", {"content": "text"}),
    ],
)
def test_a_malformed_member_is_refused(kind, changed):
    with pytest.raises(EntryError):
        decode(written(members(kind) | changed))


def test_half_an_identity_is_refused():
    whole = members("baseline")
    gap = {name: whole[name] for name in ("format", "ordered_at", "origin", "salt", "seq")}
    gap |= {"kind": "gap", "content": dict.fromkeys(("at", "by", "cause", "effect", "from", "lost", "reason", "through"), "x")}
    decode(written(gap))
    decode(written(gap | {name: whole[name] for name in ("offset", "ordinal", "partition", "produced_at", "topic_id")}))
    with pytest.raises(EntryError, match="identity"):
        decode(written(gap | {"offset": "1"}))


def test_what_is_not_an_object_or_not_json_is_refused():
    for data in (b"", b"null", b'"a"', b"[]", b"{", b"\xff", b'{"a":"\xed\xa0\x80"}', b"{}"):
        with pytest.raises(EntryError):
            decode(data)


def large(size: int) -> Entry:
    """A change whose entry, with its image in it, has ``size`` bytes."""
    entry = decode(written(members("change")))
    image = {**entry.after, "id": ""}
    missing = size - len(encode(msgspec.structs.replace(entry, after=image))[0])
    return msgspec.structs.replace(entry, after={**image, "id": "x" * missing})


def test_an_entry_has_a_body_from_65536_bytes_on():
    fits = large(MAX_ENTRY)
    data, body = encode(fits)
    assert (len(data), body) == (65_535, None)
    assert decode(data) == fits
    too_long = large(MAX_ENTRY + 1)
    data, body = encode(too_long)
    assert len(data) < 2_000
    assert body is not None
    assert json.loads(data)["body"] == {"length": str(len(body)), "sha256": hashlib.sha256(body).hexdigest()}
    assert decode(data, body) == too_long
    without = decode(data)
    assert without.body is not msgspec.UNSET
    assert without.after is msgspec.UNSET
    assert encode(without) == (data, None)


def test_a_body_that_is_not_the_entrys_is_refused():
    data, body = encode(large(70_000))
    other = encode(large(70_001))[1]
    small = written(members("change"))
    for entry, aside in ((data, other), (data, body[:-1]), (data, b""), (small, body), (small, b"{}")):
        with pytest.raises(EntryError):
            decode(entry, aside)


def test_a_body_that_is_not_needed_is_refused():
    entry = members("change")
    aside = written({"after": entry.pop("after")})
    entry["body"] = {"length": str(len(aside)), "sha256": hashlib.sha256(aside).hexdigest()}
    with pytest.raises(EntryError, match="does not need"):
        decode(written(entry), aside)


def test_an_entry_that_is_too_long_without_its_body_is_refused():
    entry = decode(written(members("change")))
    with pytest.raises(EntryError, match="65535"):
        encode(msgspec.structs.replace(entry, key=["x" * 70_000]))
    with pytest.raises(EntryError, match="65535"):
        decode(b'"' + b"x" * 70_000 + b'"')


def test_errors_never_carry_content():
    secret = "ana@example.com"
    entry = members("change")
    damaged: list[bytes] = [
        written(entry | {name: secret}) for name in (*entry, secret, "content") if name not in ("epoch", "key")
    ]
    damaged += [
        written(entry | {"key": [{"id": secret}]}),
        written(entry | {"after": {secret: {secret: secret}}}),
        written(entry | {"transaction": {"id": secret, "order": secret, secret: secret}}),
        written(members("message") | {"content": {secret: secret}}),
        b'{"' + secret.encode() + b'": "' + secret.encode() + b'"}',
        b'{"a":"' + secret.encode(),
    ]
    for data in damaged:
        with pytest.raises(EntryError) as caught:
            decode(data)
        assert secret not in str(caught.value) + repr(caught.value) + str(caught.value.__context__)
    with pytest.raises(EntryError) as caught:
        canonical({secret: [secret + "\ud800"]})
    assert secret not in str(caught.value)
    assert caught.value.__context__ is None


def test_tables_of_an_end_are_put_in_order():
    end = End(count="2", offset="1", tables={"public.b": "1", "public.a": "1"})
    assert list(end.tables) == ["public.a", "public.b"]


@pytest.mark.parametrize(
    ("schema", "table", "name"),
    [
        ("public", "orders", "public.orders"),
        ("_s$1", "t_2", "_s$1.t_2"),
        ("Back Office", "orders", '"Back Office".orders'),
        ("public", 'a"b', 'public."a""b"'),
        ("a.b", "1st", '"a.b"."1st"'),
        ("público", "orders", '"público".orders'),
        ("public", "orders\n", 'public."orders\n"'),
    ],
)
def test_qualified_names(schema, table, name):
    assert qualified_name(schema, table) == name
    assert split_qualified_name(name) == (schema, table)


@pytest.mark.parametrize(
    "name", ["", "orders", "a.b.c", '"a".b', 'a."b', "A.b", 'a.""', ".a", "a.", 'a."b"c', 'a."b"c"', "a.b\n", " a.b"]
)
def test_other_spellings_of_a_name_are_refused(name):
    with pytest.raises(EntryError):
        split_qualified_name(name)


def test_a_name_with_an_empty_part_is_refused():
    for parts in (("", "orders"), ("public", "")):
        with pytest.raises(EntryError):
            qualified_name(*parts)


def test_digests_are_those_of_the_formats():
    content = members("schema")["content"]
    described = {"columns": content["columns"], "key": content["key"], "table": members("schema")["table"]}
    assert digest(described) == members("schema")["schema"] == independent.digest(described)


def test_the_logs_of_the_vectors_are_whole():
    for log in VECTORS["logs"]:
        rows = [(row["seq"], row["entry"], expand(row["body"]), row["leaf"]) for row in log["rows"]]
        assert reader.verify(rows, edge=log["edge"], root=log["root"]) == []

"""Canonical bytes and entries against the independent writer and reader, over everything a source could send."""

from __future__ import annotations

import hashlib
import json

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import UNSET, Raw

from cdc.entry import (
    End,
    Entry,
    EntryError,
    Resolves,
    Subject,
    Transaction,
    canonical,
    decode,
    digest,
    encode,
    member_order,
    qualified_name,
    split_qualified_name,
)
from cdc.entry.canonical import parse
from tests.independent import canonical as independent
from tests.independent import shape

UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # other programs share the machine

# characters at which writers of JSON and sorters of names disagree, often
EDGES = '\x00\x08\x1f"\\/\x7f\x80\u2028\ud7ff\ue000\ufb33\uffff\U00010000\U0010ffff'
TEXTS = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from(EDGES), max_size=8)
JSON = st.recursive(
    st.none() | TEXTS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4)
)
DECIMALS = st.integers(0, 2**64).map(str)
DIGESTS = st.binary(min_size=32, max_size=32).map(bytes.hex)
SUBJECTS = st.builds("{}/{}".format, st.binary(min_size=16, max_size=16).map(bytes.hex), st.integers(0, 65_535))
TABLES = st.builds(qualified_name, TEXTS.filter(bool), TEXTS.filter(bool))
VALUES = st.recursive(
    st.none()
    | TEXTS
    | st.sampled_from([{"seal": "AQ=="}, {"token": "tok_" + "0" * 32}, {"unavailable": "toast"}, {"dropped": ""}]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3).map(lambda of: {"struct": of})
    ),
)
KINDS = tuple(sorted(shape.MUST))
IMAGES = st.dictionaries(TEXTS, VALUES, max_size=6)


def test_every_code_point_is_written_as_rfc_8785_says():
    """All but surrogates, in runs: both in a value and in a name."""
    points = [point for point in range(0x110000) if not 0xD800 <= point < 0xE000]
    for start in range(0, len(points), 4096):
        text = "".join(map(chr, points[start : start + 4096]))
        assert canonical(text).decode() == independent.write(text)
        assert canonical({text: text}).decode() == independent.write({text: text})
        assert parse(canonical(text)) == text


def test_the_order_of_members_is_that_of_utf_16_for_every_code_point():
    """Code points and UTF-16 code units order differently from U+E000 on."""
    names = [chr(point) for point in range(0, 0x110000, 7) if not 0xD800 <= point < 0xE000]
    assert member_order(reversed(names)) == sorted(names, key=lambda name: name.encode("utf-16-be"))


@UNHURRIED
@given(JSON)
def test_canonical_bytes_are_those_of_the_independent_writer_and_come_back(value):
    data = canonical(value)
    assert data.decode() == independent.write(value)
    assert parse(data) == value == independent.read(data.decode())


@UNHURRIED
@given(JSON, st.randoms(use_true_random=False))
def test_any_other_spelling_of_a_value_is_refused(value, random):
    shuffled = json.dumps(_shuffle(value, random), ensure_ascii=random.random() < 0.5, indent=random.choice([None, 1]))
    if shuffled.encode() == canonical(value):
        assert parse(shuffled.encode()) == value
        return
    with pytest.raises(EntryError):
        parse(shuffled.encode())


@UNHURRIED
@given(st.binary(max_size=30) | TEXTS.map(str.encode))
def test_bytes_are_canonical_or_refused(data):
    try:
        value = parse(data)
    except EntryError:
        with pytest.raises((independent.NotCanonical, UnicodeDecodeError)):
            independent.read(data.decode())
    else:
        assert canonical(value) == data == independent.write(independent.read(data.decode())).encode()


@UNHURRIED
@given(TEXTS.filter(bool), TEXTS.filter(bool))
def test_names_of_tables_come_back(schema, table):
    name = qualified_name(schema, table)
    assert split_qualified_name(name) == (schema, table)
    assert shape.SPELT_RE["table"].fullmatch(name)


@UNHURRIED
@given(TEXTS)
def test_a_name_is_a_qualified_name_or_refused(name):
    try:
        parts = split_qualified_name(name)
    except EntryError:
        return
    assert qualified_name(*parts) == name


@st.composite
def entries(draw, kinds=KINDS) -> Entry:
    kind = draw(st.sampled_from(kinds))
    made = {
        "captured_at": DECIMALS,
        "committed_at": DECIMALS,
        "epoch": TEXTS,
        "offset": DECIMALS,
        "ordinal": DECIMALS,
        "partition": DECIMALS,
        "position": st.lists(st.none() | DECIMALS, max_size=2).map(tuple),
        "produced_at": DECIMALS,
        "replay_of": st.builds("{}/{}".format, DECIMALS, DECIMALS),
        "resolves": st.builds(Resolves, seq=DECIMALS),
        "topic_id": st.just("q1Sh-9_8TY6Cd0XMHzWLOw"),
        "table": TABLES,
        "key": st.lists(VALUES, min_size=1, max_size=3),
    }
    members = {name: draw(made[name]) for name in sorted(shape.MUST[kind] & set(made))}
    identity = {"offset", "ordinal", "partition", "produced_at", "topic_id"}
    if identity & shape.MAY[kind] and draw(st.booleans()):
        members |= {name: draw(made[name]) for name in sorted(identity)}
    for name in sorted((shape.MAY[kind] & set(made)) - identity):
        if draw(st.booleans()):
            members[name] = draw(made[name])
    if "transaction" in shape.MUST[kind] | shape.MAY[kind] and (kind == "end" or draw(st.booleans())):
        members.pop("resolves", None)
        members["transaction"] = draw(_transactions(kind))
    members |= draw(_particulars(kind, members))
    origin = "operations/1" if kind == "operation" else "trading/2"
    salt = draw(st.binary(min_size=16, max_size=16)).hex()
    return Entry(kind=kind, ordered_at=draw(DECIMALS), origin=origin, salt=salt, seq=draw(DECIMALS), **members)


@st.composite
def _transactions(draw, kind):
    end = End(count=draw(st.none() | DECIMALS), offset=draw(DECIMALS), tables=draw(st.dictionaries(TEXTS, DECIMALS)))
    if kind == "end":
        return Transaction(id=draw(TEXTS), end=end)
    if kind == "quarantined":
        return Transaction(id=draw(TEXTS), end=draw(st.just(end) | st.just(UNSET)))
    return Transaction(id=draw(TEXTS), order=draw(DECIMALS), end=draw(st.just(end) | st.just(UNSET)))


@st.composite
def _particulars(draw, kind, members):
    """Members that must agree with each other."""
    if kind == "change":
        return _change(draw, members)
    if kind == "absent":
        if draw(st.booleans()):
            return {"key": draw(DIGESTS), "flags": ("keyless",), "content": {"copies": str(draw(st.integers(1, 10**6)))}}
        return {"version": str(draw(st.integers(2, 10**6))), "prev": draw(DECIMALS)}
    if kind == "schema":
        columns = draw(st.lists(st.dictionaries(TEXTS, st.none() | TEXTS, max_size=2), max_size=2))
        content = {"columns": columns, "key": draw(st.lists(TEXTS, max_size=2)), "plan": draw(st.lists(st.just({})))}
        described = {"columns": columns, "key": content["key"], "table": members["table"]}
        return {"content": content, "schema": digest(described), "plan": digest(content["plan"])}
    contents = {
        "message": {"content": VALUES, "prefix": TEXTS},
        "baseline": {"detail": st.dictionaries(TEXTS, TEXTS, max_size=3), "notification": st.just("COMPLETED")},
        "quarantined": {"reason": TEXTS, "sealed": VALUES},
        "resolved": {
            **dict.fromkeys(("at", "by", "reason"), TEXTS), "how": st.sampled_from(["replayed", "dismissed"]), "of": DECIMALS
        },
        "gap": {
            **dict.fromkeys(("at", "by", "cause", "from", "reason", "through"), TEXTS),
            "effect": st.fixed_dictionaries(
                {"closes": st.none() | TEXTS, "epoch": st.none() | TEXTS, "opens": st.none(), "position": DECIMALS,
                 "skips": st.sampled_from("01"), "topic_id": TEXTS}
            ),
            "lost": st.none() | DECIMALS,
        },
        "operation": {"actor": TEXTS, "detail": st.dictionaries(TEXTS, TEXTS, max_size=3), "name": TEXTS},
    }
    particulars = {"content": draw(st.fixed_dictionaries(contents[kind]))} if kind in contents else {}
    if kind in {"message", "truncate"}:
        particulars["operation"] = kind[0]
    return particulars


def _change(draw, members):
    operation = draw(st.sampled_from("cudr"))
    images = {"c": ("after",), "r": ("after",), "u": ("after", "before"), "d": ("before",)}[operation]
    change = {name: draw(IMAGES) for name in images}
    change |= {"operation": operation, "plan": draw(DIGESTS), "schema": draw(DIGESTS)}
    change["subject"] = Subject(**{name: draw(SUBJECTS) for name in images})
    if draw(st.booleans()):
        change |= {"key": draw(DIGESTS), "flags": ("keyless",)}
    elif "replay_of" not in members:
        first = draw(st.booleans())
        change["version"] = "1" if first else str(draw(st.integers(2, 10**6)))
        change["prev"] = None if first else draw(DECIMALS)
        if operation in "cd" and draw(st.booleans()):
            change["linked_key"] = draw(st.lists(VALUES, min_size=1, max_size=2))
    return change


@UNHURRIED
@given(entries())
def test_an_entry_comes_back_and_the_independent_reader_accepts_it(entry):
    data, body = encode(entry)
    assert body is None
    assert decode(data) == entry
    assert encode(decode(data)) == (data, None)
    read = independent.read(data.decode())
    assert shape.faults(read, None) == []


@UNHURRIED
@given(entries())
def test_raw_pieces_change_nothing(entry):
    loose = ("after", "before", "content", "key", "linked_key")
    raw = {name: Raw(canonical(getattr(entry, name))) for name in loose if getattr(entry, name) is not UNSET}
    assert encode(msgspec.structs.replace(entry, **raw)) == encode(entry)


@UNHURRIED
@given(entries(kinds=("change", "message")), st.integers(0, 70_000))
def test_a_long_entry_comes_back_through_its_body(entry, length):
    name = "content" if entry.kind == "message" else "after" if entry.after is not UNSET else "before"
    value = {**getattr(entry, name), "content" if entry.kind == "message" else "": "x" * length}
    entry = msgspec.structs.replace(entry, **{name: value})
    data, body = encode(entry)
    assert decode(data, body) == entry
    assert len(data) <= 65_535
    if body is not None:
        assert json.loads(data)["body"]["sha256"] == hashlib.sha256(body).hexdigest()
        assert shape.faults(independent.read(data.decode()), independent.read(body.decode())) == []


@UNHURRIED
@given(entries(), st.data())
def test_damage_is_refused_or_makes_another_entry(entry, data):
    written, _ = encode(entry)
    place = data.draw(st.integers(0, len(written) - 1))
    damaged = bytearray(written)
    damaged[place] ^= data.draw(st.integers(1, 255))
    try:
        other = decode(bytes(damaged))
    except EntryError:
        return
    assert other != entry
    assert encode(other) == (bytes(damaged), None)


@UNHURRIED
@given(entries(), st.data())
def test_an_entry_without_one_of_its_members_is_not_taken_for_it(entry, data):
    members = json.loads(encode(entry)[0])
    lost = data.draw(st.sampled_from(sorted(members)))
    del members[lost]
    try:
        other = decode(canonical(members))
    except EntryError:
        return
    assert lost in shape.MAY[entry.kind]
    assert other != entry


def _shuffle(value, random):
    if isinstance(value, dict):
        names = list(value)
        random.shuffle(names)
        return {name: _shuffle(value[name], random) for name in names}
    return [_shuffle(item, random) for item in value] if isinstance(value, list) else value

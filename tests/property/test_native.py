"""The native kernel writes what Python writes, byte for byte, and refuses what Python refuses."""

from __future__ import annotations

import base64
import hashlib
import os
from contextlib import contextmanager
from dataclasses import asdict
from unittest.mock import patch

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from cdc import native
from cdc.debezium import Decoder
from cdc.drafts import draft_change
from cdc.errors import RecordError
from cdc.event import ChangeEvent, Record
from cdc.identity import EntryIdentity
from cdc.protect import Protector
from governance import policy, seal
from governance.errors import GovernanceError, StoreUnavailable
from tests.builders import IDENTITY, ORDERS, POLICY, SALT_KEY, Column, Feed, Table, Worker
from tests.golden import records as golden
from tests.history import History
from tests.memory_keys import MemoryKeys

KERNEL = native.kernel()
pytestmark = pytest.mark.skipif(KERNEL is None, reason="the native kernel is not built, or CDC_NATIVE=0")
OFTEN = settings(max_examples=150, deadline=None)
GOLDEN_POLICY = policy.parse("""
source: trading
tables:
  golden.account:
    subject: {type: customer, column: owner}
    retention: operational
    columns: {id: clear, owner: {protect: token, domain: owner, class: personal}, balance: clear}
  cdc.heartbeat:
    columns: {id: clear, system_identifier: clear, timeline: clear}  # beat_at hidden, so not judged: beats are left out
""")


@contextmanager
def path(kind: str):
    with patch.dict(os.environ, {"CDC_NATIVE": kind}):
        yield


class KernelKeys(MemoryKeys):
    """With the kernel's own ciphers, as a session has them."""

    def cipher(self, subject, tier=0):
        key = hashlib.sha512(f"{subject.label}/{tier}".encode()).digest()
        kernel = native.kernel()
        return (kernel.Cipher if kernel else seal.CellCipher)(key, seal.header(subject.id, tier, subject.generation))


def all_of(records: list[Record], plan: policy.Policy, kind: str, limit: int = 10_000) -> list:
    """Everything that a worker makes of these records by one path."""
    made = []
    with path(kind):
        worker = Worker(plan=plan)
        worker._protector = Protector("trading", plan, KernelKeys())
        worker.read(records)
        while (batch := worker.batch(limit)) is not None:
            changes = {
                table.table: {key: (c.seq, c.version, c.committed_at, c.line, c.deleted, c.copies) for key, c in rows.items()}
                for table, rows in batch.changes.items()
            }
            rows = [(row.line, row.leaf) for row in batch.rows]
            made.append((rows, batch.bodies, batch.versions, changes, dict(batch.heads), batch.truncated, batch.end))
    return made


def plain(event) -> tuple:
    """An event by its values: a table version is compared by its own."""
    if not isinstance(event, ChangeEvent):
        return (event,)
    return (event.origin, asdict(event.table), event.operation, event.before, event.after, event.other_key, event.before_missing)


def decoded(records: list[Record], kind: str) -> list:
    """What each record becomes by one path, or why it is refused."""
    out: list = []
    with path(kind):
        decoder = Decoder()
        for record in records:
            try:
                out.append(plain(decoder.decode(record)))
            except RecordError as error:
                out.append(str(error))
    return out


def same(records: list[Record], plan: policy.Policy = POLICY, limit: int = 10_000) -> None:
    assert decoded(records, "1") == decoded(records, "0")
    assert all_of(records, plan, "1", limit) == all_of(records, plan, "0", limit)


@settings(max_examples=30, deadline=None)
@given(st.randoms(use_true_random=False, note_method_calls=False), st.sampled_from([2, 5, 10_000]))
def test_a_whole_life_of_a_source(random, limit):
    same(History(random).grow(random.choice((3, 10, 30))).feed.records, limit=limit)


@pytest.mark.parametrize("plan", [POLICY, GOLDEN_POLICY], ids=["sealed", "named"])
def test_what_debezium_wrote(plan):
    records = [Record("golden", 0, r.offset, r.key, r.value, r.headers, r.timestamp) for r in golden.records()]
    same(records, plan)


UNSENT = "__debezium_unavailable_value"
UNSENT_BYTES = base64.b64encode(UNSENT.encode()).decode()
UNSENT_LISTS = st.sampled_from([[UNSENT], list(UNSENT.encode())])
TEXTS = st.text(max_size=8) | st.text(st.sampled_from('a"\\/\t\n\r\b\x00\x1f\x7fé😀\u2028'), max_size=40) | st.sampled_from(
    ["", "__debezium_unavailable_value", "x" * 200, "\\N", "NAN", "null"]
)  # fmt: skip
DATES = st.sampled_from(["+5877611-06-21Z", "+292278994-08-16Z", "+292269055-12-02Z", "-5877611-06-22Z", "-1Z", "+", "-0044-03-15", "0000-01-01Z", "0099-01-01T00:00:00Z", "2026-01-01T01:02:03.4Z", "12345-01-01Z", "2026-01-01 BC", "1-Z"])  # fmt: skip
INTEGERS = st.integers(-(2**63), 2**63 - 1) | st.integers(-5, 5)
FLOATS = st.floats(allow_nan=False, allow_infinity=False) | st.integers() | TEXTS | st.booleans()
NESTED = st.recursive(st.none() | TEXTS | INTEGERS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=4)  # fmt: skip
KINDS = [
    ("TEXT", "string", TEXTS), ("NUMERIC", "string", st.sampled_from(["1.50", "-0", "NAN", "POSITIVE_INFINITY", "1e5", ""]) | TEXTS),
    ("INT8", "int64", INTEGERS), ("INT2", "int16", st.integers(-9, 9)), ("BOOL", "boolean", st.booleans()), ("FLOAT8", "double", FLOATS),
    ("DATE", "string", DATES | TEXTS), ("DATE", "string", DATES | TEXTS, "io.debezium.time.IsoDate"), ("TIMESTAMPTZ", "string", DATES), ("TIMESTAMP", "string", DATES | TEXTS),
    ("BYTEA", "bytes", st.sampled_from(["", "AAEC", "/+8=", UNSENT_BYTES])), ("JSONB", "string", TEXTS), ("_TEXT", "array", NESTED | UNSENT_LISTS), ("POINT", "struct", NESTED),
]  # fmt: skip
NAMES = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=6) | st.sampled_from(["id", "a%b", 'q"', "\\", "\uffff", "😀"])


@st.composite
def lives(draw):
    """A table of any columns under any policy, and what happens to a few of its rows."""
    names = draw(st.lists(NAMES, min_size=2, max_size=6, unique=True))
    kinds = [("INT8", "int64", st.integers(1, 3)), *(draw(st.sampled_from(KINDS)) for _ in names[1:])]
    table = Table("public", "t", tuple(Column(n, k[0], k[1], semantic="".join(k[3:])) for n, k in zip(names, kinds, strict=True)), tuple(names[:1]))
    if draw(st.integers(0, 9)) == 0:
        table = Table("public", "t", table.columns)
    rule = st.sampled_from(["clear", "seal", "drop", {"protect": "token", "domain": "d"}])
    rules = {name: draw(rule) for name in names}
    if table.key and rules[names[0]] in ("seal", "drop"):
        rules[names[0]] = "clear"
    told = {"retention": "operational", "columns": rules}
    if draw(st.booleans()):
        told["subject"] = {"type": "customer", "column": draw(st.sampled_from(names))}
    plan = policy.parse(yaml.safe_dump({"source": "trading", "tables": {"public.t": told}}, allow_unicode=True))
    feed = Feed()
    image = st.fixed_dictionaries({n: k[2] if at == 0 else st.none() | k[2] for at, (n, k) in enumerate(zip(names, kinds, strict=True))})
    feed.begin()
    for _ in range(draw(st.integers(1, 5))):
        operation, after = draw(st.sampled_from("cuudr")), draw(image)
        before = draw(st.just({**draw(image), names[0]: after[names[0]]}) | st.just(after)) if operation in "ud" else None
        if operation == "u" and draw(st.integers(0, 3)) == 0:
            before = None
        feed.row(table, operation, before, None if operation == "d" else after, snapshot="true" if operation == "r" else "false")
    feed.end()
    return feed.records, plan


@pytest.mark.parametrize(
    ("kind", "wire", "value"),
    [("TEXT", "string", UNSENT), ("BYTEA", "bytes", UNSENT_BYTES), ("_TEXT", "array", [UNSENT]), ("_INT4", "array", list(UNSENT.encode()))],
)
def test_what_the_source_did_not_send(kind, wire, value):
    feed = Feed()
    table = Table("public", "t", (Column("id", "INT8", "int64"), Column("v", kind, wire)), ("id",))
    feed.begin()
    feed.row(table, "u", None, {"id": 1, "v": value})
    feed.end()
    changed = [event for event in decoded(feed.records, "1") if len(event) > 1]
    assert [event[4] for event in changed] == [("1", {"unavailable": "toast"})]
    assert decoded(feed.records, "1") == decoded(feed.records, "0")


@pytest.mark.parametrize("spelt", ["-0", "00", "1e2", "+7", "9223372036854775808", "7"])
def test_integers_that_no_connector_spells_so(spelt):
    feed = Feed()
    table = Table("public", "t", (Column("id", "INT8", "int64"), Column("v", "INT8", "int64")), ("id",))
    feed.begin()
    feed.row(table, "c", None, {"id": 1, "v": 4711})
    feed.end()
    records = [structs.replace(each, value=each.value.replace(b'"v":4711', b'"v":' + spelt.encode())) for each in feed.records]
    assert decoded(records, "1") == decoded(records, "0")


@OFTEN
@given(lives())
def test_any_table_under_any_policy(life):
    records, plan = life
    try:
        expected = all_of(records, plan, "0")
    except ValueError as error:  # a text that its column's type does not have
        with pytest.raises(type(error)):
            all_of(records, plan, "1")
        return
    assert decoded(records, "1") == decoded(records, "0")
    assert all_of(records, plan, "1") == expected


TYPED = [
    *(("NUMERIC", text) for text in ("1.50", "-0", "NAN", "POSITIVE_INFINITY")),
    *((kind, text) for kind in ("DATE", "TIMESTAMP", "TIMESTAMPTZ", "TIME") for text in ("2026-01-01T01:02:03.4Z", "2026-01-01Z", "0000-01-01Z", "+5877611-06-21Z", "12:00:00Z", "")),
    ("BYTEA", "AAEC"), ("TEXT", "tab\tnew\nline\r\\"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "text"), TYPED)
def test_a_clear_text_becomes_the_same_input_of_its_state_column(kind, text):
    table = Table("public", "t", (Column("id", "INT8", "int64"), Column("d", kind)), ("id",))
    plan = policy.parse("{source: trading, tables: {public.t: {retention: operational, columns: {id: clear, d: clear}}}}")
    feed = Feed()
    feed.begin()
    feed.row(table, "c", None, {"id": 1, "d": text})
    feed.row(table, "u", None, {"id": 1, "d": text})
    feed.end()
    made = all_of(feed.records, plan, "1")
    assert made[0][3]["public.t"]
    assert made == all_of(feed.records, plan, "0")


def ordinary() -> Record:
    feed = Feed()
    feed.begin()
    return feed.row(ORDERS, "u", {"id": 1, "owner": 'a"b', "price": "1.5", "note": "é", "pin": None}, {"id": 1, "owner": "c", "price": "2", "note": None, "pin": "p"})  # fmt: skip


@settings(max_examples=600, deadline=None)
@given(st.data())
def test_a_damaged_payload_is_understood_or_refused_alike(data):
    first = ordinary()
    start = first.value.index(b',"payload":') + 11
    value = bytearray(first.value)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(start, len(value) - 2))
        with_ = data.draw(st.sampled_from([b"", b" ", b'"', b"\\", b"\\u0041", b"\\ud83d\\ude00", b"\\ud800", b"0", b"-", b".", b"e1", b"null", b"{}", b"[]", b",", b"\x00", b"\xff", b"true", b"9" * 20, b'"op":"c",']))  # fmt: skip
        value[at : at + data.draw(st.integers(0, 2))] = with_
    bad = Record(first.topic, 0, first.offset + 1, first.key, bytes(value), (), first.timestamp_ms)
    assert decoded([first, bad], "1") == decoded([first, bad], "0")


@OFTEN
@given(st.binary(min_size=64, max_size=64), st.binary(min_size=20, max_size=20), st.binary(min_size=1, max_size=200), st.binary(max_size=200))
def test_cells_are_sealed_alike(key, header, text, tail):
    assert KERNEL.Cipher(key, header).seal(text, tail) == seal.CellCipher(key, header).seal(text, tail)


def test_an_ordinary_change_does_take_the_kernel():
    event = Decoder().decode(ordinary())
    protector = Protector("trading", POLICY, KernelKeys())
    made = protector.protect([event])[0]
    protection = protector._tables[event.table]
    assert protection._native(event) is not None
    rest = {"ordered_at": 1, "ordinal": 0, "epoch": None, "replay_of": None, "head_of_row": (1, None)}
    assert type(draft_change(made, EntryIdentity(IDENTITY, SALT_KEY), seq=1, **rest)) is KERNEL.Draft
    with path("0"):
        assert native.kernel() is None
        assert Protector("trading", POLICY, KernelKeys())._table(event.table)._native is None


def test_a_store_that_is_away_ends_both_paths_alike():
    class Away(MemoryKeys):
        def token(self, _domain, _text):
            raise StoreUnavailable("away")

    for kind in "01":
        with path(kind), pytest.raises(GovernanceError, match="away"):
            Protector("trading", POLICY, Away()).protect([Decoder().decode(ordinary())])


def test_nothing_of_a_key_or_value_is_shown():
    cipher = KERNEL.Cipher(b"k" * 64, b"h" * 20)
    assert repr(cipher) == f"Cipher(header={'68' * 20})"
    for wrong in (b"k" * 63, b""):
        with pytest.raises(ValueError, match="64 bytes") as caught:
            KERNEL.Cipher(wrong, b"h" * 20)
        assert "kkk" not in str(caught.value)

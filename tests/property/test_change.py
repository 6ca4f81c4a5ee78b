"""The quick ways write what the plain ways write: a change's entry, a row's line for COPY, a salt."""

from __future__ import annotations

import base64
import hmac

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, Raw

from cdc.copytext import NULL
from cdc.entry import ChangeForm, End, Entry, Subject, Transaction, canonical, encode
from cdc.entry.canonical import parse
from cdc.event import Column
from cdc.identity import EntryIdentity, Identity
from cdc.protect.rendering import StateLine, image_encoder
from governance.plan import ColumnPlan
from tests.property.test_entry import DIGESTS, IMAGES, SUBJECTS, TABLES, TEXTS, UNHURRIED, VALUES

NUMBERS = st.integers(0, 2**63)
IMAGE_BYTES = IMAGES.map(canonical)
PLACES = st.fixed_dictionaries({
    "origin": st.just("a%b/1"), "partition": st.integers(0, 9), "topic_id": st.just("q1Sh-9_8TY6Cd0XMHzWLOw"), "table": TABLES,
    "schema": DIGESTS, "plan": DIGESTS,
})  # fmt: skip
ENDS = st.builds(
    End, count=NUMBERS.map(str), offset=NUMBERS.map(str), tables=st.dictionaries(TEXTS, NUMBERS.map(str), max_size=3)
)
CHANGES = st.fixed_dictionaries({
    "after": st.none() | IMAGE_BYTES,
    "before": st.none() | IMAGE_BYTES,
    "captured_at": NUMBERS,
    "committed_at": NUMBERS,
    "epoch": st.none() | TEXTS,
    "flags": st.sampled_from([(), ("keyless",), ("before-missing",), ("before-missing", "keyless")]),
    "key": st.lists(VALUES, max_size=3).map(canonical),
    "linked_key": st.none() | st.lists(VALUES, max_size=3).map(canonical),
    "offset": NUMBERS,
    "operation": st.sampled_from("crud"),
    "ordered_at": NUMBERS,
    "ordinal": st.integers(0, 1),
    "position": st.lists(st.none() | NUMBERS.map(str), max_size=2).map(tuple),
    "head_of_row": st.none() | st.tuples(st.integers(1, 2**63), st.none() | NUMBERS),
    "produced_at": NUMBERS,
    "replay_of": st.none() | st.builds("{}/{}".format, NUMBERS, NUMBERS),
    "salt": st.binary(min_size=16, max_size=16).map(bytes.hex),
    "seq": NUMBERS,
    "subject_after": st.none() | SUBJECTS,
    "subject_before": st.none() | SUBJECTS,
})  # fmt: skip
IMAGE_MEMBERS = ("after", "before", "key", "linked_key")


@UNHURRIED
@given(PLACES, CHANGES, st.none() | st.tuples(TEXTS, NUMBERS), st.none() | ENDS)
def test_a_change_is_written_as_its_entry_is_encoded(place, change, transaction, end):
    version, prev = change["head_of_row"] or (None, None)
    written = ChangeForm(**place).head(**change) + ChangeForm.tail(transaction, end, version)
    known = {name: value for name, value in change.items() if value is not None and name != "head_of_row"}
    known |= {name: Raw(known[name]) for name in IMAGE_MEMBERS if name in known}
    known["subject"] = Subject(after=known.pop("subject_after", UNSET), before=known.pop("subject_before", UNSET))
    known |= {name: str(value) for name, value in (known | place).items() if isinstance(value, int | str)}
    if not known["flags"]:
        del known["flags"]
    if version is not None:
        known |= {"version": str(version), "prev": str(prev) if prev is not None else None}
    if transaction is not None:
        known["transaction"] = Transaction(id=transaction[0], order=str(transaction[1]), end=end or UNSET)
    whole = Entry(kind="change", **known)
    assert written == encode(whole)[0]
    assert encode(msgspec.json.decode(written, type=Entry))[0] == written


CLEAR_TYPES = ("TEXT", "NUMERIC", "INT8", "JSON", "UUID")


@st.composite
def rows(draw):
    """Columns with their plans, and the cells of one row with the bytes of those that are sealed."""
    plans, columns, cells, sealed = [], [], [], {}
    for n in range(draw(st.integers(1, 6))):
        protect = draw(st.sampled_from(["clear", "clear", "token", "seal", "drop"]))
        plans.append(ColumnPlan(f"c{n}", protect, "d" if protect == "token" else None, None, 0))
        columns.append(Column(f"c{n}", draw(st.sampled_from(CLEAR_TYPES)), None, None, "string", True))
        cell = None
        if protect == "clear":
            cell = draw(st.text(st.sampled_from("a\\\t\n\r1N\x00é"), max_size=5) | VALUES)
        elif draw(st.booleans()):
            cell = {"token": "tok_" + "0" * 32}
            if protect == "seal":
                sealed[n] = draw(st.binary(max_size=4))
                cell = {"seal": base64.b64encode(sealed[n]).decode()}
        cells.append({"dropped": ""} if protect == "drop" and cell is not None else cell)
    return plans, columns, cells, sealed


@UNHURRIED
@given(rows())
def test_a_line_for_copy_is_its_fields_each_written_with_care(row):
    plans, columns, cells, sealed = row
    line = StateLine(plans, columns, [])
    kept = [n for n, plan in enumerate(plans) if plan.protect != "drop"]
    one_by_one = [StateLine([plans[n]], [columns[n]], [0]).deleted([cells[n]]) for n in kept]
    assert line.row(cells, sealed) == "\t".join(one_by_one)
    assert line.deleted(cells) == "\t".join([NULL] * len(kept))


@UNHURRIED
@given(st.dictionaries(TEXTS.filter(bool), VALUES, min_size=1, max_size=6))
def test_an_image_is_canonical_whatever_its_columns_are_called(image):
    ordered = {name: parse(canonical(value)) for name, value in image.items()}  # as cdc.values makes structs
    assert image_encoder(list(ordered))(list(ordered.values())) == canonical(image)


@UNHURRIED
@given(st.binary(max_size=100), NUMBERS, st.integers(0, 1))
def test_a_salt_is_the_hmac_of_the_identity(key, offset, ordinal):
    identity = EntryIdentity(Identity("a", "a/1", "topic", 0), key)
    assert identity.salt(offset, ordinal) == hmac.digest(key, f"topic/0/{offset}/{ordinal}".encode(), "sha256")[:16].hex()

"""Values in tables: what is null, empty, protected or missing cannot be mistaken for a text, nor one for another."""

from __future__ import annotations

import base64

import pytest
from msgspec import UNSET

from cdc.audit import shown

CELL = base64.b64encode(b"\x01" + bytes(range(60))).decode()
OTHER = base64.b64encode(b"\x01" + bytes(range(1, 61))).decode()
TOKEN = "tok_0123456789abcdef0123456789abcdef"
MARKED = [None, "", {"seal": CELL}, {"token": TOKEN}, {"unavailable": "toast"}, {"dropped": ""}, UNSET]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain text", "plain text"),
        ("-1.50", "-1.50"),
        ("é😀", "é😀"),
        ("{}"[:0] + "a{b}", "a{b}"),
        (None, "null"),
        ("", '""'),
        ("null", '"null"'),
        ("nullable", "nullable"),
        (" a", '" a"'),
        ("a ", '"a "'),
        ("a\nb", r'"a\nb"'),
        ("\x1b[31m", r'"\u001b[31m"'),
        ('"quoted"', r'"\"quoted\""'),
        ("(not sent by the source)", '"(not sent by the source)"'),
        ("sealed:12345678", '"sealed:12345678"'),
        (TOKEN, f'"{TOKEN}"'),
        ('["a"]', r'"[\"a\"]"'),
        (["a", None], '["a",null]'),
        ({"struct": {"x": "1"}}, '{"struct":{"x":"1"}}'),
        ({"token": TOKEN}, "tok_01234567…"),
        ({"unavailable": "toast"}, "(not sent by the source)"),
        ({"dropped": ""}, "(not kept: dropped by policy)"),
        (UNSET, ""),
    ],
)
def test_values(value, text):
    assert shown.value(value) == text


def test_a_text_never_looks_like_what_is_marked():
    for marked in MARKED:
        looks = shown.value(marked)
        assert shown.value(looks) != looks or looks == ""


def test_fingerprints_are_stable_and_tell_values_of_one_cell_apart():
    assert shown.value({"seal": CELL}) == shown.value({"seal": CELL}) == f"sealed:{shown.fingerprint(CELL)}"
    assert shown.fingerprint(CELL) != shown.fingerprint(OTHER)
    assert len(shown.fingerprint(CELL)) == 8


def test_row_keys():
    assert shown.row_key(["1001"]) == "1001"
    assert shown.row_key([{"token": TOKEN}, "primary", ""]) == 'tok_01234567…, primary, ""'
    assert shown.row_key("ab" * 32) == "row abababababab…"

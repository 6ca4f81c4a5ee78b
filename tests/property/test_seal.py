"""Sealed cells: open to the same bytes, only where they were sealed, and as the independent implementation says."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance import seal
from governance.errors import CellError
from tests.independent import canonical, cells

keys = st.binary(min_size=64, max_size=64)
headers = st.builds(seal.header, st.binary(min_size=16, max_size=16), st.integers(0, 255), st.integers(0, 65535))
text = st.text(st.characters(exclude_categories=["Cs"]))
row_keys = st.lists(st.one_of(text, st.fixed_dictionaries({"token": text})), max_size=3)
places = st.tuples(text, text, text, row_keys)
plaintexts = st.one_of(text.map(lambda t: seal.TEXT + t.encode()), st.binary(min_size=1, max_size=100))


def tail(place) -> bytes:
    source, table, column, row_key = place
    return seal.associated_tail(source, table, column, canonical.write(row_key).encode())


@given(keys, headers, plaintexts, places)
def test_opens_to_the_same_and_is_deterministic(key, head, plaintext, place):
    cipher = seal.CellCipher(key, head)
    cell = cipher.seal(plaintext, tail(place))
    assert cipher.open(cell, tail(place)) == plaintext
    assert seal.CellCipher(key, head).seal(plaintext, tail(place)) == cell
    assert len(cell) == seal.HEADER_BYTES + seal.SIV_BYTES + len(plaintext)
    assert cell[:20] == head


@given(keys, headers, text, places)
def test_independent_implementation_makes_and_opens_the_same(key, head, value, place):
    cell = seal.CellCipher(key, head).seal(seal.TEXT + value.encode(), tail(place))
    assert cells.seal(key, head, cells.plaintext(value), cells.place(*place)) == cell
    assert cells.unseal(key, cell, cells.place(*place)) == value


@given(keys, headers, plaintexts, places, places)
def test_does_not_open_in_another_place(key, head, plaintext, place, other):
    cipher = seal.CellCipher(key, head)
    cell = cipher.seal(plaintext, tail(place))
    if place == other:
        assert cipher.open(cell, tail(other)) == plaintext
    else:
        with pytest.raises(CellError):
            cipher.open(cell, tail(other))


@given(keys, headers, plaintexts, places, st.data())
def test_no_bit_can_be_changed(key, head, plaintext, place, data):
    cipher = seal.CellCipher(key, head)
    cell = bytearray(cipher.seal(plaintext, tail(place)))
    bit = data.draw(st.integers(0, len(cell) * 8 - 1))
    cell[bit // 8] ^= 1 << bit % 8
    altered = bytes(cell)
    with pytest.raises(CellError):
        cipher.open(altered, tail(place))
    if altered[0] == seal.VERSION:  # nor under a key that claims the altered header
        with pytest.raises(CellError):
            seal.CellCipher(key, altered[:20]).open(altered, tail(place))


@given(st.tuples(text, text, text, row_keys), st.tuples(text, text, text, row_keys))
def test_two_places_never_share_a_tail(one, other):
    assert (tail(one) == tail(other)) == (one == other)
    assert json.loads(tail(one)) == list(one)


@given(st.binary(max_size=60))
def test_any_bytes_are_refused_without_a_crash(cell):
    with pytest.raises(CellError):
        seal.CellCipher(bytes(64), seal.header(bytes(16), 0, 1)).open(cell, b"[]")


@pytest.mark.parametrize(
    "arguments", [(bytes(15), 0, 1), (bytes(16), 256, 1), (bytes(16), -1, 1), (bytes(16), 0, 65536)]
)
def test_header_outside_of_the_format(arguments):
    with pytest.raises(ValueError, match="a cell header has"):
        seal.header(*arguments)


@pytest.mark.parametrize("cell", [b"", bytes(19), b"\x02" + bytes(40), b"\x00" + bytes(40)])
def test_foreign_header(cell):
    with pytest.raises(CellError):
        seal.parse_header(cell)


def test_lone_surrogate_is_refused_without_being_quoted():
    with pytest.raises(ValueError, match="not Unicode") as caught:
        seal.tail_prefix("s", "t", "secret\ud800")
    assert "secret" not in repr(caught.value)
    assert caught.value.__context__ is None


def test_text_form_hides_the_key():
    cipher = seal.CellCipher(b"k" * 64, seal.header(bytes(16), 0, 1))
    assert b"k".hex() * 8 not in repr(cipher)
    assert "kkkk" not in repr(cipher)

"""Tokens: random, of one shape, and found again by exactly the value that they stand for."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from governance import seal, tokens
from tests.independent import cells

text = st.text(st.characters(exclude_categories=["Cs"]))
keys = st.binary(min_size=32, max_size=32)


def test_minted_tokens_differ_and_have_the_shape():
    minted = {tokens.mint() for _ in range(10_000)}
    assert len(minted) == 10_000
    assert all(tokens.PATTERN.fullmatch(token) for token in minted)
    ones = sum(int(token[4:], 16).bit_count() for token in minted)
    assert abs(ones / (10_000 * 128) - 0.5) < 0.005  # 11 standard deviations


@given(keys, text)
def test_digest_is_the_independent_one(key, value):
    assert tokens.digest(key, value) == cells.index(key, value)


@given(keys, text, text)
def test_values_are_taken_exactly(key, one, other):
    assert (tokens.digest(key, one) == tokens.digest(key, other)) == (one == other)


@given(st.binary(min_size=64, max_size=64), text, text)
def test_value_beside_a_token_opens_only_there(data_key, domain, value):
    head, token = seal.header(bytes(16), 0, 1), tokens.mint()
    cell = seal.CellCipher(data_key, head).seal(tokens.value_plaintext(value), tokens.value_tail(domain, token))
    assert cells.unseal(data_key, cell, cells.token_place(domain, token)) == value

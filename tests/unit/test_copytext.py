"""Fields of COPY's text format."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdc import copytext


def unescape(field: str) -> str:
    """As PostgreSQL reads it (documentation of COPY, "Text Format")."""
    out, at = [], 0
    while at < len(field):
        if field[at] == "\\":
            at += 1
            out.append({"n": "\n", "t": "\t", "r": "\r"}.get(field[at], field[at]))
        else:
            out.append(field[at])
        at += 1
    return "".join(out)


@given(st.text(alphabet=st.one_of(st.sampled_from("\\\n\t\rNnt."), st.characters(exclude_categories=["Cs"]))))
def test_any_text_is_one_field_and_comes_back(text):
    field = copytext.escape(text)
    assert not set(field) & set("\n\t\r")
    assert field not in {"\\N", "\\."}
    assert unescape(field) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "\\N"), ("\\N", "\\\\N"), ("\\.", "\\\\."), ("", ""), ("a\tb\n", "a\\tb\\n"), (["a", None, ["\\"]], '["a",null,["\\\\\\\\"]]'), ({"struct": {"x": "1"}}, '{"struct":{"x":"1"}}'),
        ({"unavailable": "toast"}, "\\N"),
    ],
)  # fmt: skip
def test_clear_columns(value, text):
    assert copytext.clear_text(lambda plain: plain)(value) == text


def test_only_sealed_cells_and_tokens_stand_in_their_columns():
    assert copytext.sealed_text({"seal": "AP8="}) == "\\\\x00ff"
    assert copytext.token_text({"token": "tok_1"}) == "tok_1"
    for value in (None, "planted", ["planted"], {"struct": {"seal": "x"}}, {"unavailable": "toast"}):
        assert copytext.sealed_text(value) == "\\N"
        assert copytext.token_text(value) == "\\N"

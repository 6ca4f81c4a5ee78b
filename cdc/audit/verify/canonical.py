"""Canonical bytes (docs/formats.md §1): JCS (RFC 8785) of objects, arrays, strings and null, read strictly.

A text is canonical when it is JSON without numbers and booleans, and writing its value gives the text again: a member
named twice, another order, white space or another escape all show as a difference.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from typing import Any

_ABOVE_SURROGATES = re.compile("[\ue000-\uffff]")
_BEYOND_16_BITS = re.compile("[\U00010000-\U0010ffff]")


class NotCanonical(ValueError):
    """The text is not canonical. Says why, never what it holds."""


def parse(text: str) -> Any:
    """The value of a JSON text without numbers and booleans; whether it is spelt canonically is not known yet.

    Raises:
        NotCanonical: anything else.
    """
    try:
        value, end = _decode(text)
    except NotCanonical:
        raise
    except (ValueError, RecursionError):
        raise NotCanonical("it is not JSON") from None
    if end != len(text):
        raise NotCanonical("something follows its value")
    for word in ("true", "false"):
        if word in text and text.count(word) != text.count(f'"{word}"') and _holds_boolean(value):
            raise NotCanonical("it holds a boolean")
    return value


def write(value: object) -> str:
    """The canonical text of a value that :func:`parse` returned.

    Raises:
        NotCanonical: nested too deeply.
    """
    try:
        text = _by_code_point(value)
        if text.isascii() or not (_ABOVE_SURROGATES.search(text) and _BEYOND_16_BITS.search(text)):
            return text  # the order of code points is that of UTF-16 code units
        return _as_it_is(_by_utf16(value))
    except RecursionError:
        raise NotCanonical("it is nested too deeply") from None


def read(text: str) -> Any:
    """The value of a canonical text.

    Raises:
        NotCanonical: the text is not what :func:`write` would write.
    """
    value = parse(text)
    if write(value) != text:
        raise NotCanonical("it is not spelt canonically")
    return value


def digest(value: object) -> str:
    """SHA-256, in hex, of the canonical bytes of a value."""
    return hashlib.sha256(write(value).encode()).hexdigest()


def _refuse_number(_digits: str) -> Any:
    raise NotCanonical("it holds a number")


def _writer(*, sort_keys: bool) -> Callable[[object], str]:
    """``json``'s encoder in C, made once instead of for each value: most values here are small. Where a Python has
    none, or another one, the documented way does the same.
    """
    plain = json.JSONEncoder(ensure_ascii=False, check_circular=False, sort_keys=sort_keys, separators=(",", ":"))
    try:
        c: Any = json.encoder
        encode = c.c_make_encoder(None, plain.default, c.encode_basestring, None, ":", ",", sort_keys, False, False)
        if "".join(encode(_SAMPLE, 0)) == plain.encode(_SAMPLE):
            return lambda value: "".join(encode(value, 0))
    except (AttributeError, TypeError):
        pass
    return plain.encode


_SAMPLE = {"b": ["\u00e9\n\x00", None], "a": {}}
_decode = json.JSONDecoder(
    parse_int=_refuse_number, parse_float=_refuse_number, parse_constant=_refuse_number
).raw_decode
_by_code_point = _writer(sort_keys=True)
_as_it_is = _writer(sort_keys=False)


def _holds_boolean(value: object) -> bool:
    if isinstance(value, bool):
        return True
    if isinstance(value, dict):
        return any(_holds_boolean(item) for item in value.values())
    return isinstance(value, list) and any(_holds_boolean(item) for item in value)


def _by_utf16(value: object) -> object:
    if isinstance(value, dict):
        return {name: _by_utf16(value[name]) for name in sorted(value, key=lambda name: name.encode("utf-16-be"))}
    return [_by_utf16(item) for item in value] if isinstance(value, list) else value

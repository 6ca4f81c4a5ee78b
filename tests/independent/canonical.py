"""docs/formats.md §1: canonical bytes, written from RFC 8785 alone."""

from __future__ import annotations

import hashlib
import json
import re
from functools import lru_cache

SHORT = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", '"': '\\"', "\\": "\\\\"}
ESCAPED = re.compile(r'["\\\x00-\x1f]')


class NotCanonical(ValueError):
    """The text is not what a writer of canonical bytes writes."""


def write(value: object) -> str:
    """The canonical text of None, a str, or a list or dict of these."""
    text = _write(value)
    text.encode()  # a lone surrogate has no UTF-8
    return text


def read(text: str) -> object:
    """The value of a canonical text; anything else is refused."""
    try:
        value = json.loads(
            text, object_pairs_hook=_object, parse_int=_number, parse_float=_number, parse_constant=_number
        )
    except NotCanonical:
        raise
    except (ValueError, RecursionError) as error:
        raise NotCanonical(f"not JSON ({type(error).__name__})") from None
    try:
        again = write(value)
    except UnicodeEncodeError:
        raise NotCanonical("a lone surrogate") from None
    if again != text:
        raise NotCanonical("another spelling than the canonical one")
    return value


def digest(value: object) -> str:
    """SHA-256, hex, of the canonical bytes of a value."""
    return hashlib.sha256(write(value).encode()).hexdigest()


def _write(value: object) -> str:
    if isinstance(value, str):
        return _string(value)
    if value is None:
        return "null"
    if isinstance(value, list):
        return "[" + ",".join([_write(item) for item in value]) + "]"
    if isinstance(value, dict):
        return "{" + ",".join([label + _write(value[name]) for name, label in _members(tuple(value))]) + "}"
    raise NotCanonical(f"a {type(value).__name__} in canonical bytes")


@lru_cache(4096)
def _members(names: tuple[str, ...]) -> list[tuple[str, str]]:
    """Names in canonical order, each with the text that stands before its value."""
    return [(name, _string(name) + ":") for name in sorted(names, key=lambda name: name.encode("utf-16-be"))]


def _string(value: str) -> str:
    if ESCAPED.search(value):
        value = ESCAPED.sub(lambda found: SHORT.get(found[0]) or f"\\u{ord(found[0]):04x}", value)
    return f'"{value}"'


def _object(members: list[tuple[str, object]]) -> dict[str, object]:
    if len({name for name, _ in members}) != len(members):
        raise NotCanonical("a member twice")
    return dict(members)


def _number(_: str) -> object:
    raise NotCanonical("a number")

"""docs/formats.md §1: canonical bytes, written from RFC 8785 alone."""

from __future__ import annotations

import hashlib
import json
import re

SHORT = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", '"': '\\"', "\\": "\\\\"}
ESCAPED = re.compile(r'["\\\x00-\x1f]')


class NotCanonical(ValueError):
    """The text is not what a writer of canonical bytes writes."""


def write(value: object) -> str:
    """The canonical text of None, a str, or a list or dict of these."""
    if value is None:
        return "null"
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, list):
        return "[" + ",".join([write(item) for item in value]) + "]"
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: name.encode("utf-16-be"))
        return "{" + ",".join([_string(name) + ":" + write(value[name]) for name in names]) + "}"
    raise NotCanonical(f"a {type(value).__name__} in canonical bytes")


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


def _string(value: str) -> str:
    value.encode()  # a lone surrogate has no UTF-8
    return '"' + ESCAPED.sub(lambda found: SHORT.get(found[0]) or f"\\u{ord(found[0]):04x}", value) + '"'


def _object(members: list[tuple[str, object]]) -> dict[str, object]:
    if len({name for name, _ in members}) != len(members):
        raise NotCanonical("a member twice")
    return dict(members)


def _number(_: str) -> object:
    raise NotCanonical("a number")

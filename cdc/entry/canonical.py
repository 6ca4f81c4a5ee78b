"""Canonical bytes: JCS (RFC 8785) restricted to objects, arrays, strings and null (docs/formats.md §1).

Everything that is hashed has exactly one spelling. Numbers and booleans are refused, so no reader can round what
another reader hashed.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import Any

import msgspec

from cdc.errors import CdcError


class EntryError(CdcError):
    """Bytes or values that the formats do not allow. Says why and in which member, never what was in it."""


_encode = msgspec.json.Encoder().encode
_encode_by_code_point = msgspec.json.Encoder(order="deterministic").encode
_NOT_JSON: Any = object()
_FIRST_UNORDERED = "\ud800"
"""Below it, the order of code points is the order of UTF-16 code units (in ASCII above all)."""


def canonical(value: object) -> bytes:
    """The canonical bytes of a string, None, or a list or dict of these.

    Raises :class:`EntryError` for anything else: numbers, booleans, tuples, names that are not strings, lone
    surrogates (RFC 8785 §3.2.2.2), or nesting that no reader could follow.
    """
    try:
        _refuse_other_types(value)
        data = _encode_by_code_point(value)
        return data if data.isascii() else _encode(_ordered(value))
    except UnicodeEncodeError:
        why = "a lone surrogate has no canonical form"
    except RecursionError:
        why = "nested too deeply"
    # outside of the handlers: their errors, which hold values, are not even its context
    raise EntryError(why)


def digest(value: object) -> str:
    """SHA-256, in hex, of the canonical bytes of ``value``: digest of a schema or a plan (docs/formats.md §5)."""
    return sha256(canonical(value)).hexdigest()


def member_order(names: Iterable[str]) -> list[str]:
    """Names of members in canonical order: by UTF-16 code units (RFC 8785 §3.2.3)."""
    names = list(names)
    if max(map(max, filter(None, names)), default="") < _FIRST_UNORDERED:
        return sorted(names)
    return sorted(names, key=_utf16)


def parse(data: bytes) -> Any:
    """The value of these bytes. Raises :class:`EntryError` for bytes that :func:`canonical` would not have written."""
    try:
        value = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        value = _NOT_JSON
    if value is _NOT_JSON:
        raise EntryError("not JSON, or nested too deeply")
    if canonical(value) != data:
        raise EntryError("not in canonical form")
    return value


def _refuse_other_types(value: object) -> None:
    if value is None or type(value) is str:
        return
    if type(value) is list:
        for item in value:
            _refuse_other_types(item)
    elif type(value) is dict:
        for name, item in value.items():
            if type(name) is not str:
                raise EntryError("the name of a member is not a string")
            if type(item) is not str:
                _refuse_other_types(item)
    else:
        raise EntryError(f"{type(value).__name__} has no canonical form")


def _ordered(value: object) -> object:
    if isinstance(value, dict):
        return {name: _ordered(value[name]) for name in member_order(value)}
    return [_ordered(item) for item in value] if isinstance(value, list) else value


def _utf16(name: str) -> bytes:
    return name.encode("utf-16-be")  # raises UnicodeEncodeError for a lone surrogate

"""Connect's wire types to exact values (``docs/formats.md`` §2), whatever database they came from.

Nothing passes through a binary float: numbers on the wire are kept as the digits that are there.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from cdc.event import Value

INTEGERS = frozenset({"int8", "int16", "int32", "int64"})
TEXTS = frozenset({"string", "bytes"})


def field_type(connect_type: str) -> Any:
    """The msgspec type of a payload field of this Connect type."""
    if connect_type in TEXTS:
        return str | None
    if connect_type in INTEGERS:
        return int | None
    if connect_type == "boolean":
        return bool | None
    return msgspec.Raw


def value_of(connect_type: str, wire: Any) -> Value:
    """The value of one decoded payload field.

    Raises:
        ValueError: JSON that no Connect type produces. The message has no content.
    """
    if wire is None:
        return None
    if connect_type in TEXTS:
        return str(wire)
    if connect_type == "boolean":
        return "true" if wire else "false"
    if connect_type in INTEGERS:
        return str(wire)
    return from_json(bytes(wire))


def from_json(raw: bytes) -> Value:
    """A JSON fragment as a value: numbers keep their digits, objects become ``{"struct": …}`` in canonical order.

    Raises:
        ValueError: not JSON, nested too deeply, or a lone surrogate, which has no bytes. The message has no content.
    """
    try:
        return _structured(json.loads(raw, parse_float=str, parse_int=str, parse_constant=str))
    except (ValueError, RecursionError):
        raise ValueError("not JSON that Connect writes") from None


def _structured(node: Any) -> Value:
    if isinstance(node, bool):
        return "true" if node else "false"
    if node is None:
        return None
    if isinstance(node, str):
        node.encode()  # a lone surrogate raises
        return node
    if isinstance(node, list):
        return [_structured(item) for item in node]
    return {"struct": {name: _structured(node[name]) for name in sorted(node, key=_utf16)}}


def _utf16(name: str) -> bytes:
    return name.encode("utf-16-be")

"""Connect's wire types to exact values (``docs/formats.md`` §2), and those to the text PostgreSQL reads into typed
state.

Nothing passes through a binary float: numbers on the wire are kept as the digits that are there.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
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


def from_header(content: bytes) -> dict[str, Value]:
    """The fields of a struct in a header. Connect's ``SimpleHeaderConverter`` escapes quotes and backslashes alone, so
    control characters stand in its texts as they are.

    Raises:
        ValueError: not that. The message has no content.
    """
    try:
        fields = json.loads(content, strict=False, parse_float=str, parse_int=str, parse_constant=str)
        return {name: _structured(value) for name, value in fields.items()}
    except (ValueError, RecursionError, AttributeError):
        raise ValueError("not a struct that Connect writes") from None


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


# Source types whose text a PostgreSQL state column of the same type reads back exactly. Anything else lands as text.
_SAME = {
    "INT2": "smallint",
    "INT4": "integer",
    "INT8": "bigint",
    "NUMERIC": "numeric",
    "FLOAT4": "real",
    "FLOAT8": "double precision",
    "BOOL": "boolean",
    "UUID": "uuid",
    "INTERVAL": "interval",
    "JSON": "json",
    "JSONB": "jsonb",
    "INET": "inet",
    "CIDR": "cidr",
    "MACADDR": "macaddr",
    "TIMESTAMPTZ": "timestamptz",
    "DATE": "date",
    "TIME": "time",
    "TIMESTAMP": "timestamp",
    "BYTEA": "bytea",
}


def state_type(source_type: str, wire: str) -> str:
    """The PostgreSQL type of the state column for a column kept in clear."""
    if wire == "array" or wire.endswith(("struct", "map")):
        return "text"
    return _SAME.get(source_type, "text")


def as_it_is(text: str) -> str:
    """The conversion of types whose text PostgreSQL reads as Debezium writes it."""
    return text


_NUMERIC = {"NAN": "NaN", "POSITIVE_INFINITY": "Infinity", "NEGATIVE_INFINITY": "-Infinity"}
"""Debezium's words for what PostgreSQL's numeric can hold besides numbers."""
_INFINITE = {
    "+5877611-06-21Z": "infinity",
    "-5877611-06-22Z": "-infinity",
    "+292278994-08-16Z": "infinity",
    "+292269055-12-02Z": "-infinity",
    "+292278994-08-16T23:00:00Z": "infinity",
    "-292275055-05-16T23:00:00Z": "-infinity",
}
"""Infinite dates and timestamps without zone arrive as instants beyond PostgreSQL's range; a snapshot and the stream
write different ones for dates."""

_DATED = re.compile(r"([+-]?)([0-9]{4,9})(-.*)")


def _numeric(text: str) -> str:
    return _NUMERIC.get(text, text)


def _iso(text: str) -> str:
    """ISO 8601 as Java writes it: a zone where the type has none, year 0 for 1 BC, a sign before long years."""
    if text in _INFINITE:
        return _INFINITE[text]
    if text[:1] not in {"+", "-", "0"}:
        return text
    dated = _DATED.fullmatch(text)
    if dated is None:
        return text
    sign, year, rest = dated[1], dated[2], dated[3]
    if sign == "-" or year == "0000":
        return f"{int(year) + 1:04d}{rest} BC"
    return year + rest


def _iso_without_zone(text: str) -> str:
    iso = _iso(text)
    return iso.removesuffix("Z") if not iso.endswith(" BC") else iso.removesuffix(" BC").removesuffix("Z") + " BC"


def _bytea(text: str) -> str:
    return "\\x" + base64.b64decode(text, validate=True).hex()


_CONVERSIONS: dict[str, Callable[[str], str]] = {
    "NUMERIC": _numeric,
    "DATE": _iso_without_zone,
    "TIME": _iso_without_zone,
    "TIMESTAMP": _iso_without_zone,
    "TIMESTAMPTZ": _iso,
    "BYTEA": _bytea,
}


def state_text(source_type: str) -> Callable[[str], str]:
    """How a clear value's text becomes the input text of its state column."""
    return _CONVERSIONS.get(source_type, as_it_is)

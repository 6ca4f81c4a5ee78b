"""Arrays, bit strings and geometry: from the form that entries hold to PostgreSQL's input text.

A form that no connector writes gives a text that PostgreSQL refuses; only what is not there raises (TypeError).
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

from cdc.event import Value
from cdc.values.typing import Structured, Text

_MALFORMED = "{"
"""Input that arrays and geometry refuse."""


def array(element: Text) -> Structured:
    """The function for an array whose elements' texts ``element`` converts (PostgreSQL documentation, "Array Input and
    Output Syntax").
    """

    def literal(value: Value) -> str:
        if type(value) is not list:
            return _absent(value)
        parts = ["NULL" if item is None else _quoted(element(item)) if type(item) is str else "{" for item in value]
        return "{" + ",".join(parts) + "}"

    return literal


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def point(value: Value) -> str:
    """``{"struct": {"x", "y", …}}``."""
    members = _members(value)
    return _joined("({},{})", members, "x", "y")


def line(value: Value) -> str:
    """``{"struct": {"a", "b", "c"}}``."""
    return _joined("{{{},{},{}}}", _members(value), "a", "b", "c")


def circle(value: Value) -> str:
    """``{"struct": {"center": a point, "radius"}}``."""
    members = _members(value)
    return f"<{point(members.get('center') or {})},{members.get('radius')}>"


def bits(length: int) -> Text:
    """Base64 of a bit string's bytes, least significant first and without zeros at the end; ``true`` for B'1'."""

    def digits(text: str) -> str:
        if text in {"true", "false"}:
            return "1" if text == "true" else "0"
        try:
            number = int.from_bytes(base64.b64decode(text, validate=True), "little")
        except (binascii.Error, ValueError):
            return text + "?"
        return f"{number:0{length}b}"

    return digits


def _joined(form: str, members: dict[str, Any], *names: str) -> str:
    return form.format(*[members.get(name) for name in names])


def _members(value: Value) -> dict[str, Any]:
    if type(value) is dict and type(inner := value.get("struct")) is dict:
        return inner
    _absent(value)
    return {}


def _absent(value: Value) -> str:
    if value is None or (type(value) is dict and "unavailable" in value):
        raise TypeError
    return _MALFORMED

"""Arrays, bit strings, geometry and base64 of a text, against what PostgreSQL prints of them."""

from __future__ import annotations

import json
import struct
from binascii import Error as NotBase64
from binascii import a2b_base64
from collections.abc import Callable
from typing import Any

Same = Callable[[str, str], bool]
"""Whether a text of the wire and a text of PostgreSQL are one value."""


def decoded(wire: str, cell: str) -> bool:
    """Base64 of the text: how Debezium writes values of types that it does not know."""
    try:
        return a2b_base64(wire, strict_mode=True) == cell.encode()
    except (NotBase64, ValueError):
        return False


def jsonb(wire: str, cell: str) -> bool:
    """The same text, as of a ``jsonb`` of the source; of an ``hstore``, which arrives as JSON in another spelling, the
    same members. Numbers by their digits.
    """
    if wire == cell:
        return True
    try:
        return bool(_json(wire) == _json(cell))
    except (ValueError, RecursionError):
        return False


def _json(text: str) -> Any:
    return json.loads(text, parse_int=_number, parse_float=_number, parse_constant=_number)


def _number(digits: str) -> tuple[str, str]:
    return ("number", digits)


def bits(wire: str, cell: str) -> bool:
    """Bytes, least significant bit first and without zeros at the end; ``true`` and ``false`` for one bit."""
    if wire in {"true", "false"}:
        return cell == ("1" if wire == "true" else "0")
    try:
        return set(cell) <= {"0", "1"} and int(cell or "0", 2) == int.from_bytes(a2b_base64(wire), "little")
    except (NotBase64, ValueError):
        return False


def array(value: list[Any], cell: str, rule: Same) -> bool:
    """Element by element; ``{a,"b c",NULL}`` (PostgreSQL documentation, "Array Input and Output Syntax")."""
    items = _elements(cell)
    return (
        items is not None
        and len(items) == len(value)
        and all(
            (one is None and item is None) or (type(one) is str and item is not None and rule(one, item))
            for one, item in zip(value, items, strict=True)
        )
    )


def geometry(value: dict[str, Any], cell: str) -> bool:
    """The numbers of a point, line or circle, in PostgreSQL's order, as the bits of binary floats."""
    center = value.get("center")
    members = center.get("struct", center) if type(center) is dict else value
    names = ("a", "b", "c") if "a" in value else ("x", "y")
    wire: list[Any] = [members.get(name) for name in names] + ([value.get("radius")] if center is not None else [])
    try:
        left = [struct.pack("d", float(number)) for number in wire]
        right = [struct.pack("d", float(number)) for number in cell.strip("<>(){}").replace("),", ",").split(",")]
    except (TypeError, ValueError):
        return False
    return left == right


def _elements(cell: str) -> list[str | None] | None:
    if cell[:1] != "{" or cell[-1:] != "}":
        return None
    items: list[str | None] = []
    at, end = 1, len(cell) - 1
    while at < end:
        quoted = cell[at] == '"'
        text, at = _quoted(cell, at + 1) if quoted else _bare(cell, at, end)
        items.append(None if text == "NULL" and not quoted else text)
        at += 1  # the comma
    return items


def _bare(cell: str, at: int, end: int) -> tuple[str, int]:
    comma = cell.find(",", at, end)
    stop = comma if comma >= 0 else end
    return cell[at:stop], stop


def _quoted(cell: str, at: int) -> tuple[str, int]:
    text = []
    while at < len(cell) and cell[at] != '"':
        at += cell[at] == "\\"
        text.append(cell[at : at + 1])
        at += 1
    return "".join(text), at + 1

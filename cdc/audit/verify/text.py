"""Texts of the wire against texts of PostgreSQL: whether a cell of current state shows the value that an entry holds.

An entry keeps what Debezium wrote (docs/formats.md §2: ISO 8601 with ``Z``, base64, Java's words for NaN); a state
table prints what PostgreSQL makes of it. The rules here are this verifier's own, from the documentation of Debezium's
PostgreSQL connector (``time.precision.mode=isostring``, ``interval.handling.mode=string``,
``decimal.handling.mode=string``, ``binary.handling.mode=base64``) and of PostgreSQL's output formats.
"""

from __future__ import annotations

import re
import struct
from binascii import Error as NotBase64
from binascii import a2b_base64
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

from . import canonical, shapes
from .values import UNAVAILABLE

Same = Callable[[str, str], bool]
"""Whether a text of the wire and a text of PostgreSQL are one value."""

_NUMERIC = {"NAN": "NaN", "POSITIVE_INFINITY": "Infinity", "NEGATIVE_INFINITY": "-Infinity"}
_ISO = re.compile(r"([+-]?)([0-9]{4,})(-[0-9]{2}-[0-9]{2})(?:T([0-9:.]+))?Z?")
_LAST_YEAR = {"date": 5_874_897, "timestamp": 294_276}
_FIRST_YEAR = -4_713  # 4714 BC, in whose November PostgreSQL's days begin
_INTERVAL = re.compile(
    r"P(?:(-?\d+)Y)?(?:(-?\d+)M)?(?:(-?\d+)W)?(?:(-?\d+)D)?"
    r"(?:T(?:(-?\d+)H)?(?:(-?\d+)M)?(?:(-?\d+(?:\.\d+)?)S)?)?"
)


def same(pg_type: str) -> Same | None:
    """How the cells of a column of this type (as PostgreSQL's ``format_type`` spells it) are compared; None for a type
    without a rule. Of an array: how its elements are.
    """
    return _RULES.get(pg_type.removesuffix("[]"))


def shows(value: Any, cell: str | None, rule: Same) -> bool:  # noqa: PLR0911 - one a form
    """Whether ``cell`` shows the value of a column: sealed cells as bytes, tokens as text, arrays and structs as
    canonical text, what was not sent or not kept as NULL.
    """
    if type(value) is str:
        return cell is not None and rule(value, cell)
    if type(value) is dict:
        if "seal" in value:
            return cell is not None and _bytea(value["seal"], cell)
        if "token" in value:
            return bool(cell == value["token"])
        if value == UNAVAILABLE or "dropped" in value:
            return cell is None
        if rule is _geometry:
            inner = value.get("struct")
            return cell is not None and type(inner) is dict and shapes.geometry(inner, cell)
    if type(value) is list and cell is not None and cell[:1] == "{":
        return shapes.array(value, cell, rule)
    return cell is None if value is None else cell == canonical.write(value)


def _geometry(_wire: str, _cell: str) -> bool:
    """Points, lines and circles are structs on the wire, never texts."""
    return False


def _equal(wire: str, cell: str) -> bool:
    return wire == cell


def _boolean(wire: str, cell: str) -> bool:
    return {"true": "t", "false": "f"}.get(wire) == cell


def _bytea(wire: str, cell: str) -> bool:
    try:
        return "\\x" + a2b_base64(wire).hex() == cell
    except (NotBase64, ValueError):
        return False


def _numeric(wire: str, cell: str) -> bool:
    """Digit by digit, scale included. PostgreSQL writes no exponent and knows no negative zero."""
    if wire == cell:
        return True
    if wire in _NUMERIC:
        return _NUMERIC[wire] == cell
    try:
        number = Decimal(wire)
    except InvalidOperation:
        return False
    return number.is_finite() and format(abs(number) if number.is_zero() else number, "f") == cell


def _float(code: str) -> Same:
    def same_float(wire: str, cell: str) -> bool:
        """As the bits of a binary float: both texts name one."""
        try:
            return wire == cell or struct.pack(code, float(wire)) == struct.pack(code, float(cell))
        except (ValueError, OverflowError):
            return False

    return same_float


def _time(wire: str, cell: str) -> bool:
    return _short(wire.removesuffix("Z")) == cell


def _date(wire: str, cell: str) -> bool:
    return _iso(wire, "date", "") == cell


def _timestamp(wire: str, cell: str) -> bool:
    return _iso(wire, "timestamp", "") == cell


def _timestamptz(wire: str, cell: str) -> bool:
    return _iso(wire, "timestamp", "+00") == cell


def _iso(wire: str, kind: str, zone: str) -> str:
    """``2025-06-02T10:00:00.900000Z`` → ``2025-06-02 10:00:00.9``. ISO 8601 has a year 0 (1 BC); an infinite date
    arrives as one beyond PostgreSQL's range.
    """
    found = _ISO.fullmatch(wire)
    if found is None:
        return wire
    if wire.startswith("+292269055-12-02"):  # what a snapshot writes for a negative infinite date
        return "-infinity"
    sign, digits, day, time = found.groups()
    year = -int(digits) if sign == "-" else int(digits)
    if year > _LAST_YEAR[kind]:
        return "infinity"
    if year < _FIRST_YEAR:
        return "-infinity"
    text = f"{year if year > 0 else 1 - year:04d}{day}"
    if time is not None:
        text += f" {_short(time)}{zone}"
    return text if year > 0 else text + " BC"


def _short(time: str) -> str:
    """Without the zeros at the end of a fraction, which PostgreSQL does not print."""
    return time.rstrip("0").rstrip(".") if "." in time else time


def _interval(wire: str, cell: str) -> bool:
    """As what PostgreSQL keeps: months, days, microseconds."""
    left, right = _parts(wire), _parts(cell)
    return wire == cell if left is None or right is None else left == right


def _parts(text: str) -> tuple[int, int, int] | None:
    found = _INTERVAL.fullmatch(text)
    if found is None or not any(found.groups()):
        return None
    years, months, weeks, days, hours, minutes = (int(part or 0) for part in found.groups()[:6])
    seconds = Decimal(found[7] or 0) * 1_000_000
    return years * 12 + months, weeks * 7 + days, (hours * 60 + minutes) * 60_000_000 + int(seconds)


_RULES: dict[str, Same] = {
    **dict.fromkeys(("text", "smallint", "integer", "bigint", "uuid"), _equal),
    **dict.fromkeys(("json", "inet", "cidr", "macaddr", "macaddr8", "oid", "tsvector"), _equal),
    **dict.fromkeys(("int4range", "int8range", "numrange", "tsrange", "tstzrange", "daterange"), _equal),
    **dict.fromkeys(
        ("int4multirange", "int8multirange", "nummultirange", "tsmultirange", "tstzmultirange", "datemultirange"),
        shapes.decoded,
    ),
    **dict.fromkeys(("tsquery", "jsonpath", "pg_lsn", "xid", "xid8", "cid", "tid"), shapes.decoded),
    **dict.fromkeys(("txid_snapshot", "pg_snapshot"), shapes.decoded),
    **dict.fromkeys(("point", "line", "circle"), _geometry),
    "jsonb": shapes.jsonb,
    "bit varying": shapes.bits,
    "numeric": _numeric,
    "real": _float("f"),
    "double precision": _float("d"),
    "boolean": _boolean,
    "bytea": _bytea,
    "interval": _interval,
    "date": _date,
    "time without time zone": _time,
    "timestamp without time zone": _timestamp,
    "timestamp with time zone": _timestamptz,
}

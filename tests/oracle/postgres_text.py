"""Debezium's text of a value and PostgreSQL's text of the same value: an independent translation, and COPY's escapes.

A sealed cell and a row key hold the text that Debezium wrote (docs/formats.md §2), the source's COPY holds what
PostgreSQL writes. Where the two differ on purpose, ``as_copied`` says how; a type that it does not know is taken as it
is, so that a missing rule shows as a difference and never hides one.
"""

from __future__ import annotations

import base64
import json
import re
import struct
from collections.abc import Callable
from decimal import Decimal

_ISO = re.compile(r"([+-]?)(\d{4,})(-\d\d-\d\d)(?:T(.+?))?(Z?)")
_NUMERIC = {"NAN": "NaN", "POSITIVE_INFINITY": "Infinity", "NEGATIVE_INFINITY": "-Infinity"}
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def as_copied(type_name: str, wire: object) -> object:
    """The text COPY writes for a value of this PostgreSQL type (``pg_type.typname``) that Debezium wrote as ``wire``."""
    if isinstance(wire, list):  # compared as JSON of its elements' texts
        return json.dumps(wire, ensure_ascii=False, separators=(",", ":"))
    if not isinstance(wire, str):  # NULL; structs have no rule
        return wire
    return _RULES.get(type_name, _as_it_is)(wire)


def fields(line: str) -> list[str | None]:
    r"""The fields of one line of COPY's text format, unescaped; ``\N`` is NULL."""
    return [
        None if field == r"\N" else _ESCAPE.sub(lambda found: _ESCAPED.get(found[1], found[1]), field)
        for field in line.split("\t")
    ]


def _as_it_is(wire: str) -> str:
    return wire


def _boolean(wire: str) -> str:
    """``true`` and ``false`` on the wire are ``t`` and ``f`` in COPY."""
    return {"true": "t", "false": "f"}[wire]


def _bytea(wire: str) -> str:
    """Base64 on the wire, hex with a prefix in COPY (``bytea_output = 'hex'``)."""
    return r"\x" + base64.b64decode(wire, validate=True).hex()


def _numeric(wire: str) -> str:
    """Java has names of its own for what is no number, and an exponent where PostgreSQL has zeros."""
    return f"{Decimal(wire):f}" if "E" in wire and wire not in _NUMERIC else _NUMERIC.get(wire, wire)


def _date(wire: str) -> str:
    """A date has a zone on the wire, ``2025-06-02Z``, and an infinite one is a date beyond PostgreSQL's range."""
    return _iso(wire, 5_874_897, "")


def _timestamp(wire: str) -> str:
    """``2025-06-02T10:00:00.900000Z`` is ``2025-06-02 10:00:00.9``: a blank, no zone, no trailing zeros."""
    return _iso(wire, 294_276, "")


def _timestamptz(wire: str) -> str:
    """The same, with the zone of the session (UTC) as ``+00``; infinity is a word of its own on the wire too."""
    return _iso(wire, 294_276, "+00")


def _time(wire: str) -> str:
    """A time of day has a zone on the wire, and trailing zeros."""
    return _short(wire.removesuffix("Z"))


def _iso(wire: str, last_year: int, zone: str) -> str:
    found = _ISO.fullmatch(wire)
    if found is None:
        return wire
    sign, year, rest = found[1], int(found[2]), found[3]
    if year > last_year or (sign == "-" and year > 4_800):  # PostgreSQL's first year is 4713 BC
        return "-infinity" if sign == "-" else "infinity"
    before_christ = sign == "-" or year == 0  # ISO 8601 counts a year 0, PostgreSQL does not: 0000 is 1 BC
    text = f"{year + 1 if before_christ else year:04d}{rest}"
    if found[4] is not None:
        text += f" {_short(found[4])}{zone}"
    return text + (" BC" if before_christ else "")


def _short(time_of_day: str) -> str:
    return time_of_day.rstrip("0").rstrip(".") if "." in time_of_day else time_of_day


def _float8(wire: str) -> str:
    """Java writes ``1.0E15`` and ``0.0``, PostgreSQL ``1e+15`` and ``0``. Whole numbers beyond 2^53 have no rule."""
    return _floating(wire, float(wire), 17, 15, float)


def _float4(wire: str) -> str:
    return _floating(wire, _single(float(wire)), 9, 6, lambda text: _single(float(text)))


def _single(number: float) -> float:
    return float(struct.unpack("f", struct.pack("f", number))[0])


def _floating(wire: str, number: float, longest: int, fixed: int, read: Callable[[str], float]) -> str:
    """The fewest digits that read back as the number, without exponent from 1e-4 to below 10 to the power of ``fixed``."""
    if number != number or number in {float("inf"), float("-inf")}:
        return wire
    shortest = next(text for n in range(longest) if read(text := f"{number:.{n}e}") == number)
    exponent = int(shortest.partition("e")[2])
    if -4 <= exponent < fixed:
        return f"{Decimal(shortest):f}"
    return shortest


def _decoded(wire: str) -> str:
    """The base64 of the text: how Debezium writes types that it does not know."""
    return base64.b64decode(wire, validate=True).decode()


_RULES: dict[str, Callable[[str], str]] = {
    "bool": _boolean,
    "bytea": _bytea,
    "numeric": _numeric,
    "float4": _float4,
    "float8": _float8,
    "date": _date,
    "timestamp": _timestamp,
    "timestamptz": _timestamptz,
    "time": _time,
    **dict.fromkeys(("int4multirange", "pg_lsn", "jsonpath"), _decoded),
}

"""Debezium's texts to PostgreSQL's input texts, type by type: shared by the registries.

A text that no connector writes is left as it is, for PostgreSQL to refuse; nothing here raises or quotes it.
"""

from __future__ import annotations

import base64
import binascii
import re

_NUMERIC = {"NAN": "NaN", "POSITIVE_INFINITY": "Infinity", "NEGATIVE_INFINITY": "-Infinity"}
"""Debezium's words for what PostgreSQL's numeric can hold besides numbers."""
_INFINITE = {
    "+5877611-06-21Z": "infinity",
    "-5877611-06-22Z": "-infinity",
    "+292278994-08-16Z": "infinity",
    "+292269055-12-02Z": "-infinity",
    "+292278994-08-16T23:00:00Z": "infinity",
    "-292275055-05-16T23:00:00Z": "-infinity",
    "+292269055-12-02T23:00:00.000000Z": "-infinity",
}
"""Infinite dates and timestamps without zone arrive as instants beyond PostgreSQL's range; a snapshot and the stream
write different ones for dates."""

_DATED = re.compile(r"([+-]?)([0-9]{4,9})(-.*)")
_LAST_YEAR = 5_874_897
"""Of PostgreSQL's ``date``."""
_NOT_BASE64 = "\\x?"
"""Input that bytea refuses."""


def numeric(text: str) -> str:
    """Decimals, NaN and the infinities (``decimal.handling.mode=string``)."""
    return _NUMERIC.get(text, text)


def iso(text: str) -> str:
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


def infinite_date(text: str) -> str:
    """An infinite date in one word, as Debezium writes an infinite ``timestamptz``. It writes the date as a day beyond
    PostgreSQL's calendar, another one from a snapshot than from the stream, and the snapshot's in its JVM's zone and,
    of the negative one, without the era. Any other text is left as it is.
    """
    if text[:1] not in {"+", "-"}:
        return text
    dated = _DATED.fullmatch(text)
    if dated is None or int(dated[2]) <= _LAST_YEAR:
        return text
    return "-infinity" if dated[1] == "-" or dated[2] == "292269055" else "infinity"


def iso_without_zone(text: str) -> str:
    """The same for dates, times and timestamps without time zone: Debezium adds ``Z``."""
    told = iso(text)
    return told.removesuffix("Z") if not told.endswith(" BC") else told.removesuffix(" BC").removesuffix("Z") + " BC"


def bytea(text: str) -> str:
    """Base64 (``binary.handling.mode=base64``) to hex."""
    try:
        return "\\x" + base64.b64decode(text, validate=True).hex()
    except (binascii.Error, ValueError):
        return _NOT_BASE64


def from_base64(text: str) -> str:
    """The base64 of a text, as Debezium writes values of types that it does not know; what is none is left as it is."""
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, ValueError):
        return text

"""MariaDB's types as Debezium's MariaDB connector writes them under our profile (``connectors/mariadb_profile.py``).

Its dates and times are numbers on the wire, because the connector has no exact text for a time of 24 hours and more.
Entries hold them as ISO 8601, spelt as the PostgreSQL connector spells its own (:func:`rendering_of`).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from datetime import date, timedelta

from cdc.event import Column
from cdc.values import texts
from cdc.values.typing import Text, Typing, as_it_is

CONNECTOR = "mariadb"
"""``source.connector`` of its records."""
_DAY_US = 86_400_000_000
_EPOCH = date(1970, 1, 1)


def _day(days: int) -> str:
    return (_EPOCH + timedelta(days)).isoformat()


def _date(text: str) -> str:
    """Days since 1970 → ``2025-06-02Z``."""
    return _day(int(text)) + "Z"


def _clock(us: int) -> str:
    seconds, fraction = divmod(us, 1_000_000)
    told = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return f"{told}.{fraction:06d}" if fraction else told


def _micros(text: str) -> str:
    """Microseconds since 1970 of a clock on a wall → ``2025-06-02T10:00:00.000001Z``."""
    days, rest = divmod(int(text), _DAY_US)
    return f"{_day(days)}T{_clock(rest)}Z"


def _millis(text: str) -> str:
    return _micros(text + "000" if text != "0" else text)


def _instant(text: str) -> str:
    """A fraction of a second has six digits or is not there: in a snapshot the connector writes other zeros at its end
    than from the binary log.
    """
    clock, _, rest = text.partition(".")
    digits = rest.removesuffix("Z")
    if not rest:
        return text
    if not digits.isdecimal():
        raise ValueError
    fraction = digits.rstrip("0")
    return f"{clock}.{fraction:0<6}Z" if fraction else f"{clock}Z"


def _duration(text: str) -> str:
    """Microseconds, up to 838:59:59 either way → ``P0Y0M0DT-838H-59M-59.999999S``."""
    us = int(text)
    sign = "-" if us < 0 else ""
    seconds, fraction = divmod(abs(us), 1_000_000)
    part = f".{fraction:06d}" if fraction else ""
    return f"P0Y0M0DT{sign}{seconds // 3600}H{sign}{seconds // 60 % 60}M{sign}{seconds % 60}{part}S"


def _year(text: str) -> str:
    """The binary log has 1900 for the year 0000, which a year of MariaDB's cannot be otherwise."""
    return "0" if text == "1900" else text


def _label(text: str) -> str:
    """The connector writes a comma in an enum's label as it is in a snapshot, and with a backslash from the binary log.
    Labels that have a backslash themselves are refused by the check of the source.
    """
    return text.replace("\\,", ",")


def _yes_or_no(text: str) -> str:
    """A ``boolean`` is a ``tinyint(1)``, and a snapshot writes it as that; a table's definition in the stream as yes or
    no.
    """
    return "1" if text.lower() == "true" else "0"


def _bits(length: str | None) -> Callable[[str], str]:
    width = int(length or "1")

    def render(text: str) -> str:
        """Base64 of bytes, the lowest first → digits 0 and 1, the highest first."""
        return f"{int.from_bytes(base64.b64decode(text, validate=True), 'little'):0{width}b}"

    return render


_BOOLEANS = frozenset({"BOOLEAN", "BOOL"})
_RENDERED: dict[str, Callable[[str], str]] = {
    "io.debezium.time.Date": _date,
    "io.debezium.time.Timestamp": _millis,
    "io.debezium.time.MicroTimestamp": _micros,
    "io.debezium.time.MicroTime": _duration,
    "io.debezium.time.Year": _year,
    "io.debezium.time.ZonedTimestamp": _instant,
    "io.debezium.data.Enum": _label,
}
"""Debezium's name of the Connect schema → the number's text to the text that entries hold."""


def rendering_of(column: Column) -> Callable[[str], str] | None:
    """How the text of a column on the wire becomes the text that entries hold; None: it is the same. Bits that are no
    base64, and days that no calendar has, raise ValueError or OverflowError without content.
    """
    if column.connector != CONNECTOR:
        return None
    if column.semantic == "io.debezium.data.Bits":
        return _plain(_bits(column.length))
    if column.type in _BOOLEANS and column.wire == "boolean":
        return _yes_or_no
    render = _RENDERED.get(column.semantic)
    return _plain(render) if render is not None else None


def _plain(render: Callable[[str], str]) -> Callable[[str], str]:
    def guarded(text: str) -> str:
        try:
            return render(text)
        except (ValueError, OverflowError, binascii.Error):
            raise ValueError("a number that is no date or time of MariaDB's") from None

    return guarded


_SPATIAL = "WKB in base64 and SRID, as JSON"
_TYPES: dict[str, tuple[str, Text]] = {
    "TINYINT": ("smallint", as_it_is),
    "TINYINT UNSIGNED": ("smallint", as_it_is),
    "SMALLINT": ("smallint", as_it_is),
    "SMALLINT UNSIGNED": ("integer", as_it_is),
    "MEDIUMINT": ("integer", as_it_is),
    "MEDIUMINT UNSIGNED": ("integer", as_it_is),
    "INT": ("integer", as_it_is),
    "INTEGER": ("integer", as_it_is),
    "INT UNSIGNED": ("bigint", as_it_is),
    "INTEGER UNSIGNED": ("bigint", as_it_is),
    "BIGINT": ("bigint", as_it_is),
    "BIGINT UNSIGNED": ("numeric", as_it_is),
    "DECIMAL": ("numeric", as_it_is),
    "DECIMAL UNSIGNED": ("numeric", as_it_is),
    "NUMERIC": ("numeric", as_it_is),
    "FLOAT": ("real", as_it_is),
    "FLOAT UNSIGNED": ("real", as_it_is),
    "DOUBLE": ("double precision", as_it_is),
    "DOUBLE UNSIGNED": ("double precision", as_it_is),
    "TIME": ("interval", as_it_is),
    "BINARY": ("bytea", texts.bytea),
    "VARBINARY": ("bytea", texts.bytea),
    "TINYBLOB": ("bytea", texts.bytea),
    "BLOB": ("bytea", texts.bytea),
    "MEDIUMBLOB": ("bytea", texts.bytea),
    "LONGBLOB": ("bytea", texts.bytea),
}
"""Source type, without ZEROFILL → the type of its state column. Anything else is text."""
_TEXTS = frozenset(
    {"CHAR", "VARCHAR", "TINYTEXT", "TEXT", "MEDIUMTEXT", "LONGTEXT", "ENUM", "SET", "NCHAR", "NVARCHAR"}
)
_ZERO = "a zero date arrives as NULL, in a NOT NULL column as 1970-01-01"
_LIMITS = {
    "DATE": Typing("date", texts.iso_without_zone, fidelity="limit", note=_ZERO),
    "DATETIME": Typing(
        "timestamp",
        texts.iso_without_zone,
        fidelity="limit",
        note=_ZERO + "; in a snapshot 5 to 14 October 1582 arrive ten days later",
    ),
    "TIMESTAMP": Typing(
        "timestamptz",
        texts.iso,
        fidelity="limit",
        note="a zero timestamp arrives as 1970-01-01, from a snapshot as NULL where that is allowed",
    ),
    **dict.fromkeys(
        _BOOLEANS, Typing("smallint", fidelity="limit", note="in a table made while captured all but 0 arrives as 1")
    ),
    "YEAR": Typing("smallint", fidelity="limit", note="in a snapshot the year 0000 arrives as 2000"),
}
"""Types of which Debezium writes less than the value; every other value of theirs is exact."""


def typing_of(column: Column) -> Typing:
    """How a column of MariaDB lands in current state."""
    kind = column.type.removesuffix(" ZEROFILL")
    if column.wire in {"struct", "map", "array"}:
        return Typing("text", fidelity="text", note=_SPATIAL)
    if kind == "BIT":
        return Typing("boolean") if column.wire == "boolean" else Typing("text", note="digits 0 and 1")
    if kind in _LIMITS:
        return _LIMITS[kind]
    if kind not in _TYPES:
        return Typing("text") if kind in _TEXTS else Typing("text", fidelity="text", note="the text of the wire")
    note = "leading zeros of ZEROFILL are not kept" if column.type != kind else ""
    return Typing(*_TYPES[kind], note=note)

"""PostgreSQL's types as Debezium's PostgreSQL connector 3.7 writes them (profile: ``connectors/postgres_profile.py``).

What stands here was seen on the wire of a real connector, snapshot and stream (``tests/real/test_types.py``).
"""

from __future__ import annotations

from collections.abc import Callable

from cdc.event import Column
from cdc.values import shapes, texts
from cdc.values.typing import Fidelity, Listed, Text, Typing, as_it_is

CONNECTOR = "postgresql"
"""``source.connector`` of its records."""
_DATE = "io.debezium.time.IsoDate"
_ENUM = "io.debezium.data.Enum"

_EXACT: dict[str, tuple[str, Text]] = {
    "INT2": ("smallint", as_it_is),
    "INT4": ("integer", as_it_is),
    "INT8": ("bigint", as_it_is),
    "OID": ("oid", as_it_is),
    "NUMERIC": ("numeric", texts.numeric),
    "FLOAT4": ("real", as_it_is),
    "FLOAT8": ("double precision", as_it_is),
    "BOOL": ("boolean", as_it_is),
    "UUID": ("uuid", as_it_is),
    "INTERVAL": ("interval", as_it_is),
    "JSON": ("json", as_it_is),
    "JSONB": ("jsonb", as_it_is),
    "INET": ("inet", as_it_is),
    "CIDR": ("cidr", as_it_is),
    "MACADDR": ("macaddr", as_it_is),
    "MACADDR8": ("macaddr8", as_it_is),
    "TIMESTAMPTZ": ("timestamptz", texts.iso),
    "DATE": ("date", texts.iso_without_zone),
    "TIME": ("time", texts.iso_without_zone),
    "TIMESTAMP": ("timestamp", texts.iso_without_zone),
    "BYTEA": ("bytea", texts.bytea),
    "TSVECTOR": ("tsvector", as_it_is),
    **dict.fromkeys(("TEXT", "VARCHAR", "BPCHAR", "CHAR", "NAME", "XML", "CITEXT", "LTREE"), ("text", as_it_is)),
    **{
        name.upper(): (name, as_it_is)
        for name in ("int4range", "int8range", "numrange", "tsrange", "tstzrange", "daterange")
    },
    # Types that Debezium does not know: the base64 of their text.
    **{
        name.upper(): (name, texts.from_base64)
        for name in (
            "int4multirange", "int8multirange", "nummultirange", "tsmultirange", "tstzmultirange", "datemultirange",
            "tsquery", "jsonpath", "pg_lsn", "xid", "xid8", "cid", "tid", "txid_snapshot", "pg_snapshot",
        )
    },
}  # fmt: skip
"""Source type → state type, and how a text gets there, where the state column says what the source's column says."""

_SHAPED: dict[str, Typing] = {
    "POINT": Typing("point", structured=shapes.point),
    "LINE": Typing("line", structured=shapes.line),
    "CIRCLE": Typing("circle", structured=shapes.circle),
    "VECTOR": Typing("real[]", structured=shapes.array(as_it_is), note="pgvector's numbers, as an array"),
    "HALFVEC": Typing("real[]", structured=shapes.array(as_it_is), note="pgvector's numbers, as an array"),
}

_MEANT: dict[str, str] = {
    _DATE: "DATE",
    "io.debezium.time.IsoTime": "TIME",
    "io.debezium.time.IsoTimestamp": "TIMESTAMP",
    "io.debezium.time.ZonedTimestamp": "TIMESTAMPTZ",
    "io.debezium.time.Interval": "INTERVAL",
    "io.debezium.data.Uuid": "UUID",
    "io.debezium.data.Json": "JSON",
    _ENUM: "TEXT",
    "io.debezium.data.Xml": "TEXT",
    "io.debezium.data.Tsvector": "TSVECTOR",
    "io.debezium.data.geometry.Point": "POINT",
    "io.debezium.data.geometry.Line": "LINE",
    "io.debezium.data.geometry.Circle": "CIRCLE",
    "int16": "INT2",
    "int32": "INT4",
    "int64": "INT8",
    "float": "FLOAT4",
    "double": "FLOAT8",
    "boolean": "BOOL",
}
"""What a column of the source's own type (an enum, a domain) is, as far as the wire says it."""

_LIMITS: dict[str, tuple[Fidelity, str]] = {
    "MONEY": ("exact", "the amount, as a number: the currency sign is the session's"),
    "TIMETZ": ("limit", "Debezium converts to UTC: the offset is lost"),
    "VARBIT": ("limit", "base64 of the bits, least significant first: Debezium drops leading zeros"),
    "HSTORE": ("text", "the pairs as `hstore_to_jsonb` gives them"),
    "LSEG": ("text", "JSON with the points as WKB"),
    "BOX": ("text", "JSON with the corners as WKB"),
    "PATH": ("text", "JSON with the points as WKB, and whether it is closed"),
    "POLYGON": ("text", "JSON with the points as WKB"),
    "SPARSEVEC": ("text", "JSON with the dimensions and the elements"),
}
_OWN = "not typed: as Debezium writes it (base64 of the text, where it does not know the type)"
_NOTED: dict[str, tuple[Fidelity, str]] = {
    "DATE": (
        "limit",
        ("exact in the stream; a snapshot writes 1582-10-05 to -14 as 10 days later, and loses BC"
        " (29 February BC stops its task)"),
    ),
    "TIME": ("limit", "exact but for 24:00:00, which Debezium writes as 00:00:00"),
    "INTERVAL": ("limit", "an infinite one arrives as 0; more than 2147483647 hours stop Debezium's task"),
}
_EARLY = {
    "date": "before 15 October 1582 it writes other dates, also in the stream, and loses BC",
    "timestamp": "before 15 October 1582 it writes times of the Julian calendar",
    "timestamptz": "before 15 October 1582 it writes other days, and loses BC",
}
"""What Debezium makes of elements, which it reads through the JDBC driver's calendar on both paths."""
_MOST_SCALE = 1000
"""Of PostgreSQL's numeric; Debezium writes a negative scale as a number beyond it."""


def rendering_of(column: Column) -> Callable[[str], str] | None:
    """How the text of a column on the wire becomes the text that entries hold; None: it is the same. Only texts with a
    sign in front change: the native kernel leaves those of such columns to Python.
    """
    return texts.infinite_date if column.semantic == _DATE else None


def typing_of(column: Column) -> Typing:  # noqa: PLR0911 - one line a family
    """How a column of PostgreSQL lands in current state."""
    kind = column.type
    if column.semantic == _ENUM:  # whatever it is called: it may be named like a type of PostgreSQL's
        return Typing("text")
    if kind == "BIT" or (column.semantic == "io.debezium.data.Bits" and kind not in _LIMITS):
        return _bits(column)
    if kind in _SHAPED:
        return _SHAPED[kind]
    if column.wire == "array":
        return _array(column)
    if column.wire in {"struct", "map"}:
        known = _SHAPED.get(_MEANT.get(column.semantic, ""))
        return known or Typing("text", fidelity="text", note=_LIMITS.get(kind, ("text", _OWN))[1])
    if kind == "MONEY":
        return Typing("numeric", fidelity="exact", note=_LIMITS[kind][1])
    if kind in _LIMITS:
        fidelity, note = _LIMITS[kind]
        return Typing("jsonb" if kind == "HSTORE" else "text", fidelity=fidelity, note=note)
    return _scalar(column)


def _scalar(column: Column) -> Typing:
    name = column.type if column.type in _EXACT else _MEANT.get(column.semantic) or _MEANT.get(column.wire)
    scale = int(column.scale or 0)
    if name is None and column.wire == "string" and not column.semantic and scale > 0:
        name = "NUMERIC"  # a domain: no type of texts has a scale
    if name is None:
        return Typing("text", fidelity="text", note=_OWN)
    state, text = _EXACT[name]
    fidelity, note = _NOTED.get(name, ("exact", ""))
    if name == "NUMERIC" and scale > _MOST_SCALE:
        fidelity, note = "limit", "the same number, with zeros behind the point"
    return Typing(state, text, fidelity=fidelity, note=note)


def _array(column: Column) -> Typing:
    element, _, meaning = column.semantic.partition(" ")
    name = column.type.removeprefix("_")
    if name in _EXACT:
        state, text = _EXACT[name]
    elif name == "HSTORE":
        state, text = "jsonb", as_it_is
    elif (meant := _MEANT.get(meaning) or _MEANT.get(element)) in _EXACT and name not in _LIMITS:
        state, text = _EXACT[meant or ""]
    else:
        return Typing("text", fidelity="text", note="JSON of the elements as Debezium writes them")
    note = "bounds other than 1 are lost; of an array of arrays Debezium writes nulls (refused)"
    if state in {"date", "timestamp", "timestamptz"}:
        note = f"{note}; {_EARLY[state]}"
    return Typing(f"{state}[]", structured=shapes.array(text), fidelity="limit", note=note)


def _bits(column: Column) -> Typing:
    length = int(column.length or 1)
    return Typing(f"bit varying({length})", shapes.bits(length))


def listed() -> list[Listed]:
    """The lines of ``docs/types.md``."""
    from cdc.values.postgres_document import LINES

    return [line.listed(typing_of) for line in LINES]

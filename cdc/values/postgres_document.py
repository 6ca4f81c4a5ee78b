# ruff: noqa: E501 - lines of a table
"""The lines of ``docs/types.md`` for PostgreSQL: what Debezium was seen to write for each built-in type."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cdc.event import Column
from cdc.values.typing import Listed, Typing


@dataclass(frozen=True, slots=True)
class Line:
    """A source type as people write it, the name that Debezium gives it, its Connect type and how entries spell it."""

    source: str
    name: str
    wire: str
    entry: str
    semantic: str = ""
    length: str | None = None
    scale: str | None = None

    def listed(self, typing_of: Callable[[Column], Typing]) -> Listed:
        """With what its registry says of it."""
        column = Column(self.source, self.name, self.length, self.scale, self.wire, True, self.semantic)
        shown = self.wire + (f" {self.semantic.rpartition('.')[2]}" if self.semantic else "")
        return Listed(self.source, shown, self.entry, typing_of(column))


_TIME = "io.debezium.time."
_DATA = "io.debezium.data."
_SHAPE = _DATA + "geometry."
LINES: tuple[Line, ...] = (
    Line("smallint", "INT2", "int16", "`-32768`"),
    Line("integer, serial", "INT4", "int32", "`7`"),
    Line("bigint, bigserial", "INT8", "int64", "`7`"),
    Line("oid", "OID", "int64", "`26`"),
    Line("numeric", "NUMERIC", "string", "`1.10`, `NAN`, `POSITIVE_INFINITY`", length="0"),
    Line("numeric(p, s)", "NUMERIC", "string", "`1.10`, `NAN`", scale="2"),
    Line("numeric(p, -s)", "NUMERIC", "string", "`100.000…`", scale="2046"),
    Line("real", "FLOAT4", "float", "`1.0E-4`, `NaN`, `-Infinity`"),
    Line("double precision", "FLOAT8", "double", "`1.0E-4`, `NaN`, `-Infinity`"),
    Line("money", "MONEY", "string", "`12.34`"),
    Line("boolean", "BOOL", "boolean", "`true`"),
    Line("text", "TEXT", "string", "as it is"),
    Line("varchar(n)", "VARCHAR", "string", "as it is"),
    Line("char(n)", "BPCHAR", "string", "padded to n"),
    Line('"char"', "CHAR", "string", "as it is"),
    Line("name", "NAME", "string", "as it is"),
    Line("citext", "CITEXT", "string", "as it is"),
    Line("xml", "XML", "string", "as it is", _DATA + "Xml"),
    Line("uuid", "UUID", "string", "as it is", _DATA + "Uuid"),
    Line("bytea", "BYTEA", "string", "base64"),
    Line("bit(n)", "BIT", "bytes", "base64, least significant bit first", _DATA + "Bits", "3"),
    Line("bit(1)", "BIT", "boolean", "`true`", length="1"),
    Line("bit varying", "VARBIT", "bytes", "base64, least significant bit first", _DATA + "Bits", "2147483647"),
    Line("json", "JSON", "string", "as it is", _DATA + "Json"),
    Line("jsonb", "JSONB", "string", "as it is", _DATA + "Json"),
    Line("jsonpath", "JSONPATH", "string", "base64 of the text"),
    Line("date", "DATE", "string", "`2025-06-02Z`, `-0043-03-15Z`, `infinity`", _TIME + "IsoDate"),
    Line("time", "TIME", "string", "`12:34:56.7Z`", _TIME + "IsoTime"),
    Line("timetz", "TIMETZ", "string", "`10:34:56.7Z`", _TIME + "ZonedTime"),
    Line("timestamp", "TIMESTAMP", "string", "`2025-06-02T12:34:56.7Z`", _TIME + "IsoTimestamp"),
    Line("timestamptz", "TIMESTAMPTZ", "string", "`2025-06-02T10:34:56.700000Z`, `infinity`", _TIME + "ZonedTimestamp"),
    Line("interval", "INTERVAL", "string", "`P1Y2M3DT4H5M6.789012S`", _TIME + "Interval"),
    Line("inet", "INET", "string", "as it is"),
    Line("cidr", "CIDR", "string", "as it is"),
    Line("macaddr", "MACADDR", "string", "as it is"),
    Line("macaddr8", "MACADDR8", "string", "as it is"),
    *(Line(n, n.upper(), "string", "as it is") for n in ("int4range", "int8range", "numrange", "tsrange", "tstzrange", "daterange")),
    *(Line(n, n.upper(), "string", "base64 of the text") for n in ("int4multirange", "int8multirange", "nummultirange", "tsmultirange", "tstzmultirange", "datemultirange")),
    Line("tsvector", "TSVECTOR", "string", "as it is", _DATA + "Tsvector"),
    Line("tsquery", "TSQUERY", "string", "base64 of the text"),
    Line("point", "POINT", "struct", "`{x, y, wkb, srid}`", _SHAPE + "Point"),
    Line("line", "LINE", "struct", "`{a, b, c}`", _SHAPE + "Line"),
    Line("circle", "CIRCLE", "struct", "`{center, radius}`", _SHAPE + "Circle"),
    *(Line(n, n.upper(), "struct", "`{wkb, srid, extensions}`", _SHAPE + "Geometry") for n in ("lseg", "box", "path", "polygon")),
    *(Line(n, n.upper(), "string", "base64 of the text") for n in ("pg_lsn", "pg_snapshot", "txid_snapshot", "xid", "xid8", "cid", "tid")),
    *(
        Line(n, n.upper(), "string", "base64 of the text")
        for n in ("regclass", "regtype", "regproc", "regprocedure", "regoper", "regoperator", "regconfig", "regdictionary", "regnamespace", "regrole", "regcollation", "aclitem")
    ),
    Line("an enum", "SIDE", "string", "the label", _DATA + "Enum"),
    Line("a domain of integer", "D", "int32", "as its base type"),
    Line("a domain of numeric(p, s)", "D", "string", "as its base type", scale="2"),
    Line("a domain of date, time, timestamp, interval, uuid, json, an enum …", "D", "string", "as its base type", _TIME + "IsoDate"),
    Line("a domain of text, bytea, money, numeric without scale …", "D", "string", "as its base type"),
    Line("a composite type, a range type of your own, cube, seg, lquery, ltxtquery, ean13", "PAIR", "string", "base64 of the text"),
    Line("an array of integer (of any exact type the same way)", "_INT4", "array", '`["1", null]`', "int32"),
    Line("an array of date", "_DATE", "array", '`["2025-06-02Z"]`', "string " + _TIME + "IsoDate"),
    Line("an array of timestamp", "_TIMESTAMP", "array", '`["2025-06-02T12:34:56.7Z"]`', "string " + _TIME + "IsoTimestamp"),
    Line("an array of timestamptz", "_TIMESTAMPTZ", "array", '`["2025-06-02T10:34:56.700000Z"]`', "string " + _TIME + "ZonedTimestamp"),
    Line("an array of an enum", "_SIDE", "array", "the labels", "string " + _DATA + "Enum"),
    Line("an array of timetz, a domain, a composite …", "_TIMETZ", "array", "JSON", "string " + _TIME + "ZonedTime"),
    Line("hstore", "HSTORE", "string", "a JSON object", _DATA + "Json"),
    Line("an array of hstore", "_HSTORE", "array", "JSON objects", "string " + _DATA + "Json"),
    Line("ltree", "LTREE", "string", "as it is", _DATA + "Ltree"),
    Line("vector, halfvec", "VECTOR", "array", '`["0.1", …]`', "double"),
    Line("sparsevec", "SPARSEVEC", "struct", "`{dimensions, vector}`", _DATA + "SparseDoubleVector"),
)  # fmt: skip

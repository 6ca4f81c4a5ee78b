
"""The lines of ``docs/types.md`` for MariaDB: what Debezium was seen to write for each type."""

from __future__ import annotations

from cdc.values.mariadb import typing_of
from cdc.values.postgres_document import Line
from cdc.values.typing import Listed

_TIME = "io.debezium.time."
_DATA = "io.debezium.data."
LINES: tuple[Line, ...] = (
    Line("tinyint, boolean", "TINYINT", "int16", "`-128`"),
    Line("boolean, of a table or column made while captured", "BOOLEAN", "boolean", "`0`, `1`"),
    Line("tinyint unsigned", "TINYINT UNSIGNED", "int16", "`255`"),
    Line("smallint", "SMALLINT", "int16", "`-32768`"),
    Line("smallint unsigned", "SMALLINT UNSIGNED", "int32", "`65535`"),
    Line("mediumint", "MEDIUMINT", "int32", "`7`"),
    Line("mediumint unsigned", "MEDIUMINT UNSIGNED", "int32", "`16777215`"),
    Line("int", "INT", "int32", "`7`"),
    Line("int unsigned", "INT UNSIGNED", "int64", "`4294967295`"),
    Line("int unsigned zerofill", "INT UNSIGNED ZEROFILL", "int64", "`7`"),
    Line("bigint", "BIGINT", "int64", "`7`"),
    Line(
        "bigint unsigned", "BIGINT UNSIGNED", "bytes", "`18446744073709551615`", "org.apache.kafka.connect.data.Decimal"
    ),
    Line("decimal(p, s)", "DECIMAL", "string", "`1.10`"),
    Line("float", "FLOAT", "float", "`3.4E38`"),
    Line("double", "DOUBLE", "double", "`4.9E-324`"),
    Line("date", "DATE", "int32", "`2025-06-02Z`", _TIME + "Date"),
    Line("datetime", "DATETIME", "int64", "`2025-06-02T10:00:00Z`", _TIME + "Timestamp"),
    Line("datetime(6)", "DATETIME", "int64", "`2025-06-02T10:00:00.000001Z`", _TIME + "MicroTimestamp", "6"),
    Line("timestamp(6)", "TIMESTAMP", "string", "`2025-06-02T10:00:00.000001Z`", _TIME + "ZonedTimestamp", "6"),
    Line("time(6)", "TIME", "int64", "`P0Y0M0DT-838H-59M-59.999999S`", _TIME + "MicroTime", "6"),
    Line("year", "YEAR", "int32", "`2155`, `0`", _TIME + "Year"),
    Line("char(n), varchar(n), text", "VARCHAR", "string", "as it is, from any character set"),
    Line("enum", "ENUM", "string", "the label", _DATA + "Enum"),
    Line("set", "SET", "string", "`x,z`", _DATA + "EnumSet"),
    Line("json", "LONGTEXT", "string", "as it is"),
    Line("binary(n), varbinary(n), blob", "BLOB", "string", "base64"),
    Line("bit(1)", "BIT", "boolean", "`true`", length="1"),
    Line("bit(n)", "BIT", "bytes", "`101010101`", _DATA + "Bits", "9"),
    Line("geometry, linestring, …", "GEOMETRY", "struct", '`{"srid": …, "wkb": …}`', _DATA + "geometry.Geometry"),
    Line("point", "POINT", "struct", "the same, with x and y", _DATA + "geometry.Point"),
)


def listed() -> list[Listed]:
    """The lines, with what the registry says of each."""
    return [line.listed(typing_of) for line in LINES]

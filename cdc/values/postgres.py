"""PostgreSQL's types as Debezium's PostgreSQL connector writes them under our profile (``connectors/profile.py``)."""

from __future__ import annotations

from cdc.event import Column
from cdc.values import texts
from cdc.values.typing import Text, Typing, as_it_is

CONNECTOR = "postgresql"
"""``source.connector`` of its records."""

# Source types whose text a PostgreSQL state column of the same type reads back exactly. Anything else lands as text.
_SAME: dict[str, tuple[str, Text]] = {
    "INT2": ("smallint", as_it_is),
    "INT4": ("integer", as_it_is),
    "INT8": ("bigint", as_it_is),
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
    "TIMESTAMPTZ": ("timestamptz", texts.iso),
    "DATE": ("date", texts.iso_without_zone),
    "TIME": ("time", texts.iso_without_zone),
    "TIMESTAMP": ("timestamp", texts.iso_without_zone),
    "BYTEA": ("bytea", texts.bytea),
}


def typing_of(column: Column) -> Typing:
    """How a column of PostgreSQL lands in current state."""
    if column.wire == "array" or column.wire.endswith(("struct", "map")):
        return Typing("text", fidelity="text")
    state, text = _SAME.get(column.type, ("text", as_it_is))
    return Typing(state, text)

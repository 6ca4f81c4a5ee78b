"""Row records: a decoder generated per table version, so that a payload is parsed straight into exact, typed fields."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import msgspec

from cdc import mariadb, native
from cdc.envelope import Block, Malformed, OtherTable, SourceInfo, origin_of
from cdc.event import (
    KEY_CHANGE,
    ChangeEvent,
    Column,
    Event,
    Image,
    Operation,
    Origin,
    Record,
    TableVersion,
    Transaction,
    Truncate,
    Value,
)
from cdc.values import INTEGERS, TEXTS, field_type, from_header, from_json, rendering_of, value_of

PLACEHOLDER = "__debezium_unavailable_value"
UNAVAILABLE: Value = {"unavailable": "toast"}
_PLACEHOLDERS: tuple[Value, ...] = (
    PLACEHOLDER,
    base64.b64encode(PLACEHOLDER.encode()).decode(),
    [PLACEHOLDER],
    [str(byte) for byte in PLACEHOLDER.encode()],
    {"struct": {PLACEHOLDER: PLACEHOLDER}},
)
"""What stands for a value that was not sent, by type (Debezium documentation, ``unavailable.value.placeholder``): text,
bytes, arrays of texts, arrays of numbers (one for each of its bytes), maps."""
_DECIMAL = "org.apache.kafka.connect.data.Decimal"
_PARAMETER = "__debezium.source.column."
_ROW_OPERATIONS: dict[str, Operation] = {"c": "c", "u": "u", "d": "d", "r": "r"}
_UNNAMEABLE = frozenset('"\\') | {chr(code) for code in range(32)}


def table_version(
    schema: dict[str, Any], key_schema: dict[str, Any] | None, place: tuple[str, str], connector: str = "postgresql"
) -> TableVersion:
    """The table that an envelope's schema describes; ``place`` is its schema and name from the source block, and
    ``connector`` what the connector calls itself there.
    """
    row = {field["field"]: field for field in schema["fields"]}["after"]
    columns = tuple(_column(field, connector) for field in row["fields"])
    key = tuple(str(field["field"]) for field in key_schema["fields"]) if key_schema else ()
    if key_schema and connector == mariadb.CONNECTOR and any(field["optional"] for field in key_schema["fields"]):
        key = ()  # a UNIQUE column that may be null, which its connector takes for a key: rows would share it
    if not set(key) <= {column.name for column in columns}:
        raise Malformed("key-column-not-in-row")
    return TableVersion(schema=place[0], name=place[1], columns=columns, key=key)


def key_version(key_schema: dict[str, Any], place: tuple[str, str], connector: str) -> TableVersion:
    """The key columns of a table, and no others, as its Kafka keys describe them."""
    columns = tuple(_column(field, connector) for field in key_schema["fields"])
    return TableVersion(place[0], place[1], columns, tuple(column.name for column in columns))


def _column(field: dict[str, Any], connector: str) -> Column:
    parameters = field.get("parameters") or {}
    return Column(
        name=field["field"],
        type=parameters.get(_PARAMETER + "type", ""),
        length=parameters.get(_PARAMETER + "length"),
        scale=parameters.get(_PARAMETER + "scale"),
        wire=_wire(field),
        optional=bool(field["optional"]),
        semantic=_semantic(field),
        connector=connector,
    )


def _wire(field: dict[str, Any]) -> str:
    """A field's Connect type; of a decimal its name, because its JSON is a number (``decimal.format=NUMERIC``)."""
    return _DECIMAL if field.get("name") == _DECIMAL else str(field["type"])


def _semantic(field: dict[str, Any]) -> str:
    """The name of a field's schema; of an array the type and the name of its elements' schema."""
    if field["type"] != "array":
        return str(field.get("name") or "")
    items = field.get("items") or {}
    return f"{items.get('type', '')} {items.get('name') or ''}".strip()


class RowDecoder:
    """Decodes payloads of one table version.

    Field names of the generated Structs are ``c0 … cN``: a column's own name never becomes code.
    """

    def __init__(self, version: TableVersion) -> None:
        self.version = version
        self._key_at = [[column.name for column in version.columns].index(name) for name in version.key]
        row, self._image = _row(version)
        maria = bool(version.columns) and version.columns[0].connector == mariadb.CONNECTOR
        self._origin_of: Any = mariadb.origin_of if maria else origin_of
        source = mariadb.MariaSource if maria else SourceInfo
        envelope = msgspec.defstruct(
            "RowEnvelope",
            [("before", row | None), ("after", row | None), ("source", source), ("op", str), ("ts_ms", int),
             ("ts_ns", int | None, None), ("transaction", Block | None, None)],
            gc=False,
        )  # fmt: skip
        self._decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(envelope)
        self._native = None if maria else _native_decode(version)

    def decode(self, record: Record, payload: memoryview) -> Event:
        """The change or truncate of one payload.

        Raises:
            Malformed: an operation that is none of Debezium's, or no image where one must be.
        """
        if self._native is not None and record.value is not None and not record.headers:
            start = len(record.value) - 1 - len(payload)
            made = self._native(record.value, start, record.offset, record.timestamp_ms)
            if made is not None:
                return made
        envelope = self._decoder.decode(payload)
        source, version = envelope.source, self.version
        origin = self._origin_of(record, source, envelope.ts_ms, envelope.ts_ns, envelope.transaction)
        if source.table != version.name or source.schema != version.schema:
            raise OtherTable
        if envelope.op == "t":
            return Truncate(origin, source.schema, source.table)
        operation = _ROW_OPERATIONS.get(envelope.op)
        if operation is None or (envelope.before if operation == "d" else envelope.after) is None:
            raise Malformed("operation-without-image" if operation else "unknown-operation")
        before = self._image(envelope.before) if envelope.before is not None else None
        after = self._image(envelope.after) if envelope.after is not None else None
        missing = before is None and operation == "u"
        if missing and after is not None:
            # Only without a before image can the placeholder mean "not sent"; with one it is what somebody wrote.
            after = tuple(UNAVAILABLE if value in _PLACEHOLDERS else value for value in after)
        other = self._other_key(record) if record.headers and self._key_at else None
        return ChangeEvent(origin, version, operation, before, after, other, missing)

    def _other_key(self, record: Record) -> tuple[Value, ...] | None:
        """The other half's key of a key change (Debezium headers ``__debezium.newkey`` and ``__debezium.oldkey``)."""
        for name, content in record.headers:
            if name in KEY_CHANGE:
                fields = from_header(content)
                columns = {column.name: column for column in self.version.columns}
                return tuple(_rendered(columns[name], fields[name]) for name in self.version.key)
        return None


def key_values(version: TableVersion, payload: bytes) -> Image:
    """The values of a table's key columns, from the payload of a Kafka key, spelt as in the table's images.

    Raises:
        msgspec.DecodeError, ValueError: that is no key of this table. The message has no content that is told.
    """
    columns = {column.name: column for column in version.columns}
    keyed = TableVersion(version.schema, version.name, tuple(columns[name] for name in version.key), version.key)
    row, image = _row(keyed)
    return image(msgspec.json.decode(payload, type=row))


def _row(version: TableVersion) -> tuple[Any, Callable[[Any], Image]]:
    """The type that a row in a payload is parsed into, and what makes an image of that."""
    names = {f"c{n}": column.name for n, column in enumerate(version.columns)}
    if any(_UNNAMEABLE & set(name) for name in names.values()):
        return dict[str, msgspec.Raw], _image_by_name(version)
    fields = [(f"c{n}", field_type(column.wire)) for n, column in enumerate(version.columns)]
    row = msgspec.defstruct("Row", fields, rename=names, forbid_unknown_fields=True, gc=False)
    return row, _image_function(version)


def _native_decode(version: TableVersion) -> Callable[[bytes, int, int, int], ChangeEvent | None] | None:
    """The native kernel's decoder of this table version, where there is one. None for what is not ordinary."""
    kernel = native.kernel()
    if kernel is None:
        return None
    wires = {**dict.fromkeys(TEXTS, "text"), **dict.fromkeys(INTEGERS, "integer"), "boolean": "boolean"}
    rows = kernel.Rows(
        columns=[
            (column.name, "date" if rendering_of(column) else wires.get(column.wire, "")) for column in version.columns
        ],
        schema=version.schema,
        name=version.name,
        version=version,
        origin=Origin,
        transaction=Transaction,
        event=ChangeEvent,
    )
    decode: Callable[[bytes, int, int, int], ChangeEvent | None] = rows.decode
    return decode


def _image_function(version: TableVersion) -> Callable[[Any], Image]:
    """One generated expression per table: texts as they are, integers by ``str``, the rest by its wire type."""
    parts = []
    names: dict[str, Any] = {"value_of": value_of}
    for n, column in enumerate(version.columns):
        render = rendering_of(column)
        if render is not None:
            names[f"f{n}"] = render
            parts.append(f"f{n}(str(r.c{n})) if r.c{n} is not None else None")
        elif column.wire in TEXTS:
            parts.append(f"r.c{n}")
        elif column.wire in INTEGERS:
            parts.append(f"str(r.c{n}) if r.c{n} is not None else None")
        else:
            parts.append(f"value_of({column.wire!r}, r.c{n})")
    source = f"lambda r: ({' '.join(part + ',' for part in parts)})"
    function: Callable[[Any], Image] = eval(source, names)  # noqa: S307 - made of numbers only
    return function


def _image_by_name(version: TableVersion) -> Callable[[Any], Image]:
    """For column names that a Struct field cannot be renamed to."""
    columns = version.columns

    def image(row: dict[str, msgspec.Raw]) -> Image:
        if len(row) != len(columns):
            raise Malformed("columns-differ-from-schema")
        return tuple(_rendered(column, from_json(bytes(row[column.name]))) for column in columns)

    return image


def _rendered(column: Column, value: Value) -> Value:
    render = rendering_of(column)
    return render(value) if render is not None and isinstance(value, str) else value

"""Record bytes → events. Pure, strict, and the only place that knows Debezium's envelopes.

A record value is ``{"schema":…,"payload":…}`` (Connect's JsonConverter with schemas). The schema of a table is the same
bytes in every record, so it is parsed once and remembered with a decoder made for it; later records are recognised by
their prefix and only the payload is parsed.

Sources: Debezium 3.7 documentation, "PostgreSQL connector: data change events", "transaction metadata",
"notifications".
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from typing import Any

import msgspec

from cdc import mariadb
from cdc.envelope import Malformed, MessageEnvelope, OtherTable, origin_of, transaction_id
from cdc.errors import Halted, RecordError
from cdc.event import (
    Baseline,
    Begin,
    ChangeEvent,
    End,
    Event,
    Image,
    LogicalMessage,
    Origin,
    Record,
    Skipped,
    TableVersion,
)
from cdc.rows import RowDecoder, key_values, table_version

_SPLIT = b',"payload":'
_NEAR = 4
"""Schemas that are looked at before a table's that has not been seen lately."""
_MESSAGE_COLLECTION = "LogicalDecodingMessageMonitor$"

Decode = Callable[[Record, memoryview], Event]


class Decoder:
    """Decodes the records of one stream, in order. Keeps schemas it has seen, and the last delete for its tombstone."""

    def __init__(self) -> None:
        self._known: list[tuple[bytes, bytes, Decode]] = []
        self._namesakes: dict[tuple[bytes, bytes, str, str], Decode] = {}
        self._deleted: bytes | None = None
        self._first = -1  # offset of the record that showed the newest schema
        self.completions = 0
        """Ends of snapshots decoded so far."""

    def decode(self, record: Record) -> Event:
        """The event of one record.

        Raises:
            RecordError: what it holds is none of Debezium's forms. Names coordinates and a reason word, no content.
            Halted: a row or DDL of a connector whose records are not read.
        """
        try:
            return self._decode(record)
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError, msgspec.DecodeError) as error:
            reason = str(error) if isinstance(error, Malformed) else "malformed"
            self._deleted = None
            if self._first == record.offset:  # what only such a record shows is not believed
                del self._known[0]
                self._first = -1
            where = f"{record.topic}/{record.partition} offset {record.offset}"
            raise RecordError(
                f"record {where} cannot be decoded ({reason})",
                reason=reason,
                hint="nothing but the connector may write to the topic",
            ) from None

    def row_of(self, record: Record) -> tuple[TableVersion, Image] | None:
        """Which row a record is of that cannot be decoded, as far as its Kafka key says: only where one with a key
        schema of the same bytes was decoded before, so that what the key's values mean is known.
        """
        key = record.key or b""
        for _, prefix, decode in self._known:
            rows = getattr(decode, "__self__", None)
            if prefix and key.startswith(prefix) and key.endswith(b"}") and isinstance(rows, RowDecoder):
                try:
                    return rows.version, key_values(rows.version, key[len(prefix) : -1])
                except (ValueError, LookupError, TypeError, RecursionError, msgspec.DecodeError):
                    return None
        return None

    def _decode(self, record: Record) -> Event:
        value = record.value
        if value is None:
            return self._tombstone(record)
        if value[-1:] != b"}":
            raise Malformed("not-connect-json")
        prefix, decode = self._decoder(record, value)
        payload = memoryview(value)[len(prefix) : -1]
        try:
            event = decode(record, payload)
        except OtherTable:
            event = self._namesake(record, value, len(prefix))(record, payload)
        if type(event) is ChangeEvent:
            self._deleted = _key_digest(record) if event.operation == "d" else None
        elif type(event) is not Skipped:  # a heartbeat may stand between a delete and its tombstone
            self._deleted = None
            if type(event) is Baseline and event.notification == "COMPLETED":
                self.completions += 1
        return event

    def _namesake(self, record: Record, value: bytes, length: int) -> Decode:
        """The decoder of another table under the same schema: Debezium joins schema and table with a dot, so tables
        ``"a.b".c`` and ``a."b.c"`` have schemas of the same bytes.
        """
        source = _placed.decode(memoryview(value)[length:-1]).source
        key = record.key or b""
        key_at = key.find(_SPLIT) if key else 0
        name = (value[:length], key[:key_at], source.schema, source.table)
        if name not in self._namesakes:
            at = length - len(_SPLIT)
            described = _schema(value[:at]).get("name") or ""
            if not described.endswith(f".{source.schema}.{source.table}.Envelope"):
                raise OtherTable
            self._namesakes[name] = _decoder_for(value, at, _schema(key[:key_at]) if key else None)
        return self._namesakes[name]

    def _tombstone(self, record: Record) -> Event:
        """A null value is legal right after the delete of the same Kafka key, and nowhere else."""
        if self._deleted is None or self._deleted != _key_digest(record):
            raise Malformed("tombstone-without-delete")
        self._deleted = None
        return Skipped(Origin(record.offset, _produced_at(record)), "tombstone")

    def _decoder(self, record: Record, value: bytes) -> tuple[bytes, Decode]:
        """What the value begins with, through ``"payload":``, and the decoder of what follows."""
        key = record.key or b""
        for index, (prefix, key_prefix, decode) in enumerate(self._known):
            if value.startswith(prefix) and key.startswith(key_prefix) and bool(key) == bool(key_prefix):
                if index > _NEAR:
                    self._known.insert(0, self._known.pop(index))
                return prefix, decode
        at = value.find(_SPLIT)
        if at < 0 or not value.startswith(b'{"schema":'):
            raise Malformed("not-connect-json")
        key_at = key.find(_SPLIT) if key else 0
        if key_at < 0:
            raise Malformed("key-not-connect-json")
        decode = _decoder_for(value, at, _schema(key[:key_at]) if key else None)
        prefix, key_prefix = value[: at + len(_SPLIT)], key[: key_at + len(_SPLIT)] if key else b""
        self._known.insert(0, (prefix, key_prefix, decode))
        self._first = record.offset
        return prefix, decode


def _produced_at(record: Record) -> int:
    return record.timestamp_ms * 1_000_000


def _key_digest(record: Record) -> bytes:
    return hashlib.sha256(record.key or b"").digest()


def _schema(prefix: bytes) -> dict[str, Any]:
    schema = json.loads(prefix + b"}")["schema"]
    if not isinstance(schema, dict) or schema.get("type") != "struct":
        raise Malformed("schema-not-a-struct")
    return schema


def _decoder_for(value: bytes, at: int, key_schema: dict[str, Any] | None) -> Decode:
    schema = _schema(value[:at])
    name = schema.get("name") or ""
    if name.endswith(".Envelope"):
        source = _placed.decode(memoryview(value)[at + len(_SPLIT) : -1]).source
        if source.connector not in _CONNECTORS:
            raise _of_another(source.connector)
        place = (source.schema or source.db, source.table)
        return RowDecoder(table_version(schema, key_schema, place, source.connector)).decode
    try:
        return _OTHERS[name]
    except KeyError:
        ddl = _DDL.fullmatch(name)
        if ddl is not None:
            raise _of_another(ddl[1]) from None
        raise Malformed("unknown-record-type") from None


def _of_another(connector: str) -> Halted:
    """Its values are spelled by rules that are not known here: to guess them would put a lie into the log."""
    return Halted(
        "source-kind",
        f"the topic is written by Debezium's connector {connector[:40]!r}, whose records are not read",
        hint="docs/connectors.md, Other databases",
    )


class _Place(msgspec.Struct, frozen=True):
    table: str
    schema: str = ""
    db: str = ""
    connector: str = "postgresql"


class _Placed(msgspec.Struct, frozen=True):
    source: _Place


class _Collection(msgspec.Struct, frozen=True):
    data_collection: str
    event_count: int


class _Boundary(msgspec.Struct, frozen=True):
    status: str
    id: str
    event_count: int | None
    data_collections: list[_Collection] | None
    ts_ms: int


class _Notification(msgspec.Struct, frozen=True):
    type: str
    aggregate_type: str
    additional_data: dict[str, str] | None
    timestamp: int


_CONNECTORS = frozenset({"postgresql", mariadb.CONNECTOR})
"""``source.connector`` of those whose records are read."""
_DDL = re.compile(r"io\.debezium\.connector\.(\w+)\.SchemaChangeValue")
_BASELINES = frozenset({"STARTED", "TABLE_SCAN_COMPLETED", "COMPLETED"})
_placed = msgspec.json.Decoder(_Placed)
_boundary = msgspec.json.Decoder(_Boundary)
_notification = msgspec.json.Decoder(_Notification)
_message = msgspec.json.Decoder(MessageEnvelope)


def _transaction(record: Record, payload: memoryview) -> Event:
    boundary = _boundary.decode(payload)
    origin = Origin(record.offset, _produced_at(record), committed_at=boundary.ts_ms * 1_000_000)
    if boundary.status == "BEGIN":
        return Begin(origin, transaction_id(boundary.id))
    if boundary.status != "END" or boundary.event_count is None:
        raise Malformed("transaction-status")
    counts: dict[str, int] = {}
    for collection in boundary.data_collections or ():
        # For a logical message Debezium prints a Java object's identity instead of a name.
        name = "" if _MESSAGE_COLLECTION in collection.data_collection else collection.data_collection
        counts[name] = counts.get(name, 0) + collection.event_count
    return End(origin, transaction_id(boundary.id), boundary.event_count, tuple(sorted(counts.items())))


def _notified(record: Record, payload: memoryview) -> Event:
    notification = _notification.decode(payload)
    origin = Origin(record.offset, _produced_at(record), captured_at=notification.timestamp * 1_000_000)
    if notification.aggregate_type == "Initial Snapshot" and notification.type in _BASELINES:
        return Baseline(origin, notification.type, tuple(sorted((notification.additional_data or {}).items())))
    return Skipped(origin, "notification")


def _heartbeat(record: Record, _payload: memoryview) -> Event:
    return Skipped(Origin(record.offset, _produced_at(record)), "heartbeat")


def _schema_change(record: Record, _payload: memoryview) -> Event:
    """MariaDB's DDL. Its text can hold values; what it made of a table stands in the table's next ``schema`` entry."""
    return Skipped(Origin(record.offset, _produced_at(record)), "schema-change")


def _logical_message(record: Record, payload: memoryview) -> Event:
    envelope = _message.decode(payload)
    origin = origin_of(record, envelope.source, envelope.ts_ms, envelope.ts_ns, envelope.transaction)
    return LogicalMessage(origin, envelope.message.prefix or "", envelope.message.content or "")


_OTHERS: dict[str, Decode] = {
    "io.debezium.connector.common.TransactionMetadataValue": _transaction,
    "io.debezium.connector.common.Notification": _notified,
    "io.debezium.connector.common.Heartbeat": _heartbeat,
    "io.debezium.connector.postgresql.MessageValue": _logical_message,
    "io.debezium.connector.mariadb.SchemaChangeValue": _schema_change,
}

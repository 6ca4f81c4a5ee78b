"""The vocabulary of what comes out of a stream: records, and what they decode to.

Plain data without behaviour. A :class:`ChangeEvent` holds plaintext, so nothing here prints a value: every ``repr``
shows coordinates and names only. Times are integers, nanoseconds since 1970-01-01T00:00:00Z, unless the name says
otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import msgspec

Operation: TypeAlias = Literal["c", "u", "d", "r", "t", "m"]
"""Debezium's operation codes: create, update, delete, read (snapshot), truncate, message."""

Value: TypeAlias = "str | None | list[Value] | dict[str, Value]"
"""A column's value in the form of ``docs/formats.md`` §2, before protection."""

Image: TypeAlias = tuple[Value, ...]
"""A row's values in the order of :attr:`TableVersion.columns`."""


KEY_CHANGE = frozenset({"__debezium.newkey", "__debezium.oldkey"})
"""Headers of the two halves of a key change (Debezium documentation, "Primary key updates"); no other is read."""


class Record(msgspec.Struct, frozen=True, gc=False):
    """One Kafka record as delivered. ``timestamp_ms`` is Kafka's, in milliseconds."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    timestamp_ms: int

    def __repr__(self) -> str:
        return f"Record({self.topic}/{self.partition} offset {self.offset})"


@dataclass(frozen=True, slots=True)
class Column:
    """One column as the source's connector describes it. ``type`` is the source's type name, ``wire`` Connect's.

    ``semantic``: the name that Debezium gives the Connect schema (of an array: its elements' type and name), such as
    ``io.debezium.time.IsoDate``. ``connector``: what the connector calls itself in its records.
    """

    name: str
    type: str
    length: str | None
    scale: str | None
    wire: str
    optional: bool
    semantic: str = ""
    connector: str = "postgresql"


@dataclass(frozen=True, slots=True, eq=False)
class TableVersion:
    """A table as one pair of value schema and key schema shows it. Compared by identity: decoders make one per pair."""

    schema: str
    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]

    @property
    def keyless(self) -> bool:
        """Whether the source gives rows of this table no key."""
        return not self.key


class Transaction(msgspec.Struct, frozen=True, gc=False):
    """Where an event stands in its source transaction: ``order`` counts from 1 over all tables."""

    id: str
    order: int


class Origin(msgspec.Struct, frozen=True, gc=False):
    """What every record-borne event carries besides its content.

    ``position`` is the connector's own (PostgreSQL: last commit LSN and LSN; MariaDB: GTID, file, offset and row of the
    binary log); ``commit`` is its part that never goes
    back in emission order: with the order in the transaction it tells a replay.
    """

    offset: int
    produced_at: int
    captured_at: int | None = None
    committed_at: int | None = None
    position: tuple[str | None, ...] = ()
    commit: int | None = None
    transaction: Transaction | None = None


class ChangeEvent(msgspec.Struct, frozen=True, gc=False):
    """A row change in plaintext. ``other_key``, on both halves of a key change: the key values of the other half."""

    origin: Origin
    table: TableVersion
    operation: Operation
    before: Image | None
    after: Image | None
    other_key: tuple[Value, ...] | None = None
    before_missing: bool = False

    def __repr__(self) -> str:
        return f"ChangeEvent({self.table.schema}.{self.table.name} {self.operation} at offset {self.origin.offset})"


class Truncate(msgspec.Struct, frozen=True, gc=False):
    """All rows of a table are gone."""

    origin: Origin
    schema: str
    name: str


class LogicalMessage(msgspec.Struct, frozen=True, gc=False):
    """``pg_logical_emit_message``; ``content`` is base64 as on the wire."""

    origin: Origin
    prefix: str
    content: str

    def __repr__(self) -> str:
        return f"LogicalMessage(at offset {self.origin.offset})"


class Begin(msgspec.Struct, frozen=True, gc=False):
    """A source transaction begins."""

    origin: Origin
    id: str


class End(msgspec.Struct, frozen=True, gc=False):
    """A source transaction ends after ``count`` events, of which ``tables`` gives the share of each collection."""

    origin: Origin
    id: str
    count: int
    tables: tuple[tuple[str, int], ...]


class Baseline(msgspec.Struct, frozen=True, gc=False):
    """A snapshot has read a table, or is complete (``notification`` and ``detail`` are Debezium's own words)."""

    origin: Origin
    notification: str
    detail: tuple[tuple[str, str], ...]


class Skipped(msgspec.Struct, frozen=True, gc=False):
    """A record that becomes no entry, with the reason it is counted under."""

    origin: Origin
    reason: Literal["tombstone", "heartbeat", "notification", "schema-change"]


class Quarantined(msgspec.Struct, frozen=True, gc=False):
    """A record that cannot be decoded, in plaintext: ``content`` is the canonical bytes of its key, value and headers.

    ``table``: as entries name it, where that can be told. ``row``: which row of it, where the Kafka key tells: the
    table version and the values of its key columns.
    """

    origin: Origin
    reason: str
    table: str | None
    content: bytes
    row: tuple[TableVersion, tuple[Value, ...]] | None = None

    def __repr__(self) -> str:
        return f"Quarantined({self.reason} at offset {self.origin.offset})"


Event: TypeAlias = ChangeEvent | Truncate | LogicalMessage | Begin | End | Baseline | Skipped | Quarantined

"""Debezium's envelope members that every row, truncate and message record shares, and what they mean for an event's
origin.
"""

from __future__ import annotations

import msgspec

from cdc.event import Origin, Record, Transaction


class Malformed(ValueError):
    """A reason word for a record that cannot be decoded; never content."""


class OtherTable(Malformed):
    """The source block names another table than the one that a decoder was made for."""

    def __init__(self) -> None:
        super().__init__("schema-of-another-table")


class SourceInfo(msgspec.Struct, frozen=True, gc=False):
    """Debezium's ``source`` block, what is used of it. LSNs are integers, ``sequence`` is JSON inside a string."""

    schema: str
    table: str
    ts_ms: int
    ts_ns: int | None = None
    snapshot: str | None = None
    sequence: str | None = None
    lsn: int | None = None


_sequence = msgspec.json.Decoder(tuple[str | None, str | None])


class Block(msgspec.Struct, frozen=True, gc=False):
    """Debezium's ``transaction`` block."""

    id: str
    total_order: int


class LogicalContent(msgspec.Struct, frozen=True, gc=False):
    """The ``message`` block of a logical decoding message; ``content`` is base64."""

    prefix: str | None
    content: str | None


class MessageEnvelope(msgspec.Struct, frozen=True, gc=False):
    """Value of a logical decoding message."""

    op: str
    source: SourceInfo
    ts_ms: int
    message: LogicalContent
    transaction: Block | None = None
    ts_ns: int | None = None


def transaction_id(debezium_id: str) -> str:
    """PostgreSQL's id is ``xid:LSN`` and its LSN differs between BEGIN, rows and END: only the xid names the
    transaction.
    """
    return debezium_id.partition(":")[0]


def origin_of(record: Record, source: SourceInfo, ts_ms: int, ts_ns: int | None, block: Block | None) -> Origin:
    """Clocks, position and transaction of a row, truncate or message.

    ``commit`` is the last commit LSN, which never goes back in emission order (LSNs themselves do: transactions come
    out in the order of their commits). Before the first commit that a connector has seen it is null, and the event's
    own LSN stands in. Snapshot rows are not judged: a later snapshot legitimately shows old rows.
    """
    position: tuple[str | None, ...] = _sequence.decode(source.sequence) if source.sequence else ()
    commit: int | None = None
    if source.snapshot == "false" or source.snapshot is None:
        first = position[0] if position else None
        commit = int(first) if first is not None else source.lsn
    return Origin(
        record.offset,
        record.timestamp_ms * 1_000_000,
        ts_ns if ts_ns is not None else ts_ms * 1_000_000,
        source.ts_ns if source.ts_ns is not None else source.ts_ms * 1_000_000,
        position,
        commit,
        Transaction(transaction_id(block.id), block.total_order) if block is not None else None,
    )

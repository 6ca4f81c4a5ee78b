"""What a source really committed, in commit order: PostgreSQL's ``pgoutput`` decoded here, without Debezium.

Message formats: PostgreSQL documentation, "Logical Replication Message Formats" (protocol version 1).
"""

from __future__ import annotations

import struct
from collections import Counter
from dataclasses import dataclass, field

import psycopg2

_INSERT, _UPDATE, _DELETE, _TRUNCATE = "inserted", "updated", "deleted", "truncated"


@dataclass(slots=True)
class Committed:
    """Counts of a slot's content: (table, operation) → rows, transactions, messages by prefix."""

    changes: Counter[tuple[str, str]] = field(default_factory=Counter)
    transactions: int = 0
    messages: Counter[str] = field(default_factory=Counter)
    per_transaction: list[int] = field(default_factory=list)


def create_slot(dsn: str, slot: str) -> None:
    """Create a logical slot; all that commits from now on is decoded later."""
    _query(dsn, "SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", slot)


def drop_slot(dsn: str, slot: str) -> None:
    """Drop a slot that nobody reads."""
    _query(dsn, "SELECT pg_drop_replication_slot(%s)", slot)


def decode(dsn: str, slot: str, publication: str) -> Committed:
    """Count what committed since the slot was made. Reading does not move the slot.

    Updates whose key columns change are counted as updates: the protocol does not tell under REPLICA IDENTITY FULL.
    """
    statement = (
        "SELECT data FROM pg_logical_slot_peek_binary_changes(%s, NULL, NULL, 'proto_version', '1',"
        " 'publication_names', %s, 'messages', 'true')"
    )
    committed, names = Committed(), {}
    rows = 0
    for (data,) in _query(dsn, statement, slot, publication):
        message = bytes(data)
        kind, body = message[:1], message[1:]
        if kind == b"B":
            rows = 0
        elif kind == b"C":
            committed.transactions += 1
            committed.per_transaction.append(rows)
        elif kind == b"R":
            identity, schema, table = _relation(body)
            names[identity] = table if schema == "public" else f"{schema}.{table}"
        elif kind in {b"I", b"U", b"D"}:
            operation = {b"I": _INSERT, b"U": _UPDATE, b"D": _DELETE}[kind]
            committed.changes[names[struct.unpack_from(">I", body)[0]], operation] += 1
            rows += 1
        elif kind == b"T":
            count, _ = struct.unpack_from(">IB", body)
            for identity in struct.unpack_from(f">{count}I", body, 5):
                committed.changes[names[identity], _TRUNCATE] += 1
        elif kind == b"M":
            prefix = body[9 : body.index(b"\0", 9)]
            committed.messages[prefix.decode()] += 1
    return committed


def _relation(body: bytes) -> tuple[int, str, str]:
    (identity,) = struct.unpack_from(">I", body)
    schema, table, _ = body[4:].split(b"\0", 2)
    return identity, schema.decode(), table.decode()


def _query(dsn: str, statement: str, *parameters: str) -> list[tuple[memoryview, ...]]:
    connection = psycopg2.connect(dsn)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            return cursor.fetchall()
    finally:
        connection.close()

"""Whether the warehouse was rolled back to the past: its own acknowledgements in Kafka say that it was further once.

A worker acknowledges positions to Kafka only after they are committed, and names the warehouse in them. A position that
is ahead of where the same warehouse stands is of commits that it has lost: restored from a backup, or failed over to
a standby that lacked them. What Kafka still holds is read again, into the same bytes; what it no longer holds is lost.
"""

from __future__ import annotations

import json

import psycopg2

from cdc.errors import Halted
from cdc.stream import Stream

_IDENTITY = """
SELECT (SELECT system_identifier FROM pg_control_system()) || '/' || oid FROM pg_database
 WHERE datname = current_database()
"""


def warehouse_identity(connection: psycopg2.extensions.connection) -> str:
    """``<system identifier>/<database oid>``: the same on a standby, another in any other warehouse."""
    with connection, connection.cursor() as cursor:
        cursor.execute(_IDENTITY)
        (identity,) = cursor.fetchone() or ("",)
    return str(identity)


def rolled_back(
    stream: Stream, connection: psycopg2.extensions.connection, log: str, position: int, identity: str
) -> str | None:
    """What there is to tell of a roll-back, recorded in the ``operations`` log; None when there was none.

    Raises:
        Halted: Kafka does not hold what the warehouse lost.
        TransientError: the broker does not answer.
    """
    acknowledged = stream.acknowledged(identity)
    if acknowledged is None or acknowledged <= position:
        return None
    low, _high = stream.bounds()
    if position < low:
        raise Halted(
            "warehouse-behind",
            f"the warehouse was at offset {acknowledged} once and is at {position}: it was restored to the past, and"
            f" Kafka holds offsets from {low} on only",
            hint="cdc stream show",
            coordinates={"offset": str(position), "acknowledged": str(acknowledged), "low": str(low)},
        )
    detail = {"acknowledged": str(acknowledged), "log": log, "position": str(position)}
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT audit.append_operation('warehouse-rolled-back', %s)", (json.dumps(detail),))
    return (
        f"the warehouse was rolled back: it was at offset {acknowledged:,} and is at {position:,};"
        f" reading {acknowledged - position:,} offsets again"
    )

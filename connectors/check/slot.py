"""The connector's replication slot: health, what it holds back, and whether it still fits the stored position.

Source: PostgreSQL documentation, pg_replication_slots; KIP-875 for stored positions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from psycopg2.extensions import cursor as Cursor  # noqa: N812

from connectors.check.position import Position, log_position
from connectors.definition import Definition
from connectors.finding import Finding
from connectors.preparation import literal

RETAINED = 1 << 30
"""Bytes of WAL kept for a slot that are worth a word: 1 GiB."""
SHORT = 0.2
"""Share of max_slot_wal_keep_size below which what is left is short."""
SHORT_HOURS = 24.0

_SLOT = """
SELECT to_jsonb(s) || jsonb_build_object(
           'retained', pg_wal_lsn_diff(n.now, s.restart_lsn),
           'confirmed', pg_wal_lsn_diff(s.confirmed_flush_lsn, '0/0'),
           'keep', (SELECT setting::bigint FROM pg_settings WHERE name = 'max_slot_wal_keep_size'))
  FROM pg_replication_slots s, (SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()
                                            ELSE pg_current_wal_lsn() END AS now) n
 WHERE s.slot_name = %s"""
_RATE = """
SELECT wal_bytes / extract(epoch FROM clock_timestamp() - stats_reset) FROM pg_stat_wal
 WHERE stats_reset < clock_timestamp() - interval '1 h'"""
"""Bytes a second; none from statistics of less than an hour."""


def findings(definition: Definition, cursor: Cursor, position: Position) -> Iterator[Finding]:
    """What is to be known of the slot."""
    name = definition.slot
    cursor.execute(_SLOT, (name,))
    row = cursor.fetchone()
    offset = position()  # after the slot: see connectors.check.position
    if row is None:
        if offset is not None:
            problem = f"slot {name} does not exist, and the connector has a stored position"
            yield Finding("slot_missing", problem, place=name)
        return
    slot: Mapping[str, Any] = row[0]
    if (slot["plugin"], slot["database"]) != ("pgoutput", definition.database.name):
        problem = f"slot {name} belongs to something else (plugin {slot['plugin']}, database {slot['database']})"
        yield Finding("slot_foreign", problem, place=name, command=f"{_drop(name)}  -- if nobody reads it")
        return
    yield from health(name, slot, _rate(cursor))
    stored = None if offset is None else log_position(offset)
    if stored is not None and slot["confirmed"] is not None and int(slot["confirmed"]) > stored:
        ahead = int(slot["confirmed"]) - stored
        problem = f"slot {name} is {size(ahead)} ahead of the position that the connector has stored"
        yield Finding("slot_ahead", problem, place=name)


def health(name: str, slot: Mapping[str, Any], rate: float | None) -> Iterator[Finding]:
    """Findings of one row of pg_replication_slots, with ``retained`` (bytes) and ``keep`` (MB; -1: without bound).

    ``rate``: WAL that the server writes, in bytes a second; None where it cannot be known.
    """
    why = slot.get("invalidation_reason")
    if slot["wal_status"] == "lost" or why:
        problem = f"slot {name} is lost" + (f" ({why})" if why else "")
        yield Finding("slot_lost", problem, place=name)  # dropping it alone mends nothing
        return
    retained, keep, safe = slot["retained"] or 0, slot["keep"], slot["safe_wal_size"]
    day = "" if rate is None else f"; the server writes about {size(rate * 86_400)} of WAL a day"
    if keep is not None and keep < 0:
        yield Finding("slot_unbounded", f"WAL for slot {name} is kept without bound{day}", place=name)
    elif safe is not None and keep:
        hours = None if not rate else max(0, safe) / rate / 3600
        if slot["wal_status"] == "unreserved" or safe < SHORT * keep * (1 << 20) or (hours or 1e9) < SHORT_HOURS:
            left = "" if hours is None else f", at the present rate {hours:.1f} h"
            problem = f"slot {name} may fall back by {size(max(0, safe))} more before its WAL is removed{left}"
            yield Finding("slot_wal_short", problem, place=name)
    if not slot["active"]:
        yield Finding("slot_inactive", f"nobody reads slot {name}, which keeps {size(retained)} of WAL", place=name)
    elif retained > RETAINED:
        yield Finding("slot_retained", f"slot {name} keeps {size(retained)} of WAL{day}", place=name)


def _rate(cursor: Cursor) -> float | None:
    if cursor.connection.server_version < 140_000:
        return None
    cursor.execute(_RATE)
    row = cursor.fetchone()
    return None if row is None or row[0] is None else float(row[0])


def _drop(name: str) -> str:
    return f"SELECT pg_drop_replication_slot({literal(name)});"


def size(number: float) -> str:
    """Bytes as people say them."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if number < 1024:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.1f} TiB"

"""A PostgreSQL server: what its settings and its sessions mean for a slot that must never lose anything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from psycopg2.extensions import cursor as Cursor  # noqa: N812

from connectors.definition import Definition
from connectors.finding import Finding

OPEN_S = 3600.0
"""Seconds after which a transaction that has written something is called long."""
OPEN_AGE = 1_000_000
"""The same in transactions that began since: all that an ordinary role sees of others' sessions is their xid."""
_LEAST_TIMEOUT_MS = 10_000

_SETTINGS = """
SELECT name, setting, unit FROM pg_settings
 WHERE name IN ('wal_level', 'max_replication_slots', 'max_wal_senders', 'wal_sender_timeout',
                'idle_replication_slot_timeout', 'synchronized_standby_slots')"""
_CAPACITY = """
SELECT pg_is_in_recovery(), (SELECT count(*) FROM pg_replication_slots),
       (SELECT count(*) FROM pg_stat_replication),
       (SELECT count(*) FROM pg_replication_slots WHERE slot_name = %(slot)s),
       (SELECT count(*) FROM pg_stat_replication r JOIN pg_replication_slots s ON s.active_pid = r.pid
         WHERE s.slot_name = %(slot)s),
       (SELECT count(*) FROM pg_stat_replication r
         WHERE NOT EXISTS (SELECT FROM pg_replication_slots s WHERE s.active_pid = r.pid AND s.slot_type = 'logical')
           AND r.application_name <> 'pg_basebackup'),
       (SELECT to_jsonb(s) ->> 'failover' FROM pg_replication_slots s WHERE slot_name = %(slot)s)"""
_OPEN = """
SELECT count(*), max(extract(epoch FROM clock_timestamp() - xact_start)), max(age(backend_xid))
  FROM pg_stat_activity
 WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid()
   AND CASE WHEN xact_start IS NULL THEN age(backend_xid) > %s
            ELSE extract(epoch FROM clock_timestamp() - xact_start) > %s END"""
_PREPARED = "SELECT count(*) FROM pg_prepared_xacts WHERE prepared < clock_timestamp() - make_interval(secs => %s)"
_UNITS = {"ms": 1, "s": 1000, "min": 60_000}


@dataclass(frozen=True, slots=True)
class _Capacity:
    """Slots and WAL senders in use; ``own_…``: the connector's. ``standbys``: streaming, as far as one can see."""

    standby: bool
    slots: int
    senders: int
    own_slots: int
    own_senders: int
    standbys: int
    failover: str | None


def findings(definition: Definition, cursor: Cursor) -> Iterator[Finding]:
    """What is to be known of the server."""
    cursor.execute(_SETTINGS)
    rows = cursor.fetchall()
    settings = {name: value for name, value, _ in rows}
    milliseconds = {name: int(value) * _UNITS[unit] for name, value, unit in rows if unit in _UNITS}
    cursor.execute(_CAPACITY, {"slot": definition.slot})
    row = cursor.fetchone()
    assert row is not None  # a query without FROM
    capacity = _Capacity(*row)
    if capacity.standby:
        yield Finding("server_standby", "the server is a standby")
    if settings["wal_level"] != "logical":
        fix = "ALTER SYSTEM SET wal_level = 'logical';  -- then restart the server"
        yield Finding("wal_level", "wal_level is not logical: the server's log cannot be decoded", fix)
    yield from _room(settings, capacity)
    yield from _timeouts(milliseconds)
    yield from _failover(definition, settings, capacity)
    yield from _transactions(cursor)


def _room(settings: Mapping[str, str], capacity: _Capacity) -> Iterator[Finding]:
    slots = int(settings["max_replication_slots"]) - capacity.slots
    senders = int(settings["max_wal_senders"]) - capacity.senders
    if slots <= 0 and not capacity.own_slots:
        fix = "ALTER SYSTEM SET max_replication_slots = 20;  -- then restart the server"
        yield Finding("slots_taken", "every replication slot is taken", fix)
    if senders <= 0 and not capacity.own_senders:
        fix = "ALTER SYSTEM SET max_wal_senders = 20;  -- then restart the server"
        yield Finding("senders_taken", "every WAL sender is taken", fix)
    left = slots - (not capacity.own_slots), senders - (not capacity.own_senders)
    if 0 <= min(left) < 2:
        problem = f"beside the connector's own, {max(0, left[0])} slots and {max(0, left[1])} WAL senders are left"
        yield Finding("slot_headroom", problem)


def _timeouts(milliseconds: Mapping[str, int]) -> Iterator[Finding]:
    timeout = milliseconds.get("wal_sender_timeout", 60_000)
    if timeout < _LEAST_TIMEOUT_MS:
        fix = "ALTER SYSTEM SET wal_sender_timeout = '60s'; SELECT pg_reload_conf();"
        yield Finding("wal_sender_timeout", f"wal_sender_timeout is {timeout} ms", fix)
    idle = milliseconds.get("idle_replication_slot_timeout", 0)
    if idle:
        fix = "ALTER SYSTEM SET idle_replication_slot_timeout = 0; SELECT pg_reload_conf();"
        yield Finding("slot_idle_timeout", f"idle_replication_slot_timeout is {idle // 1000} s", fix)


def _failover(definition: Definition, settings: Mapping[str, str], capacity: _Capacity) -> Iterator[Finding]:
    if not capacity.standbys or "synchronized_standby_slots" not in settings or capacity.failover is None:
        return
    slot, number = definition.slot, capacity.standbys
    if capacity.failover == "false":
        yield Finding("slot_failover", f"{number} standbys, and slot {slot} has no failover flag", place=slot)
    elif not settings["synchronized_standby_slots"]:
        yield Finding("standby_slots", "synchronized_standby_slots is empty")


def _transactions(cursor: Cursor) -> Iterator[Finding]:
    cursor.execute(_OPEN, (OPEN_AGE, OPEN_S))
    number, seconds, age = cursor.fetchone() or (0, None, None)
    if number:
        since = f"for {seconds / 3600:.1f} h" if seconds is not None else f"while {age:,} others began"
        yield Finding("transaction_open", f"{number} transactions that have written are open, the oldest {since}")
    cursor.execute(_PREPARED, (OPEN_S,))
    (prepared,) = cursor.fetchone() or (0,)
    if prepared:
        yield Finding("transaction_prepared", f"{prepared} prepared transactions are older than an hour")

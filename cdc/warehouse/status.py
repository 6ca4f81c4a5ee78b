"""Where each stream stands, as the warehouse says it. Read-only."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field, replace
from datetime import datetime

import psycopg2

from cdc.errors import ConfigError, Unreachable

_STREAMS = """
SELECT s.log, l.origin, s.topic, s.next_offset, l.size, s.records, s.extra_entries, s.skipped,
       s.open_transaction IS NOT NULL, s.complete_seq, s.complete_at, s.source_epoch, s.halted_code,
       s.halted_message, o.owner, o.epoch,
       o.owner IS NOT NULL AND o.renewed_at > clock_timestamp() - interval '10 s', o.renewed_at
  FROM pipeline.stream s JOIN audit.log l USING (log) LEFT JOIN pipeline.lease o USING (log) ORDER BY s.log
"""
_SUSPENDED = """
SELECT log, table_name, suspended_code, suspended_message, suspended_seq
  FROM pipeline.state_table WHERE suspended_code IS NOT NULL ORDER BY 1, 2
"""
_BY_HAND = {
    "too-many-columns": "no state table holds it; cdc audit as-of and history answer from the log",
}
"""Suspensions that a rebuild does not end by itself."""

_GAPS = """
SELECT e.log, e.seq, e.entry::json #>> '{content,cause}', e.entry::json #>> '{content,from}',
       e.entry::json #>> '{content,through}',
       ARRAY(SELECT r.table_name FROM audit.read_anew_since(e.log, e.seq) r),
       (SELECT count(*) FROM pipeline.state_table t
         WHERE t.log = e.log AND t.table_name NOT IN ('cdc.heartbeat', 'cdc.signal')
           AND audit.debezium_name(t.table_name) NOT IN (
               SELECT r.table_name FROM audit.read_anew_since(e.log, e.seq) r))
  FROM audit.entry e WHERE e.kind = 'gap' AND e.kind IN ('gap', 'baseline') ORDER BY 1, 2
"""
_QUARANTINED = """
SELECT s.log, count(*), min(q.seq), min(q.recorded_at),
       ARRAY(SELECT DISTINCT table_name FROM pipeline.table_waits(s.log))
  FROM pipeline.stream s CROSS JOIN LATERAL audit.open_quarantine(s.log) q GROUP BY 1
"""
_WAITING = "SELECT log, table_name, count(*), min(since) FROM pipeline.row_wait GROUP BY 1, 2 ORDER BY 1, 2"


@dataclass(frozen=True, slots=True)
class Suspension:
    """A table whose current state does not follow its history since ``seq``. ``waits``: a record of it is in quarantine
    still whose row is not known.
    """

    table: str
    code: str
    message: str
    seq: int
    waits: bool = False

    def command(self, log: str) -> str:
        """What to type; ``docs/operations.md`` says when."""
        if self.code in _BY_HAND:
            return _BY_HAND[self.code]
        if self.waits:
            return f"cdc quarantine list {log}"
        return f"cdc rebuild {log} {shlex.quote(self.table)}"


@dataclass(frozen=True, slots=True)
class KnownGap:
    """Records that are known to be missing: current state may differ from the source since entry ``seq``, but for the
    tables that were ``read_anew`` after it (as Debezium names them); ``unread``: how many were not.
    """

    seq: int
    cause: str
    since: str
    through: str
    read_anew: list[str]
    unread: int

    @property
    def state(self) -> str:
        """What it means for current state, in words."""
        if not self.read_anew:
            return "current state may differ from the source since then"
        anew = f"{len(self.read_anew):,} tables were read anew after it"
        return anew if not self.unread else f"{anew}; current state of {self.unread:,} others may differ"


@dataclass(frozen=True, slots=True)
class Quarantine:
    """Records in quarantine: how many, the entry of the oldest, and when the warehouse stored that one."""

    records: int
    oldest_seq: int
    since: datetime


@dataclass(frozen=True, slots=True)
class RowsWaiting:
    """Rows of a table whose current state waits for records in quarantine: how many, and the entry of the oldest."""

    table: str
    rows: int
    seq: int


@dataclass(frozen=True, slots=True)
class StreamStatus:
    """One stream. ``complete_at`` is the source commit (ns since 1970) through which the log is complete, None before
    the first baseline.
    """

    log: str
    origin: str
    topic: str
    position: int
    entries: int
    records: int
    extra_entries: int
    skipped: dict[str, int]
    inside_transaction: bool
    complete_seq: int | None
    complete_at: int | None
    source_epoch: str | None
    halted_code: str | None
    halted_message: str | None
    owner: str | None
    epoch: int
    owned: bool
    renewed_at: datetime | None
    suspended: list[Suspension] = field(default_factory=list)
    gaps: list[KnownGap] = field(default_factory=list)
    quarantine: Quarantine | None = None
    waiting: list[RowsWaiting] = field(default_factory=list)

    @property
    def state(self) -> str:
        """``running``, ``halted`` or ``stopped``."""
        if self.halted_code is not None:
            return "halted"
        return "running" if self.owned else "stopped"


def streams(dsn: str) -> list[StreamStatus]:
    """All streams of a warehouse.

    Raises:
        Unreachable: no connection.
        ConfigError: the warehouse has no tables of ours, or the role may not read them.
    """
    try:
        connection = psycopg2.connect(dsn, connect_timeout=5, application_name="cdc status")
    except psycopg2.OperationalError:
        raise Unreachable("the warehouse does not answer ([warehouse] auditor_dsn)", hint="cdc local status") from None
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(_STREAMS)
            found = {row[0]: StreamStatus(*row) for row in cursor.fetchall()}
            cursor.execute(_SUSPENDED)
            for log, table, code, message, seq in cursor.fetchall():
                found[log].suspended.append(Suspension(table, code, message, seq))
            cursor.execute(_GAPS)
            for log, *gap in cursor.fetchall():
                found[log].gaps.append(KnownGap(*gap))
            cursor.execute(_WAITING)
            for log, *waiting in cursor.fetchall():
                found[log].waiting.append(RowsWaiting(*waiting))
            cursor.execute(_QUARANTINED)
            for log, records, seq, since, tables in cursor.fetchall():
                suspended = [replace(each, waits=each.table in tables) for each in found[log].suspended]
                quarantine = Quarantine(records, seq, since)
                found[log] = replace(found[log], quarantine=quarantine, suspended=suspended)
    except psycopg2.errors.lookup("42P01"):
        raise ConfigError("the warehouse has no tables yet", hint="cdc migrate") from None
    except psycopg2.errors.InsufficientPrivilege:
        raise ConfigError(
            "this role may not read the warehouse's status ([warehouse] auditor_dsn)", hint="cdc migrate"
        ) from None
    finally:
        connection.close()
    return list(found.values())

"""Reading tables of a source anew after a gap, through Debezium's blocking snapshot ("Sending signals" of its manual).

The connector stops streaming, reads the tables, and streams on from where it stopped. What a table holds when it is
read must be what the stream has said of it until then: rows that change in between would be shown too early, and those
without a key counted twice. So writers of these tables wait, by a SHARE lock, from before the signal is committed until
the connector's view of them is taken; reading goes on without a lock.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field

import psycopg2
from psycopg2 import sql

from cdc import signals
from cdc.entry import split_qualified_name
from cdc.errors import CheckFailed, ConfigError, Conflict, NotFound, Unreachable
from cdc.notification import INITIAL, notification
from cdc.stream import Stream
from cdc.topic import Topic
from cdc.warehouse.sqlstate import classify

BEGIN_S = 30.0
"""Seconds for which writers wait at most until the connector has begun to read."""
_POLL_S = 0.2
_HERE = "SELECT to_regclass('cdc.signal') IS NOT NULL, pg_is_in_recovery()"
_BEHIND = """
SELECT pg_wal_lsn_diff(%s::pg_lsn, confirmed_flush_lsn)::bigint FROM pg_replication_slots WHERE slot_name = %s
"""


@dataclass(frozen=True, slots=True)
class Place:
    """Where tables are read anew, and into what. ``dsn``: of a role that may lock the tables and write a signal."""

    log: str
    dsn: str = field(repr=False)
    slot: str
    kafka: Mapping[str, str] = field(repr=False)
    topic: Topic


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds: for locks, and until the connector has read what was committed before."""

    lock_s: float
    catch_up_s: float


@dataclass(frozen=True, slots=True)
class Reread:
    """What came of it. ``offset``: of the record that says that all tables have been read; ``locked_s``: seconds for
    which writers waited at most.
    """

    offset: int
    rows: Mapping[str, int]
    locked_s: float


Tell = Callable[[str], None]


def demand_source(dsn: str, source: str) -> None:
    """See that the source answers, is the primary, and has the table for signals.

    Raises:
        Unreachable: it does not answer.
        Conflict: it is a standby, or has no ``cdc.signal``; says what to type.
    """
    with closing(_connect(dsn, source)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(_HERE)
        signals, standby = cursor.fetchone() or (False, False)
    if standby:
        raise Conflict(f"the source database of {source} is a standby", hint=f"[sources.{source}] dsn = the primary's")
    if not signals:
        raise Conflict(
            f"the source database of {source} has no table cdc.signal, by which the connector is asked",
            hint=f"cdc connectors init {source}   (writes the SQL that makes it),"
            f" or go on without reading anew: cdc stream accept-gap {source} --reason '…'",
        )


def reread(place: Place, tables: Sequence[str], patience: Patience, tell: Tell) -> Reread:
    """Have the connector read these tables anew; returns when it has read all of them.

    Raises:
        Conflict: the connector is too far behind, a lock could not be had, or it did not begin in time.
        NotFound: the source has no such slot, or no such table.
        CheckFailed: it did not read all of them.
        TransientError, Unreachable: source or Kafka stopped answering.
    """
    data = signals.data("blocking", tables)
    stream = Stream(place.kafka, place.topic, f"{place.log}-rebaseline")
    try:
        with closing(_connect(place.dsn, place.log)) as holding, closing(_connect(place.dsn, place.log)) as asking:
            asking.autocommit = True
            with asking.cursor() as cursor:
                _catch_up(cursor, place, patience.catch_up_s, tell)
            stream.rewind(stream.bounds()[1])
            waited = time.monotonic()
            _lock(holding, tables, patience.lock_s)
            name = f"rebaseline-{uuid.uuid4().hex}"[:42]
            with asking.cursor() as cursor:
                cursor.execute("INSERT INTO cdc.signal VALUES (%s, 'execute-snapshot', %s)", (name, data))
            watch = _Watch(stream, name)
            watch.until({"IN_PROGRESS", "TABLE_SCAN_COMPLETED", "COMPLETED", "ABORTED"}, BEGIN_S)
            holding.rollback()
            locked_s = time.monotonic() - waited
        tell(f"the connector reads {len(tables)} tables; their writers waited {locked_s:.1f} s at most")
        offset = watch.until({"COMPLETED", "ABORTED"}, None, tell)
    except psycopg2.errors.UndefinedTable:
        raise NotFound("a table is not there any more at the source", hint="name the tables that are") from None
    except psycopg2.errors.InsufficientPrivilege:
        raise ConfigError(
            f"this role may not lock the tables of {place.log}, or write its signal",
            hint="--dsn or $CDC_SOURCE_DSN: of the tables' owner, or of a superuser",
        ) from None
    except psycopg2.Error as error:
        raise classify(error, f"source {place.log}") from None
    finally:
        stream.close()
    unread = [table for table in tables if ".".join(split_qualified_name(table)) not in watch.rows]
    if watch.ended != "COMPLETED" or unread:
        raise CheckFailed(
            f"the connector did not read {', '.join(unread) or 'to the end'} ({watch.ended})",
            hint="the log of the Connect worker says why; then give this command again",
        )
    return Reread(offset, watch.rows, locked_s)


def _connect(dsn: str, source: str) -> psycopg2.extensions.connection:
    try:
        return psycopg2.connect(dsn, application_name=f"cdc rebaseline {source}", connect_timeout=5)
    except psycopg2.OperationalError:
        raise Unreachable(
            f"the source database of {source} does not answer",
            hint=f"start it; or go on without reading it anew: cdc stream accept-gap {source} --reason '…'",
        ) from None


def _catch_up(cursor: psycopg2.extensions.cursor, place: Place, patience_s: float, tell: Tell) -> None:
    """Wait until the connector has brought to Kafka what is committed now, so that locks are held shortly."""
    cursor.execute("SELECT pg_current_wal_insert_lsn()::text")
    (reached,) = cursor.fetchone() or ("0/0",)
    ends, told = time.monotonic() + patience_s, False
    while True:
        cursor.execute(_BEHIND, (reached, place.slot))
        row = cursor.fetchone()
        if row is None:
            raise NotFound(f"the source has no replication slot {place.slot}", hint=f"cdc connectors apply {place.log}")
        if row[0] is not None and row[0] <= 0:
            return
        if time.monotonic() > ends:
            raise Conflict(
                f"the connector is {row[0]:,} bytes of WAL behind after {patience_s:g} s; nothing was asked of it",
                hint="cdc connectors list",
            )
        if not told:
            tell("waiting until the connector has read what is committed")
            told = True
        time.sleep(_POLL_S)


def _lock(connection: psycopg2.extensions.connection, tables: Sequence[str], patience_s: float) -> None:
    names = sql.SQL(", ").join(sql.Identifier(*split_qualified_name(table)) for table in sorted(tables))
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('lock_timeout', %s, true)", (f"{int(patience_s * 1000)}ms",))
            cursor.execute(sql.SQL("LOCK TABLE {} IN SHARE MODE").format(names))
    except (psycopg2.errors.LockNotAvailable, psycopg2.errors.DeadlockDetected):
        raise Conflict(
            f"a table could not be locked within {patience_s:g} s: a transaction that writes it goes on for longer;"
            " nothing was asked of the connector",
            hint="try again when it has ended, or with a longer --lock-timeout",
        ) from None


class _Watch:
    """Follows what the connector says in the topic about the snapshot that our signal asks for."""

    def __init__(self, stream: Stream, name: str) -> None:
        self._stream = stream
        self._name = name.encode()
        self._signalled = False
        self.rows: dict[str, int] = {}
        self.ended = ""

    def until(self, types: set[str], patience_s: float | None, tell: Tell = lambda _line: None) -> int:
        """Read on to the first notification of one of these types; returns its offset."""
        began = time.monotonic()
        while True:
            for record in self._stream.read(1):
                self._signalled = self._signalled or (record.value is not None and self._name in record.value)
                told = notification(record.value) if self._signalled else None
                if told is None or told.aggregate != INITIAL:
                    continue
                type_, detail = told.type, told.detail
                if type_ == "TABLE_SCAN_COMPLETED" and detail.get("status") == "SUCCEEDED":
                    table = detail["scanned_collection"]
                    self.rows[table] = int(detail.get("total_rows_scanned", 0))
                    tell(f"read {table}: {self.rows[table]:,} rows")
                if type_ in {"COMPLETED", "ABORTED"}:
                    self.ended = type_
                if type_ in types:
                    return record.offset
            if patience_s is not None and time.monotonic() - began > patience_s:
                raise Conflict(
                    f"the connector did not begin to read within {patience_s:g} s; the tables are no longer locked, and"
                    " what it reads yet may show changes twice",
                    hint="cdc connectors list; when it runs and is not behind, give this command again",
                )

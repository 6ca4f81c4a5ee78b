"""What people asked to be done with quarantined records: asked by a command, carried out by the stream's owner."""

from __future__ import annotations

import getpass
import socket
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, TypeAlias

import psycopg2

from cdc.errors import Conflict
from cdc.mariadb import is_gtid
from cdc.warehouse.sqlstate import classify

How: TypeAlias = Literal["replayed", "dismissed"]
_ASK = "SELECT pipeline.request_resolution(%s, %s, %s, %s, %s)"
_PENDING = """
SELECT id, seq, how, reason, asked_by, asked_at FROM pipeline.resolution_request
 WHERE log = %s AND done_at IS NULL ORDER BY seq
"""
_DONE = """
UPDATE pipeline.resolution_request SET done_at = clock_timestamp(), refused = %s, resolved_seq = %s WHERE id = %s
"""
_OUTCOME = "SELECT done_at IS NOT NULL, refused, resolved_seq FROM pipeline.resolution_request WHERE id = %s"
_OPEN = "SELECT seq, table_name, kafka_offset FROM audit.open_quarantine(%s)"
_OF_TRANSACTION = """
SELECT count(*) FILTER (WHERE kind <> 'quarantined'),
       count(*) FILTER (WHERE kind <> 'quarantined' AND table_name IS NOT DISTINCT FROM %(table)s
                          AND operation = %(operation)s AND committed_at = %(committed_at)s),
       coalesce(array_agg(seq ORDER BY seq) FILTER (WHERE kind = 'quarantined'), '{}')
  FROM audit.entry
 WHERE log = %(log)s AND transaction_id = %(transaction)s AND seq < %(seq)s
   AND kind IN ('change', 'truncate', 'message', 'quarantined')
   AND seq > coalesce((SELECT max(g.seq) FROM audit.entry g WHERE %(gtid)s AND g.log = %(log)s AND g.kind = 'gap'
                          AND g.kind IN ('gap', 'baseline') AND g.seq < %(seq)s), -1)
"""
# MariaDB's connector may number the rest of a transaction from 1 again, after a gap (docs/formats.md §3.2).
_ASKED = "23505"
"""SQLSTATE unique_violation: what was asked before has not been carried out yet."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request. ``by``: operating system's user and host, database user, as they were; asserted, not proven."""

    id: int
    seq: int
    how: How
    reason: str | None
    by: str
    asked_at: datetime

    def said(self) -> dict[str, str | None]:
        """For the entry: when it was asked (UTC), who did, what was asked and why."""
        at = self.asked_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return {"at": at, "by": self.by, "how": self.how, "reason": self.reason}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a request. ``refused``: why nothing was written; ``seq``: of the entry of kind ``resolved``."""

    refused: str | None
    seq: int | None


def ask(connection: psycopg2.extensions.connection, log: str, seq: int, how: How, reason: str | None) -> int | None:
    """Leave a request, recorded in the log ``operations``; its id, or None: the record is not in quarantine.

    Raises:
        Conflict: something was asked of this record, and has not been carried out yet.
    """
    by = f"{getpass.getuser()}@{socket.gethostname()}"
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(_ASK, (log, seq, how, reason, by))
            ((request,),) = cursor.fetchall()
    except psycopg2.Error as error:
        if error.pgcode != _ASKED:
            raise classify(error, "request") from None
        request = -1
    if request == -1:
        raise Conflict(
            f"what was asked of entry {seq:,} of {log} before has not been carried out yet",
            hint=f"cdc replicate {log}, if no worker runs",
        )
    found: int | None = request
    return found


def outcome(connection: psycopg2.extensions.connection, request: int) -> Outcome | None:
    """What came of it, None as long as nobody has carried it out."""
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(_OUTCOME, (request,))
            ((done, refused, seq),) = cursor.fetchall()
    except psycopg2.Error as error:
        raise classify(error, "request") from None
    return Outcome(refused, seq) if done else None


def pending(connection: psycopg2.extensions.connection, log: str) -> list[Request]:
    """What has not been carried out yet, in the order of the records."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(_PENDING, (log,))
            return [Request(*row) for row in cursor.fetchall()]
    except psycopg2.Error as error:
        raise classify(error, "requests") from None


def done(connection: psycopg2.extensions.connection, request: Request, came_of_it: Outcome) -> None:
    """Say what came of a request."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(_DONE, (came_of_it.refused, came_of_it.seq, request.id))
    except psycopg2.Error as error:
        raise classify(error, "requests") from None


def still_open(connection: psycopg2.extensions.connection, log: str) -> dict[int, str | None]:
    """The records in quarantine: table, where it is known, by seq."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(_OPEN, (log,))
            return {seq: table for seq, table, _ in cursor.fetchall()}
    except psycopg2.Error as error:
        raise classify(error, "quarantine") from None


def sealed_entry(connection: psycopg2.extensions.connection, log: str, seq: int) -> tuple[bytes, bytes | None]:
    """A quarantined entry, and its body."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT entry, body FROM audit.quarantined_entry(%s, %s)", (log, seq))
            ((entry, body),) = cursor.fetchall()
    except psycopg2.Error as error:
        raise classify(error, "quarantine") from None
    return entry.encode(), None if body is None else body.encode()


@dataclass(frozen=True, slots=True)
class Before:
    """What the log has of a transaction before an entry: how many of its events, how many of those are of one table,
    operation and instant, and the quarantined entries inside it.
    """

    events: int
    alike: int
    quarantined: list[int]


def of_transaction(
    connection: psycopg2.extensions.connection,
    log: str,
    seq: int,
    *,
    transaction: str,
    table: str | None,
    operation: str,
    committed_at: int | None,
) -> Before:
    """What there is before the entry ``seq`` of its record's transaction. ``committed_at``: ns since 1970.

    Raises:
        TransientError: the warehouse does not answer.
    """
    asked = {
        "log": log, "seq": seq, "transaction": transaction, "table": table, "operation": operation,
        "committed_at": committed_at, "gtid": is_gtid(transaction),
    }  # fmt: skip
    try:
        with connection.cursor() as cursor:
            cursor.execute(_OF_TRANSACTION, asked)
            ((events, alike, unread),) = cursor.fetchall()
            return Before(events, alike, unread)
    except psycopg2.Error as error:
        raise classify(error, "transaction of a quarantined record") from None


def later_than(
    connection: psycopg2.extensions.connection, log: str, table: str, key: str | None, seq: int
) -> int | None:
    """Seq of what the log has of a row that came after the record of entry ``seq``. ``key`` None: rows have no key."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT audit.later_than(%s, %s, %s, %s)", (log, table, key, seq))
            ((found,),) = cursor.fetchall()
    except psycopg2.Error as error:
        raise classify(error, "quarantine") from None
    newest: int | None = found
    return newest

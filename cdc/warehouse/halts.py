"""The halt in force of a stream, and the commit of the gap entry that ends it."""

from __future__ import annotations

import getpass
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import psycopg2

from cdc.errors import Conflict, NotFound
from cdc.gap import Gap, batch
from cdc.warehouse import lease
from cdc.warehouse.commit import Fence, PrivacyMark, commit
from cdc.warehouse.sqlstate import classify

_HALT = """
SELECT s.halted_code, s.halted_message, s.halted_at, s.halted_coordinates, s.topic, s.topic_id, s.next_offset,
       s.source_epoch, s.open_transaction, l.size
  FROM pipeline.stream s JOIN audit.log l USING (log) WHERE s.log = %s
"""
_STANDS = """
SELECT s.halted_code, 'epoch'::timestamptz + s.complete_at / 1000 * interval '1 microsecond', s.topic, s.topic_id,
       s.next_offset, s.source_epoch, s.open_transaction, l.size
  FROM pipeline.stream s JOIN audit.log l USING (log) WHERE s.log = %s
"""
_SUSPEND = """
UPDATE pipeline.state_table SET suspended_code = %s, suspended_message = %s, suspended_seq = %s
 WHERE log = %s AND table_name = %s AND suspended_code IS NULL
"""


@dataclass(frozen=True, slots=True)
class Halt:
    """Why a stream stopped, and where it stands. ``coordinates`` as :class:`cdc.errors.Halted` gave them."""

    log: str
    code: str
    message: str
    halted_at: datetime
    coordinates: Mapping[str, str]
    topic: str
    topic_id: str
    position: int
    epoch: str | None
    open_transaction: str | None
    entries: int


def halt_in_force(connection: psycopg2.extensions.connection, log: str) -> Halt | None:
    """The halt of a stream, or None when it is not halted.

    Raises:
        NotFound: the warehouse has no such stream.
    """
    with connection, connection.cursor() as cursor:
        cursor.execute(_HALT, (log,))
        row = cursor.fetchone()
    if row is None:
        raise NotFound(f"the warehouse has no stream {log}", hint="cdc status")
    code, message, at, coordinates, *rest = row
    return None if code is None else Halt(log, code, message, at, coordinates or {}, *rest)


def standing(connection: psycopg2.extensions.connection, log: str, code: str) -> Halt:
    """Where a stream stands that is not halted, for a gap of which no record tells. ``code`` is the gap's;
    ``halted_at`` and ``message`` say through which source commit the log is complete.

    Raises:
        NotFound: the warehouse has no such stream.
        Conflict: it is halted, or nothing is complete yet.
    """
    with connection, connection.cursor() as cursor:
        cursor.execute(_STANDS, (log,))
        row = cursor.fetchone()
    if row is None:
        raise NotFound(f"the warehouse has no stream {log}", hint="cdc status")
    halted, complete, *rest = row
    if halted is not None:
        raise Conflict(f"stream {log} is halted: {halted}", hint=f"cdc stream show {log}")
    if complete is None:
        raise Conflict(f"the log of {log} is complete through nothing yet", hint=f"cdc replicate {log}")
    return Halt(log, code, complete.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"), complete, {}, *rest)


def accept(
    connection: psycopg2.extensions.connection, halt: Halt, topic: str, gap: Gap, reason: str, *, unhalted: bool = False
) -> int:
    """Own the stream, write the gap entry, give the stream up again; returns the entry's seq.

    ``unhalted``: ``halt`` is of :func:`standing`.

    Raises:
        Conflict: a worker owns the stream, or the halt is another one by now.
        TransientError, LedgerError: as of any commit.
    """
    taken = lease.try_take(connection, halt.log)
    if isinstance(taken, str):
        raise Conflict(f"{taken} owns stream {halt.log}", hint="stop that worker first, its spares too")
    try:
        if halt != (standing(connection, halt.log, halt.code) if unhalted else halt_in_force(connection, halt.log)):
            raise Conflict(f"stream {halt.log} has moved meanwhile", hint=f"cdc stream show {halt.log}")
        lease.cut_ahead(connection, halt.log, taken.standing.edge.size)
        seq = taken.standing.edge.size
        with connection.cursor() as cursor:  # one transaction with the commit below
            cursor.execute(
                "UPDATE pipeline.stream SET topic = %s, topic_id = %s WHERE log = %s AND epoch = %s",
                (topic, gap.going.topic_id, halt.log, taken.epoch),
            )
            if gap.suspends is not None:
                cursor.execute(_SUSPEND, (*_suspension(), seq, halt.log, gap.suspends))
        made = batch(taken.standing, taken.origin, gap, _said(connection, reason), secrets.token_hex(16))
        # None, None: the next batch sets them, whichever store it finds
        seen = PrivacyMark(*((None, None) if gap.forgets_store or taken.privacy is None else taken.privacy))
        commit(connection, Fence(halt.log, gap.going.topic_id, taken.epoch), made, seen, lambda _step: None)
    except psycopg2.Error as error:
        connection.rollback()
        raise classify(error, "warehouse") from None
    finally:
        if not connection.closed:
            connection.rollback()
            lease.release(connection, halt.log, taken.epoch)
    return seq


def _suspension() -> tuple[str, str]:
    """Code and message of a table whose state a gap has left behind."""
    return "state-diverged", "a change of it is missing; accepted as a gap"


def _said(connection: psycopg2.extensions.connection, reason: str) -> dict[str, str]:
    """When, why, and who: the names that the operating system and the database give, which nobody has proven."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT session_user")
        (user,) = cursor.fetchone() or ("",)
    return {
        "at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "by": f"{getpass.getuser()}@{socket.gethostname()}, database user {user}",
        "reason": reason,
    }

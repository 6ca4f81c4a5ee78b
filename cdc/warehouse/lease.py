"""Ownership of a stream: a lease in ``pipeline.lease``, judged by the warehouse's clock.

One worker owns one stream. A spare takes over at once when the owner's writing backend is gone, or after
:data:`EXPIRES_S` without renewal; then it ends that backend first, because a stopped process still holds its row locks,
and raises the epoch, which is part of every commit's fence. The lease only decides who tries; that nobody else can
write is the fence's doing.
"""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass

import psycopg2

from cdc.batch import Standing
from cdc.errors import CdcError, Halted
from cdc.warehouse.sqlstate import classify
from cdc.warehouse.standing import SELECT, standing_of

EXPIRES_S = 10.0
"""Seconds without renewal after which a spare takes over."""
RENEW_S = 2.0
CUT_AHEAD = 1_000_000
"""Entries for which partitions exist before they are needed."""

_FED = "SELECT s.topic, s.topic_id FROM pipeline.stream s JOIN pipeline.lease l USING (log) WHERE log = %s"
_JUDGE = """
SELECT l.epoch, l.owner,
       l.owner IS NULL
       OR NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.pid = l.owner_pid AND a.backend_start = l.owner_started_at)
       OR l.renewed_at < clock_timestamp() - make_interval(secs => %s)
  FROM pipeline.lease l WHERE l.log = %s
"""
_TAKE = """
UPDATE pipeline.lease l SET owner = %(owner)s, owner_pid = a.pid, owner_started_at = a.backend_start,
       epoch = l.epoch + 1, renewed_at = clock_timestamp()
  FROM pg_stat_activity a
 WHERE l.log = %(log)s AND l.epoch = %(epoch)s AND a.pid = pg_backend_pid() RETURNING l.epoch
"""


@dataclass(frozen=True, slots=True)
class Ownership:
    """What a worker that owns a stream holds. ``epoch`` is part of the fence."""

    log: str
    origin: str
    topic_id: str
    epoch: int
    standing: Standing
    known: frozenset[tuple[str, str, str]]
    privacy: tuple[str, int] | None


def register(connection: psycopg2.extensions.connection, log: str, topic: str, topic_id: str) -> None:
    """Create the log and its stream where they do not exist yet.

    Raises:
        Halted: the stream was fed by another topic, or by another incarnation of it.
    """
    with connection, connection.cursor() as cursor:
        cursor.execute(_FED, (log,))
        fed = cursor.fetchone()
        if fed is None:
            # Only then: ON CONFLICT DO NOTHING waits for whoever updates that row, and a stopped owner does for ever.
            cursor.execute("SELECT audit.create_log(%s, %s)", (log, f"{log}/1"))
            cursor.execute(
                "INSERT INTO pipeline.stream (log, topic, topic_id) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
                (log, topic, topic_id),
            )
            cursor.execute("INSERT INTO pipeline.lease (log) VALUES (%s) ON CONFLICT DO NOTHING", (log,))
            cursor.execute(_FED, (log,))
            fed = cursor.fetchone()
    known_topic, known_id = fed or ("", "")
    if known_topic != topic:
        raise Halted(
            "topic-changed",
            f"stream {log} was fed by topic {known_topic!r}, not {topic!r}",
            hint="cdc stream show",
        )
    if known_id != topic_id:
        raise Halted(
            "topic-recreated",
            f"topic {topic!r} has id {topic_id}; stream {log} was fed by id {known_id}:"
            " its offsets mean other records now",
            hint="cdc stream show",
        )


def try_take(connection: psycopg2.extensions.connection, log: str) -> Ownership | str:
    """Own the stream if nobody does; otherwise the name of the owner.

    ``connection`` becomes the writing connection: its backend is what the lease names.
    """
    with connection, connection.cursor() as cursor:
        cursor.execute(_JUDGE, (EXPIRES_S, log))
        epoch, owner, free = cursor.fetchone() or (0, "nobody", False)
        if not free:
            return str(owner)
        cursor.execute("SELECT pipeline.end_owner(%s, %s)", (log, epoch))
    with connection, connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '5s'")
        cursor.execute(_TAKE, {"owner": f"{socket.gethostname()}/{os.getpid()}", "log": log, "epoch": epoch})
        taken = cursor.fetchone()
        if taken is None:
            return "another worker"
        # The terminated backend may still be ending; its row lock on the stream is waited for here.
        cursor.execute("UPDATE pipeline.stream SET epoch = %s WHERE log = %s AND epoch < %s", (taken[0], log, taken[0]))
        cursor.execute(SELECT, (log,))
        row = cursor.fetchone()
        cursor.execute(
            "SELECT l.origin, s.topic_id, s.privacy_identity::text, s.privacy_high_water"
            " FROM pipeline.stream s JOIN audit.log l USING (log) WHERE log = %s",
            (log,),
        )
        details = cursor.fetchone()
        cursor.execute("SELECT table_name, schema, plan FROM pipeline.table_version WHERE log = %s", (log,))
        known = frozenset((table, schema, plan) for table, schema, plan in cursor.fetchall())
        if row is None or details is None:
            raise Halted("stream-missing", f"the warehouse has no stream {log}", hint="cdc migrate")
        standing = standing_of(row)
    origin, topic_id, identity, high_water = details
    return Ownership(log, origin, topic_id, taken[0], standing, known, (identity, high_water) if identity else None)


def cut_ahead(connection: psycopg2.extensions.connection, log: str, size: int) -> int:
    """Make partitions for :data:`CUT_AHEAD` more entries than ``size``; returns the seq through which they reach."""
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT audit.cut_partitions(%s, %s)", (log, size + CUT_AHEAD))
    return size + CUT_AHEAD


def record_ownership(connection: psycopg2.extensions.connection, owned: Ownership, policy_digest: str) -> None:
    """Put into the ``operations`` log who goes on with the stream from where, and under which policy (SHA-256, hex)."""
    detail = {
        "epoch": str(owned.epoch),
        "log": owned.log,
        "position": str(owned.standing.next_offset),
        "policy_sha256": policy_digest,
        "size": str(owned.standing.edge.size),
        "worker": f"{socket.gethostname()}/{os.getpid()}",
    }
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT audit.append_operation('stream-owned', %s)", (json.dumps(detail),))


def follows_gap(connection: psycopg2.extensions.connection, owned: Ownership) -> bool:
    """Whether the last entry of the log is a gap that a person has accepted."""
    with connection, connection.cursor() as cursor:
        last = owned.standing.edge.size - 1
        cursor.execute("SELECT kind FROM audit.entry WHERE log = %s AND seq = %s", (owned.log, last))
        return cursor.fetchone() == ("gap",)


def release(connection: psycopg2.extensions.connection, log: str, epoch: int) -> None:
    """Give the stream up, so that a spare need not wait."""
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "UPDATE pipeline.lease SET owner = NULL, owner_pid = NULL WHERE log = %s AND epoch = %s", (log, epoch)
        )


def mark_halted(dsn: str, log: str, code: str, message: str, coordinates: Mapping[str, str]) -> None:
    """Leave the reason why a stream stopped where ``cdc status`` finds it, best effort. Not while somebody owns it."""
    try:
        connection = connect(dsn, f"cdc halt {log}")
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(
                    "UPDATE pipeline.stream SET halted_code = %s, halted_message = %s, halted_coordinates = %s,"
                    " halted_at = now() WHERE log = %s"
                    " AND NOT EXISTS (SELECT FROM pipeline.lease l JOIN pg_stat_activity a"
                    " ON a.pid = l.owner_pid AND a.backend_start = l.owner_started_at WHERE l.log = stream.log)",
                    (code, message, json.dumps(dict(coordinates)), log),
                )
        finally:
            connection.close()
    except (psycopg2.Error, CdcError):
        return


class Renewal(threading.Thread):
    """Renews the lease on a connection of its own. ``lost`` is set when the epoch is no longer ours."""

    def __init__(self, dsn: str, log: str, epoch: int) -> None:
        super().__init__(name=f"lease-{log}", daemon=True)
        self._dsn, self._log, self._epoch = dsn, log, epoch
        self._ending = threading.Event()
        self.lost = threading.Event()

    def run(self) -> None:
        """Renew until stopped; an unreachable warehouse is tried again, since the fence decides anyway."""
        connection = None
        while not self._ending.wait(RENEW_S if connection else 0):
            try:
                connection = connection or connect(self._dsn, f"cdc lease {self._log}")
                with connection, connection.cursor() as cursor:
                    cursor.execute(
                        "UPDATE pipeline.lease SET renewed_at = clock_timestamp() WHERE log = %s AND epoch = %s",
                        (self._log, self._epoch),
                    )
                    if cursor.rowcount != 1:
                        self.lost.set()
                        break
            except (psycopg2.Error, CdcError):
                if connection is not None:
                    connection.close()
                connection = None
                self._ending.wait(0.5)
        if connection is not None:
            connection.close()

    def stop(self) -> None:
        """End the thread; returns when it has ended."""
        self._ending.set()
        self.join(timeout=5)


def connect(dsn: str, application: str) -> psycopg2.extensions.connection:
    """A connection with the settings that every one of ours has.

    Raises:
        TransientError: PostgreSQL does not answer, is starting or shutting down.
        ConfigError: it refuses this role.
    """
    try:
        connection = psycopg2.connect(
            dsn,
            application_name=application,
            connect_timeout=5,
            keepalives_idle=5,
            keepalives_interval=2,
            keepalives_count=3,
            tcp_user_timeout=15000,
        )
        connection.set_session(isolation_level="READ COMMITTED")
        with connection, connection.cursor() as cursor:
            cursor.execute(
                "SET client_min_messages = warning; SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD';"
                "SET IntervalStyle = 'iso_8601'"
            )
    except psycopg2.Error as error:
        raise classify(error, "warehouse") from None
    return connection

"""What the warehouse says of its streams, through the auditor's role; and partitions cut ahead, through the owner's."""

from __future__ import annotations

import psycopg2

from cdc.supervise.seen import Requests, WarehouseSeen
from cdc.warehouse import status
from cdc.warehouse.lease import connect
from cdc.warehouse.sqlstate import classify

_SIZES = "SELECT log, size FROM audit.log"
# The partitions of a log are named <its parent>$<first seq>; their bounds say how far they reach.
_CUT = """
SELECT substr(p.relname, length('entry_') + 1),
       max(substring(pg_get_expr(c.relpartbound, c.oid) FROM 'TO \\(''?(\\d+)')::bigint)
  FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_class p ON p.oid = i.inhparent
 WHERE p.relnamespace = 'audit'::regnamespace AND p.relname LIKE 'entry\\_%' GROUP BY 1
"""
_REQUESTS = """
SELECT log, count(*), extract(epoch FROM clock_timestamp() - min(asked_at))
  FROM pipeline.resolution_request WHERE done_at IS NULL GROUP BY 1
"""
REACH = 20_000_000
"""Entries beyond its end for which ``audit.cut_partitions`` makes partitions, at most."""


def look(dsn: str) -> WarehouseSeen:
    """Read it.

    Raises:
        Unreachable, ConfigError: as :func:`cdc.warehouse.status.streams`.
        CdcError: PostgreSQL refuses a question.
    """
    streams = {stream.log: stream for stream in status.streams(dsn)}
    connection = connect(dsn, "cdc supervise")
    try:
        connection.set_session(readonly=True)
        with connection, connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = '10s'")
            cursor.execute(_SIZES)
            sizes = dict(cursor.fetchall())
            cursor.execute(_CUT)
            cut = {log: reach for log, reach in cursor.fetchall() if log in sizes and reach is not None}
            cursor.execute(_REQUESTS)
            requests = {log: Requests(waiting, float(oldest)) for log, waiting, oldest in cursor.fetchall()}
    except psycopg2.Error as error:
        raise classify(error, "warehouse") from None
    finally:
        connection.close()
    return WarehouseSeen(streams, requests, sizes, cut)


def cut_ahead(connection: psycopg2.extensions.connection, log: str, through: int) -> int:
    """Make partitions of a log through this seq; returns how many were made. ``connection``: of the replicator's role.

    Raises:
        CdcError: PostgreSQL refuses, or the lock that it needs was not to be had within its 5 s.
    """
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute("SELECT audit.cut_partitions(%s, %s)", (log, through))
            ((cut,),) = cursor.fetchall()
    except psycopg2.Error as error:
        raise classify(error, f"partitions of {log}") from None
    return int(cut)


def answers(dsn: str) -> bool:
    """That a PostgreSQL database lets this role in.

    Raises:
        CdcError: it does not.
    """
    connection = connect(dsn, "cdc supervise")
    connection.close()
    return True

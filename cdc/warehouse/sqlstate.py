"""PostgreSQL's errors, folded into ours by SQLSTATE and never by text.

DETAIL and CONTEXT of a PostgreSQL error carry row values, and so can its primary message (``invalid input syntax for
type integer: "…"``). What leaves this module names the SQLSTATE, its class and the place, nothing else.
"""

from __future__ import annotations

import psycopg2

from cdc.errors import CdcError, ConfigError, LedgerError, TransientError

TRANSIENT_CLASSES = ("08", "53", "57", "58")
"""Connection, resources, operator intervention, system error."""
TRANSIENT = frozenset({"40001", "40P01", "55P03", "25006", "25P02", "25P03"})
"""Serialisation failure, deadlock, lock not available, read-only (a standby), aborted transaction, idle time-out."""
PRIVILEGE = frozenset({"42501", "28000", "28P01", "3D000"})


def classify(error: psycopg2.Error, where: str) -> CdcError:
    """The error of ours that says what the operator does next."""
    state = error.pgcode
    if state is None:
        # Without a SQLSTATE the connection itself broke, or the driver was misused; only the former is an outage.
        if isinstance(error, (psycopg2.OperationalError, psycopg2.InterfaceError)):
            return TransientError(f"{where}: no connection to PostgreSQL")
        return LedgerError(f"{where}: {type(error).__name__}")
    text = f"{where}: PostgreSQL reports SQLSTATE {state} ({type(error).__name__})"
    if state[:2] in TRANSIENT_CLASSES or state in TRANSIENT:
        return TransientError(text)
    if state in PRIVILEGE:
        return ConfigError(text, hint="cdc migrate   (creates tables, roles and grants)")
    return LedgerError(text)

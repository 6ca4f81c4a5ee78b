"""One connection to the privacy store: short transactions, bounded in time, errors without values."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TypeVar

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from governance.errors import GovernanceError, StoreError, StoreUnavailable

T = TypeVar("T")

# Nobody may hold up the others for long: a stopped worker's transaction is ended by the server. Milliseconds.
_SESSION = (
    "SET idle_in_transaction_session_timeout = 10000; SET lock_timeout = 20000; SET statement_timeout = 30000; "
    # a commit that the server forgets in a crash would give one value two tokens
    "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
)
# https://www.postgresql.org/docs/current/errcodes-appendix.html
_PASSING_CLASSES = ("08", "40", "53", "57", "58")
_PASSING = ("25P03", "55P03")
_HINTS = {
    "3F000": "run cdc keys init with the store's admin DSN",
    "42P01": "run cdc keys init with the store's admin DSN",
    "42501": "connect as a member of the role cdc_privacy",
    "28P01": "check user and password of [privacy] dsn",
    "28000": "check user and password of [privacy] dsn",
    "3D000": "check dbname of [privacy] dsn",
}


class StoreConnection:
    """Opens when first used, and again after it was lost. One thread at a time."""

    def __init__(self, dsn: str, *, application_name: str = "cdc privacy") -> None:
        """``dsn``: libpq connection string or URI. Nothing is opened yet."""
        self._dsn = dsn
        self._application_name = application_name
        self._connection: Connection | None = None

    def run(self, work: Callable[[Cursor], T]) -> T:
        """``work`` in one READ COMMITTED transaction, committed when it returns and rolled back when it raises.

        StoreUnavailable when the store does not answer (whether the transaction was committed may then be unknown, so
        ``work`` must be repeatable); StoreError with the SQLSTATE for everything else that the database refuses.
        """
        try:
            connection = self._open()
            with connection, connection.cursor() as cursor:
                return work(cursor)
        except psycopg2.Error as error:
            reduced = self._reduced(error)
        except BaseException:
            self._drop_broken()
            raise
        raise reduced  # outside of the handler: the original, which quotes rows, must not travel as __context__

    def close(self) -> None:
        """Give the connection back. The next use opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(psycopg2.Error):
                connection.close()

    def _open(self) -> Connection:
        if self._connection is None or self._connection.closed:
            connection = psycopg2.connect(
                self._dsn,
                connect_timeout=5,
                application_name=self._application_name,
                keepalives_idle=5,
                keepalives_interval=5,
                keepalives_count=3,
                tcp_user_timeout=20_000,
            )
            with connection, connection.cursor() as cursor:
                cursor.execute(_SESSION)
            self._connection = connection
        return self._connection

    def _drop_broken(self) -> None:
        if self._connection is not None and self._connection.closed:
            self._connection = None

    def _reduced(self, error: psycopg2.Error) -> GovernanceError:
        """``error`` without its text: SQLSTATE, and what to do."""
        state = error.pgcode
        lost = self._connection is None or bool(self._connection.closed)
        if lost:
            self.close()
        if state is None and isinstance(error, psycopg2.ProgrammingError):
            return StoreError("the privacy store's DSN is malformed", hint="check [privacy] dsn")
        if state is None and (lost or isinstance(error, psycopg2.OperationalError | psycopg2.InterfaceError)):
            return StoreUnavailable(
                "the privacy store does not answer", hint="check that it runs, and user and password: [privacy] dsn"
            )
        if state is not None and (state[:2] in _PASSING_CLASSES or state in _PASSING):
            return StoreUnavailable(f"the privacy store is not available (SQLSTATE {state})")
        return StoreError(f"the privacy store refuses a statement (SQLSTATE {state})", hint=_HINTS.get(state or ""))

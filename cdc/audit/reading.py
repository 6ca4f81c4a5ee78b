"""One answer's view of the warehouse: one read-only transaction that sees one state of it, as the auditor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any

import psycopg2

from cdc.errors import CdcError, ConfigError, Unreachable
from cdc.warehouse.sqlstate import classify

Row = tuple[Any, ...]
_FETCHED = 2_000
"""Rows that a streamed answer fetches at a time."""
_MISSING = frozenset({"42P01", "42883", "3F000", "42703"})
"""Undefined table, function, schema, column: the warehouse is not at this program's version."""
_SESSION = "SET search_path = pg_catalog; SET timezone = 'UTC'; SET jit = off"


class Reading:
    """Statements within that transaction. A database error is raised as one of ours, without its text."""

    def __init__(self, connection: psycopg2.extensions.connection) -> None:
        self._connection = connection
        self._streams = 0

    def rows(self, statement: str, parameters: Mapping[str, object] | None = None) -> list[Row]:
        """All rows of a statement; ``%(name)s`` are its parameters."""
        with _reduced(), self._connection.cursor() as cursor:
            cursor.execute(statement, parameters or {})
            return cursor.fetchall()

    def one(self, statement: str, parameters: Mapping[str, object] | None = None) -> Row | None:
        """The first row, or None."""
        found = self.rows(statement, parameters)
        return found[0] if found else None

    def attempt(self, statement: str, parameters: Mapping[str, object]) -> list[Row] | None:
        """All rows, or None where a value is not one of its type (SQLSTATE class 22). The transaction goes on."""
        with _reduced(), self._connection.cursor() as cursor:
            cursor.execute("SAVEPOINT attempt")
            try:
                cursor.execute(statement, parameters)
                return cursor.fetchall()
            except psycopg2.DataError:
                cursor.execute("ROLLBACK TO SAVEPOINT attempt")
                return None

    def stream(self, statement: str, parameters: Mapping[str, object]) -> Iterator[Row]:
        """Rows as they are found: neither the server nor this process holds them all."""
        self._streams += 1
        with _reduced(), self._connection.cursor(f"answer_{self._streams}") as cursor:
            cursor.itersize = _FETCHED
            cursor.execute(statement, parameters)
            yield from cursor

    def avoid(self, *methods: str) -> None:
        """Have the planner avoid methods (PostgreSQL's settings ``enable_…``) for the rest of this transaction."""
        for method in methods:
            self.rows("SELECT set_config('enable_' || %(method)s, 'off', true)", {"method": method})


@contextmanager
def reading(dsn: str) -> Iterator[Reading]:
    """Open the warehouse for one answer.

    Raises:
        Unreachable: no connection.
        ConfigError: the warehouse is older than this program, or the role may not read it.
        TransientError: the warehouse ends the question.
    """
    try:
        connection = psycopg2.connect(dsn, connect_timeout=5, application_name="cdc audit")
    except psycopg2.OperationalError:
        raise Unreachable("the warehouse does not answer ([warehouse] auditor_dsn)", hint="cdc local status") from None
    with closing(connection):
        with _reduced():
            connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
            connection.set_client_encoding("UTF8")
            with connection.cursor() as cursor:
                cursor.execute(_SESSION)
        yield Reading(connection)


@contextmanager
def _reduced() -> Iterator[None]:
    try:
        yield
    except psycopg2.Error as error:
        reduced = _error(error)
    else:
        return
    raise reduced  # outside of the handler: the original, which quotes rows, must not travel as __context__


def _error(error: psycopg2.Error) -> CdcError:
    if error.pgcode in _MISSING:
        return ConfigError("the warehouse is not at the version of this program", hint="cdc migrate")
    if error.pgcode == "42501":
        return ConfigError("this role may not read the warehouse's log ([warehouse] auditor_dsn)", hint="cdc migrate")
    return classify(error, "reading the log")

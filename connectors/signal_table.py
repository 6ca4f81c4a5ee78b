"""The table of a source by which its connector is asked: what was sent, and sending more.

Debezium documentation, "Sending signals to a Debezium connector", source channel. The connector's role may write it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg2
import pymysql

from connectors import inventory, mariadb_check
from connectors.definition import Definition
from connectors.errors import Conflict, ConnectorError, NotFound

_LOCKED = {
    "postgres": "SELECT pg_try_advisory_lock(hashtext('cdc snapshot'), hashtext(%s))",
    "mariadb": "SELECT GET_LOCK(concat('cdc snapshot ', %s), 0) = 1",
}
_TABLE = {"postgres": "cdc.signal", "mariadb": "cdc.`signal`"}
_NONE = frozenset({"42P01", "3F000", "1146", "1049"})
"""No such table, or no schema ``cdc``: in PostgreSQL's SQLSTATEs and MariaDB's numbers."""


@dataclass(frozen=True, slots=True)
class SignalTable:
    """The table, through an open connection."""

    name: str
    kind: str
    cursor: Any

    def lock(self) -> None:
        """Until the connection is closed nobody else starts, pauses or stops a snapshot of this source through here.

        Raises:
            Conflict: somebody is about it.
        """
        with self._reduced():
            self.cursor.execute(_LOCKED[self.kind], (self.name,))
            if not (self.cursor.fetchone() or (False,))[0]:
                raise Conflict(f"somebody else is just asking the connector of {self.name} for something", hint="again")

    def ids(self, prefix: str) -> tuple[str, ...]:
        """Ids of the signals that begin so."""
        with self._reduced():
            self.cursor.execute(f"SELECT id FROM {_TABLE[self.kind]} WHERE id LIKE %s", (f"{prefix}%",))
            return tuple(str(row[0]) for row in self.cursor.fetchall())

    def send(self, id_: str, type_: str, data: str) -> None:
        """Write a signal, in a transaction of its own: the connector acts when it reads it in the source's log."""
        with self._reduced():
            self.cursor.execute(f"INSERT INTO {_TABLE[self.kind]} VALUES (%s, %s, %s)", (id_, type_, data))

    @contextmanager
    def _reduced(self) -> Iterator[None]:
        """Database errors without their text, which may hold the statement."""
        try:
            yield
        except (psycopg2.Error, pymysql.err.MySQLError) as error:
            code = error.pgcode if isinstance(error, psycopg2.Error) else str(error.args[0] if error.args else "")
            if code in _NONE:
                raise NotFound(
                    f"the source database of {self.name} has no table cdc.signal, by which the connector is asked",
                    hint=f"cdc connectors init {self.name}   (writes the SQL that makes it)",
                ) from None
            raise ConnectorError(
                f"cdc.signal of {self.name} cannot be used: {code or 'the connection was lost'}",
                hint="the source's dsn needs SELECT and INSERT on it",
            ) from None


@contextmanager
def signal_table(definition: Definition, dsn: str) -> Iterator[SignalTable]:
    """The table of this source, each statement a transaction of its own.

    Raises:
        AddressError, Unreachable: the database cannot be reached.
        NotFound: it has no such table.
    """
    what = f"the source database of {definition.name}"
    if definition.kind == "mariadb":
        with closing(mariadb_check.connect(dsn, what)) as maria, maria.cursor() as cursor:
            yield SignalTable(definition.name, "mariadb", cursor)
        return
    with inventory.opened(dsn, what) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            yield SignalTable(definition.name, "postgres", cursor)

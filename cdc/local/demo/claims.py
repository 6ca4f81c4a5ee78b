"""What the acts ask the databases, and what they raise when the answer is not the claimed one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg2
from psycopg2.extensions import make_dsn

from cdc.config import Config
from cdc.errors import CdcError
from cdc.warehouse.sqlstate import classify

_STANDING = """
SELECT o.epoch, s.epoch, s.next_offset, l.size, o.owner, o.owner_pid, s.records
  FROM pipeline.stream s JOIN audit.log l USING (log) JOIN pipeline.lease o USING (log) WHERE log = %s
"""


class ClaimFailed(CdcError):
    """One of the demo's claims does not hold. The message says which; nothing after it is played."""


def claim(holds: object, otherwise: str) -> None:
    """Go on only if it holds.

    Raises:
        ClaimFailed: it does not.
    """
    if not holds:
        raise ClaimFailed(otherwise)


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a stream stands, and who may move it. ``backend`` is the process id of the owner's writing connection."""

    epoch: int
    fence: int
    position: int
    size: int
    owner: str | None
    backend: int | None
    records: int

    def owned_by(self, pid: int) -> bool:
        """Whether the process ``pid`` is the owner (names are ``host/pid``)."""
        return (self.owner or "").endswith(f"/{pid}")


def standing(settings: Config, log: str) -> Standing:
    """A stream's standing; all zero before its first worker has registered it."""
    rows = ask(settings.warehouse_auditor_dsn, _STANDING, log)
    return Standing(*rows[0]) if rows else Standing(0, 0, 0, 0, None, None, 0)


def connected(settings: Config, backend: int | None) -> bool:
    """Whether the writing connection with this process id is still there: a commit may be under way in it."""
    writing = "SELECT true FROM pg_stat_activity WHERE pid = %s AND application_name LIKE 'cdc writer %%'"
    return bool(ask(settings.warehouse_admin_dsn, writing, backend))


def ask(dsn: str, statement: str, *parameters: object, database: str | None = None) -> list[tuple[Any, ...]]:
    """Run one statement in autocommit on a connection of its own; its rows, if it has any.

    Raises:
        CdcError: the database refuses it, or does not answer; reduced to the SQLSTATE.
    """
    try:
        connection = psycopg2.connect(make_dsn(dsn, dbname=database) if database else dsn, connect_timeout=10)
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement, parameters or None)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()
    except psycopg2.Error as error:
        raise classify(error, "the demo's own statement") from None

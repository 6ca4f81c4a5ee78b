"""How far a connector's replication slot is behind, from the source's own view (PostgreSQL, pg_replication_slots)."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg2

from connectors.errors import ConnectorError
from connectors.inventory import opened

_QUERY = """
SELECT active, wal_status, pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::bigint,
       pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn)::bigint
  FROM pg_replication_slots WHERE slot_name = %s"""


@dataclass(frozen=True, slots=True)
class Slot:
    """A slot. ``retained``: bytes of WAL that the source keeps for it; ``behind``: bytes that it has not confirmed."""

    name: str
    active: bool
    wal_status: str | None
    retained: int | None
    behind: int | None


def slot(dsn: str, name: str, source: str) -> Slot | None:
    """The slot of that name; None where the server has none.

    Raises:
        Unreachable: the database does not answer.
        ConnectorError: it refuses the question.
    """
    with opened(dsn, f"the source database of {source}") as connection:
        try:
            with connection.cursor() as cursor:
                cursor.execute(_QUERY, (name,))
                row = cursor.fetchone()
        except psycopg2.Error as error:
            raise ConnectorError(f"the slots of {source} cannot be read: SQLSTATE {error.pgcode}") from None
    return None if row is None else Slot(name, *row)

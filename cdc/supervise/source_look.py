"""What a source database says: that it answers, and how its replication slot is."""

from __future__ import annotations

from typing import Any

import psycopg2

from cdc.supervise.seen import SlotSeen, SourceSeen
from connectors import definition
from connectors.definition import Definition
from connectors.errors import ConnectorError
from connectors.inventory import opened

# One row, whatever the version: columns that a server does not have are absent from its JSON.
_SLOT = """
SELECT to_jsonb(s), pg_wal_lsn_diff(w.lsn, s.restart_lsn)::bigint,
       pg_wal_lsn_diff(w.lsn, s.confirmed_flush_lsn)::bigint,
       (SELECT nullif(setting, '-1')::bigint * 1048576 FROM pg_settings WHERE name = 'max_slot_wal_keep_size'),
       extract(epoch FROM clock_timestamp() - (to_jsonb(s) ->> 'inactive_since')::timestamptz)
  FROM pg_replication_slots s, LATERAL (
       SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END) w (lsn)
 WHERE s.slot_name = %s
"""


def look(source: str, dsn: str, defined: Definition) -> SourceSeen:
    """Ask through ``dsn``, the connector's role.

    Raises:
        connectors.errors.ConnectorError: it does not answer, or refuses the question.
    """
    if defined.kind != "postgres":
        return _answers(source, dsn)
    with opened(dsn, f"the source database of {source}") as connection:
        try:
            connection.set_session(readonly=True, autocommit=True)
            with connection.cursor() as cursor:
                cursor.execute("SET statement_timeout = '10s'")
                cursor.execute(_SLOT, (defined.slot,))
                row = cursor.fetchone()
        except psycopg2.Error as error:
            raise ConnectorError(f"slots of {source}: SQLSTATE {error.pgcode}") from None
    return SourceSeen(source, SlotSeen(source, defined.slot, present=False) if row is None else _slot(source, *row))


def _slot(
    source: str, said: dict[str, Any], retained: int | None, behind: int | None, limit: int | None, inactive: Any
) -> SlotSeen:
    return SlotSeen(
        source=source,
        slot=str(said["slot_name"]),
        present=True,
        active=bool(said["active"]),
        wal_status=said.get("wal_status"),
        retained_bytes=retained,
        unconfirmed_bytes=behind,
        safe_bytes=said.get("safe_wal_size"),
        limit_bytes=limit,
        inactive_s=None if inactive is None or said["active"] else max(0.0, float(inactive)),
        invalidation=said.get("invalidation_reason"),
    )


def _answers(source: str, dsn: str) -> SourceSeen:
    """MariaDB: that it lets the connector's account in."""
    from connectors.mariadb_check import connect

    connect(dsn, f"the source database of {source}").close()
    return SourceSeen(source)


def defined(path: Any) -> Definition:
    """The definition of a source; its file is read once, at the start.

    Raises:
        connectors.errors.DefinitionError: it is wrong.
    """
    return definition.load(path)

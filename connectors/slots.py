"""Replication slots of a PostgreSQL server: who reads them, and how much WAL they keep ("pg_replication_slots")."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psycopg2

from connectors.errors import ConnectorError
from connectors.inventory import opened

_SLOTS = """
SELECT to_jsonb(s) || jsonb_build_object(
           'retained', pg_wal_lsn_diff(w.lsn, s.restart_lsn)::bigint,
           'unconfirmed', greatest(pg_wal_lsn_diff(w.lsn, s.confirmed_flush_lsn), 0)::bigint,
           'xmin_age', age(s.xmin), 'catalog_xmin_age', age(s.catalog_xmin))
  FROM pg_replication_slots s,
       (SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() ELSE pg_current_wal_lsn() END AS lsn) w
 ORDER BY s.slot_name
"""
"""As JSON: what a server is too old to have is missing (invalidation_reason and inactive_since: PostgreSQL 17)."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A slot as the server shows it. Sizes are bytes of WAL; ages are transactions. None: not known, or does not apply.

    ``retained``: kept for it. ``unconfirmed``: not yet confirmed by its reader. ``safe_bytes``: may still be written
    before it is in danger of being lost; None without ``max_slot_wal_keep_size``.
    """

    name: str
    database: str | None
    plugin: str | None
    logical: bool
    active: bool
    wal_status: str | None
    restart_lsn: str | None
    confirmed_flush_lsn: str | None
    retained: int | None
    unconfirmed: int | None
    safe_bytes: int | None
    invalidation_reason: str | None
    inactive_since: str | None
    xmin_age: int | None
    catalog_xmin_age: int | None

    @property
    def problem(self) -> str | None:
        """What is the matter with it, if anything."""
        if self.wal_status == "lost" or self.invalidation_reason is not None:
            why = f" ({self.invalidation_reason})" if self.invalidation_reason else ""
            return f"lost: the WAL that its reader needs is gone{why}"
        if self.wal_status == "unreserved":
            return "in danger: its WAL may be removed at the next checkpoint"
        if not self.active:
            return "nobody reads it, and WAL is kept for it"
        return None


def slots(dsn: str, name: str) -> tuple[Slot, ...]:
    """Every slot of the server that this source is on, those of others too.

    Raises:
        AddressError, Unreachable: as :func:`connectors.inventory.opened` says.
        ConnectorError: the server refuses.
    """
    with opened(dsn, f"the source database of {name}") as connection:
        try:
            connection.set_session(readonly=True, autocommit=True)
            with connection.cursor() as cursor:
                cursor.execute(_SLOTS)
                return tuple(_slot(row[0]) for row in cursor.fetchall())
        except psycopg2.Error as error:
            raise ConnectorError(f"the slots of {name} cannot be read: SQLSTATE {error.pgcode}") from None


def _slot(row: Mapping[str, Any]) -> Slot:
    return Slot(
        name=row["slot_name"],
        database=row["database"],
        plugin=row["plugin"],
        logical=row["slot_type"] == "logical",
        active=row["active"],
        wal_status=row.get("wal_status"),
        restart_lsn=row["restart_lsn"],
        confirmed_flush_lsn=row["confirmed_flush_lsn"],
        retained=row["retained"],
        unconfirmed=row["unconfirmed"],
        safe_bytes=row.get("safe_wal_size"),
        invalidation_reason=row.get("invalidation_reason"),
        inactive_since=row.get("inactive_since"),
        xmin_age=row["xmin_age"],
        catalog_xmin_age=row["catalog_xmin_age"],
    )

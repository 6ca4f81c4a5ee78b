"""The kinds of database that a definition can be of, and what each has of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

HEARTBEAT = "cdc.heartbeat"
"""The table that every heartbeat updates. It stands in each source database (``sql/source``)."""
SIGNAL = "cdc.signal"
"""Debezium's signalling table."""

SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
"""libpq's."""
MARIADB_SSL_MODES = ("disable", "trust", "verify-ca", "verify-full")
"""``trust`` encrypts without asking who answers."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of database.

    ``fields``: of a definition, besides those that all have; the first ``needed`` of them must be given. ``sslmodes``:
    of ``database.sslmode``, and which is meant when it is not given. ``root_certificate``: what kind of file
    ``database.sslrootcert`` names, PEM or a Java trust store; empty where only a raw setting can.
    ``own_tables``: captured always. ``replicated``: whether ``cdc replicate`` reads its records.
    """

    name: str
    title: str
    fields: tuple[str, ...]
    needed: int
    sslmodes: tuple[str, ...]
    sslmode: str
    own_tables: tuple[str, ...] = (HEARTBEAT, SIGNAL)
    root_certificate: Literal["", "PEM", "trust store"] = ""
    replicated: bool = False

    @property
    def own_schemas(self) -> frozenset[str]:
        """Schemas that are captured always, and that no definition names."""
        return frozenset(table.partition(".")[0] for table in self.own_tables)


_BINLOG = ("server_id", "schema_history")
KINDS = {
    kind.name: kind
    for kind in (
        Kind(
            "postgres", "PostgreSQL", ("publication",), 0, SSL_MODES, "prefer", root_certificate="PEM", replicated=True
        ),
        Kind(
            "mariadb", "MariaDB", _BINLOG, 2, MARIADB_SSL_MODES, "verify-full", root_certificate="trust store",
            replicated=True,
        ),
        Kind("mysql", "MySQL", _BINLOG, 2, MARIADB_SSL_MODES, "verify-full", root_certificate="trust store"),
        # The schema `cdc` is the server's own there, as soon as its change data capture is switched on.
        Kind(
            "sqlserver", "SQL Server", ("schema_history",), 1, ("disable", "trust", "verify-full"), "verify-full",
            own_tables=("cdc_audit.heartbeat", "cdc_audit.signal"),
        ),
        # Its connector runs no statement at a heartbeat, so there is no table for one.
        Kind(
            "mongodb", "MongoDB", ("replica_set",), 0, ("disable", "verify-ca", "verify-full"), "verify-full",
            own_tables=(SIGNAL,),
        ),
    )
}  # fmt: skip
"""By the ``kind`` of a definition."""


def titles(*, replicated: bool) -> str:
    """The kinds for a sentence: ``PostgreSQL and MariaDB``."""
    found = [kind.title for kind in KINDS.values() if kind.replicated == replicated]
    return " and ".join(part for part in (", ".join(found[:-1]), found[-1]) if part)

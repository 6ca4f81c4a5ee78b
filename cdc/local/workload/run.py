"""Runs the standard workload on one database and says exactly what was committed."""

from __future__ import annotations

import random
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import psycopg2
import pymysql

from cdc.errors import CdcError, ConfigError, Conflict
from cdc.local.workload import atomicity, business, foundation, keyless, keys, large, planting, precision, tables
from cdc.local.workload.canaries import canary
from cdc.local.workload.maria_session import MariaSession
from cdc.local.workload.session import Operation, Report, Session
from cdc.local.workload.world import Phase, World

PHASES: Mapping[str, Mapping[str, Phase]] = MappingProxyType({
    "trading": MappingProxyType({
        "foundation": foundation.trading,
        "business": business.trading,
        "keys": keys.trading,
        "keyless": keyless.trading,
        "precision": precision.trading,
        "statements": atomicity.statements,
        "add column": tables.add_column_trading,
        "canaries": planting.trading,
        "large": large.trading,
        "interleaved": atomicity.interleaved,
        "rolled back": atomicity.rolled_back,
        "huge": atomicity.huge,
        "truncate": tables.truncate_trading,
        "messages": atomicity.messages,
    }),
    "portfolio": MappingProxyType({
        "foundation": foundation.portfolio,
        "business": business.portfolio,
        "keys": keys.portfolio,
        "keyless": keyless.portfolio,
        "precision": precision.portfolio,
        "statements": atomicity.statements,
        "add column": tables.add_column_portfolio,
        "canaries": planting.portfolio,
        "large": large.portfolio,
        "interleaved": atomicity.interleaved,
        "rolled back": atomicity.rolled_back,
        "huge": atomicity.huge,
        "truncate": tables.truncate_portfolio,
        "messages": atomicity.messages,
    }),
})  # fmt: skip
"""Per database, in the order they run. "foundation" always runs: the others build on its rows."""

_PLANTED = {
    "trading": ("SELECT 1 FROM contact_points WHERE email = %s", "key e-mail"),
    "portfolio": ("SELECT 1 FROM clients WHERE tax_id = %s", "client tax id"),
}


@dataclass(frozen=True, slots=True)
class Operations:
    """Committed changes of one table, in rows. ``rekeyed``: updates of the key; ``truncated`` counts statements."""

    inserted: int = 0
    updated: int = 0
    rekeyed: int = 0
    deleted: int = 0
    truncated: int = 0


@dataclass(frozen=True, slots=True)
class WorkloadSummary:
    """What one run committed, exactly."""

    database: str
    seed: int
    scale: float
    tables: Mapping[str, Operations]
    committed: int
    """Transactions that committed a row change, a truncation or a transactional message."""
    rolled_back: int
    empty: int
    """Transactions that committed nothing of that kind."""
    messages: int
    """Logical messages, transactional (committed) and not."""
    seconds: float

    @property
    def changes(self) -> int:
        """Row changes and truncations of all tables."""
        return sum(t.inserted + t.updated + t.rekeyed + t.deleted + t.truncated for t in self.tables.values())


def run(
    dsn: str,
    database: str,
    seed: int = 7,
    scale: float = 1.0,
    *,
    pace: float | None = None,
    report: Report | None = None,
    phases: Collection[str] | None = None,
) -> WorkloadSummary:
    """Play the workload for ``database`` ("trading" or "portfolio") through ``dsn``, a role that owns the tables.

    The same arguments on an equal database give the same rows. ``pace`` is in row changes per second. ``phases`` names
    some of `PHASES` (default all).

    A ``dsn`` that begins with ``mariadb://`` is portfolio's on MariaDB: all phases but the logical messages, which it
    does not have.

    Raises:
        ConfigError: unknown database or phase.
        Conflict: this seed has run on this database already.
        Unreachable: the database does not answer.
        CdcError: a statement failed; the message names the phase and the SQLSTATE.
    """
    chosen = _chosen(database, phases)
    maria = dsn.startswith("mariadb://")
    if maria and database != "portfolio":
        raise ConfigError(f"the workload of {database} is PostgreSQL's", hint="--database portfolio")
    session = (MariaSession if maria else Session)(dsn, pace=pace, report=report)
    if maria:
        chosen = {name: phase for name, phase in chosen.items() if name != "messages"}  # MariaDB has none
    started = time.monotonic()
    try:
        _refuse_second_run(session, database, seed)
        world = World(session, database, seed, scale, random.Random(seed))  # noqa: S311
        for name, phase in chosen.items():
            session.phase = name
            world.rng = random.Random(f"{seed}/{database}/{name}")  # noqa: S311
            phase(world)
    except psycopg2.Error as failure:
        # Only the SQLSTATE: the message and its detail carry row values.
        raise CdcError(f"workload on {database}, phase {session.phase!r}: SQLSTATE {failure.pgcode}") from None
    except pymysql.err.MySQLError as failure:
        raise CdcError(f"workload on {database}, phase {session.phase!r}: MariaDB error {failure.args[0]}") from None
    finally:
        session.close()
    return summarize(session, database, seed, scale, time.monotonic() - started)


def summarize(session: Session, database: str, seed: int, scale: float, seconds: float) -> WorkloadSummary:
    """Turn a session's counts into a summary."""
    counts: dict[str, dict[Operation, int]] = {}
    for (table, operation), rows in session.changes.items():
        counts.setdefault(table, {})[operation] = rows
    return WorkloadSummary(
        database=database,
        seed=seed,
        scale=scale,
        tables={table: replace(Operations(), **rows) for table, rows in sorted(counts.items())},
        committed=session.committed,
        rolled_back=session.rolled_back,
        empty=session.empty,
        messages=session.messages,
        seconds=seconds,
    )


def _chosen(database: str, phases: Collection[str] | None) -> dict[str, Phase]:
    if database not in PHASES:
        raise ConfigError(f"no workload for database {database!r}", hint=f"one of: {', '.join(PHASES)}")
    known = PHASES[database]
    if phases is None:
        return dict(known)
    if unknown := set(phases) - set(known):
        raise ConfigError(f"no such phase: {', '.join(sorted(unknown))}", hint=f"some of: {', '.join(known)}")
    return {name: phase for name, phase in known.items() if name in phases or name == "foundation"}


def _refuse_second_run(session: Session, database: str, seed: int) -> None:
    statement, family = _PLANTED[database]
    if session.query(statement, (canary(seed, family),)):
        raise Conflict(f"seed {seed} has run on database {database} already", hint="use another --seed")

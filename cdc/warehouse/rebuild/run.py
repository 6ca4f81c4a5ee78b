"""A rebuild from its beginning to the swap.

The fold reads the log in stretches, each one a transaction that also notes how far it is: an interrupted rebuild goes
on there. When it has caught up, the swap takes the lock that every commit of the stream begins with (the row of
``pipeline.stream``, behind that of its lease), folds what came last, puts the new table in the place of the old one and
raises the owner's epoch. A batch that was made for the old table is thereby fenced; its worker takes the stream again
where it stands, and finds the new one.
"""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg2

from cdc.entry import split_qualified_name
from cdc.errors import Conflict, NotFound, TransientError, Unreachable
from cdc.warehouse import lease
from cdc.warehouse.projection import listed, quoted, state_name_of
from cdc.warehouse.rebuild.fold import Fold
from cdc.warehouse.rebuild.making import Making, begin, find, in_force, rekeyed, typed, versions
from cdc.warehouse.rebuild.shape import UnfitError, Version
from cdc.warehouse.rebuild.waiting import put_back
from cdc.warehouse.sqlstate import classify

CLOSE = 2_000
"""Entries that may be missing when the swap begins: they are folded while the stream waits."""
PATIENCE_S = 60.0
"""How long the swap is tried against readers that hold the old state."""
_LOCK_TIMEOUT = "SET LOCAL lock_timeout = '1s'"
_HELD = frozenset({"55P03", "40P01"})
"""Lock not available, deadlock: somebody reads the old state; the swap is tried again."""

Told = Callable[[int, int], None]
"""Told how many entries of how many have been folded."""
Observer = Callable[[str], None]
"""Told the name of each step just before it is taken: begin, fold, swap, commit."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a rebuild has done. ``as_text``: columns that hold text, because a value is none of their type.

    ``waited_s``: seconds for which commits of the stream had to wait.
    """

    log: str
    table: str
    code: str | None
    entries: int
    as_text: tuple[str, ...]
    seconds: float
    waited_s: float


def tables(dsn: str) -> list[tuple[str, str]]:
    """Log and name of every table that has a state table."""
    with _connected(dsn, "cdc rebuild") as connection, connection, connection.cursor() as cursor:
        cursor.execute("SELECT log, table_name FROM pipeline.state_table ORDER BY 1, 2")
        return [(log, table) for log, table in cursor.fetchall()]


def rebuild(
    dsn: str, log: str, table: str, told: Told = lambda _done, _of: None, observe: Observer = lambda _step: None
) -> Rebuilt:
    """Fold the state of a table anew and put it in the place of the old one. ``dsn``: the warehouse's owner.

    Raises:
        NotFound: no such table.
        Conflict: somebody else rebuilds it, or its state cannot be made.
        TransientError: readers held the old state all the time, or the warehouse is away; what is folded stays.
    """
    began = time.monotonic()
    with _connected(dsn, f"cdc rebuild {log}") as connection:
        _alone(connection, log, table)
        code = _known(connection, log, table)
        with connection, connection.cursor() as cursor:
            _nothing_open(cursor, log, table)
        observe("begin")
        unfit_before: set[str] = set()
        tried: frozenset[str] = frozenset()
        while True:
            try:
                with connection, connection.cursor() as cursor:
                    making = find(cursor, log, table)
                making = _fold(connection, making, 0 if making.as_text else CLOSE, told, observe)
                tried = making.as_text - unfit_before
                with connection, connection.cursor() as cursor:
                    making = typed(cursor, making, tried)
                done = _swap(connection, making, observe)
            except UnfitError as unfit:
                connection.rollback()
                if unfit.column in tried:  # a number again, and at once a value that is none: it stays text
                    unfit_before.add(unfit.column)
                with connection, connection.cursor() as cursor:
                    found = find(cursor, log, table)
                    begin(cursor, log, table, found.target, found.as_text | {unfit.column})
                continue
            if done is not None:
                making, waited = done
                as_text = tuple(sorted(making.as_text))
                return Rebuilt(log, table, code, making.through + 1, as_text, time.monotonic() - began, waited)


@contextmanager
def _connected(dsn: str, name: str) -> Iterator[psycopg2.extensions.connection]:
    try:
        connection = lease.connect(dsn, name)
    except TransientError:
        raise Unreachable("the warehouse does not answer ([warehouse] admin_dsn)", hint="cdc local status") from None
    try:
        yield connection
    except psycopg2.Error as error:
        reduced = classify(error, "rebuild")
    else:
        return
    finally:
        connection.close()
    raise reduced  # outside of the handler: the original, which quotes rows, must not travel as __context__


def _alone(connection: psycopg2.extensions.connection, log: str, table: str) -> None:
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", (f"pipeline.rebuild/{log}/{table}",))
        if cursor.fetchone() != (True,):
            raise Conflict(f"somebody else rebuilds {log}.{table} now", hint="cdc status")


def _known(connection: psycopg2.extensions.connection, log: str, table: str) -> str | None:
    """The code for which the table is suspended, if it is."""
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT suspended_code FROM pipeline.state_table WHERE log = %s AND table_name = %s", (log, table)
        )
        row = cursor.fetchone()
    if row is None:
        raise NotFound(f"{log}.{table} has no state table", hint="cdc status")
    code: str | None = row[0]
    return code


def _nothing_open(cursor: psycopg2.extensions.cursor, log: str, table: str) -> None:
    """State that lacks what a quarantined record says must not look as if it followed the source: the row waits on, or,
    where that is not known, the table.
    """
    cursor.execute("SELECT count(*), min(seq) FROM pipeline.table_waits(%s) WHERE table_name = %s", (log, table))
    ((records, oldest),) = cursor.fetchall()
    if records:
        raise Conflict(
            f"{records} records of {table} are in quarantine, the oldest is entry {oldest:,}",
            hint=f"cdc quarantine list {log}",
        )


def _fold(
    connection: psycopg2.extensions.connection, making: Making, close: int, told: Told, observe: Observer
) -> Making:
    """Fold until at most ``close`` entries are missing of those that there were at the last look; none, where rows have
    not got the key of today yet: keying them anew is no work for the swap.
    """
    counting = None
    while True:
        with connection, connection.cursor() as cursor:
            cursor.execute("SELECT size FROM audit.log WHERE log = %s", (making.log,))
            ((size,),) = cursor.fetchall()
            known = versions(cursor, making.log, making.table)
            settled = making.last == making.target.digests or not rekeyed(known)
            if size - 1 - making.through <= (close if settled else 0):
                return making
            observe("fold")
            fold = Fold(cursor, making, known, counting)
            making, counting = fold.step(size), fold.counting
        told(making.through + 1, size)


def _swap(connection: psycopg2.extensions.connection, making: Making, observe: Observer) -> tuple[Making, float] | None:
    """The last stretch and the swap; None where the table has got another version meanwhile."""
    ends = time.monotonic() + PATIENCE_S
    while True:
        began = time.monotonic()
        try:
            with connection, connection.cursor() as cursor:
                observe("swap")
                swapped = _swapped(cursor, making)
                observe("commit")
        except psycopg2.errors.DependentObjectsStillExist:
            break
        except psycopg2.Error as error:
            if error.pgcode not in _HELD or time.monotonic() > ends:
                raise
            time.sleep(0.2)
        else:
            return None if swapped is None else (swapped, time.monotonic() - began)
    raise Conflict(
        f"a view of yours stands on the view of {making.table}: the table under it cannot be exchanged",
        hint="drop that view, cdc rebuild, make it again",
    )


def _swapped(cursor: psycopg2.extensions.cursor, making: Making) -> Making | None:
    log, table = making.log, making.table
    cursor.execute(_LOCK_TIMEOUT)
    cursor.execute("SELECT FROM pipeline.lease WHERE log = %s FOR UPDATE", (log,))
    cursor.execute("SELECT FROM pipeline.stream WHERE log = %s FOR UPDATE", (log,))
    cursor.execute("SELECT size FROM audit.log WHERE log = %s", (log,))
    ((size,),) = cursor.fetchall()
    _nothing_open(cursor, log, table)
    known = versions(cursor, log, table)
    if in_force(cursor, log, table, known).digests != making.target.digests:
        return None
    while making.through < size - 1:
        making = Fold(cursor, making, known).step(size)
    _demand_counted(cursor, making, known.values())
    put_back(cursor, making, known)
    _replace(cursor, making, rekeyed=rekeyed(known))
    detail = {
        "as_text": " ".join(map(quoted, sorted(making.as_text))),
        "log": log,
        "table": table,
        "through": str(making.through),
    }
    cursor.execute("SELECT audit.append_operation('state-rebuilt', %s)", (json.dumps(detail),))
    cursor.execute("UPDATE pipeline.lease SET epoch = epoch + 1, owner = NULL, owner_pid = NULL WHERE log = %s", (log,))
    cursor.execute(
        "UPDATE pipeline.stream s SET epoch = l.epoch FROM pipeline.lease l WHERE s.log = %s AND l.log = s.log", (log,)
    )
    return making


def _demand_counted(cursor: psycopg2.extensions.cursor, making: Making, known: Iterable[Version]) -> None:
    """See that rows without a key are there as often as changes took them away. A row that got the default of an added
    column, which no change tells, is taken away with it, and stays there without it: it would show twice.
    """
    added = sorted({name for version in known for name in making.target.names - version.names})
    if making.target.key or not added:
        return
    cursor.execute(
        f"SELECT coalesce(-sum(_copies), 0) FROM {making.name} WHERE _copies < 0 AND _seq > %s",
        (making.truncated_through,),
    )
    ((twice,),) = cursor.fetchall()
    if twice:
        raise Conflict(
            f"{twice:,} rows of {making.table}, which has no key, would show twice: as they were before a column was"
            f" added ({', '.join(added)}), and as they are since",
            hint=f"cdc stream rebaseline {shlex.quote(making.log)} {shlex.quote(making.table)} --reason '…'   reads it"
            f" anew; then cdc rebuild {shlex.quote(making.log)} {shlex.quote(making.table)}",
        )


def _relation(making: Making) -> str:
    return f"{quoted(making.log + '_state')}.{quoted(state_name_of(*split_qualified_name(making.table)))}"


def _replace(cursor: psycopg2.extensions.cursor, making: Making, *, rekeyed: bool) -> None:
    """The new table takes the old one's place, name and grants; ``pipeline.define_state`` makes its view."""
    log, table, target = making.log, making.table, making.target
    name = quoted(state_name_of(*split_qualified_name(table)))
    cursor.execute(f"DROP VIEW IF EXISTS {quoted(log)}.{name}")
    cursor.execute(f"DROP TABLE {_relation(making)}")
    cursor.execute(f"ALTER TABLE {making.name} SET SCHEMA {quoted(log + '_state')}")
    moved = f"{quoted(log + '_state')}.{quoted(f'rebuild_{making.id}')}"
    cursor.execute(f"ALTER TABLE {moved} RENAME TO {name}")
    cursor.execute(f"GRANT SELECT, INSERT, UPDATE ON {_relation(making)} TO cdc_replicator")
    cursor.execute(f"GRANT SELECT ON {_relation(making)} TO cdc_auditor")
    columns = listed({column.name: (column.type, column.protect) for column in target.columns}, making.as_text)
    key = json.dumps(list(target.key))
    cursor.execute(
        "UPDATE pipeline.state_table SET keyless = %s, key = %s, rekeyed = %s, columns = %s, truncated_through = %s,"
        " suspended_code = NULL, suspended_message = NULL, suspended_seq = NULL WHERE log = %s AND table_name = %s",
        (not target.key, key, rekeyed, columns, making.truncated_through, log, table),
    )
    cursor.execute("DELETE FROM pipeline.rebuild WHERE id = %s", (making.id,))
    cursor.execute(
        "SELECT pipeline.define_state(%s, %s, %s, %s, %s, %s)",
        (log, table, state_name_of(*split_qualified_name(table)), not target.key, columns, key),
    )

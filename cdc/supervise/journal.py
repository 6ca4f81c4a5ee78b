"""The right to act, and the record of every act: one connection to the warehouse.

A session-level advisory lock says which supervisor acts. What it does is first an entry of the log ``operations``, made
on the same connection, so whoever has lost the lock cannot act any more; and what is remembered about restarts, alerts
and checks is read back from there, so a supervisor that takes over, or ``--once`` out of cron, goes on where the last
one was. A supervisor that hangs loses the lock: the server ends its idle session.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import psycopg2

from cdc.errors import CdcError
from cdc.supervise.alerts import Finding, Notice, Open
from cdc.supervise.catalogue import ALERTS
from cdc.supervise.checks import CHECKS, Ran
from cdc.supervise.restarts import Restarts, remembered
from cdc.warehouse.lease import connect
from cdc.warehouse.sqlstate import classify

Role: TypeAlias = Literal["active", "standby", "blind"]
"""``blind``: the warehouse does not answer, so nobody can hold the lock."""

_LOCK = "SELECT pg_try_advisory_lock(hashtextextended('cdc supervise', 0))"
_DEPTH = 50_000
"""Entries of the log ``operations`` that are looked through for what was done before."""
_MOST_WAITING = 1_000
_ACTS = ("alert-fired", "alert-resolved", "check-ran", "connector-restarted")
_DONE = """
SELECT e.ordered_at, e.entry::json #>> '{content,name}', e.entry::json #> '{content,detail}'
  FROM audit.entry e
 WHERE e.log = 'operations' AND e.seq >= (SELECT size FROM audit.log WHERE log = 'operations') - %s
   AND e.entry::json #>> '{content,name}' = ANY(%s) ORDER BY e.seq
"""


@dataclass(frozen=True, slots=True)
class Memory:
    """What the log ``operations`` says of before: by connector, by alert's key, by check."""

    restarts: Mapping[str, Restarts] = field(default_factory=dict)
    open: Mapping[str, Open] = field(default_factory=dict)
    ran: Mapping[str, Ran] = field(default_factory=dict)


class Journal:
    """Holds the lock while it can. ``dsn``: the replicator's, which may append operations and cut partitions;
    ``reading``: the auditor's. ``idle_s``: how long the session may be idle before the server ends it.
    """

    def __init__(self, dsn: str, reading: str, supervisor: str, idle_s: float) -> None:
        self._dsn, self._reading, self._supervisor = dsn, reading, supervisor
        self._idle_s = idle_s
        self._connection: psycopg2.extensions.connection | None = None
        self._waiting: list[tuple[str, dict[str, str]]] = []
        self.role: Role = "blind"

    def renew(self) -> bool:
        """Find out which role this supervisor has; true when it has just become the active one."""
        before = self._connection if self.role == "active" else None
        for last in (False, True):  # a session that the server has ended is made anew
            try:
                self.role = "active" if self._locked() else "standby"
                break
            except CdcError:
                self.close()
                self.role = "blind"
                if last:
                    return False
        return self.role == "active" and self._connection is not before

    def close(self) -> None:
        """Give the lock up."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def lose(self) -> None:
        """Give the lock up as if the warehouse had not answered; the next round tries again."""
        self.close()
        self.role = "blind"

    @property
    def connection(self) -> psycopg2.extensions.connection | None:
        """Of whoever may act; None for others."""
        return self._connection if self.role == "active" else None

    def record(self, act: str, detail: Mapping[str, str]) -> bool:
        """Append an operation. False: it could not be, so what it says must not be done."""
        if self.role != "active":
            return False
        try:
            self._append(act, detail)
        except CdcError:
            self.close()
            self.role = "blind"
            return False
        return True

    def record_later(self, act: str, detail: Mapping[str, str]) -> None:
        """Append what has happened, now or, when the warehouse is away, when it is back."""
        if not self.record(act, detail) and self.role == "blind" and len(self._waiting) < _MOST_WAITING:
            self._waiting.append((act, dict(detail)))

    def record_waiting(self) -> None:
        """Append what could not be when it happened."""
        while self._waiting and self.record(*self._waiting[0]):
            self._waiting.pop(0)

    def memory(self) -> Memory:
        """What was done before.

        Raises:
            CdcError: the warehouse does not answer, or refuses.
        """
        connection = connect(self._reading, "cdc supervise")
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(_DONE, (_DEPTH, list(_ACTS)))
                return folded(cursor.fetchall())
        except psycopg2.Error as error:
            raise classify(error, "the log operations") from None
        finally:
            connection.close()

    def _locked(self) -> bool:
        try:
            if self._connection is None:
                self._connection = _session(self._dsn, self._idle_s)
                self.role = "standby"
            with self._connection, self._connection.cursor() as cursor:
                # Held by this session already: asking again would have to be undone as often.
                cursor.execute("SELECT 1" if self.role == "active" else _LOCK)
                ((held,),) = cursor.fetchall()
        except psycopg2.Error as error:
            raise classify(error, "warehouse") from None
        return bool(held)

    def _append(self, act: str, detail: Mapping[str, str]) -> None:
        assert self._connection is not None  # the active one has it
        said = json.dumps({**detail, "supervisor": self._supervisor})
        try:
            with self._connection, self._connection.cursor() as cursor:
                cursor.execute("SELECT audit.append_operation(%s, %s)", (act, said))
        except psycopg2.Error as error:
            raise classify(error, "the log operations") from None


def _session(dsn: str, idle_s: float) -> psycopg2.extensions.connection:
    """A session that the server ends soon after its client has gone or hangs."""
    connection = connect(dsn, "cdc supervise lock")
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('idle_session_timeout', %s, false), set_config('statement_timeout', '15s', false),"
            " set_config('tcp_keepalives_idle', '5', false), set_config('tcp_keepalives_interval', '2', false),"
            " set_config('tcp_keepalives_count', '3', false)",
            (f"{idle_s:.0f}s",),
        )
    return connection


def alert_detail(notice: Notice) -> dict[str, str]:
    """A notice as the detail of an operation."""
    found = notice.finding
    return {
        "alert": found.alert, "about": found.about, "part": found.part, "severity": notice.severity,
        "summary": found.summary, "hint": found.hint, "since": f"{notice.since:.3f}", "at": f"{notice.at:.3f}",
        "repeat": str(notice.repeat),
    }  # fmt: skip


def check_detail(ran: Ran) -> dict[str, str]:
    """The end of a check as the detail of an operation."""
    return {
        **{f"result_{name}": text for name, text in ran.detail.items()},
        "check": ran.check, "command": ran.command, "verdict": ran.verdict, "began": f"{ran.began:.3f}",
        "seconds": f"{ran.seconds:.3f}",
    }  # fmt: skip


def folded(rows: list[tuple[int, str, dict[str, Any]]]) -> Memory:
    """Operations in order → what they left. What an older or newer version wrote otherwise is passed over."""
    restarts: dict[str, tuple[list[float], int]] = {}
    opened: dict[str, Open] = {}
    ran: dict[str, Ran] = {}
    takes: dict[str, Callable[[float, dict[str, Any]], None]] = {
        "connector-restarted": lambda at, detail: _restarted(restarts, at, detail),
        "alert-fired": lambda _at, detail: _fired(opened, detail),
        "alert-resolved": lambda _at, detail: _resolved(opened, detail),
        "check-ran": lambda _at, detail: _checked(ran, detail),
    }
    for nanoseconds, name, detail in rows:
        try:
            takes[name](nanoseconds / 1e9, detail)
        except (KeyError, TypeError, ValueError):
            continue
    return Memory({name: remembered(at, tries) for name, (at, tries) in restarts.items()}, opened, ran)


def _restarted(restarts: dict[str, tuple[list[float], int]], at: float, detail: dict[str, Any]) -> None:
    times, _ = restarts.get(detail["connector"], ([], 0))
    restarts[detail["connector"]] = ([*times, at], int(detail["attempt"]))


def _fired(opened: dict[str, Open], detail: dict[str, Any]) -> None:
    if detail["alert"] in ALERTS:
        finding = Finding(detail["alert"], detail["about"], detail["part"], detail["summary"], detail["hint"])
        opened[finding.key] = Open(finding, float(detail["since"]), float(detail["at"]), int(detail["repeat"]))


def _resolved(opened: dict[str, Open], detail: dict[str, Any]) -> None:
    opened.pop(f"{detail['alert']}/{detail['about']}", None)


def _checked(ran: dict[str, Ran], detail: dict[str, Any]) -> None:
    if detail["check"] in CHECKS:
        ran[detail["check"]] = Ran(detail["check"], float(detail["began"]), float(detail["seconds"]), detail["verdict"])

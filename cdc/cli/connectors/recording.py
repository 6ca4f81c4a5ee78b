"""What an admin did to a connector, as an entry of the log ``operations``.

An admin must be able to stop a connector while the warehouse is down. So an act is not refused then: its entry waits in
``unrecorded-operations.ndjson`` beside the configuration file, standard error says so, and the next act appends
it first.
"""

from __future__ import annotations

import datetime as dt
import getpass
import json
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field

import click

from cdc.config import Config
from cdc.errors import CdcError

WAITING = "unrecorded-operations.ndjson"


@dataclass(slots=True)
class Act:
    """One act. ``connector``: empty for one on workers. ``outcome`` is ``nothing`` until something was written."""

    command: str
    connector: str
    outcome: str = "nothing"
    before: str = ""
    after: str = ""
    more: dict[str, str] = field(default_factory=dict)


@contextmanager
def recorded(settings: Config, act: Act, reason: str | None) -> Iterator[Act]:
    """Record the act when it is over, also when it failed after something was written or may have been.

    Whoever acts sets ``act.outcome``; an error makes it ``failed``. Nothing is recorded for ``nothing``.
    """
    try:
        yield act
    except BaseException as error:
        if getattr(error, "exit_code", 1) in {2, 3}:
            raise  # refused, and nothing was written
        act.outcome = "failed"
        act.more["error"] = type(error).__name__
        _record(settings, act, reason)
        raise
    if act.outcome != "nothing":
        _record(settings, act, reason)


def doer(settings: Config) -> dict[str, str]:
    """Who acts, and on which Connect cluster: members of an operation's detail."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return {"by": f"{user}@{socket.gethostname()}", "context": settings.connect.context or ""}


def _record(settings: Config, act: Act, reason: str | None) -> None:
    detail = {
        **doer(settings),
        "acted_at": dt.datetime.now(dt.UTC).isoformat(),
        "command": act.command,
        "connector": act.connector,
        "outcome": act.outcome,
        "before_sha256": act.before,
        "after_sha256": act.after,
        "reason": reason or "",
        **act.more,
    }
    try:
        _append(settings, detail)
    except CdcError as error:
        _wait(settings, detail)
        click.echo(
            f"{act.connector or act.command}: not recorded in the log operations yet: {error}; it waits in"
            f" {settings.state / WAITING}, and the next command appends it",
            err=True,
        )


def _append(settings: Config, detail: Mapping[str, str]) -> None:
    """Append what waits, then this."""
    import psycopg2

    from cdc.warehouse import lease
    from cdc.warehouse.sqlstate import classify

    with closing(lease.connect(settings.warehouse_dsn, "cdc connectors")) as connection:
        try:
            with connection, connection.cursor() as cursor, _waiting(settings) as waiting:
                for each in (*waiting, detail):
                    cursor.execute("SELECT audit.append_operation('connector', %s)", (json.dumps(each),))
        except psycopg2.Error as error:
            raise classify(error, "warehouse") from None


@contextmanager
def _waiting(settings: Config) -> Iterator[list[Mapping[str, str]]]:
    """What waits, taken away while it is appended, so that two commands do not both append it."""
    path = settings.state / WAITING
    taken = path.with_name(f"{WAITING}.{os.getpid()}")
    try:
        path.rename(taken)
    except FileNotFoundError:
        yield []
        return
    lines = taken.read_text(encoding="utf-8").splitlines()
    try:
        yield [json.loads(line) for line in lines if line]
    except BaseException:
        for line in lines:
            _write(settings, line)
        taken.unlink()
        raise
    taken.unlink()


def _wait(settings: Config, detail: Mapping[str, str]) -> None:
    try:
        _write(settings, json.dumps(detail))
    except OSError as error:
        click.echo(
            f"{settings.state / WAITING}: {error.strerror}: this act stands nowhere: {json.dumps(detail)}", err=True
        )


def _write(settings: Config, line: str) -> None:
    handle = os.open(settings.state / WAITING, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(line + "\n")

"""Pause, resume, stop, restart and delete a connector, and see that it came about."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from connectors.client import ConnectClient
from connectors.errors import Conflict, NotFound
from connectors.model import ConnectorStatus
from connectors.waiting import STEADY_S, Report, Wait

Verb: TypeAlias = Literal["pause", "resume", "stop"]
_REACHED = {"pause": "PAUSED", "stop": "STOPPED"}


@dataclass(frozen=True, slots=True)
class Patience:
    """``timeout_s``: how long to wait for the state; None not to wait at all."""

    timeout_s: float | None
    report: Report


def turn(client: ConnectClient, status: ConnectorStatus, verb: Verb, patience: Patience) -> bool:
    """Pause, resume or stop. False: it was so already, and nothing was written.

    Raises:
        Conflict: it is FAILED and cannot be paused: its tasks would stay FAILED.
        TaskFailed: it was resumed, and failed.
        NotInTime: the state was not reached in time.
    """
    name = status.name
    if verb == "pause" and status.failed:
        raise Conflict(
            f"{name} is FAILED: pausing would leave it so", hint=f"cdc connectors restart {name}, or stop it"
        )
    states = {task.state for task in status.tasks}
    if verb == "resume" and status.running:
        return False
    if verb != "resume" and status.state == _REACHED[verb] and states <= ({"PAUSED"} if verb == "pause" else set()):
        return False
    {"pause": client.pause, "resume": client.resume, "stop": client.stop}[verb](name)
    if patience.timeout_s is not None:
        wait = Wait(client, name, time.monotonic() + patience.timeout_s, status, patience.report)
        wait.running(STEADY_S) if verb == "resume" else wait.settled(_REACHED[verb])
    return True


def restart(
    client: ConnectClient, status: ConnectorStatus, which: Literal["failed", "all"] | int, patience: Patience
) -> bool:
    """Restart what has failed, everything, or the task of that number. False: nothing has failed.

    Raises:
        Conflict: it is PAUSED or STOPPED: it has no task that a restart would bring to run.
        NotFound: no such task.
        TaskFailed: it failed again; the message has the causes.
        NotInTime: it does not run in time.
    """
    name = status.name
    if which == "failed" and not status.failed:
        return False
    if status.state in {"PAUSED", "STOPPED"}:
        raise Conflict(f"{name} is {status.state}", hint=f"cdc connectors resume {name}")
    if isinstance(which, int):
        if which not in {task.id for task in status.tasks}:
            raise NotFound(f"{name} has no task {which}", hint=f"cdc connectors describe {name}")
        client.restart_task(name, which)
    else:
        client.restart(name, only_failed=which == "failed")
    if patience.timeout_s is not None:
        Wait(client, name, time.monotonic() + patience.timeout_s, status, patience.report).running(STEADY_S)
    return True


def delete(client: ConnectClient, status: ConnectorStatus, patience: Patience, *, reset_offsets: bool) -> None:
    """Delete a connector, and its stored offsets if that is wanted: Connect wants it STOPPED for that (KIP-875).

    Raises:
        ConnectorError: what was not done; a connector whose offsets could not be reset is still there, STOPPED.
    """
    if reset_offsets:
        turn(client, status, "stop", Patience(patience.timeout_s or 120, patience.report))
        client.delete_offsets(status.name)
        patience.report(f"{status.name}: offsets deleted")
    try:
        client.delete(status.name)
    except NotFound:  # somebody else was faster
        return


def remains(config: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """What a deleted connector leaves in its source database, each with the SQL that takes it away. Nothing is run."""
    if not config.get("connector.class", "").endswith(".PostgresConnector"):
        return ()
    slot = config.get("slot.name", "debezium")
    publication = config.get("publication.name", "dbz_publication")
    quoted = publication.replace('"', '""')
    literal = slot.replace("'", "''")
    return (
        (f"replication slot {slot}: keeps WAL until it is dropped", f"SELECT pg_drop_replication_slot('{literal}');"),
        (f"publication {publication}", f'DROP PUBLICATION IF EXISTS "{quoted}";'),
    )


def offset_lines(offsets: list[dict[str, Any]]) -> tuple[str, ...]:
    """Stored offsets, a line each: partition, then position. They hold positions, never rows."""
    return tuple(f"{_flat(each.get('partition'))} → {_flat(each.get('offset'))}" for each in offsets)


def _flat(members: Mapping[str, Any] | None) -> str:
    return ", ".join(f"{name}={value}" for name, value in (members or {}).items()) or "none"

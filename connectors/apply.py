"""Bring one connector to what its definition says, and do not return before every task runs.

Applying twice changes nothing the second time: an equal configuration is not written, because writing it would restart
the tasks.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from connectors import profile, redact
from connectors.client import ConnectClient
from connectors.definition import Definition
from connectors.errors import NotFound, Rejected, TaskFailed, Unreachable
from connectors.model import ConnectorStatus
from connectors.secrets import SecretLookup

Report: TypeAlias = Callable[[str], None]
"""Takes one line of progress."""

Action: TypeAlias = Literal["created", "updated", "restarted", "resumed", "unchanged"]

POLL_S = 0.25
STEADY_POLLS = 2
"""So many looks in a row must find it running: a task that fails at once is RUNNING for a moment."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was done. ``changed`` names the settings that differ from before; their values are not kept."""

    name: str
    action: Action
    changed: tuple[str, ...]
    status: ConnectorStatus


def apply(
    client: ConnectClient,
    definition: Definition,
    secrets: SecretLookup,
    *,
    timeout_s: float = 120,
    report: Report = lambda _line: None,
) -> Outcome:
    """Create or update the connector through ``PUT /config`` and wait until it and all its tasks run.

    Does not look at the source database: :func:`connectors.check.demand_fit` does.

    Raises:
        Rejected: the worker has no Debezium ≥ 3.7.0, or finds settings invalid. Nothing was changed.
        TaskFailed: it was applied, and the connector or a task failed; the message has the causes.
        Unreachable: Connect does not answer, or the tasks did not run within ``timeout_s``.
    """
    deadline = time.monotonic() + timeout_s
    desired = profile.configuration(profile.expand(definition, secrets))
    _demand_plugin(client)
    present = _present(client, definition.name)
    changed = _differences(present, desired)
    if changed:
        _demand_valid(client, definition.name, desired)
        created = client.put_config(definition.name, desired)
        report(f"{definition.name}: {'created' if created else 'updated: ' + ', '.join(changed)}")
        action: Action = "created" if created else "updated"
    else:
        action = _mend(client, definition.name, deadline, report)
    status = _wait(client, definition.name, deadline, report)
    return Outcome(definition.name, action, changed if action == "updated" else (), status)


def _demand_plugin(client: ConnectClient) -> None:
    least = ".".join(map(str, profile.LEAST_VERSION))
    for plugin in client.plugins():
        if plugin.class_name == profile.CONNECTOR_CLASS:
            if _version(plugin.version) < profile.LEAST_VERSION:
                raise Rejected(
                    f"the worker's Debezium is {plugin.version}: before {least} rows can be lost when it is restarted",
                    hint=f"install debezium-connector-postgres {least}.Final or later on the workers",
                )
            return
    raise Rejected(
        "the worker has no Debezium connector for PostgreSQL", hint="plugin.path of the worker must name its folder"
    )


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".")[:3] if part.isdigit())


def _present(client: ConnectClient, name: str) -> dict[str, str] | None:
    try:
        return client.config(name)
    except NotFound:
        return None


def _differences(present: dict[str, str] | None, desired: dict[str, str]) -> tuple[str, ...]:
    if present is None:
        return tuple(desired)
    names = sorted((present.keys() | desired.keys()) - {"name"})
    return tuple(name for name in names if present.get(name) != desired.get(name))


def _demand_valid(client: ConnectClient, name: str, desired: dict[str, str]) -> None:
    wrong = client.validate(profile.CONNECTOR_CLASS, name, desired)
    if wrong:
        lines = "".join(f"\n  {setting}: {'; '.join(errors)}" for setting, errors in wrong.items())
        raise Rejected(f"Kafka Connect finds the configuration of {name} invalid:{lines}")


def _mend(client: ConnectClient, name: str, deadline: float, report: Report) -> Action:
    """An unchanged connector may still stand still."""
    status = _status(client, name, deadline)
    if status.failed:
        client.restart_failed(name)
        report(f"{name}: restarted what had failed ({_cause(status)})")
        return "restarted"
    if status.state in {"PAUSED", "STOPPED"}:
        client.resume(name)
        report(f"{name}: was {status.state}; resumed")
        return "resumed"
    return "unchanged"


def _status(client: ConnectClient, name: str, deadline: float) -> ConnectorStatus:
    """The status; it comes round a moment after a connector is created."""
    while True:
        try:
            return client.status(name)
        except NotFound:
            if time.monotonic() > deadline:
                raise
        time.sleep(POLL_S)


def _wait(client: ConnectClient, name: str, deadline: float, report: Report) -> ConnectorStatus:
    steady, shown = 0, ""
    while True:
        status = _status(client, name, deadline)
        tasks = ", ".join(f"task {task.id} {task.state}" for task in status.tasks) or "no task yet"
        seen = f"{name}: {status.state}, {tasks}"
        if seen != shown:
            report(seen)
            shown = seen
        if status.failed:
            raise TaskFailed(
                f"{name} failed: {_cause(status)}", hint="mend the cause, then `cdc connectors apply` again"
            )
        steady = steady + 1 if status.running else 0
        if steady >= STEADY_POLLS:
            return status
        if time.monotonic() > deadline:
            raise Unreachable(
                f"{name} does not run yet: {status.state}, {tasks}", hint="the worker's log says what it waits for"
            )
        time.sleep(POLL_S)


def _cause(status: ConnectorStatus) -> str:
    return redact.causes(status.failed_traces[0])

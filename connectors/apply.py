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
STEADY_S = 2.0
"""So long it must be seen running after a change: Connect shows old tasks RUNNING until it has stopped them, and a new
task is RUNNING before Debezium has connected."""
STALE_S = 10.0
"""So long a failure from before the change is taken for what Connect has not cleared away yet."""


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
    _demand_plugin(client, profile.CONNECTORS[definition.kind])
    present = _present(client, definition.name)
    before = None if present is None else _status(client, definition.name, deadline)
    changed = _differences(present, desired)
    if changed:
        _demand_valid(client, definition, desired)
        created = client.put_config(definition.name, desired)
        report(f"{definition.name}: {'created' if created else 'updated: ' + ', '.join(changed)}")
        action: Action = "created" if created else "updated"
    else:
        action = _mend(client, before, report)
    status = _Wait(client, definition.name, deadline, before, report).running(0 if action == "unchanged" else STEADY_S)
    return Outcome(definition.name, action, changed if action == "updated" else (), status)


def _demand_plugin(client: ConnectClient, connector: profile.Connector) -> None:
    least = ".".join(map(str, connector.least))
    for plugin in client.plugins():
        if plugin.class_name == connector.class_name:
            if _version(plugin.version) < connector.least:
                raise Rejected(
                    f"the worker's Debezium is {plugin.version}: before {least} rows can be lost or changed",
                    hint=f"install {connector.plugin} {least}.Final or later on the workers",
                )
            return
    raise Rejected(
        f"the worker has no Debezium connector for {connector.database}",
        hint="plugin.path of the worker must name its folder",
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


def _demand_valid(client: ConnectClient, definition: Definition, desired: dict[str, str]) -> None:
    name = definition.name
    wrong = client.validate(profile.CONNECTORS[definition.kind].class_name, name, desired)
    if wrong:
        lines = "".join(f"\n  {setting}: {'; '.join(errors)}" for setting, errors in wrong.items())
        raise Rejected(f"Kafka Connect finds the configuration of {name} invalid:{lines}")


def _mend(client: ConnectClient, status: ConnectorStatus | None, report: Report) -> Action:
    """An unchanged connector may still stand still."""
    if status is not None and status.failed:
        client.restart_failed(status.name)
        report(f"{status.name}: restarted what had failed ({redact.causes(status.failed_traces[0])})")
        return "restarted"
    if status is not None and status.state in {"PAUSED", "STOPPED"}:
        client.resume(status.name)
        report(f"{status.name}: was {status.state}; resumed")
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


@dataclass(slots=True)
class _Wait:
    """Looks at a connector until it runs, or has failed anew."""

    client: ConnectClient
    name: str
    deadline: float
    before: ConnectorStatus | None
    report: Report

    def running(self, steady_s: float) -> ConnectorStatus:
        """Its status, once it has been running for ``steady_s``."""
        began = since = time.monotonic()
        shown = ""
        while True:
            status, now = _status(self.client, self.name, self.deadline), time.monotonic()
            tasks = ", ".join(f"task {task.id} {task.state}" for task in status.tasks) or "no task yet"
            seen = f"{self.name}: {status.state}, {tasks}"
            if seen != shown:
                self.report(seen)
                shown = seen
            if status.failed and (now - began > STALE_S or not self._stale(status)):
                cause = redact.causes(status.failed_traces[0])
                raise TaskFailed(f"{self.name} failed: {cause}", hint="mend that, then cdc connectors apply")
            if not status.running:
                since = now
            elif now - since >= steady_s:
                return status
            if now > self.deadline:
                raise Unreachable(f"not running in time: {seen}", hint="the worker's log says what it waits for")
            time.sleep(POLL_S)

    def _stale(self, status: ConnectorStatus) -> bool:
        return self.before is not None and status.failed_traces == self.before.failed_traces

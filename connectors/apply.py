"""Bring one connector to what its definition says, and do not return before every task runs.

Applying twice changes nothing the second time: an equal configuration is not written, because writing it would restart
the tasks. Connect has no compare-and-set, so two who apply at once are told apart by reading: the live configuration is
read right before it is written and once more when the tasks run. Between that read and the write lies one request's
way to Connect; who is overwritten within it learns it from the second read.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from connectors import plan, profile, redact, secrets
from connectors.client import ConnectClient
from connectors.definition import Definition
from connectors.errors import Conflict, ConnectorError, NoAnswer, NotFound, NotInTime, Rejected, TaskFailed, Unreachable
from connectors.model import ConnectorStatus
from connectors.secrets import SecretLookup
from connectors.waiting import POLL_S, STEADY_S, Report, Wait, status_of

Action: TypeAlias = Literal["created", "updated", "restarted", "resumed", "unchanged"]

LOOK_AGAIN_S = 30.0
"""So long the live configuration is looked for after an answer to writing it was lost."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was done. ``changed`` names the settings that differ from before; their values are not kept."""

    name: str
    action: Action
    changed: tuple[str, ...]
    status: ConnectorStatus


@dataclass(frozen=True, slots=True)
class Planned:
    """The live configuration that a plan was made of, None for no connector: what is there must still be that."""

    live: Mapping[str, str] | None


@dataclass(frozen=True, slots=True)
class Options:
    """How to apply.

    ``timeout_s``: until the tasks run. ``installation``: this one (:mod:`connectors.plan`). ``rollback``: put the
    previous configuration back when the new one does not come to run. ``keep``: is given the previous configuration
    before it is replaced.
    """

    timeout_s: float = 120
    installation: str = ""
    rollback: bool = False
    planned: Planned | None = None
    keep: Callable[[Mapping[str, str]], None] = lambda _config: None


def desired(definition: Definition, lookup: SecretLookup) -> plan.Desired:
    """What a definition wants of Connect."""
    config = profile.configuration(profile.expand(definition, lookup))
    risks = [each for each in profile.overrides(definition) if each.severity != "info"]
    notes = tuple(f"{each.severity}: {each.setting} is overridden: {each.reason}" for each in risks)
    return plan.Desired(definition.name, definition.topic, config, notes)


def apply(
    client: ConnectClient,
    definition: Definition,
    lookup: SecretLookup,
    *,
    timeout_s: float = 120,
    report: Report = lambda _line: None,
    options: Options | None = None,
) -> Outcome:
    """Create or update the connector through ``PUT /config`` and wait until it and all its tasks run.

    Does not look at the source database: :func:`connectors.check.demand_fit` does.

    Raises:
        Rejected: the worker has no Debezium that is fit, or finds settings invalid. Nothing was changed.
        Conflict: somebody else has written the configuration since it was planned, or since it was applied.
        TaskFailed: it was applied, and the connector or a task failed; the message has the causes.
        Unreachable: Connect does not answer, or the tasks did not run within ``timeout_s``.
    """
    _demand_plugin(client, profile.CONNECTORS[definition.kind])
    return bring(client, desired(definition, lookup), options or Options(timeout_s), report)


def bring(client: ConnectClient, wanted: plan.Desired, options: Options, report: Report) -> Outcome:
    """Bring a connector to a configuration, as :func:`apply` does.

    Raises:
        ConnectorError: as :func:`apply`.
    """
    deadline = time.monotonic() + options.timeout_s
    live = present(client, wanted.name)
    before = None if live is None else status_of(client, wanted.name, deadline)
    changed = plan.differences(live, wanted.config)
    if not changed:
        action = _mend(client, before, report)
        wait = Wait(client, wanted.name, deadline, before, report)
        return Outcome(wanted.name, action, (), wait.running(0 if action == "unchanged" else STEADY_S))
    if options.planned is not None:
        _demand_as_planned(wanted, live, options.planned)
    with secrets.traced(wanted.config):
        _demand_valid(client, wanted)
        if live is not None:
            options.keep(live)
        _write(client, wanted, options.installation, report)
    if before is not None and before.state in {"PAUSED", "STOPPED"}:
        client.resume(wanted.name)
    report(f"{wanted.name}: {'created' if live is None else 'updated: ' + ', '.join(changed)}")
    try:
        if live is None:
            _warn_of_offsets(client, wanted.name, report)
        status = Wait(client, wanted.name, deadline, before, report).running(STEADY_S)
    except (TaskFailed, NotInTime) as error:
        if options.rollback:
            raise _rolled_back(client, wanted.name, live, options, report, error) from None
        raise
    _demand_ours(client, wanted)
    return Outcome(wanted.name, "created" if live is None else "updated", () if live is None else changed, status)


def present(client: ConnectClient, name: str) -> dict[str, str] | None:
    """The live configuration; None without a connector."""
    try:
        return client.config(name)
    except NotFound:
        return None


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


def _demand_as_planned(wanted: plan.Desired, live: Mapping[str, str] | None, planned: Planned) -> None:
    """See that nobody has written since the plan was made."""
    if planned.live == live:
        return
    if live is None or planned.live is None:
        what = "it was deleted" if live is None else "it was created"
    else:
        names = sorted(n for n in live.keys() | planned.live.keys() if live.get(n) != planned.live.get(n))
        what = "these were changed: " + ", ".join(_changed(n, planned.live, live, n in wanted.config) for n in names)
    raise Conflict(
        f"{wanted.name}: somebody else has written its configuration since the plan was made; nothing was written:"
        f" {what}",
        hint=f"cdc connectors plan {wanted.name}",
    )


def _changed(name: str, before: Mapping[str, str], after: Mapping[str, str], known: bool) -> str:
    def shown(config: Mapping[str, str]) -> str:
        return redact.value(name, config[name], known=known) if name in config else "absent"

    return name if name == plan.APPLIED else f"{name} ({shown(before)} → {shown(after)})"


def _demand_ours(client: ConnectClient, wanted: plan.Desired) -> None:
    """See that what runs is what was written: somebody may have written at the same moment."""
    live = present(client, wanted.name)
    changed = plan.differences(live, wanted.config)
    if live is None or changed:
        what = "deleted it" if live is None else f"changed {', '.join(changed)}"
        raise Conflict(
            f"{wanted.name}: it was applied, and somebody else has {what} since",
            hint=f"cdc connectors plan {wanted.name}",
        )


def _demand_valid(client: ConnectClient, wanted: plan.Desired) -> None:
    wrong = client.validate(wanted.config["connector.class"], wanted.name, wanted.config)
    if wrong:
        lines = "".join(f"\n  {setting}: {'; '.join(errors)}" for setting, errors in wrong.items())
        raise Rejected(f"Kafka Connect finds the configuration of {wanted.name} invalid:{lines}")


def _write(client: ConnectClient, wanted: plan.Desired, installation: str, report: Report) -> None:
    """Write the configuration. Where the answer was lost, look whether Connect has it all the same."""
    config = plan.marked(wanted.config, installation)
    try:
        client.put_config(wanted.name, config)
    except NoAnswer as lost:
        deadline = time.monotonic() + LOOK_AGAIN_S
        while True:
            try:
                if not plan.differences(present(client, wanted.name), wanted.config):
                    report(f"{wanted.name}: applied (the response was lost)")
                    return
            except Unreachable:
                pass
            if time.monotonic() > deadline:
                raise lost from None
            time.sleep(POLL_S)


def _warn_of_offsets(client: ConnectClient, name: str, report: Report) -> None:
    """Offsets outlive a connector: one of the same name goes on there instead of reading a baseline."""
    try:
        offsets = client.offsets(name)
    except ConnectorError:
        return
    if offsets:
        report(
            f"{name}: warning: Connect has offsets of an earlier connector of this name: it goes on there, and takes no"
            f" new snapshot. If that is not meant: cdc connectors delete {name} --reset-offsets, then apply again"
        )


def _rolled_back(
    client: ConnectClient, name: str, live: Mapping[str, str] | None, options: Options, report: Report,
    error: TaskFailed | NotInTime,
) -> ConnectorError:  # fmt: skip
    """Put back what was there; answers the error to raise."""
    kind, hint = type(error), error.hint
    try:
        if live is None:
            client.delete(name)
            return kind(f"{error}; it was new, and is deleted again (its slot and offsets stay)", hint=hint)
        before = status_of(client, name, time.monotonic() + options.timeout_s)
        client.put_config(name, live)
        report(f"{name}: rolled back to the previous configuration")
        Wait(client, name, time.monotonic() + options.timeout_s, before, report).running(STEADY_S)
    except ConnectorError as second:
        return kind(f"{error}; and rolling back failed: {second}", hint=f"cdc connectors describe {name}")
    return kind(f"{error}; the previous configuration is back, and runs", hint=hint)


def _mend(client: ConnectClient, status: ConnectorStatus | None, report: Report) -> Action:
    """An unchanged connector may still stand still."""
    if status is not None and status.failed:
        client.restart(status.name, only_failed=True)
        report(f"{status.name}: restarted what had failed ({redact.causes(status.failed_traces[0])})")
        return "restarted"
    if status is not None and status.state in {"PAUSED", "STOPPED"}:
        client.resume(status.name)
        report(f"{status.name}: was {status.state}; resumed")
        return "resumed"
    return "unchanged"

"""Kafka Connect and the connectors on it: versions, states, and what only the worker's own behaviour tells.

Whether a worker does exactly-once delivery is in none of its answers; but it judges a configuration that demands it
(KIP-618, ``exactly.once.support=required``), and refuses it where it cannot.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from connectors import plan, profile, redact
from connectors.check.configuration import configuration
from connectors.check.losses import known, version
from connectors.check.position import Position
from connectors.client import ConnectClient
from connectors.definition import Definition
from connectors.errors import ConnectorError
from connectors.finding import Finding
from connectors.model import ConnectorInfo, WorkerInfo
from connectors.secrets import SecretLookup

LEAST_WORKER = (3, 3)
"""Kafka's version with exactly-once source connectors (KIP-618)."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What Connect answered, once for all connectors. ``plugins``: class → version. ``ill``: what the worker says is
    the matter with it.
    """

    worker: WorkerInfo
    plugins: Mapping[str, str]
    connectors: Mapping[str, ConnectorInfo]
    ill: str | None = None


def look(client: ConnectClient) -> Seen:
    """Ask Connect for all of it, in four requests.

    Raises:
        Unreachable: it does not answer.
        ConnectorError: it is something else.
    """
    worker = client.worker()
    plugins = {plugin.class_name: plugin.version for plugin in client.plugins()}
    return Seen(worker, plugins, {info.name: info for info in client.connectors()}, client.health())


def worker(seen: Seen, kinds: Sequence[str], cluster: str | None) -> Iterator[Finding]:
    """What is to be known of the workers. ``kinds``: of the sources' databases; ``cluster``: the id of [kafka]."""
    if version(seen.worker.version) < LEAST_WORKER:
        yield Finding("connect_version", f"the worker is Kafka {seen.worker.version}")
    if seen.ill is not None:
        yield Finding("connect_unhealthy", seen.ill)
    if cluster is not None and seen.worker.kafka_cluster_id != cluster:
        problem = f"Connect serves Kafka cluster {seen.worker.kafka_cluster_id}, [kafka] is {cluster}"
        yield Finding("connect_other_cluster", problem)
    for kind in dict.fromkeys(kinds):
        connector = profile.CONNECTORS[kind]
        has, least = seen.plugins.get(connector.class_name), ".".join(map(str, connector.least))
        if has is None:
            yield Finding(
                "plugin_missing", f"the worker has no Debezium connector for {connector.database}", place=kind
            )
            continue
        if version(has) < connector.least:
            command = f"install {connector.plugin} {least}.Final or later on the workers"
            problem = f"the worker's Debezium for {connector.database} is {has}; {least} is the oldest that is fit"
            yield Finding("plugin_version", problem, place=connector.plugin, command=command)
        yield from known(kind, has)


def state(definition: Definition, seen: Seen) -> Iterator[Finding]:
    """Whether the connector is there and runs."""
    name = definition.name
    info, command = seen.connectors.get(name), f"cdc connectors apply {name}"
    if info is None:
        yield Finding("connector_missing", f"Connect has no connector {name}", command=command)
        return
    if info.status.failed:
        cause = redact.causes(info.status.failed_traces[0])
        problem = f"{name} failed: {cause}"
        yield Finding("connector_failed", problem, command=f"mend that, then {command}")
    elif not info.status.running:
        tasks = ", ".join(f"task {task.id} {task.state}" for task in info.status.tasks) or "no task"
        yield Finding("connector_stopped", f"{name} is {info.status.state}, {tasks}", command=command)


def live(client: ConnectClient, definition: Definition, seen: Seen, secrets: SecretLookup) -> Iterator[Finding]:
    """What the connector's configuration on Connect loses, and where it is not what the definition says.

    Asks Connect to validate it, which opens a connection to the source.

    Raises:
        Unreachable: Connect does not answer.
    """
    name = definition.name
    info = seen.connectors.get(name)
    if info is None:
        return
    connector, has = profile.CONNECTORS[definition.kind], info.config
    plugin = seen.plugins.get(connector.class_name, "")
    yield from configuration(
        definition.kind, has, profile.configuration(connector.profile(definition, secrets)), plugin
    )
    desired = profile.configuration(profile.expand(definition, secrets))
    differs = plan.differences(has, desired)
    if differs:
        listed = ", ".join(differs[:6]) + (", …" if len(differs) > 6 else "")
        command = f"cdc connectors apply {name}"
        yield Finding("configuration_differs", f"other than the definition says: {listed}", place=name, command=command)
    yield from _validated(client, name, has)


def _validated(client: ConnectClient, name: str, has: Mapping[str, str]) -> Iterator[Finding]:
    try:
        wrong = client.validate(has.get("connector.class", ""), name, has)
    except ConnectorError as error:
        if error.exit_code == 5:
            raise
        yield Finding("configuration_invalid", f"{name}: Connect cannot judge its configuration ({error})")
        return
    for setting, errors in wrong.items():
        code = "exactly_once_worker" if setting == "exactly.once.support" else "configuration_invalid"
        yield Finding(code, f"{setting}: {'; '.join(errors)}", place=setting)


def stored_position(client: ConnectClient, definition: Definition, seen: Seen | None) -> Position:
    """Asks for the connector's stored position; None where it has none, or Connect cannot be asked."""

    def ask() -> Mapping[str, object] | None:
        if seen is None or definition.name not in seen.connectors:
            return None
        try:
            offsets = client.offsets(definition.name)
        except ConnectorError:
            return None  # said where Connect is looked at
        return next((each["offset"] for each in offsets if each.get("offset")), None)

    return ask

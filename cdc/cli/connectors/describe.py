"""``cdc connectors describe``: everything of one connector, and no secret."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cdc import config
from cdc.cli.connectors.cluster import cluster_options, one_name, opened
from cdc.cli.output import printable

if TYPE_CHECKING:
    from connectors.client import ConnectClient
    from connectors.model import ConnectorStatus


@click.command()
@one_name
@click.option("--trace", "traces", is_flag=True, help="The whole stack traces, not only the causes.")
@click.option("--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
@cluster_options
def describe(name: str, traces: bool, output: str, path: Path | None, context: str | None) -> None:
    """Show state, tasks, causes of failure, versions, offsets, slot and configuration of connector NAME.

    Stack traces and the configuration are shown without values that may be secret or a row's. Exit code 3: there is no
    such connector.
    """
    settings = config.load(path, context)
    with opened(settings) as client:
        found = _described(settings, client, name, traces=traces)
    if output == "json":
        import json

        click.echo(json.dumps({"schema_version": 1, **found}, ensure_ascii=False, indent=2))
        return
    for line in _lines(found):
        click.echo(printable(line))


def _described(settings: config.Config, client: ConnectClient, name: str, *, traces: bool) -> dict[str, Any]:
    from connectors import plan, redact
    from connectors.lifecycle import offset_lines

    live = client.config(name)
    status = client.status(name)
    secret, said = _secret_settings(client, live)
    problems = [said] if said else []
    offsets = _offsets(client, name, problems)
    return {
        "name": name,
        "state": status.state,
        "healthy": status.running,
        "worker": status.worker,
        "class": live.get("connector.class"),
        "version": status.version or None,
        "connect_version": client.worker().version,
        "topics": sorted(plan.writes_to(live)),
        "installation": live.get(plan.INSTALLATION),
        "edited": plan.edited(live),
        "tasks": _tasks(status, traces=traces),
        "cause": redact.causes(status.trace) if status.trace else None,
        "trace": redact.trace(status.trace) if traces and status.trace else None,
        "offsets": offsets,
        "offset_lines": list(offset_lines(offsets)),
        "slot": _slot(settings, name, live, problems),
        "config": {
            key: redact.value(key, value, known=secret is not None, secrets=secret or ())
            for key, value in sorted(live.items())
        },
        "problems": problems,
    }


def _secret_settings(client: ConnectClient, live: dict[str, str]) -> tuple[frozenset[str] | None, str | None]:
    """What the plugin itself declares as a password; without an answer nothing of unknown kind is shown."""
    from connectors.errors import ConnectorError

    try:
        return client.secret_settings(live.get("connector.class", "")), None
    except ConnectorError:
        return None, "the worker does not say which settings of this plugin are secret: only harmless ones are shown"


def _offsets(client: ConnectClient, name: str, problems: list[str]) -> list[dict[str, Any]]:
    from connectors.errors import ConnectorError

    try:
        return client.offsets(name)
    except ConnectorError as error:
        problems.append(f"offsets: {error}")
        return []


def _tasks(status: ConnectorStatus, *, traces: bool) -> list[dict[str, Any]]:
    from connectors import redact

    return [
        {
            "id": task.id,
            "state": task.state,
            "worker": task.worker,
            "cause": redact.causes(task.trace) if task.trace else None,
            "trace": redact.trace(task.trace) if traces and task.trace else None,
        }
        for task in status.tasks
    ]


def _slot(settings: config.Config, name: str, live: dict[str, str], problems: list[str]) -> dict[str, Any] | None:
    """The slot as the source sees it, where the source's DSN is at hand."""
    from dataclasses import asdict

    from connectors.errors import ConnectorError
    from connectors.slot import slot

    source = settings.sources.get(name)
    if source is None or source.dsn is None or "slot.name" not in live:
        return None
    try:
        found = slot(source.dsn, live["slot.name"], name)
    except ConnectorError as error:
        problems.append(f"slot: {error}")
        return None
    if found is None:
        problems.append(f"slot: the source has no replication slot {live['slot.name']}")
        return None
    return asdict(found)


def _lines(found: dict[str, Any]) -> Iterator[str]:
    yield f"name      {found['name']}"
    ill = "" if found["healthy"] else ", not running"
    yield f"state     {found['state']}{ill} on {found['worker'] or 'no worker'}"
    for task in found["tasks"]:
        yield f"task {task['id']}    {task['state']} on {task['worker']}"
        yield from _trouble(task)
    if not found["tasks"]:
        yield "tasks     none"
    yield from _trouble(found)
    yield f"plugin    {found['class']} {found['version'] or ''}".rstrip()
    yield f"connect   {found['connect_version']}"
    yield f"topics    {', '.join(found['topics']) or '-'}"
    mark = "not by cdc" if found["installation"] is None else found["installation"]
    yield f"applied   {mark}{'; edited since it was applied' if found['edited'] else ''}"
    for line in found["offset_lines"] or ["none stored"]:
        yield f"offset    {line}"
    if found["slot"] is not None:
        slot = found["slot"]
        active = "active" if slot["active"] else "not active"
        yield f"slot      {slot['name']}: {active}, {slot['wal_status']}, {_bytes(slot['retained'])} of WAL kept"
        yield f"lag       {_bytes(slot['behind'])} of WAL not confirmed"
    for problem in found["problems"]:
        yield f"problem   {problem}"
    yield "config"
    yield from (f"  {key} = {value}" for key, value in found["config"].items())


def _trouble(of: dict[str, Any]) -> Iterator[str]:
    if of["cause"]:
        yield f"  cause   {of['cause']}"
    if of["trace"]:
        yield from (f"  {line}" for line in of["trace"].splitlines())


def _bytes(count: int | None) -> str:
    if count is None:
        return "an unknown amount"
    amount, unit = float(count), "B"
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):  # noqa: B007
        if amount < 1024:
            break
        amount /= 1024
    return f"{amount:,.0f} {unit}" if unit == "B" else f"{amount:,.1f} {unit}"

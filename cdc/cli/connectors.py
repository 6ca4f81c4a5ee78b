"""``cdc connectors``: the Debezium connectors of the configured sources."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from cdc import config
from cdc.cli.connectors_init import init
from cdc.errors import ConfigError
from connectors import redact
from connectors.apply import apply as apply_one
from connectors.check import demand_fit
from connectors.client import ConnectClient
from connectors.definition import Definition, load
from connectors.model import ConnectorInfo
from connectors.secrets import SecretLookup, in_folder

_config = click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path),
    help="Configuration file; default: $CDC_CONFIG, ./cdc.toml, ./.cdc/cdc.toml.",
)


@click.group()
def connectors() -> None:
    """The Debezium connectors: what they capture is in definitions, how is in the profile."""


connectors.add_command(init)


@connectors.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@_config
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(min=1),
    default=120,
    show_default=True,
    help="Seconds to wait for each.",
)
def apply(names: tuple[str, ...], path: Path | None, timeout_s: float) -> None:
    """Create or update connectors (all, or those named) and wait until every task runs.

    The source database is looked at first: one that would lose evidence is refused, with the SQL that mends it.
    Repeating it changes nothing.
    """
    settings = config.load(path)
    for name in () if names else settings.unfinished:
        click.echo(f"{name}: not applied: it has no policy yet (cdc policy init {name})", err=True)
    chosen = names or tuple(name for name in settings.sources if name not in settings.unfinished)
    definitions = [_definition(settings.source(name)) for name in chosen]
    secrets = _secrets(settings)
    with ConnectClient(settings.connect_url) as client:
        for definition in definitions:
            dsn = settings.source(definition.name).dsn
            for finding in demand_fit(definition, dsn) if dsn is not None else ():
                click.echo(f"{definition.name}: warning: {finding.problem}", err=True)
            outcome = apply_one(
                client, definition, secrets, timeout_s=timeout_s, report=lambda line: click.echo(line, err=True)
            )
            click.echo(f"{outcome.name}: {outcome.action}; running, into topic {definition.topic}", err=True)


@connectors.command("list")
@_config
@click.option("--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
def list_(path: Path | None, output: str) -> None:
    """List the connectors that Kafka Connect has, and the configured ones that it does not have yet."""
    settings = config.load(path)
    with ConnectClient(settings.connect_url) as client:
        rows = _rows(client.connectors(), settings.sources)
    if output == "json":
        click.echo(json.dumps({"schema_version": 1, "connectors": rows}, ensure_ascii=False, indent=2))
        return
    cells = [("NAME", "STATE", "TASKS", "TOPIC", "CAUSE")]
    cells += [
        (row["name"], row["state"], _tasks(row["tasks"]), row["topic"] or "-", row["cause"] or "") for row in rows
    ]
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    for line in cells:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _definition(source: config.SourceConfig) -> Definition:
    definition = load(source.definition)
    for setting, here, there in (("name", source.name, definition.name), ("topic", source.topic, definition.topic)):
        if here != there:
            raise ConfigError(
                f"{source.definition}: {setting} is {there!r}, but the configuration file says {here!r}",
                hint="make both the same: the replicator reads what the connector writes",
            )
    return definition


def _secrets(settings: config.Config) -> SecretLookup:
    try:
        return in_folder(settings.state / "secrets")
    except ValueError as error:
        raise ConfigError(f"{settings.path}: {error}") from None


def _rows(found: Iterable[ConnectorInfo], configured: Iterable[str]) -> list[dict[str, Any]]:
    rows = [_row(info) for info in found]
    absent = sorted(set(configured) - {row["name"] for row in rows})
    return rows + [_absent(name) for name in absent]


def _row(info: ConnectorInfo) -> dict[str, Any]:
    status = info.status
    return {
        "name": info.name,
        "state": status.state,
        "topic": info.config.get("transforms.one.replacement"),
        "worker": status.worker,
        "tasks": [{"id": task.id, "state": task.state, "worker": task.worker} for task in status.tasks],
        "cause": redact.causes(status.failed_traces[0]) if status.failed else None,
    }


def _absent(name: str) -> dict[str, Any]:
    return {"name": name, "state": "ABSENT", "topic": None, "worker": None, "tasks": [], "cause": None}


def _tasks(tasks: list[dict[str, Any]]) -> str:
    return ", ".join(f"{task['id']} {task['state']}" for task in tasks) or "none"

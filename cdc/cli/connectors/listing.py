"""``cdc connectors list``: what runs, and what does not run yet."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cdc import config

if TYPE_CHECKING:
    from connectors.model import ConnectorInfo


@click.command("list")
@click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path),
    help="Configuration file; default: $CDC_CONFIG, ./cdc.toml, ./.cdc/cdc.toml.",
)
@click.option("--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
def list_(path: Path | None, output: str) -> None:
    """List the connectors that Kafka Connect has, and the configured ones that it does not have yet."""
    from connectors.client import ConnectClient

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


def _rows(found: Iterable[ConnectorInfo], configured: Iterable[str]) -> list[dict[str, Any]]:
    rows = [_row(info) for info in found]
    absent = sorted(set(configured) - {row["name"] for row in rows})
    return rows + [_absent(name) for name in absent]


def _row(info: ConnectorInfo) -> dict[str, Any]:
    from connectors import redact

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

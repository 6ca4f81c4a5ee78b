"""``cdc connectors list``: what runs, what failed and why, and what does not exist yet."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cdc import config
from cdc.cli.connectors.cluster import cluster_options, names_argument, opened
from cdc.cli.output import Answer, Foot, Sheet, output_option, write

if TYPE_CHECKING:
    from connectors.model import ConnectorInfo

_STATES = ("running", "failed", "paused", "stopped", "unassigned", "restarting", "absent")
_COLUMNS = ("NAME", "STATE", "TASKS", "TOPIC", "CAUSE")
_CSV = ("name", "state", "tasks_running", "tasks", "topic", "worker", "cause")


@click.command("list")
@names_argument
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice(_STATES),
    help="Only these; failed counts tasks too. Repeatable.",
)
@output_option
@cluster_options
def list_(names: tuple[str, ...], states: tuple[str, ...], output: str, path: Path | None, context: str | None) -> None:
    """List the connectors that Kafka Connect has, and the configured ones that it does not have yet.

    NAME may be a pattern such as 'shop*'. Asks Kafka Connect once, however many there are.
    """
    settings = config.load(path, context)
    with opened(settings) as client:
        rows = _rows(client.connectors(), settings.sources)
    chosen = [row for row in rows if _wanted(row, names, states)]
    write(_answer(chosen), output)


def _wanted(row: dict[str, Any], names: Sequence[str], states: Sequence[str]) -> bool:
    named = not names or any(fnmatch.fnmatchcase(row["name"], name) for name in names)
    return named and (not states or row["state"].lower() in states or ("failed" in states and _failed(row)))


def _failed(row: dict[str, Any]) -> bool:
    return row["state"] == "FAILED" or any(task["state"] == "FAILED" for task in row["tasks"])


def _rows(found: Iterable[ConnectorInfo], configured: Iterable[str]) -> list[dict[str, Any]]:
    rows = [_row(info) for info in found]
    absent = sorted(set(configured) - {row["name"] for row in rows})
    return rows + [_absent(name) for name in absent]


def _row(info: ConnectorInfo) -> dict[str, Any]:
    from connectors import redact
    from connectors.plan import writes_to

    status = info.status
    cause = redact.causes(status.failed_traces[0]) if status.failed else None
    if status.state == "RUNNING" and not status.tasks:
        cause = "it has no task: it captures nothing"
    return {
        "name": info.name,
        "state": status.state,
        "healthy": status.running,
        "topic": info.config.get("transforms.one.replacement") or min(writes_to(info.config), default=None),
        "worker": status.worker,
        "tasks": [{"id": task.id, "state": task.state, "worker": task.worker} for task in status.tasks],
        "cause": cause,
    }


def _absent(name: str) -> dict[str, Any]:
    return {
        "name": name, "state": "ABSENT", "healthy": False, "topic": None, "worker": None, "tasks": [],
        "cause": f"not applied yet: cdc connectors apply {name}",
    }  # fmt: skip


def _answer(rows: list[dict[str, Any]]) -> Answer[dict[str, Any]]:
    def running(row: dict[str, Any]) -> int:
        return sum(task["state"] == "RUNNING" for task in row["tasks"])

    def line(row: dict[str, Any]) -> list[list[str | None]]:
        return [[row["name"], row["state"], _tasks(row["tasks"]), row["topic"] or "-", row["cause"]]]

    def fields(row: dict[str, Any]) -> list[list[str | None]]:
        counts = [str(running(row)), str(len(row["tasks"]))]
        return [[row["name"], row["state"], *counts, row["topic"], row["worker"], row["cause"]]]

    failed = sum(map(_failed, rows))
    ill = sum(not row["healthy"] for row in rows)
    plural = "" if len(rows) == 1 else "s"
    told = [("failed", "cdc connectors describe NAME; cdc connectors restart NAME")] if failed else []
    return Answer(
        title=f"{len(rows)} connector{plural}, {ill} of them not running, {failed} failed",
        head={},
        name="connectors",
        items=rows,
        document=lambda row: row,
        table=Sheet(_COLUMNS, line),
        csv=Sheet(_CSV, fields),
        foot=lambda: Foot({}, told),
    )


def _tasks(tasks: list[dict[str, Any]]) -> str:
    """How many of them run, and the states of those that do not."""
    running = sum(task["state"] == "RUNNING" for task in tasks)
    others = sorted({task["state"] for task in tasks} - {"RUNNING"})
    return f"{running}/{len(tasks)}{' ' + ', '.join(others) if others else ''}"

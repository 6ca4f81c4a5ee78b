"""``cdc connectors loggers``: how much the workers write into their logs."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cdc import config
from cdc.cli.accept_gap import demand_consent, unasked
from cdc.cli.connectors.cluster import cluster_options, reason_option
from cdc.cli.connectors.recording import Act, recorded
from cdc.cli.output import Answer, Foot, Sheet, output_option, write

if TYPE_CHECKING:
    from connectors.loggers import Logger


@click.group()
def loggers() -> None:
    """Log levels of Connect's workers. What is set here holds until a worker is restarted."""


@loggers.command()
@click.argument("name", required=False, metavar="[LOGGER]")
@output_option
@cluster_options
def get(name: str | None, output: str, path: Path | None, context: str | None) -> None:
    """Show the levels that are set on the worker that answers, or the one that holds for LOGGER."""
    from cdc.connect_client import opened
    from connectors.loggers import logger
    from connectors.loggers import loggers as all_of

    settings = config.load(path, context)
    with opened(settings) as client:
        found = all_of(client) if name is None else (logger(client, name),)
    sheet: Sheet[Logger] = Sheet(("logger", "level", "changed"), lambda each: [[each.name, each.level, _at(each)]])
    write(
        Answer(
            title="log levels of the worker",
            head={"question": "loggers"},
            name="loggers",
            items=found,
            document=lambda each: {"logger": each.name, "level": each.level, "changed": _at(each)},
            table=sheet,
            csv=sheet,
            foot=lambda: Foot({}, []),
        ),
        output,
    )


@loggers.command("set")
@click.argument("name", metavar="LOGGER")
@click.argument(
    "level",
    type=click.Choice(["OFF", "FATAL", "ERROR", "WARN", "INFO", "DEBUG", "TRACE", "ALL"], case_sensitive=False),
)
@click.option(
    "--scope", type=click.Choice(["worker", "cluster"]), default="worker", show_default=True,
    help="The worker that answers, or all of them.",
)  # fmt: skip
@reason_option
@unasked
@cluster_options
def set_(
    name: str, level: str, scope: str, reason: str | None, yes: bool, path: Path | None, context: str | None
) -> None:
    """Set the level of LOGGER, and of those below it. DEBUG and finer ask: rows and settings go into the log then."""
    from cdc.connect_client import opened
    from connectors.loggers import TALKATIVE, set_level

    settings = config.load(path, context)
    if level.upper() in TALKATIVE:
        click.echo(
            f"at {level.upper()} Debezium and Kafka write rows and settings into the worker's log, in clear", err=True
        )
        demand_consent(yes)
    act = Act("loggers-set", "", more={"logger": name, "level": level.upper(), "scope": scope})
    with opened(settings) as client, recorded(settings, act, reason):
        changed = set_level(client, name, level.upper(), cluster=scope == "cluster")
        act.outcome = "set"
    where = "on every worker" if scope == "cluster" else f"on this worker ({len(changed)} loggers)"
    click.echo(f"{name}: {level.upper()} {where}, until it is restarted", err=True)


def _at(found: Logger) -> str | None:
    return None if found.changed is None else datetime.fromtimestamp(found.changed / 1000, UTC).isoformat()

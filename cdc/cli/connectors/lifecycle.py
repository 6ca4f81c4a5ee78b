"""``cdc connectors pause | resume | stop | restart``: one, some by a pattern, or all of this installation."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

import click

from cdc import config
from cdc.cli.connectors.cluster import (
    cluster_options,
    names_argument,
    opened,
    picked,
    reason_option,
    timeout_option,
)
from cdc.cli.connectors.failures import raise_failures
from cdc.cli.connectors.recording import Act, recorded
from cdc.errors import CdcError, ConfigError

if TYPE_CHECKING:
    from connectors.client import ConnectClient
    from connectors.lifecycle import Patience, Verb
    from connectors.model import ConnectorInfo

    Doing = Callable[[ConnectClient, ConnectorInfo, Patience], bool]

_no_wait = click.option("--no-wait", is_flag=True, help="Do not wait until the state is reached.")
_all = click.option("--all", "everything", is_flag=True, help="All connectors of this installation.")
_DONE = {"pause": "paused", "resume": "resumed", "stop": "stopped", "restart": "restarted"}
_ALREADY = {"pause": "is paused", "resume": "runs", "stop": "is stopped", "restart": "has nothing that failed"}


def _shared(command: Callable[..., Any]) -> Callable[..., Any]:
    for decorator in (cluster_options, reason_option, _no_wait, timeout_option, _all, names_argument):
        command = decorator(command)
    return command


@click.command()
@_shared
def pause(**options: Any) -> None:
    """Keep the tasks of connectors, and have them read nothing. The source keeps WAL meanwhile.

    NAME may be a pattern such as 'shop*'. Outlives restarts of Kafka Connect.
    """
    _turned("pause", options)


@click.command()
@_shared
def resume(**options: Any) -> None:
    """Let paused or stopped connectors go on where they were, and wait until every task runs.

    NAME may be a pattern such as 'shop*'.
    """
    _turned("resume", options)


@click.command()
@_shared
def stop(**options: Any) -> None:
    """End the tasks of connectors, and keep configuration and offsets. The source keeps WAL meanwhile.

    NAME may be a pattern such as 'shop*'. What is needed before offsets can be changed.
    """
    _turned("stop", options)


@click.command()
@click.option(
    "--tasks",
    "which",
    type=click.Choice(["failed", "all"]),
    default="failed",
    show_default=True,
    help="What to restart.",
)
@click.option("--task", "number", type=click.IntRange(min=0), help="Restart the task of this number alone.")
@_shared
def restart(which: Literal["failed", "all"], number: int | None, **options: Any) -> None:
    """Restart what has failed of connectors (or everything with --tasks all), and wait until every task runs.

    NAME may be a pattern such as 'shop*'. A connector of which nothing failed is left alone.
    """
    from connectors import lifecycle

    def do(client: ConnectClient, info: ConnectorInfo, patience: Patience) -> bool:
        return lifecycle.restart(client, info.status, which if number is None else number, patience)

    _each("restart", do, options)


def _turned(verb: Verb, options: dict[str, Any]) -> None:
    from connectors import lifecycle

    def do(client: ConnectClient, info: ConnectorInfo, patience: Patience) -> bool:
        return lifecycle.turn(client, info.status, verb, patience)

    _each(verb, do, options)


def _each(command: str, do: Doing, options: dict[str, Any]) -> None:
    """Do it to each connector that is named; what fails does not keep the others from it."""
    from connectors.errors import ConnectorError
    from connectors.lifecycle import Patience

    settings = config.load(options["path"], options["context"])
    if not options["names"] and not options["everything"]:
        raise ConfigError(f"which connectors to {command}?", hint="name them, or give --all; cdc connectors list")
    patience = Patience(None if options["no_wait"] else options["timeout_s"], lambda line: click.echo(line, err=True))
    failures: list[Exception] = []
    with opened(settings) as client:
        chosen = picked(settings, client.connectors(), options["names"], everything=options["everything"])
        for info in chosen:
            act = Act(command, info.name, more={"state_before": info.status.state})
            try:
                with recorded(settings, act, options["reason"]):
                    if do(client, info, patience):
                        act.outcome = _DONE[command]
            except (ConnectorError, CdcError) as error:
                failures.append(error)
                if len(chosen) > 1:
                    click.echo(f"{info.name}: {error}", err=True)
                continue
            click.echo(_said(command, act, waited=patience.timeout_s is not None), err=True)
    raise_failures(failures, len(chosen))


def _said(command: str, act: Act, *, waited: bool) -> str:
    if act.outcome == "nothing":
        return f"{act.connector}: {_ALREADY[command]}; nothing to do"
    return f"{act.connector}: {act.outcome}" if waited else f"{act.connector}: asked to {command}"

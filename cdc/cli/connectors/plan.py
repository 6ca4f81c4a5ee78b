"""``cdc connectors plan``: what ``apply`` would change, without changing it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cdc import config
from cdc.cli.completion import sources
from cdc.cli.connectors.cluster import cluster_options, definitions, installation, opened, secrets
from cdc.cli.connectors.planning import answer, lines
from cdc.cli.output import output_option, write
from cdc.errors import ConfigError, Conflict

if TYPE_CHECKING:
    from connectors.client import ConnectClient
    from connectors.definition import Definition
    from connectors.plan import Plan

prune_option = click.option(
    "--prune", is_flag=True, help="Also delete connectors of this installation that no source has any more."
)


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=sources)
@prune_option
@output_option
@cluster_options
def plan(names: tuple[str, ...], prune: bool, output: str, path: Path | None, context: str | None) -> None:
    """Show what `cdc connectors apply` would change (all, or those named). One request; writes nothing.

    Says also where somebody else has edited a live configuration, and what is paused or stopped. No answer holds a
    secret. Exit code 0: nothing to change; 10: changes are pending; 4: something cannot be applied.
    """
    settings = config.load(path, context)
    with opened(settings) as client:
        found = planned(settings, client, definitions(settings, demand_whole(names, prune)), prune=prune)
    tell(found, output)


def tell(found: Plan, output: str) -> None:
    """Write the plan to standard output, and end the process with the exit code that it means."""
    if output == "table":
        click.echo("\n".join(lines(found)))
    else:
        write(answer(found), output)
    demand_possible(found)
    if found.pending:
        raise SystemExit(10)


def planned(
    settings: config.Config, client: ConnectClient, wanted: Sequence[Definition], *, prune: bool = False
) -> Plan:
    """The plan, by one request.

    Raises:
        ConnectorError: Connect does not answer.
    """
    from connectors.apply import desired
    from connectors.plan import plan as compared

    lookup = secrets(settings)
    all_wanted = [desired(each, lookup) for each in wanted]
    return compared(all_wanted, client.connectors(), installation=installation(settings), prune=prune)


def demand_whole(names: tuple[str, ...], prune: bool) -> tuple[str, ...]:
    """See that ``--prune`` is asked of everything: with names, all the others would be superfluous.

    Raises:
        ConfigError: names with ``--prune``.
    """
    if names and prune:
        raise ConfigError("--prune goes with all sources, not with names", hint="cdc connectors plan --prune")
    return names


def demand_possible(found: Plan) -> None:
    """See that nothing of the plan is refused.

    Raises:
        Conflict: something is; the message says why.
    """
    if found.refused:
        told = "; ".join(f"{change.name}: {', '.join(change.notes)}" for change in found.refused)
        raise Conflict(told, hint="delete the other connector, or choose another topic")

"""``cdc connectors apply``: what is defined becomes what runs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cdc import config
from cdc.cli.accept_gap import demand_consent
from cdc.cli.completion import sources
from cdc.cli.connectors.cluster import (
    cluster_options,
    definitions,
    installation,
    opened,
    reason_option,
    secrets,
    timeout_option,
    yes_option,
)
from cdc.cli.connectors.failures import raise_failures
from cdc.cli.connectors.plan import demand_possible, demand_whole, planned, prune_option, tell
from cdc.cli.connectors.planning import lines
from cdc.cli.connectors.recording import Act, recorded
from cdc.cli.output import output_option
from cdc.errors import CdcError

if TYPE_CHECKING:
    from connectors.client import ConnectClient
    from connectors.definition import Definition
    from connectors.plan import Change, Plan


@dataclass(frozen=True, slots=True)
class Wish:
    """What one asks of an apply."""

    timeout_s: float
    rollback: bool
    reason: str | None


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=sources)
@timeout_option
@prune_option
@click.option("--rollback", is_flag=True, help="Put the previous configuration back where the new one does not run.")
@click.option("--dry-run", is_flag=True, help="Show the plan and end: the same as `cdc connectors plan`.")
@reason_option
@yes_option
@output_option
@cluster_options
def apply(
    names: tuple[str, ...],
    timeout_s: float,
    prune: bool,
    rollback: bool,
    dry_run: bool,
    reason: str | None,
    yes: bool,
    output: str,
    path: Path | None,
    context: str | None,
) -> None:
    """Create or update connectors (all, or those named) and wait until every task runs.

    The source database is looked at first: one that would lose evidence is refused, with the SQL that mends it.
    Repeating it changes nothing. Asks before it deletes (--prune), never before it creates or updates. What fails does
    not keep the others from being applied.
    """
    settings = config.load(path, context)
    wanted = definitions(settings, demand_whole(names, prune))
    with opened(settings) as client:
        found = planned(settings, client, wanted, prune=prune)
        if dry_run:
            tell(found, output)
            return
        if found.pending:
            click.echo("\n".join(lines(found)), err=True)
        demand_possible(found)
        doomed = [change for change in found.pending if change.action == "delete"]
        if doomed:
            demand_consent(yes)
        failures = _apply_all(settings, client, wanted, found, Wish(timeout_s, rollback, reason))
        failures += _prune(settings, client, doomed, reason)
    raise_failures(failures, len(wanted) + len(doomed))


def _apply_all(
    settings: config.Config, client: ConnectClient, wanted: Sequence[Definition], found: Plan, wish: Wish
) -> list[Exception]:
    from connectors.errors import ConnectorError

    changes = {change.name: change for change in found.changes}
    failures: list[Exception] = []
    for definition in wanted:
        try:
            apply_one(settings, client, definition, changes[definition.name], wish)
        except (ConnectorError, CdcError) as error:
            failures.append(error)
            if len(wanted) > 1:
                click.echo(f"{definition.name}: not applied: {error}", err=True)
    return failures


def apply_one(
    settings: config.Config, client: ConnectClient, definition: Definition, change: Change, wish: Wish
) -> None:
    """Look at the source, apply one definition as it was planned, and record it.

    Raises:
        ConnectorError: as :func:`connectors.apply.apply`; or the source is unfit.
    """
    from connectors.apply import Options, Planned, desired
    from connectors.apply import apply as apply_it
    from connectors.check import demand_fit
    from connectors.plan import digest

    name = definition.name
    dsn = settings.source(name).dsn
    for finding in demand_fit(definition, dsn) if dsn is not None else ():
        click.echo(f"{name}: warning: {finding.problem}", err=True)
    lookup = secrets(settings)
    options = Options(
        wish.timeout_s,
        installation(settings),
        wish.rollback,
        Planned(change.live),
        lambda config: keep(settings, name, config),
    )
    act = Act("apply", name, before=digest(change.live) if change.live is not None else "")
    act.after = digest(desired(definition, lookup).config)
    with recorded(settings, act, wish.reason):
        outcome = apply_it(client, definition, lookup, report=_tell, options=options)
        if outcome.action != "unchanged":
            act.outcome = outcome.action
    click.echo(f"{name}: {outcome.action}; running, into topic {definition.topic}", err=True)


def _tell(line: str) -> None:
    click.echo(line, err=True)


def _prune(
    settings: config.Config, client: ConnectClient, doomed: Sequence[Change], reason: str | None
) -> list[Exception]:
    from connectors.errors import ConnectorError, NotFound
    from connectors.plan import INSTALLATION, digest

    failures: list[Exception] = []
    for change in doomed:
        act = Act("prune", change.name, before=digest(change.live or {}))
        try:
            with recorded(settings, act, reason):
                if client.config(change.name).get(INSTALLATION) == installation(
                    settings
                ):  # somebody may have taken it over
                    client.delete(change.name)
                    act.outcome = "deleted"
                    click.echo(f"{change.name}: deleted; its offsets stay in Connect", err=True)
        except NotFound:
            continue
        except (ConnectorError, CdcError) as error:
            failures.append(error)
            click.echo(f"{change.name}: not deleted: {error}", err=True)
    return failures


def previous(settings: config.Config, name: str) -> Path:
    """Where the configuration is kept that the last apply of this connector replaced."""
    return settings.state / "connect" / (settings.connect.context or "default") / f"{name}.previous.json"


def keep(settings: config.Config, name: str, replaced: Mapping[str, str]) -> None:
    """Keep a configuration for ``cdc connectors rollback``; one with a secret in plain stays out of files."""
    from cdc.local.private_file import private_folder, write_private
    from connectors import redact

    plain = [setting for setting, value in replaced.items() if redact.value(setting, value) == redact.MASK]
    if plain:
        click.echo(
            f"{name}: warning: {', '.join(plain)} was not a reference: the replaced configuration is not kept for"
            " cdc connectors rollback",
            err=True,
        )
        return
    file = previous(settings, name)
    private_folder(file.parent)
    write_private(file, json.dumps(dict(replaced), indent=2, sort_keys=True) + "\n")

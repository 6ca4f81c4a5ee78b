"""``cdc stream accept-gap``: go on after a halt, and record what is missing."""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cdc import config
from cdc.cli.completion import sources
from cdc.errors import Conflict

if TYPE_CHECKING:
    from cdc.gap import Gap
    from cdc.warehouse.halts import Halt

_LONGEST_REASON = 1000
configured = click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Configuration file; default: $CDC_CONFIG, ./cdc.toml, ./.cdc/cdc.toml.",
)
reasoned = click.option("--reason", required=True, help="Why going on is right; it stands in the log for ever.")
unasked = click.option("--yes", is_flag=True, help="Do not ask.")


@click.command("accept-gap")
@click.argument("source", shell_complete=sources)
@configured
@reasoned
@unasked
def accept_gap(source: str, path: Path | None, reason: str, yes: bool) -> None:
    """Go on after the halt of SOURCE, and record in its log what is missing.

    Writes one entry of kind gap: cause, from, through, reason, who, when. Every later answer names it. Current state
    stays as it is, which may differ from the source: `cdc stream rebaseline` has the tables read anew, too.
    """
    from cdc.accepting import LOST, Place, gap_of
    from cdc.warehouse import lease
    from cdc.warehouse.halts import accept, halt_in_force

    demand_reason(reason)
    settings = config.load(path)
    place = settings.source(source)
    with closing(lease.connect(settings.warehouse_dsn, f"cdc gap {source}")) as connection:
        halt = halt_in_force(connection, place.name)
        if halt is None:
            raise Conflict(f"stream {source} is not halted", hint="cdc status")
        gap = gap_of(halt, Place(settings.kafka, place.topic))
        lines = [*plan(halt, gap, LOST[gap.cause]), "state     may differ from the source from here on"]
        if gap.suspends is not None:
            lines.append(f"          and the current state of {gap.suspends} stands still")
        click.echo("\n".join(lines), err=True)
        demand_consent(yes)
        seq = accept(connection, halt, place.topic, gap, reason)
    click.echo(f"gap recorded as entry {seq:,} of {source}; start the worker: cdc replicate {source}", err=True)


def demand_reason(reason: str) -> None:
    """Refuse an empty or endless one."""
    if not reason.strip() or len(reason) > _LONGEST_REASON:
        raise click.BadParameter(f"between 1 and {_LONGEST_REASON} characters", param_hint="--reason")


def demand_consent(yes: bool) -> None:
    """Ask, where there is somebody to answer.

    Raises:
        Conflict: there is no terminal, and no ``--yes``.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise Conflict("this asks, and there is no terminal to answer", hint="--yes, to go on without asking")
    click.confirm("Go on?", abort=True, err=True)


def plan(halt: Halt, gap: Gap, lost: str) -> list[str]:
    """What accepting this gap does, in lines."""
    count = "unknown" if gap.lost is None else f"{gap.lost:,}"
    missing = f"from {gap.since} through {gap.through}"
    return [
        f"halted    {halt.message}",
        f"will      write entry {halt.entries:,} (gap) into the log of {halt.log}: {missing}",
        f"          and go on at offset {gap.going.position:,}",
        f"lost      {lost} Count: {count}.",
    ]

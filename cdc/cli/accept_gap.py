"""``cdc stream accept-gap``: go on after a halt, and record what is missing."""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cdc import config
from cdc.cli.completion import sources
from cdc.errors import ConfigError, Conflict

if TYPE_CHECKING:
    from cdc.config import SourceConfig
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
@click.option(
    "--slot-lost",
    is_flag=True,
    help="The stream is not halted: its connector's slot is lost, and the tables will be read anew.",
)
def accept_gap(source: str, path: Path | None, reason: str, yes: bool, slot_lost: bool) -> None:
    """Go on after the halt of SOURCE, and record in its log what is missing.

    Writes one entry of kind gap: cause, from, through, reason, who, when. Every later answer names it. Current state
    stays as it is, which may differ from the source: `cdc stream rebaseline` has the tables read anew, too.
    With --slot-lost: after everything that reached Kafka is in the log, and before the connector begins anew. It is
    refused where the source has the slot.
    """
    from cdc.accepting import SLOT_LOST, Place, gap_of, gap_of_slot, told_lost
    from cdc.warehouse import lease
    from cdc.warehouse.halts import accept, halt_in_force, standing

    demand_reason(reason)
    settings = config.load(path)
    place = settings.source(source)
    with closing(lease.connect(settings.warehouse_dsn, f"cdc gap {source}")) as connection:
        fed = Place(settings.kafka, place.topic)
        if slot_lost:
            halt = standing(connection, place.name, SLOT_LOST)
            _demand_lost(place)
            gap = gap_of_slot(halt, fed)
        else:
            halted = halt_in_force(connection, place.name)
            if halted is None:
                raise Conflict(f"stream {source} is not halted", hint="cdc status")
            halt, gap = halted, gap_of(halted, fed)
        lines = [*plan(halt, gap, told_lost(gap.cause)), "state     may differ from the source from here on"]
        if gap.suspends is not None:
            lines.append(f"          and the current state of {gap.suspends} stands still")
        click.echo("\n".join(lines), err=True)
        demand_consent(yes)
        seq = accept(connection, halt, place.topic, gap, reason, unhalted=slot_lost)
    click.echo(f"gap recorded as entry {seq:,} of {source}; start the worker: cdc replicate {source}", err=True)


def _demand_lost(place: SourceConfig) -> None:
    """That the slot is gone, or given up, by the source's own word: no gap without one.

    Raises:
        Conflict: it is there.
        ConfigError: nothing says how the source is reached.
    """
    from connectors.definition import load
    from connectors.slot import slot

    through = place.dsn or place.admin_dsn
    definition = load(place.definition)
    if through is None or definition.kind != "postgres":
        raise ConfigError(
            f"{place.declared}: whether the slot of {place.name} is lost cannot be seen: no dsn, or not PostgreSQL",
            hint=f"set dsn under [sources.{place.name}]",
        )
    found = slot(through, definition.slot, place.name)
    if found is not None and found.wal_status != "lost":
        raise Conflict(
            f"slot {definition.slot} of {place.name} is there, its wal_status is {found.wal_status}",
            hint=f"cdc connectors check {place.name}",
        )


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
    stands = "complete  through source commit" if gap.cause == "slot-lost" else "halted   "
    return [
        f"{stands} {halt.message}",
        f"will      write entry {halt.entries:,} (gap) into the log of {halt.log}: {missing}",
        f"          and go on at offset {gap.going.position:,}",
        f"lost      {lost} Count: {count}.",
    ]

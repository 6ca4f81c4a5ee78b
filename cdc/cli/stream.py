"""``cdc stream``: why a stream halted, and the command that goes on."""

from __future__ import annotations

import json
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cdc import config
from cdc.cli.completion import sources
from cdc.errors import Conflict, NotFound

if TYPE_CHECKING:
    from cdc.gap import Gap
    from cdc.warehouse.halts import Halt

_config = click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Configuration file; default: $CDC_CONFIG, ./cdc.toml, ./.cdc/cdc.toml.",
)
_LONGEST_REASON = 1000
_source = click.argument("source", shell_complete=sources)


@click.group()
def stream() -> None:
    """A stream that has stopped on purpose: why, and how it goes on."""


@stream.command()
@click.argument("source", required=False, shell_complete=sources)
@_config
@click.option("--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
def show(source: str | None, path: Path | None, output: str) -> None:
    """Show the halt in force of SOURCE (without it: of every source), and the command that goes on.

    Exit code 4 when there is one.
    """
    from cdc.warehouse import lease
    from cdc.warehouse.halts import halt_in_force

    settings = config.load(path)
    names = list(settings.sources) if source is None else [settings.source(source).name]
    halts = []
    with closing(lease.connect(settings.warehouse_auditor_dsn, "cdc stream show")) as connection:
        for name in names:
            try:
                halt = halt_in_force(connection, name)
            except NotFound:
                if source is not None:
                    raise
                continue
            if halt is not None:
                halts.append(halt)
    if output == "json":
        click.echo(json.dumps([_document(halt) for halt in halts], indent=2))
    else:
        click.echo("\n\n".join(_told(halt) for halt in halts) or "not halted")
    if halts:
        raise SystemExit(4)


def _document(halt: Halt) -> dict[str, object]:
    from cdc.accepting import LOST

    return {
        "stream": halt.log,
        "code": halt.code,
        "message": halt.message,
        "halted_at": halt.halted_at.isoformat(),
        "coordinates": dict(halt.coordinates),
        "position": halt.position,
        "entries": halt.entries,
        "lost": LOST.get(halt.code),
        "command": _command(halt),
    }


def _command(halt: Halt) -> str:
    from cdc.accepting import LOST

    if halt.code in LOST or halt.code == "partition-count":
        return f"cdc stream accept-gap {halt.log} --reason '…'"
    return f"cdc replicate {halt.log}"


def _told(halt: Halt) -> str:
    from cdc.accepting import LOST

    command = _command(halt)
    lines = [
        f"stream    {halt.log}",
        f"halted    {halt.message}",
        f"since     {halt.halted_at.isoformat()}",
        f"position  offset {halt.position:,}, entry {halt.entries:,}",
        *([f"lost      {LOST[halt.code]}"] if halt.code in LOST else []),
        f"go on     {command if halt.code in LOST else f'remove the cause, then {command}'}",
        f"read      docs/operations.md, Halts, {halt.code}",
    ]
    return "\n".join(lines)


@stream.command("accept-gap")
@_source
@_config
@click.option("--reason", required=True, help="Why going on is right; it stands in the log for ever.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def accept_gap(source: str, path: Path | None, reason: str, yes: bool) -> None:
    """Go on after the halt of SOURCE, and record in its log what is missing.

    Writes one entry of kind gap: cause, from, through, reason, who, when. Every later answer names it.
    """
    from cdc.accepting import LOST, Place, gap_of
    from cdc.warehouse import lease
    from cdc.warehouse.halts import accept, halt_in_force

    if not reason.strip() or len(reason) > _LONGEST_REASON:
        raise click.BadParameter(f"between 1 and {_LONGEST_REASON} characters", param_hint="--reason")
    settings = config.load(path)
    place = settings.source(source)
    with closing(lease.connect(settings.warehouse_dsn, f"cdc gap {source}")) as connection:
        halt = halt_in_force(connection, place.name)
        if halt is None:
            raise Conflict(f"stream {source} is not halted", hint="cdc status")
        gap = gap_of(halt, Place(settings.kafka, place.topic))
        click.echo(_plan(source, halt.message, gap, LOST[gap.cause], halt.entries), err=True)
        if not yes:
            if not sys.stdin.isatty():
                raise Conflict("this asks, and there is no terminal to answer", hint="--yes, to go on without asking")
            click.confirm("Go on?", abort=True, err=True)
        seq = accept(connection, halt, place.topic, gap, reason)
    click.echo(f"gap recorded as entry {seq:,} of {source}; start the worker: cdc replicate {source}", err=True)


def _plan(source: str, message: str, gap: Gap, lost: str, entries: int) -> str:
    count = "unknown" if gap.lost is None else f"{gap.lost:,}"
    lines = [
        f"halted    {message}",
        f"will      write entry {entries:,} (gap) into the log of {source}: from {gap.since} through {gap.through}",
        f"          and go on at offset {gap.going.position:,}",
        f"lost      {lost} Count: {count}.",
        "state     may differ from the source from here on",
    ]
    if gap.suspends is not None:
        lines.append(f"          and the current state of {gap.suspends} stands still")
    return "\n".join(lines)

"""``cdc stream``: why a stream halted, and the command that goes on."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cdc import config
from cdc.cli.accept_gap import accept_gap
from cdc.cli.completion import sources
from cdc.cli.rebaseline import rebaseline
from cdc.errors import NotFound

if TYPE_CHECKING:
    from cdc.warehouse.halts import Halt


@click.group()
def stream() -> None:
    """A stream that has stopped on purpose: why, and how it goes on."""


@stream.command()
@click.argument("source", required=False, shell_complete=sources)
@click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Configuration file; default: $CDC_CONFIG, ./cdc.toml, ./.cdc/cdc.toml.",
)
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
    from cdc.accepting import LOST, command_after

    return {
        "stream": halt.log,
        "code": halt.code,
        "message": halt.message,
        "halted_at": halt.halted_at.isoformat(),
        "coordinates": dict(halt.coordinates),
        "position": halt.position,
        "entries": halt.entries,
        "lost": LOST.get(halt.code),
        "command": command_after(halt.code, halt.log),
    }


def _told(halt: Halt) -> str:
    from cdc.accepting import LOST, command_after

    command = command_after(halt.code, halt.log)
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


stream.add_command(accept_gap)
stream.add_command(rebaseline)

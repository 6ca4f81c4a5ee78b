"""``cdc demo``: the main job, live, to a checked end."""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path

import click


@click.command()
@click.option(
    "--state",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(".cdc-demo"),
    show_default=True,
    help="Folder of the demo's own stack; it is made anew.",
)
@click.option("--scale", type=click.FloatRange(0.1, 5), default=0.5, show_default=True, help="Size of the workload.")
@click.option("--seed", type=int, default=7, show_default=True, help="Seed of the workload.")
@click.option("--keep", is_flag=True, help="Leave the stack running, to look around.")
def demo(state: Path, scale: float, seed: int, keep: bool) -> None:
    """Capture, protect and replicate two live databases, kill the worker in the middle, then compare everything.

    Ends with exit code 0 only when every claim holds.
    """
    from cdc.local.demo import run, scoreboard
    from cdc.local.stack import Stack

    os.umask(0o077)
    began = time.monotonic()

    def say(line: str) -> None:
        click.echo(f"{time.monotonic() - began:6.1f} s  {line}")

    stack = Stack(state)
    if stack.state.exists():
        stack.reset()
    try:
        stack.up(say)
        outcome = run(stack, say, scale, seed)
        click.echo()
        click.echo(scoreboard(outcome, time.monotonic() - began))
    finally:
        if not keep:
            stack.reset()
    click.echo()
    click.echo("Every claim held. Next:")
    for command, meaning in _next(state) if keep else _NEXT:
        click.echo(f"  {_program(command).ljust(44)} # {meaning}")


_NEXT = (
    ("cdc demo --keep", "again, and leave the stack up to look around"),
    ("cdc local up", "a stack of your own, in .cdc"),
    ("cdc connectors apply", "capture both databases"),
    ("cdc replicate", "replicate them, until Ctrl-C"),
    ("cdc status", "in a second terminal: where each stream stands"),
)


def _next(state: Path) -> tuple[tuple[str, str], ...]:
    return (
        (f"export CDC_CONFIG={state}/cdc.toml", "the demo's stack is still up"),
        ("cdc status", "operator: where each stream stands"),
        ("cdc replicate", "operator: go on replicating, until Ctrl-C"),
        ("cdc connectors list", "admin: what is captured, is it healthy"),
        (f"cdc local status --state {state}", "every address"),
        (f"cdc local reset --state {state}", "stop it and delete everything"),
    )


def _program(command: str) -> str:
    """The command as this shell can run it: the program may not be on its PATH."""
    if shutil.which("cdc") is None and command.startswith("cdc "):
        return f"{os.path.relpath(sys.argv[0])} {command.removeprefix('cdc ')}"
    return command

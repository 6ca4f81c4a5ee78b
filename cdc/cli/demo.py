"""``cdc demo``: the main job, live, to a checked end."""

from __future__ import annotations

import os
import signal
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
@click.option("--keep", is_flag=True, help="Leave the stack running, to look around, also when a claim does not hold.")
def demo(state: Path, scale: float, seed: int, keep: bool) -> None:
    """Two databases captured, protected, replicated and audited, with faults in the middle: about two minutes.

    A worker is killed, an owner stopped, a column added, the log tampered with; everything is compared in the end by
    code that imports nothing of this project. Ends with exit code 0 only when every claim holds. Nothing is left
    running, also after an error or Ctrl-C, unless --keep says so.
    """
    from cdc.local.demo import ClaimFailed, close, play
    from cdc.local.demo.telling import Teller
    from cdc.local.stack import Stack

    os.umask(0o077)
    for number in (signal.SIGTERM, signal.SIGHUP):  # as Ctrl-C: nothing is left behind
        signal.signal(number, signal.default_int_handler)
    say = Teller()
    stack = Stack(state)
    stack.reset()
    try:
        about = play(stack, say, scale, seed)
    except ClaimFailed as error:
        logs = f"the logs: {stack.state / 'log'} and {stack.state}/replicate-*.log"
        error.hint = logs if keep else "cdc demo --keep   (leaves databases and logs to look at)"
        raise
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        if not keep:
            stack.reset()
    close(say, about, kept=keep)

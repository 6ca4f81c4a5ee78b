"""``cdc connectors snapshot``: read tables of a running source anew, beside its stream; a file a command."""

from __future__ import annotations

import click

from cdc.cli.lazy import LazyGroup

_HERE = "cdc.cli.connectors.snapshot"
COMMANDS = {
    "plan": (f"{_HERE}.plan:plan", "Say what reading tables anew would take: rows, bytes, time."),
    "start": (f"{_HERE}.start:start", "Have the connector read tables anew, chunk by chunk, while it streams on."),
    "status": (f"{_HERE}.status:status", "Say how far the snapshot has come that was asked for last."),
    "pause": (f"{_HERE}.control:pause", "Have it read no further chunk for now."),
    "resume": (f"{_HERE}.control:resume", "Have it read on."),
    "stop": (f"{_HERE}.control:stop", "Have it give the snapshot up."),
}


@click.group(cls=LazyGroup, places=COMMANDS)
def snapshot() -> None:
    """Incremental snapshots: rows are read in chunks and arrive as changes with operation r; the stream goes on.

    Rows that are gone at the source are not noticed: for that, `cdc stream rebaseline`.
    """

"""``cdc connectors offsets``: the position that Connect keeps for a connector; a file a command."""

from __future__ import annotations

import click

from cdc.cli.lazy import LazyGroup

_HERE = "cdc.cli.connectors.offsets"
COMMANDS = {
    "get": (f"{_HERE}.get:get", "Show the stored position of a connector."),
    "set": (f"{_HERE}.change:set_", "Have a connector go on from another position."),
    "reset": (f"{_HERE}.change:reset", "Forget the position: the connector begins anew, with a snapshot."),
}


@click.group(cls=LazyGroup, places=COMMANDS)
def offsets() -> None:
    """The position from which a connector goes on. It outlives the connector: a new one of its name goes on there."""

"""``cdc connectors``: the Debezium connectors of the configured sources, a file a command."""

from __future__ import annotations

import click

from cdc.cli.lazy import LazyGroup

COMMANDS = {
    "init": ("cdc.cli.connectors.init:init", "Write what capturing a database needs, from its catalog."),
    "apply": ("cdc.cli.connectors.apply:apply", "Create or update connectors and wait until every task runs."),
    "list": ("cdc.cli.connectors.listing:list_", "List the connectors that Kafka Connect has, and those it lacks."),
    "check": ("cdc.cli.connectors.check:check", "Name what could lose or change evidence, and what mends it."),
    "drift": ("cdc.cli.connectors.drift:drift", "Name state that no row change tells to be another than the source's."),
}


@click.group(cls=LazyGroup, places=COMMANDS)
def connectors() -> None:
    """The Debezium connectors: what they capture is in definitions, how is in the profile."""

"""``cdc connectors``: the Debezium connectors of the configured sources, a file a command."""

from __future__ import annotations

import click

from cdc.cli.lazy import LazyGroup

COMMANDS = {
    "init": ("cdc.cli.connectors.init:init", "Write what capturing a database needs, from its catalog."),
    "apply": ("cdc.cli.connectors.apply:apply", "Create or update connectors and wait until every task runs."),
    "list": ("cdc.cli.connectors.listing:list_", "List the connectors that Kafka Connect has, and those it lacks."),
    "drift": ("cdc.cli.connectors.drift:drift", "Name state that no row change tells to be another than the source's."),
    "snapshot": ("cdc.cli.connectors.snapshot:snapshot", "Read tables anew beside the stream."),
    "slots": ("cdc.cli.connectors.slots:slots", "Show what keeps WAL or binary logs at the sources, and whose it is."),
    "offsets": ("cdc.cli.connectors.offsets:offsets", "Show, set and forget the position that Connect keeps."),
    "topics": ("cdc.cli.connectors.topics:topics", "Show the topics that a connector has written to."),
    "plugins": ("cdc.cli.connectors.plugins:plugins", "List what the workers can run, and the options of it."),
    "loggers": ("cdc.cli.connectors.loggers:loggers", "Show and set the levels of the workers' logs."),
    "logs": ("cdc.cli.connectors.logs:logs", "Show what the local worker has logged about a connector."),
}


@click.group(cls=LazyGroup, places=COMMANDS)
def connectors() -> None:
    """The Debezium connectors: what they capture is in definitions, how is in the profile."""

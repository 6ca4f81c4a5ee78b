"""``cdc connectors``: the Debezium connectors of the configured sources, a file a command."""

from __future__ import annotations

import click

from cdc.cli.lazy import LazyGroup

COMMANDS = {
    "init": ("cdc.cli.connectors.init:init", "Write what capturing a database needs, from its catalog."),
    "plan": ("cdc.cli.connectors.plan:plan", "Show what apply would change; exit code 10 when there is something."),
    "apply": ("cdc.cli.connectors.apply:apply", "Create or update connectors and wait until every task runs."),
    "list": ("cdc.cli.connectors.listing:list_", "List the connectors that Kafka Connect has, and those it lacks."),
    "describe": ("cdc.cli.connectors.describe:describe", "Show state, causes, offsets, slot and configuration of one."),
    "validate": ("cdc.cli.connectors.validate:validate", "Have Kafka Connect check configurations; applies nothing."),
    "pause": ("cdc.cli.connectors.lifecycle:pause", "Have connectors read nothing, and keep their tasks."),
    "resume": ("cdc.cli.connectors.lifecycle:resume", "Let paused or stopped connectors go on."),
    "stop": ("cdc.cli.connectors.lifecycle:stop", "End the tasks of connectors, and keep their offsets."),
    "restart": ("cdc.cli.connectors.lifecycle:restart", "Restart what has failed, and wait until it runs."),
    "rollback": ("cdc.cli.connectors.rollback:rollback", "Put back the configuration that the last apply replaced."),
    "delete": ("cdc.cli.connectors.delete:delete", "Delete a connector; shows its offsets and what it leaves behind."),
    "export": ("cdc.cli.connectors.export:export", "Write existing connectors as definitions, without secrets."),
    "edit": ("cdc.cli.connectors.edit:edit", "Edit a definition, see its plan, apply it."),
    "explain": ("cdc.cli.connectors.explain:explain", "Print every setting of a connector, and why it is so."),
    "check": ("cdc.cli.connectors.check:check", "Name what could lose or change evidence, and what mends it."),
    "drift": ("cdc.cli.connectors.drift:drift", "Name state that no row change tells to be another than the source's."),
    "schema": ("cdc.cli.connectors.schema:schema", "Print the JSON Schema of a definition, for editors."),
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

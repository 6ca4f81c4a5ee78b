"""``cdc connectors topics``: which topics a connector has written to."""

from __future__ import annotations

from pathlib import Path

import click

from cdc import config
from cdc.cli.completion import sources
from cdc.cli.connectors.cluster import cluster_options, reason_option
from cdc.cli.connectors.recording import Act, recorded
from cdc.cli.output import Answer, Foot, Sheet, output_option, write


@click.command()
@click.argument("name", shell_complete=sources)
@click.option("--reset", is_flag=True, help="Have Connect forget them, and note anew from now on. The topics stay.")
@reason_option
@output_option
@cluster_options
def topics(name: str, reset: bool, reason: str | None, output: str, path: Path | None, context: str | None) -> None:
    """Show the topics that the connector NAME has written to since it was created, or since --reset.

    One of ours writes to one topic, as its definition says; another there was written by an older configuration.
    """
    from cdc.connect_client import opened
    from connectors.active_topics import active_topics, forget_topics

    settings = config.load(path, context)
    with opened(settings) as client:
        found = active_topics(client, name)
        if reset:
            act = Act("topics-reset", name)
            with recorded(settings, act, reason):
                forget_topics(client, name)
                act.outcome = "forgotten"
    foot = [("forgotten", "Connect notes them anew from now on; the topics stay")] if reset else []
    sheet: Sheet[str] = Sheet(("topic",), lambda topic: [[topic]])
    write(
        Answer(
            title=f"topics that {name} has written to",
            head={"question": "topics", "connector": name},
            name="topics",
            items=found,
            document=lambda topic: {"topic": topic},
            table=sheet,
            csv=sheet,
            foot=lambda: Foot({"reset": reset}, foot),
        ),
        output,
    )

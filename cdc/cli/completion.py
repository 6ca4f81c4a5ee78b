"""``cdc completion``: what the Tab key does; and the names that it completes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem, get_completion_class

if TYPE_CHECKING:
    from cdc.config import Config


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the script that completes commands, options and source names with the Tab key."""
    from cdc.cli import root

    found = get_completion_class(shell)
    assert found is not None  # click has the three that the argument allows
    click.echo(found(root, {}, "cdc", "_CDC_COMPLETE").source())


def sources(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of configured sources; none where there is no configuration."""
    from cdc import config
    from cdc.errors import CdcError

    try:
        settings = config.load(ctx.params.get("path") or ctx.params.get("config_path"))
    except CdcError:
        return []
    return [CompletionItem(name) for name in settings.sources if name.startswith(incomplete)]


COMPLETION_S = 0.7
"""A Tab key is not kept waiting longer, whatever Kafka Connect does."""


def connector_names(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of configured sources, and of the connectors that Kafka Connect has, if it answers at once."""
    import threading

    from cdc import config
    from cdc.errors import CdcError

    try:
        settings = config.load(ctx.params.get("path"), ctx.params.get("context"))
    except CdcError:
        return []
    live: list[str] = []
    # A thread, because the name of a host is looked up without any time limit; it ends with the process.
    asking = threading.Thread(target=_ask_names, args=(settings, live), daemon=True)
    asking.start()
    asking.join(COMPLETION_S)
    found = sorted({*settings.sources, *live})
    return [CompletionItem(name) for name in found if name.startswith(incomplete)]


def _ask_names(settings: Config, live: list[str]) -> None:
    """Best effort: completion says nothing of what keeps it from answering."""
    import contextlib

    from cdc.connect_client import opened

    with contextlib.suppress(Exception), opened(settings, timeout_s=COMPLETION_S) as client:
        live.extend(client.names())

"""``cdc completion``: what the Tab key does; and the names that it completes."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem, get_completion_class


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

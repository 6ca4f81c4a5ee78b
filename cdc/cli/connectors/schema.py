"""``cdc connectors schema``: the JSON Schema of a definition, for editors."""

from __future__ import annotations

import click


@click.command()
def schema() -> None:
    """Print the JSON Schema of a definition (draft 7), for an editor that completes and checks while one types.

    With yaml-language-server the first line of a definition names the file:
    # yaml-language-server: $schema=definition.schema.json
    """
    from connectors.schema import text

    click.echo(text(), nl=False)

"""``cdc connectors plugins``: what the workers can run, and the options of one plugin."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cdc import config
from cdc.cli.connectors.cluster import cluster_options
from cdc.cli.output import Answer, Foot, Sheet, output_option, write

if TYPE_CHECKING:
    from connectors.plugin_options import Option

_OPTION = ("option", "type", "required", "default", "importance", "documentation")


@click.group()
def plugins() -> None:
    """Connectors, converters and transformations that the worker has that answers; others may have others."""


@plugins.command("list")
@output_option
@cluster_options
def list_(output: str, path: Path | None, context: str | None) -> None:
    """List the plugins: class, type, version."""
    from cdc.connect_client import opened
    from connectors.plugin_options import Installed, installed

    settings = config.load(path, context)
    with opened(settings) as client:
        found = installed(client)
    sheet: Sheet[Installed] = Sheet(
        ("class", "type", "version"), lambda each: [[each.class_name, each.type, each.version or None]]
    )
    write(
        Answer(
            title="plugins of the worker",
            head={"question": "plugins"},
            name="plugins",
            items=found,
            document=lambda each: {"class": each.class_name, "type": each.type, "version": each.version or None},
            table=sheet,
            csv=sheet,
            foot=lambda: Foot({}, []),
        ),
        output,
    )


@plugins.command()
@click.argument("name", metavar="CLASS")
@click.option("--search", help="Options that have this in their name or documentation.")
@output_option
@cluster_options
def describe(name: str, search: str | None, output: str, path: Path | None, context: str | None) -> None:
    """Show the options of a plugin with their documentation. CLASS: whole, or its last part, such as `postgres`."""
    from cdc.connect_client import opened
    from connectors.plugin_options import class_of, options

    settings = config.load(path, context)
    with opened(settings) as client:
        class_name = class_of(client, name)
        found = [each for each in options(client, class_name) if search is None or each.speaks_of(search)]

    def line(each: Option) -> list[list[str | None]]:
        required = "yes" if each.required else None
        return [[each.name, each.type, required, each.default, each.importance, each.documentation]]

    write(
        Answer(
            title=f"options of {class_name}" + ("" if search is None else f" with “{search}”"),
            head={"question": "plugin-options", "class": class_name},
            name="options",
            items=found,
            document=asdict,
            table=Sheet(_OPTION, line),
            csv=Sheet(_OPTION, line),
            foot=lambda: Foot({}, [("options", f"{len(found)}; whole texts: --output json")]),
        ),
        output,
    )

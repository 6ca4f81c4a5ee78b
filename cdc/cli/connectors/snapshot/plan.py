"""``cdc connectors snapshot plan``: what it would take. Asks, and changes nothing."""

from __future__ import annotations

from pathlib import Path

import click

from cdc import config
from cdc.cli.completion import sources
from cdc.cli.connectors.cluster import cluster_options
from cdc.cli.output import output_option, write

where_option = click.option(
    "--where", help="SQL: of a single table, the rows under this condition alone; clear columns only."
)


@click.command()
@click.argument("source", shell_complete=sources)
@click.argument("tables", nargs=-1, metavar="[TABLE]...")
@where_option
@output_option
@cluster_options
def plan(
    source: str, tables: tuple[str, ...], where: str | None, output: str, path: Path | None, context: str | None
) -> None:
    """Say what reading TABLEs of SOURCE anew would take (without any: all that have a key), and whether it can be done.

    Rows and bytes are the source's own estimates; the time is reckoned by the pace of the last snapshot, where there
    was one.
    """
    from cdc.cli.connectors.snapshot.estimate import answer, estimate
    from cdc.cli.connectors.snapshot.place import captured, demand_clear, demand_fit, place_of
    from cdc.connect_client import opened
    from cdc.errors import ConfigError

    place = place_of(config.load(path, context), source)
    chosen = captured(place, tables)
    if where is not None:
        if len(tables) != 1:
            raise ConfigError("--where is about one table", hint="name that one")
        demand_clear(place, chosen[0], where)
    demand_fit(place)
    with opened(place.settings) as client:
        write(answer(estimate(client, place, chosen, where)), output)

"""``cdc rebuild``: fold a table's current state anew from its history."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from cdc import config


@click.command()
@click.argument("words", nargs=-1, required=True, metavar="[SOURCE] TABLE")
@click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path),
    help="Configuration file; default: $CDC_CONFIG, ./cdc.toml, ./.cdc/cdc.toml.",
)
@click.option("--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
def rebuild(words: tuple[str, ...], path: Path | None, output: str) -> None:
    """Fold the current state of TABLE anew from its history, in the columns that it has now, and exchange it.

    For a table that `cdc status` shows as suspended. A running worker goes on: the new table is made beside the old
    one, and takes its place between two commits. An interrupted rebuild goes on where it was. What waits for the
    exchange, and what the new table shows of older rows: docs/operations.md. Exit code 4 when it cannot be made.
    """
    from cdc.audit.tables import Table, resolve
    from cdc.cli.audit.progress import Bar
    from cdc.warehouse.rebuild import rebuild as fold
    from cdc.warehouse.rebuild import tables

    if len(words) > 2:
        raise click.UsageError("one table at a time: [SOURCE] TABLE")
    settings = config.load(path)
    dsn = settings.warehouse_admin_dsn
    known = [Table(log, name) for log, name in tables(dsn) if len(words) == 1 or log == words[0]]
    table = resolve(words[-1], known)
    with Bar({table.log: 0}) as bar:
        done = fold(dsn, table.log, table.name, bar.reach)
    if output == "json":
        click.echo(json.dumps(asdict(done) | {"as_text": list(done.as_text)}, indent=2))
        return
    was = f"it was suspended ({done.code})" if done.code else "it was not suspended"
    click.echo(
        f"{table.title}: folded anew from {done.entries:,} entries in {done.seconds:.1f} s; {was};"
        f" the stream waited {done.waited_s:.2f} s for the exchange"
    )
    for name in done.as_text:
        click.echo(f"{table.title}: column {name} holds text: its type cannot hold a value that an older row has")

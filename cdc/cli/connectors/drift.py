"""``cdc connectors drift``: where current state is not the source's, of which no row change tells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cdc import config
from cdc.cli.audit.options import config_option
from cdc.cli.completion import sources
from cdc.cli.output import Answer, Foot, Sheet, output_option, write

if TYPE_CHECKING:
    from cdc.audit.drift import Drift

_COLUMNS = ("source", "table", "code", "column", "rows", "problem")
_NEXT = "docs/operations.md, What no row change tells: read the table anew, or leave it as it is"


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=sources)
@output_option
@config_option
def drift(names: tuple[str, ...], output: str, path: Path | None) -> None:
    """Compare state tables with the catalogs of their sources (all, or those named): tables that are gone there, rows
    to which ADD COLUMN … DEFAULT or a change of type gave values that no row change tells, and rows that a snapshot
    did not read because their table was truncated or rewritten meanwhile.

    It counts rows, so it reads the state tables of changed tables once, and at the source the tables that the snapshot
    read as empty. Exit code 6 when there is something.
    """
    settings = config.load(path)
    chosen = [settings.source(name) for name in names] or list(settings.sources.values())
    found: list[Drift] = []
    write(_answer(_found(settings, chosen, found)), output)
    if found:
        raise SystemExit(6)


def _found(settings: config.Config, chosen: Sequence[config.SourceConfig], found: list[Drift]) -> Iterator[Drift]:
    from cdc.audit.drift import drift as compared
    from cdc.audit.reading import reading
    from connectors import mariadb_standing, standing
    from connectors.definition import load

    with reading(settings.warehouse_auditor_dsn) as asked:
        for source in chosen:
            if source.dsn is None:
                click.echo(f"{source.name}: not looked at: it has no dsn", err=True)
                continue
            there = mariadb_standing if load(source.definition).kind == "mariadb" else standing
            catalog = there.standing(source.dsn, source.name)
            with there.counting(source.dsn, source.name) as count:
                for each in compared(asked, source.name, catalog, count):
                    found.append(each)
                    yield each


def _answer(items: Iterator[Drift]) -> Answer[Drift]:
    def line(found: Drift) -> list[list[str | None]]:
        return [[found.source, found.table, found.code, found.column, str(found.rows), found.problem]]

    return Answer(
        title="what no row change tells",
        head={"question": "drift"},
        name="drift",
        items=items,
        document=lambda found: found.document(),
        table=Sheet(_COLUMNS, line),
        csv=Sheet(_COLUMNS, line),
        foot=lambda: Foot({}, [("next", _NEXT)]),
    )

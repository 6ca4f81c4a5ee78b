"""``python -m cdc.local.workload``: play the standard workload, or an endless mix, on a source database."""

from __future__ import annotations

import dataclasses
import json
import sys

import click

from cdc.errors import CdcError
from cdc.local.workload.oltp import loop
from cdc.local.workload.run import PHASES, run


@click.command()
@click.option("--dsn", required=True, help="DSN of a role that owns the tables: libpq's, or mariadb://…")
@click.option("--database", type=click.Choice(list(PHASES)), default="trading", show_default=True)
@click.option("--seed", default=7, show_default=True, help="The same seed gives the same rows.")
@click.option("--scale", default=1.0, show_default=True, help="1 is about 30,000 row changes on trading.")
@click.option("--pace", type=float, help="Row changes per second at most.  [default: unthrottled]")
@click.option("--phase", "phases", multiple=True, help="Only this phase (repeatable); the foundation always runs.")
@click.option("--seconds", type=float, help="Instead: an OLTP mix on trading for so long.")
def main(
    *,
    dsn: str,
    database: str,
    seed: int,
    scale: float,
    pace: float | None,
    phases: tuple[str, ...],
    seconds: float | None,
) -> None:
    """Play the standard workload and print what it committed, as JSON."""
    try:
        if seconds is not None:
            summary = loop(dsn, seconds, pace, seed)
        else:
            summary = run(dsn, database, seed, scale, pace=pace, phases=phases or None)
    except CdcError as error:
        click.echo(f"Error: {error}", err=True)
        if error.hint:
            click.echo(f"Try: {error.hint}", err=True)
        sys.exit(error.exit_code)
    click.echo(json.dumps(dataclasses.asdict(summary) | {"changes": summary.changes}, indent=2))


if __name__ == "__main__":
    main()

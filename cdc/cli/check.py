"""``cdc check``: everything that could lose or change evidence, in every part."""

from __future__ import annotations

from pathlib import Path

import click

from cdc import config
from cdc.cli.audit.options import config_option
from cdc.cli.checking import answered, strict_option
from cdc.cli.completion import sources
from cdc.cli.output import output_option


@click.command()
@click.argument("names", nargs=-1, metavar="[SOURCE]...", shell_complete=sources)
@strict_option
@output_option
@config_option
def check(names: tuple[str, ...], strict: bool, output: str, path: Path | None) -> None:
    """Look at sources, connectors, Kafka, Connect, warehouse and privacy store for what could lose or change evidence.

    Reads only. Each finding says why it matters and what mends it; docs/checks.md lists all that can be found. A part
    that does not answer is a finding, and the others are looked at. Exit code 6 when there is an error, 5 when no part
    answers.
    """
    raise SystemExit(answered(config.load(path), names, output, everything=True, strict=strict))

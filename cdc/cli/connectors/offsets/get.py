"""``cdc connectors offsets get``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cdc import config
from cdc.cli.completion import sources
from cdc.cli.connectors.cluster import cluster_options
from cdc.cli.output import Answer, Foot, Sheet, output_option, write

if TYPE_CHECKING:
    from connectors.offsets import Stored

_COLUMNS = ("partition", "position", "offset")


@click.command()
@click.argument("name", shell_complete=sources)
@output_option
@cluster_options
def get(name: str, output: str, path: Path | None, context: str | None) -> None:
    """Show the position that Connect keeps for the connector NAME: partition, offset, PostgreSQL's LSN as text.

    Keys that an incremental snapshot has come to are values of rows: they are left out.
    """
    from cdc.connect_client import opened
    from connectors.offsets import in_flight, stored

    settings = config.load(path, context)
    with opened(settings) as client:
        found = stored(client, name)
    running = in_flight(found)
    lines = [] if found else [("none", f"{name} begins with a snapshot")]
    if running is not None:
        lines.append(("snapshot", f"{running.id} is under way: {', '.join(running.tables)}"))
    write(_answer(name, found, lines), output)


def _answer(name: str, found: Sequence[Stored], lines: list[tuple[str, str]]) -> Answer[Stored]:
    def line(each: Stored) -> list[list[str | None]]:
        return [[_text(each.partition), each.position or None, _text(each.shown())]]

    return Answer(
        title=f"stored position of {name}",
        head={"question": "offsets", "connector": name},
        name="offsets",
        items=found,
        document=lambda each: {"partition": each.partition, "offset": each.shown(), "position": each.position or None},
        table=Sheet(_COLUMNS, _cells),
        csv=Sheet(_COLUMNS, line),
        foot=lambda: Foot({}, lines),
    )


def _cells(each: Stored) -> list[list[str | None]]:
    """A line a member: whole offsets are too wide for a terminal."""
    members = [(name, _text(value) if not isinstance(value, str) else value) for name, value in each.shown().items()]
    partition, position = _text(each.partition), each.position or None
    return [
        [partition if not at else None, position if not at else None, f"{name} = {text}"]
        for at, (name, text) in enumerate(members)
    ]


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))

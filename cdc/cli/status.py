"""``cdc status``: where each stream stands."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cdc import config

if TYPE_CHECKING:
    from cdc.warehouse.status import StreamStatus


@click.command()
@click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path),
    help="Configuration file; default: $CDC_CONFIG, ./cdc.toml, ./.cdc/cdc.toml.",
)
@click.option("--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
def status(path: Path | None, output: str) -> None:
    """Show each stream: who owns it, its position and lag, and the source commit through which its log is complete.

    Exit code 4 when a stream is halted.
    """
    from cdc.stream import end_offsets
    from cdc.warehouse.status import streams

    settings = config.load(path)
    found = streams(settings.warehouse_auditor_dsn)
    ends = end_offsets(settings.kafka, [stream.topic for stream in found])
    if output == "json":
        click.echo(json.dumps([_document(stream, ends.get(stream.topic)) for stream in found], indent=2))
    else:
        _print(found, ends)
    if any(stream.state == "halted" for stream in found):
        raise SystemExit(4)


def _document(stream: StreamStatus, end: int | None) -> dict[str, object]:
    from cdc.telemetry import instant

    document: dict[str, object] = asdict(stream)
    document["state"] = stream.state
    document["lag"] = None if end is None else max(0, end - stream.position)
    document["complete_through"] = instant(stream.complete_at) if stream.complete_at else None
    document["renewed_at"] = stream.renewed_at.isoformat() if stream.renewed_at else None
    return document


def _print(found: list[StreamStatus], ends: dict[str, int]) -> None:
    from cdc.telemetry import instant

    if not found:
        click.echo("no stream yet", err=True)
        click.echo("  → cdc connectors apply && cdc replicate", err=True)
        return
    rows = [("STREAM", "STATE", "OWNER", "POSITION", "LAG", "ENTRIES", "COMPLETE THROUGH")]
    for stream in found:
        lag = f"{max(0, ends[stream.topic] - stream.position):,}" if stream.topic in ends else "Kafka away"
        owner = stream.owner if stream.owned and stream.owner else "-"
        rows.append(
            (
                stream.log,
                stream.state,
                owner,
                f"{stream.position:,}",
                lag,
                f"{stream.entries:,}",
                instant(stream.complete_at),
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    for stream in found:
        _print_troubles(stream)


def _print_troubles(stream: StreamStatus) -> None:
    if stream.halted_code:
        click.echo(f"{stream.log}: halted: {stream.halted_message}")
    if stream.inside_transaction:
        click.echo(f"{stream.log}: current state is inside a transaction that has not ended")
    for suspension in stream.suspended:
        click.echo(
            f"{stream.log}: current state of {suspension.table} is suspended since entry {suspension.seq:,}"
            f" ({suspension.code}: {suspension.message}); its history is complete"
        )

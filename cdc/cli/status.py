"""``cdc status``: where each stream stands."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cdc import config
from cdc.errors import CdcError

if TYPE_CHECKING:
    from cdc.config import Config
    from cdc.topic import End, Held
    from cdc.warehouse.status import StreamStatus

CLEAR = "\x1b[H\x1b[2J\x1b[3J"
"""ECMA-48: cursor home, erase the screen and what scrolled off it."""


@click.command()
@click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path),
    help="Configuration file; default: $CDC_CONFIG, ./cdc.toml, ./.cdc/cdc.toml.",
)
@click.option("--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.option("--watch", is_flag=True, help="Show it again and again, with rates, until Ctrl-C.")
@click.option(
    "--every",
    "every_s",
    type=click.FloatRange(0.2, 3600),
    default=2,
    show_default=True,
    help="Seconds between two looks of --watch.",
)
def status(path: Path | None, output: str, watch: bool, every_s: float) -> None:
    """Show each stream: who owns it, its position and lag, and the source commit through which its log is complete.

    Exit code 4 when a stream is halted.
    """
    settings = config.load(path)
    if watch:
        with contextlib.suppress(KeyboardInterrupt):  # how one ends watching is no failure
            _watch(settings, output, every_s)
        return
    found, ends = _look(settings)
    if output == "json":
        click.echo(json.dumps([_document(stream, ends.get(stream.topic)) for stream in found], indent=2))
    else:
        _print(found, ends)
    if any(stream.state == "halted" for stream in found):
        raise SystemExit(4)


def _look(settings: Config) -> tuple[list[StreamStatus], dict[str, End]]:
    from cdc.topic import ends
    from cdc.warehouse.status import streams

    found = streams(settings.warehouse_auditor_dsn)
    return found, ends(settings.kafka, [stream.topic for stream in found])


def _watch(settings: Config, output: str, every_s: float) -> None:
    """Never returns by itself. What cannot be reached now is said and asked again; JSON is a document a line."""
    before: Mapping[str, int] = {}
    looked_at = time.monotonic()
    screen = sys.stdout.isatty() and output == "table"
    while True:
        try:
            found, ends = _look(settings)
        except CdcError as error:
            click.echo(f"{CLEAR if screen else ''}cdc: {error}", err=not screen)
        else:
            now = time.monotonic()
            rates = {s.log: (s.entries - before[s.log]) / (now - looked_at) for s in found if s.log in before}
            before, looked_at = {stream.log: stream.entries for stream in found}, now
            if output == "json":
                documents = [
                    _document(stream, ends.get(stream.topic)) | {"entries_per_second": rates.get(stream.log)}
                    for stream in found
                ]
                click.echo(json.dumps(documents, separators=(",", ":")))
            else:
                if screen:
                    click.echo(CLEAR, nl=False)
                elif rates:
                    click.echo()
                _print(found, ends, rates)
                if screen:
                    click.echo(f"\n{time.strftime('%H:%M:%S')}, every {every_s:g} s; Ctrl-C ends")
        sys.stdout.flush()
        time.sleep(every_s)


def _document(stream: StreamStatus, end: End | None) -> dict[str, object]:
    from cdc.telemetry import instant

    document: dict[str, object] = asdict(stream)
    document["suspended"] = [asdict(each) | {"command": each.command(stream.log)} for each in stream.suspended]
    document["state"] = stream.state
    document["halted_command"] = _after(stream)
    document["lag"] = None if end is None else max(0, end.high - stream.position)
    held = _held(end)
    document["held_back"] = held and asdict(held) | {"since": held.since.isoformat(timespec="milliseconds")}
    document["complete_through"] = instant(stream.complete_at) if stream.complete_at else None
    document["renewed_at"] = stream.renewed_at.isoformat() if stream.renewed_at else None
    if stream.quarantine is not None:
        document["quarantine"] = asdict(stream.quarantine) | {"since": stream.quarantine.since.isoformat()}
    return document


def _print(found: Sequence[StreamStatus], ends: Mapping[str, End], rates: Mapping[str, float] | None = None) -> None:
    if not found:
        click.echo("no stream yet", err=True)
        click.echo("  → cdc connectors apply && cdc replicate", err=True)
        return
    heads = ("STREAM", "STATE", "OWNER", "POSITION", "LAG", "ENTRIES", "COMPLETE THROUGH")
    rows: list[tuple[str, ...]] = [heads if rates is None else (*heads[:6], "ENTRIES/S", heads[6])]
    rows += [_row(stream, ends, rates) for stream in found]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    for stream in found:
        _print_troubles(stream, _held(ends.get(stream.topic)))


def _after(stream: StreamStatus) -> str | None:
    """The command that goes on after the halt; None where there is none."""
    from cdc.accepting import command_after

    return None if stream.halted_code is None else command_after(stream.halted_code, stream.log)


def _held(end: End | None) -> Held | None:
    """What has kept the topic from advancing for longer than a commit can take."""
    from cdc.topic import HELD_S

    return end.held if end is not None and end.held is not None and end.held.seconds > HELD_S else None


def _row(stream: StreamStatus, ends: Mapping[str, End], rates: Mapping[str, float] | None) -> tuple[str, ...]:
    from cdc.telemetry import instant

    lag = f"{max(0, ends[stream.topic].high - stream.position):,}" if stream.topic in ends else "Kafka away"
    owner = stream.owner if stream.owned and stream.owner else "-"
    rate = () if rates is None else (f"{rates[stream.log]:,.0f}" if stream.log in rates else "-",)
    return (
        stream.log, stream.state, owner, f"{stream.position:,}", lag, f"{stream.entries:,}", *rate,
        instant(stream.complete_at),
    )  # fmt: skip


def _print_troubles(stream: StreamStatus, held: Held | None) -> None:
    if stream.halted_code:
        click.echo(f"{stream.log}: halted: {stream.halted_message}")
        click.echo(f"  → cdc stream show {stream.log}   (what is lost), then {_after(stream)}")
    if held is not None:
        click.echo(
            f"{stream.log}: topic {stream.topic} is held back at offset {held.offset:,}, {held.offsets:,} offsets"
            f" before its end, by a Kafka transaction open since {held.since.isoformat(timespec='seconds')}"
        )
        click.echo(f"  → {held.command}")
    for gap in stream.gaps:
        click.echo(
            f"{stream.log}: gap at entry {gap.seq:,} ({gap.cause}): from {gap.since} through {gap.through};"
            f" {gap.state}"
        )
    if stream.inside_transaction:
        click.echo(f"{stream.log}: current state is inside a transaction that has not ended")
    if stream.quarantine is not None:
        click.echo(
            f"{stream.log}: {stream.quarantine.records:,} records in quarantine, the oldest is entry"
            f" {stream.quarantine.oldest_seq:,} since {stream.quarantine.since.isoformat(timespec='seconds')};"
            f" cdc quarantine list {stream.log}"
        )
    for waiting in stream.waiting:
        click.echo(
            f"{stream.log}: current state of {waiting.rows:,} rows of {waiting.table} waits for records in quarantine,"
            f" the oldest is entry {waiting.seq:,}; all other rows go on"
        )
        click.echo(f"  → cdc quarantine list {stream.log}")
    for suspension in stream.suspended:
        click.echo(
            f"{stream.log}: current state of {suspension.table} is suspended since entry {suspension.seq:,}"
            f" ({suspension.code}: {suspension.message}); its history is complete"
        )
        click.echo(f"  → {suspension.command(stream.log)}")

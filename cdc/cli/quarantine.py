"""``cdc quarantine``: the records that could not be decoded."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cdc import config
from cdc.cli.audit.options import config_option, unicode_text
from cdc.cli.completion import sources
from cdc.cli.output import Answer, Foot, Sheet, output_option, write

if TYPE_CHECKING:
    from cdc.audit.quarantined import Quarantined

_SEALED = "its bytes are sealed under the source's own key; nothing here shows them"


@click.group()
def quarantine() -> None:
    """Records that could not be decoded: each stands in the log in its place, sealed."""


@quarantine.command("list")
@click.argument("source", required=False, shell_complete=sources)
@output_option
@config_option
def listing(source: str | None, output: str, path: Path | None) -> None:
    """List the records in quarantine, of all sources or one: coordinates, reason, table."""
    from cdc.audit.quarantined import quarantined
    from cdc.audit.reading import reading

    settings = config.load(path)
    log = source and settings.source(unicode_text(source, "SOURCE")).name
    with reading(settings.warehouse_auditor_dsn) as asked:
        write(_answer("records in quarantine", quarantined(asked, log)), output)


@quarantine.command()
@click.argument("source", shell_complete=sources)
@click.argument("seq", type=click.IntRange(0))
@output_option
@config_option
def show(source: str, seq: int, output: str, path: Path | None) -> None:
    """Show one record in quarantine, by the entry (SEQ) that it is. What it holds is sealed and not shown."""
    from cdc.audit.quarantined import one
    from cdc.audit.reading import reading

    settings = config.load(path)
    with reading(settings.warehouse_auditor_dsn) as asked:
        found = one(asked, settings.source(unicode_text(source, "SOURCE")).name, seq)
        write(_answer(f"{found.log}: entry {found.seq:,}", [found]), output)


def _answer(title: str, items: Iterable[Quarantined]) -> Answer[Quarantined]:
    from cdc.telemetry import instant

    columns = (
        "source", "seq", "offset", "reason", "table", "transaction", "produced_at", "recorded_at", "sealed_bytes",
        "digest",
    )  # fmt: skip

    def line(found: Quarantined) -> list[list[str | None]]:
        return [
            [
                found.log, str(found.seq), str(found.offset), found.reason, found.table, found.transaction,
                instant(found.produced_at), found.recorded_at, str(found.sealed_bytes), found.digest,
            ]
        ]  # fmt: skip

    def short(found: Quarantined) -> list[list[str | None]]:
        return [[*line(found)[0][:5], line(found)[0][6], found.digest[:12]]]

    return Answer(
        title=title,
        head={"question": "quarantine"},
        name="records",
        items=items,
        document=lambda found: found.document(),
        table=Sheet((*columns[:5], "produced_at", "digest"), short),
        csv=Sheet(columns, line),
        foot=lambda: Foot({"sealed": _SEALED}, [("sealed", _SEALED)]),
    )

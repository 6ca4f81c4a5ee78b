"""``cdc quarantine``: the records that could not be decoded, and what becomes of them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cdc import config
from cdc.cli.audit.options import config_option, unicode_text
from cdc.cli.completion import sources
from cdc.cli.output import Answer, Foot, Sheet, output_option, write
from cdc.cli.resolving import replay, resolve

if TYPE_CHECKING:
    from cdc.audit.quarantined import Quarantined

_SEALED = "its bytes are sealed under the source's own key; nothing here shows them"


@click.group()
def quarantine() -> None:
    """Records that could not be decoded: each stands in the log in its place, sealed."""


quarantine.add_command(resolve)
quarantine.add_command(replay)


@quarantine.command("list")
@click.argument("source", required=False, shell_complete=sources)
@click.option("--all", "resolved", is_flag=True, help="Also those of which something has become: how, when, by whom.")
@output_option
@config_option
def listing(source: str | None, resolved: bool, output: str, path: Path | None) -> None:
    """List the records in quarantine, of all sources or one: coordinates, reason, table."""
    from cdc.audit.quarantined import quarantined
    from cdc.audit.reading import reading

    settings = config.load(path)
    log = source and settings.source(unicode_text(source, "SOURCE")).name
    with reading(settings.warehouse_auditor_dsn) as asked:
        title = "records that are or were in quarantine" if resolved else "records in quarantine"
        write(_answer(title, quarantined(asked, log, resolved=resolved), resolved=resolved), output)


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
        write(_answer(f"{found.log}: entry {found.seq:,}", [found], resolved=found.resolution is not None), output)


def _answer(title: str, items: Iterable[Quarantined], *, resolved: bool) -> Answer[Quarantined]:
    from cdc.telemetry import instant

    columns = (
        "source", "seq", "offset", "reason", "table", "waits", "transaction", "produced_at", "recorded_at",
        "sealed_bytes", "digest",
    )  # fmt: skip
    became = ("how", "at", "by", "because", "resolved_by")

    def line(found: Quarantined) -> list[list[str | None]]:
        return [
            [
                found.log, str(found.seq), str(found.offset), found.reason, found.table, found.waits, found.transaction,
                instant(found.produced_at), found.recorded_at, str(found.sealed_bytes), found.digest, *_became(found),
            ]
        ]  # fmt: skip

    def short(found: Quarantined) -> list[list[str | None]]:
        whole = line(found)[0]
        return [[*whole[:6], whole[7], found.digest[:12], *(whole[11:15] if resolved else ())]]

    return Answer(
        title=title,
        head={"question": "quarantine"},
        name="records",
        items=items,
        document=lambda found: found.document(),
        table=Sheet((*columns[:6], "produced_at", "digest", *(became[:4] if resolved else ())), short),
        csv=Sheet((*columns, *became), line),
        foot=lambda: Foot({"sealed": _SEALED}, [("sealed", _SEALED)]),
    )


def _became(found: Quarantined) -> list[str | None]:
    done = found.resolution
    return [None] * 5 if done is None else [done.how, done.at, done.by, done.reason, str(done.seq)]

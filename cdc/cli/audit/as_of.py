"""``cdc audit as-of``: a table as it was at an instant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cdc import config
from cdc.cli.audit.options import config_option, foot, text, unicode_text
from cdc.cli.output import Answer, Foot, Sheet, output_option, write

if TYPE_CHECKING:
    from cdc.audit.as_of import HeldRow, Moment
    from cdc.audit.reading import Reading
    from cdc.audit.tables import Table
    from cdc.audit.versions import TableVersion


@dataclass(frozen=True, slots=True)
class _Question:
    asked: Reading
    table: Table
    moment: Moment
    version: TableVersion | None
    rows: Iterator[HeldRow]
    limit: int | None


@click.command("as-of")
@click.argument("table")
@click.option("--at", required=True, help="ISO 8601 with a zone (2026-01-31T21:00:00Z), or now: the end of the log.")
@click.option("--where", "conditions", multiple=True, help="COLUMN=VALUE, also != < <= > >=, 'COLUMN is [not] null'.")
@click.option("--limit", type=click.IntRange(min=1), help="Show at most that many rows.")
@output_option
@config_option
def as_of(table: str, at: str, conditions: tuple[str, ...], limit: int | None, output: str, path: Path | None) -> None:
    """A table as it was at an instant, from the log.

    The instant is that of the source's commits: the answer is the state after the last transaction that had ended by
    then, never the middle of one. TABLE is [source.][schema.]table. Several --where must all hold; values are compared
    in the column's own type. Before the table's baseline the answer is unknown (exit code 4).
    """
    from cdc.audit import as_of as questions
    from cdc.audit import instants, tables, versions, where
    from cdc.audit.reading import reading

    instant = None if at.strip().lower() == "now" else instants.parse(unicode_text(at, "--at"))
    settings = config.load(path)
    with reading(settings.warehouse_auditor_dsn) as asked:
        named = tables.resolve(unicode_text(table, "TABLE"), tables.known(asked))
        described = versions.versions(asked, named)
        moment = questions.resolve(asked, named, instant)
        version, moment = questions.version_at(asked, named, described, moment)
        rows: Iterator[HeldRow] = iter(())
        if version is not None:
            until = [each for each in described if each.seq <= moment.seq and each is not version]
            names = [column.name for column in version.columns]
            parsed = [where.parse(unicode_text(each, "--where"), names) for each in conditions]
            rows = questions.rows(asked, named, version, moment, where.compile_all(asked, parsed, [*until, version]))
        write(_answer(_Question(asked, named, moment, version, rows, limit)), output)


def _answer(question: _Question) -> Answer[HeldRow]:
    from cdc.audit import shown
    from cdc.audit.completeness import completeness

    table, moment, version = question.table, question.moment, question.version
    columns = [] if version is None else [column.name for column in version.columns]
    keyless = version is not None and not version.key
    count = 0
    more = False

    def counted() -> Iterator[HeldRow]:
        nonlocal count, more
        for row in islice(question.rows, question.limit):
            count += row.copies
            yield row
        more = question.limit is not None and next(question.rows, None) is not None

    def ending() -> Foot:
        known = completeness(question.asked, table.log, {table.name}, moment.seq)
        rows = f"{count:,}" + ("; there are more than --limit let through" if more else "")
        if version is None:
            rows = "0: the log has no entry of the table until then"
        return foot(known, {"row_count": count, "limited": more}, [("rows", rows)], beyond=moment.beyond)

    def cells(row: HeldRow, of: Any, absent: Any) -> Sequence[str | None]:
        own = str(row.copies) if keyless else row.entry.version
        return (row.entry.seq, str(own), *(of(row.image.get(name, absent)) for name in columns))

    from msgspec import UNSET

    heads = ("_seq", "_copies" if keyless else "_version", *columns)
    return Answer(
        title=f"{table.title} as of {_instant(moment)}",
        head={
            "question": "as-of",
            "source": table.log,
            "table": table.name,
            "key_columns": list(version.key) if version else [],
            "as_of": moment.document(),
        },
        name="rows",
        items=counted(),
        document=_document,
        table=Sheet(heads, lambda row: [cells(row, shown.value, UNSET)]),
        csv=Sheet(heads, lambda row: [cells(row, text, None)]),
        foot=ending,
    )


def _document(row: HeldRow) -> dict[str, Any]:
    entry = row.entry
    version = int(entry.version) if isinstance(entry.version, str) else None
    transaction = getattr(entry.transaction, "id", None)
    return {
        "key": entry.key,
        "copies": row.copies,
        "version": version,
        "seq": int(entry.seq),
        "transaction": transaction,
        "committed_at_ns": entry.committed_at,
        "row": row.image,
    }


def _instant(moment: Moment) -> str:
    from cdc.audit.instants import shown

    asked = "now (the end of the log)" if moment.requested is None else shown(moment.requested)
    at = shown(moment.ordered_at if moment.committed_at is None else moment.committed_at)
    if moment.transaction is None:
        return f"{asked}: entry {moment.seq:,}, of {at}"
    return f"{asked}: entry {moment.seq:,}, the end of transaction {moment.transaction}, committed {at}"

"""``cdc audit transaction``: everything that one source transaction changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cdc import config
from cdc.cli.audit.lines import change_csv, transaction_table
from cdc.cli.audit.options import config_option, foot, unicode_text
from cdc.cli.output import Answer, Foot, output_option, write

if TYPE_CHECKING:
    from cdc.audit.changes import Change
    from cdc.audit.reading import Reading
    from cdc.audit.transaction import Run


@click.command()
@click.argument("transaction_id", metavar="ID")
@click.option("--source", help="The source, where several logs have a transaction of that id.")
@click.option("--full", is_flag=True, help="Show all columns of every change, not only what changed.")
@output_option
@config_option
def transaction(transaction_id: str, source: str | None, full: bool, output: str, path: Path | None) -> None:
    """Everything that one source transaction changed, in its order, over all tables.

    ID is the transaction's id as the log has it (PostgreSQL: the xid). The log may have it more than once: a connector
    that went back sends it again (those are marked as replays), and a source's ids begin anew after four billion.
    """
    from cdc.audit import transaction as questions
    from cdc.audit.reading import reading

    settings = config.load(path)
    wanted, log = unicode_text(transaction_id, "ID"), source and unicode_text(source, "--source")
    with reading(settings.warehouse_auditor_dsn) as asked:
        runs = questions.find(asked, wanted, log)
        write(_answer(asked, runs, full), output)


def _answer(asked: Reading, runs: Sequence[Run], full: bool) -> Answer[Change]:
    from cdc.audit.completeness import completeness
    from cdc.audit.transaction import changes

    log, wanted = runs[0].log, runs[0].id

    def each() -> Iterator[Change]:
        for run in runs:
            yield from changes(asked, run)

    def ending() -> Foot:
        known = completeness(asked, log, {table for run in runs for table in run.tables})
        return foot(known, {"occurrences": [_document(run) for run in runs]}, [_line(run) for run in runs])

    return Answer(
        title=f"{log}: transaction {wanted}",
        head={"question": "transaction", "source": log, "transaction": wanted},
        name="changes",
        items=each(),
        document=lambda change: change.document(full=full),
        table=transaction_table(full=full),
        csv=change_csv(full=full),
        foot=ending,
    )


def _document(run: Run) -> dict[str, Any]:
    end = run.end and {"count": run.end.count, "tables": run.end.tables}
    return {"first_seq": run.first, "last_seq": run.last, "entries": run.entries, "end": end}


def _line(run: Run) -> tuple[str, str]:
    entries = f"entries {run.first:,} to {run.last:,}: {run.entries:,} of the transaction"
    if run.end is None:
        return ("end", f"{entries}; it has not ended: the log does not have the rest yet")
    tables = ", ".join(f"{name or 'messages'} {count}" for name, count in run.end.tables.items())
    return ("end", f"{entries}; its end counts {run.end.count}" + (f" ({tables})" if tables else ""))

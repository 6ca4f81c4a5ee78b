"""Changes as lines: of a table, where the first line of a change says what happened; and of CSV, each line whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from cdc.cli.audit.options import text
from cdc.cli.output import Sheet

if TYPE_CHECKING:
    from cdc.audit.changes import Change, Field

_HISTORY = ("VERSION", "COMMITTED (UTC)", "WHAT", "TRANSACTION", "SEQ", "COLUMN", "BEFORE", "AFTER")
_TRANSACTION = ("ORDER", "WHAT", "TABLE", "ROW", "SEQ", "COLUMN", "BEFORE", "AFTER")
_CSV = (
    "seq", "kind", "operation", "what", "table", "key", "version", "prev", "committed_at", "committed_at_ns",
    "recorded_at", "transaction", "order", "linked_key", "replay_of",
)  # fmt: skip


def history_table(*, full: bool) -> Sheet[Change]:
    """Versions of one row, column by column."""
    return Sheet(_HISTORY, lambda change: _lines(change, _of_history(change), full))


def transaction_table(*, full: bool) -> Sheet[Change]:
    """Changes of many rows in the order of their transaction."""
    return Sheet(_TRANSACTION, lambda change: _lines(change, _of_transaction(change), full))


def change_csv(*, full: bool) -> Sheet[Change]:
    """One line for each column of each change; one without columns for a change that has none."""
    return Sheet((*_CSV, "column", "before", "after"), lambda change: _csv_lines(change, full))


def _of_history(change: Change) -> Sequence[str | None]:
    entry = change.document()
    version = None if entry["version"] is None else str(entry["version"])
    return (version, entry["committed_at"], change.what, change.transaction, f"{change.seq:,}")


def _of_transaction(change: Change) -> Sequence[str | None]:
    from cdc.audit import shown

    entry = change.document()
    row = None if entry["key"] is None else shown.row_key(entry["key"])
    order = None if entry["order"] is None else str(entry["order"])
    return (order, change.what, entry["table"], row, f"{change.seq:,}")


def _lines(change: Change, head: Sequence[str | None], full: bool) -> Iterator[Sequence[str | None]]:
    from cdc.audit import shown

    fields = [(field.column, shown.value(field.before), shown.value(field.after)) for field in _shown(change, full)]
    content = change.entry.content
    if change.entry.kind == "message" and isinstance(content, dict):
        fields = [("content", "", shown.value(content["content"]))]
    nothing = "(no column changed)" if change.entry.operation == "u" else ""
    for number, field in enumerate(fields or [(nothing, "", "")]):
        yield (*(head if number == 0 else [None] * len(head)), *field)


def _csv_lines(change: Change, full: bool) -> Iterator[Sequence[str | None]]:
    entry = change.document()
    head = [_plain(entry[name]) for name in _CSV]
    fields: list[tuple[str | None, Any, Any]] = [
        (each.column, each.before, each.after) for each in _shown(change, full)
    ]
    if "message" in entry:
        fields = [("content", None, entry["message"]["content"])]
    for column, before, after in fields or [(None, None, None)]:
        yield (*head, column, text(before), text(after))


def _shown(change: Change, full: bool) -> list[Field]:
    return [field for field in change.fields if full or field.changed]


def _plain(member: Any) -> str | None:
    return str(member) if isinstance(member, int) else text(member)

"""Rows whose state waits for a record in quarantine (docs/formats.md §3.9): they show what they were before it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from .history import Table
from .resolutions import Unread
from .rows import RowWait, StateTable

Say = Callable[[int | None, str | None, str], None]
"""Takes a finding: seq, row key, cause."""


def settle(name: str, table: Table, stated: StateTable, unread: Mapping[int, Unread], say: Say) -> None:
    """Make the rows that wait what they must show, and say what is wrong with their waiting.

    ``unread``: the records in quarantine. Each of a table makes a row wait, or the whole table, unless a truncate of
    the table follows it.
    """
    rows, suspended = table.shown, stated.suspended_seq
    for key, wait in stated.waiting.items():
        if key not in table.frozen:
            say(wait.since, key, "it waits since an entry that is no quarantined record of its table")
            continue
        if suspended is None or wait.since < suspended:
            head = table.frozen[key]
            rows.heads.pop(key, None)
            if head is not None:
                rows.heads[key] = head
        for cause in _faults(name, wait, unread, rows.truncated, suspended=suspended is not None):
            say(wait.since, key, cause)
    if suspended is None and table.changes:
        waited = {seq for wait in stated.waiting.values() for seq in wait.open}
        for seq, record in unread.items():
            if record.table == name and seq not in waited and table.rows.truncated < seq:
                say(seq, None, "a record of this table is in quarantine, and neither a row nor the table waits for it")


def _faults(
    name: str, wait: RowWait, unread: Mapping[int, Unread], truncated: int, *, suspended: bool
) -> Iterator[str]:
    if any(seq not in unread or unread[seq].table != name for seq in wait.open):
        yield "it waits for an entry that is not in quarantine"
    if not suspended and not wait.open:
        yield "it waits, and nothing of it is in quarantine"
    if not suspended and truncated > wait.since:
        yield "it waits, and a truncate has taken it"

"""The report on one log: what was checked, with counts; what could not be; what no verification shows."""

from __future__ import annotations

from .columns import COMPARED
from .findings import Findings, LogReport
from .given import Given
from .passing import Pass
from .state import Compared

ALWAYS_UNCHECKED = (
    "salts: they follow from the salt key, which no reader of the warehouse has",
    "what is inside sealed cells and behind tokens: keyring and privacy store open them",
    "recorded_at: no hash covers it",
    "the views over current state: their definitions are PostgreSQL's",
    "what never reached Kafka, beyond the counts of transactions: only the source shows it",
)
_NAMED = 10
"""Entries that a sentence names, at most."""
_REWRITE = (
    "that this is the log of earlier days: no checkpoint was given, so a rewrite of log and tree together"
    " would not show"
)


def of_log(
    given: Given, origin: str, read: Pass, compared: tuple[tuple[str, Compared], ...], findings: Findings
) -> LogReport:
    """Put it together."""
    unchecked = list(ALWAYS_UNCHECKED)
    if not given.checkpoints:
        unchecked.insert(0, _REWRITE)
    hidden = sum(counts.hidden for _, counts in compared)
    if hidden:
        unchecked.append(f"_copies of {hidden} rows without a key that a truncate has hidden")
    unchecked += [
        f"{counts.keys} rows of {table} from before its key changed: the log does not tell their new one"
        for table, counts in compared
        if counts.keys
    ]
    unread = read.resolutions.open
    if unread:
        tables = ", ".join(sorted({each.table for each in unread.values() if each.table is not None}))
        named = f"{', '.join(map(str, sorted(unread)[:_NAMED]))}{' …' if len(unread) > _NAMED else ''}"
        unchecked.append(
            f"what {len(unread)} quarantined records say, and the rows that they changed: entries {named}"
            + (f", of {tables}" if tables else "")
        )
    if read.resolutions.dismissed:
        unchecked.append(f"what {read.resolutions.dismissed} quarantined records say that a person dismissed")
    unchecked += [
        f"current state of {table} from entry {found.stated.suspended_seq} on: it is suspended there"
        for table, found in sorted(read.changes.tables.items())
        if found.stated is not None and found.stated.suspended_seq is not None
    ]
    unchecked += [
        f"current state of {len(found.stated.waiting)} rows of {table} from their records in quarantine on: they wait"
        for table, found in sorted(read.changes.tables.items())
        if found.stated is not None and found.stated.waiting
    ]
    return LogReport(
        log=given.log,
        origin=origin if given.tree is not None else None,
        entries=read.tree.size,
        findings=findings.first(),
        found=findings.count,
        checked=_checked(given, read, compared),
        incomplete=tuple(_incomplete(given, read, compared)),
        unchecked=tuple(unchecked),
    )


def _checked(given: Given, read: Pass, compared: tuple[tuple[str, Compared], ...]) -> tuple[tuple[str, int], ...]:
    changes, continuity = read.changes, read.changes.continuity
    counts = {
        "entries: canonical, whole for their kind, in order, hashed as stored and into the tree": read.tree.size,
        "columns of audit.entry derived again": read.tree.size * COMPARED,
        "bodies of long entries": read.bodies.count,
        "table versions described": len(changes.schemas.versions),
        "changes of rows with a key: version, prev, key changes": changes.keyed,
        "changes of rows without a key": changes.keyless,
        "before images equal to the row's after image before": continuity.equal,
        "before images compared column by column": continuity.by_column,
        "before images not comparable": continuity.not_comparable,
        "rows that a re-snapshot did not show": changes.absent_rows,
        "replays, which change nothing": read.replays.count,
        "quarantined records: sealed, in their place": read.kinds["quarantined"],
        "quarantined records that were replayed: as what they resolve": read.resolutions.replayed,
        "transactions: whole, as many entries as END says": read.transactions.ended,
        "rows of current state": sum(found.rows for _, found in compared),
        "cells of current state": sum(found.cells for _, found in compared),
        "state tables": len(compared),
        "rows of pipeline.stream": int(given.stream is not None),
        "checkpoints": len(given.checkpoints),
    }
    return tuple(counts.items())


def _incomplete(given: Given, read: Pass, compared: tuple[tuple[str, Compared], ...]) -> list[str]:
    found = []
    if not read.tree.size:
        found.append("the log has no entries: there was nothing to check")
    for table, counts in compared:
        found += [f"column {name} of {table}: no rule for its type" for name in counts.unknown]
    if read.replays.unjudged:
        found.append(f"whether {read.replays.unjudged} changes are replays: they have no source position")
    if given.state is None and read.changes.keyed + read.changes.keyless:
        found.append("current state: it was not given")
    return found

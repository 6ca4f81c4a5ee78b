"""Everything that one source transaction changed, in its order, over all tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from msgspec import UNSET

from cdc.audit.changes import SELECT, Change, change, columns_of
from cdc.audit.entries import read
from cdc.audit.reading import Reading
from cdc.audit.tables import Table
from cdc.audit.versions import versions
from cdc.entry import End
from cdc.errors import NotFound

# One id can be several transactions: a connector that went back emits one again, and a source's ids may begin anew.
_RUNS = """
WITH found AS (SELECT log, seq, audit.ends_transaction(entry) AS ends FROM audit.entry
                WHERE transaction_id COLLATE "C" = %(id)s AND (%(log)s::text IS NULL OR log = %(log)s)),
     numbered AS (SELECT log, seq, ends, count(*) FILTER (WHERE ends) OVER (
                    PARTITION BY log ORDER BY seq ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS run FROM found)
SELECT log, min(seq), max(seq), count(*), max(seq) FILTER (WHERE ends) FROM numbered
 GROUP BY log, run ORDER BY log, min(seq)
"""
_ENTRY = "SELECT e.entry FROM audit.entry e WHERE e.log = %(log)s AND e.seq = %(seq)s"
_TABLES = """
SELECT DISTINCT table_name FROM audit.entry
 WHERE log = %(log)s AND seq BETWEEN %(first)s AND %(last)s AND transaction_id = %(id)s AND table_name IS NOT NULL
"""
_CHANGES = f"""
{SELECT} WHERE e.log = %(log)s AND e.seq BETWEEN %(first)s AND %(last)s AND e.transaction_id = %(id)s ORDER BY e.seq
"""


@dataclass(frozen=True, slots=True)
class Run:
    """One occurrence of a transaction in a log: first and last seq, count of entries, END (None: it has not ended)."""

    log: str
    id: str
    first: int
    last: int
    entries: int
    end: End | None
    tables: tuple[str, ...]


def find(reading: Reading, wanted: str, source: str | None) -> list[Run]:
    """Where a log has the transaction with this id. More than once: replays, or ids that began anew.

    Raises:
        NotFound: nowhere, or in several logs and ``source`` does not say which.
    """
    rows = reading.rows(_RUNS, {"id": wanted, "log": source})
    logs = sorted({log for log, *_ in rows})
    if len(logs) > 1:
        raise NotFound(f"several logs have a transaction of that id: {', '.join(logs)}", hint=f"--source {logs[0]}")
    if not rows:
        where = "no log has a" if source is None else "that log has no"
        raise NotFound(f"{where} transaction of that id", hint="ids are in the answers of cdc audit history")
    return [_run(reading, wanted, *row) for row in rows]


def changes(reading: Reading, run: Run) -> Iterator[Change]:
    """The entries of one run, in order."""
    described = [each for name in run.tables for each in versions(reading, Table(run.log, name))]
    columns = columns_of(described)
    for row in reading.stream(_CHANGES, _place(run.log, run.id, run.first, run.last)):
        yield change(row, columns)


def _run(reading: Reading, wanted: str, log: str, first: int, last: int, entries: int, ends: int | None) -> Run:
    tables = reading.rows(_TABLES, _place(log, wanted, first, last))
    return Run(log, wanted, first, last, entries, _end(reading, log, ends), tuple(sorted(name for (name,) in tables)))


def _end(reading: Reading, log: str, seq: int | None) -> End | None:
    row = None if seq is None else reading.one(_ENTRY, {"log": log, "seq": seq})
    if row is None:
        return None
    transaction = read(row[0], None, whole=False).transaction
    return None if transaction is UNSET or transaction.end is UNSET else transaction.end


def _place(log: str, transaction: str, first: int, last: int) -> dict[str, object]:
    return {"log": log, "id": transaction, "first": first, "last": last}

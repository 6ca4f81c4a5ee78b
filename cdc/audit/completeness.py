"""What every answer ends with: how far the log is complete, what is known to be missing, what nobody has checked."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from cdc.audit.entries import JOINED, read
from cdc.audit.instants import shown
from cdc.audit.reading import Reading
from cdc.entry import split_qualified_name
from cdc.errors import NotFound

_LOG = """
SELECT l.origin, l.size, s.complete_at, s.complete_seq,
       CASE WHEN s.open_count > 0 THEN s.open_transaction END, s.halted_code, audit.baseline(l.log),
       (SELECT e.ordered_at FROM audit.entry e WHERE e.log = l.log AND e.seq = audit.baseline(l.log))
  FROM audit.log l JOIN pipeline.stream s USING (log) WHERE l.log = %(log)s
"""
_GAPS = f"""
SELECT e.seq, e.entry, b.body FROM {JOINED}
 WHERE e.log = %(log)s AND e.kind = 'gap' AND e.kind IN ('gap', 'baseline') ORDER BY e.seq
"""  # said twice: the second is what the partial index is made with
_READ_ANEW = "SELECT table_name, seq FROM audit.read_anew_since(%(log)s, %(seq)s)"
_SUSPENDED = """
SELECT table_name, suspended_code, suspended_seq FROM pipeline.state_table
 WHERE log = %(log)s AND suspended_code IS NOT NULL AND table_name = ANY(%(tables)s) ORDER BY 1
"""
_WAITING = """
SELECT table_name, count(*), min(since) FROM pipeline.row_wait
 WHERE log = %(log)s AND table_name = ANY(%(tables)s) GROUP BY 1 ORDER BY 1
"""
_QUARANTINE = """
WITH resolved AS MATERIALIZED (
    SELECT r.seq, (audit.readable(r.entry) #>> '{content,of}')::bigint AS of FROM audit.entry r
     WHERE r.log = %(log)s AND r.kind = 'resolved' AND r.kind IN ('quarantined', 'resolved'))
SELECT q.seq, q.table_name, r.seq FROM audit.entry q LEFT JOIN resolved r ON r.of = q.seq
 WHERE q.log = %(log)s AND q.kind = 'quarantined' AND q.kind IN ('quarantined', 'resolved')
   AND (q.table_name IS NULL OR q.table_name = ANY(%(tables)s))
   AND q.seq <= %(at)s AND (r.seq IS NULL OR r.seq > %(at)s)
 ORDER BY q.seq
"""  # the condition on two kinds is that of the partial index
NOT_CHECKED = (
    "the hashes of these entries (cdc audit verify)",
    "who made the changes (not captured: PostgreSQL's WAL has no user)",
)


@dataclass(frozen=True, slots=True)
class Gap:
    """Records that are known to be missing: an entry of kind ``gap``. ``lost``: how many offsets, where it is known.

    ``read_anew``: tables that were read anew after it, each with the entry that says so; ``asked``: those that the
    answer is about. Both as Debezium names them.
    """

    seq: int
    after: str
    through: str
    reason: str
    cause: str
    by: str
    at: str
    lost: str | None
    read_anew: Mapping[str, int] = field(default_factory=dict)
    asked: frozenset[str] = frozenset()

    def document(self) -> dict[str, Any]:
        """As JSON."""
        told = {"reason": self.reason, "cause": self.cause, "by": self.by, "at": self.at, "lost": self.lost}
        read_anew = [{"table": table, "seq": seq} for table, seq in self.read_anew.items()]
        return {"seq": self.seq, "from": self.after, "through": self.through, **told, "read_anew": read_anew}

    def sentence(self) -> str:
        """For people."""
        count = f"{self.lost} offsets" if self.lost is not None else "unknown how many"
        return (
            f"entry {self.seq:,}: {self.cause}, from {self.after} through {self.through}, {count} missing; accepted"
            f" {self.at} by {self.by}: {self.reason}; {self._state()}"
        )

    def _state(self) -> str:
        named = [table for table in self.read_anew if table in self.asked]
        anew = f"read anew after it: {', '.join(f'{t} (entry {self.read_anew[t]:,})' for t in named)}"
        if not named:
            return "current state may differ from the source since then"
        if len(named) == len(self.asked):
            return f"{anew}; what happened to these rows in between is missing"
        return f"{anew}; current state of the others may differ from the source since then"


@dataclass(frozen=True, slots=True)
class Suspended:
    """A table whose current state stands still since ``seq``. Its history, and answers from it, go on."""

    table: str
    code: str
    seq: int | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """Rows of a table whose current state stands still for records in quarantine, since entry ``seq`` the first of
    them. Their history, and answers from it, go on.
    """

    table: str
    rows: int
    seq: int

    def sentence(self) -> str:
        """For people."""
        return (
            f"current state of {self.rows:,} rows of {self.table} stands still, since entry {self.seq:,} the first of"
            " them; this answer is from the log"
        )


@dataclass(frozen=True, slots=True)
class Unread:
    """A record in quarantine: what it says of ``table``, or of some table where None is known, is not in the answer.

    ``resolved``: by an entry after the moment of the answer.
    """

    seq: int
    table: str | None
    resolved: int | None

    def sentence(self) -> str:
        """For people."""
        of = f"of {self.table}" if self.table is not None else "of a table that it does not tell"
        then = "" if self.resolved is None else f" (entry {self.resolved:,}, which is later, says what became of it)"
        return f"entry {self.seq:,} is a record {of} that could not be read: this answer lacks what it says{then}"


@dataclass(frozen=True, slots=True)
class Completeness:
    """Of one log, at the moment of the answer. Instants are ns since 1970.

    ``baseline``: first seq, and its place on the ordered clock, from which on an absent row is absent.
    """

    log: str
    origin: str
    entries: int
    complete_at: int | None
    complete_seq: int | None
    baseline: tuple[int, int] | None
    open_transaction: str | None
    halted: str | None
    gaps: tuple[Gap, ...]
    suspended: tuple[Suspended, ...]
    quarantined: tuple[Unread, ...] = ()
    waiting: tuple[Waiting, ...] = ()

    def document(self) -> dict[str, Any]:
        """As JSON."""
        baseline = self.baseline and {"seq": self.baseline[0], "at": shown(self.baseline[1])}
        return {
            "log": self.log,
            "origin": self.origin,
            "entries": self.entries,
            "complete_through": None if self.complete_at is None else shown(self.complete_at),
            "complete_through_ns": None if self.complete_at is None else str(self.complete_at),
            "complete_seq": self.complete_seq,
            "known_since": baseline,
            "gaps": [gap.document() for gap in self.gaps],
            "open_transaction": self.open_transaction,
            "halted": self.halted,
            "suspended": [{"table": s.table, "code": s.code, "since_seq": s.seq} for s in self.suspended],
            "quarantined": [
                {"seq": each.seq, "table": each.table, "resolved_by": each.resolved} for each in self.quarantined
            ],
            "waiting": [{"table": w.table, "rows": w.rows, "since_seq": w.seq} for w in self.waiting],
            "not_checked": list(NOT_CHECKED),
        }

    def lines(self) -> list[tuple[str, str]]:
        """As pairs of a word and a sentence, for people."""
        if self.complete_at is None:
            through = "nothing yet: the initial snapshot has not ended"
        else:
            through = f"source commit {shown(self.complete_at)} (log {self.origin}, {self.entries:,} entries)"
        found = [("complete through", through)]
        if self.halted is not None:
            found.append(("halted", f"the stream stopped on purpose ({self.halted}): later commits do not arrive"))
        if self.baseline is not None:
            found.append(("known since", f"{shown(self.baseline[1])} (baseline, entry {self.baseline[0]:,})"))
        found += [("gap", gap.sentence()) for gap in self.gaps] or [("gaps", "no known gap")]
        if self.open_transaction is None:
            found.append(("open transaction", "none: the log ends where a transaction ends"))
        else:
            found.append(("open transaction", f"the log ends inside transaction {self.open_transaction}"))
        found += [
            ("suspended", f"current state of {each.table} stands still ({each.code}); this answer is from the log")
            for each in self.suspended
        ]
        found += [("waiting", each.sentence()) for each in self.waiting]
        found += [("quarantined", each.sentence()) for each in self.quarantined]
        return [*found, *(("not checked", what) for what in NOT_CHECKED)]


def completeness(reading: Reading, log: str, tables: Collection[str], through: int | None = None) -> Completeness:
    """How complete an answer about these tables of a log is. ``through``: the last entry that it regards; None: all.

    Raises:
        NotFound: no such log.
    """
    row = reading.one(_LOG, {"log": log})
    if row is None:
        raise NotFound("no stream of that name", hint="cdc status")
    origin, size, complete_at, complete_seq, transaction, halted, seq, at = row
    asked = frozenset(".".join(split_qualified_name(table)) for table in tables)
    gaps = tuple(
        replace(_gap(*found), read_anew=dict(reading.rows(_READ_ANEW, {"log": log, "seq": found[0]})), asked=asked)
        for found in reading.rows(_GAPS, {"log": log})
    )
    suspended = reading.rows(_SUSPENDED, {"log": log, "tables": sorted(tables)})
    wanted = {"log": log, "tables": sorted(tables), "at": size if through is None else through}
    unread = reading.rows(_QUARANTINE, wanted)
    waiting = tuple(Waiting(*found) for found in reading.rows(_WAITING, {"log": log, "tables": sorted(tables)}))
    baseline = None if seq is None else (seq, at)
    return Completeness(
        log, origin, size, complete_at, complete_seq, baseline, transaction, halted, gaps,
        tuple(Suspended(*found) for found in suspended), tuple(Unread(*found) for found in unread), waiting,
    )  # fmt: skip


def _gap(seq: int, text: str, body: str | None) -> Gap:
    content: Any = read(text, body).content
    told = (content[name] for name in ("from", "through", "reason", "cause", "by", "at", "lost"))
    return Gap(seq, *told)

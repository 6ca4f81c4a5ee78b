"""Protected events → entries, in order: seq, clocks, versions, flags, folded transaction ends, and the batch they make.

Pure. Everything an entry says follows from the standing it continues, the events and the heads of the rows; so another worker that reads the same
records from the same standing makes the same bytes.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import msgspec
from msgspec import UNSET, Raw

from cdc.batch import Batch, EntryRow, Standing, StateChange
from cdc.copytext import NULL, escape
from cdc.entry import Entry, Subject, Transaction, canonical, encode, leaf, qualified_name
from cdc.entry import End as FoldedEnd
from cdc.errors import Halted, LedgerError
from cdc.event import Baseline, Begin, End, Origin, Skipped, Truncate
from cdc.ledger.merkle import Edge
from cdc.protect import Protected, ProtectedEvent, ProtectedMessage, ProtectedTable

HEARTBEAT_TABLE = "cdc.heartbeat"
Head = tuple[int, int]
"""Version and seq of a row's newest version."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What is the same in every entry of a log."""

    log: str
    origin: str
    topic_id: str
    partition: int


@dataclass(slots=True)
class _Draft:
    """An entry before its last words: the transaction's end is not known yet."""

    members: dict[str, object]
    row: dict[str, str]


class Sequencer:
    """Continues one log from a standing. ``known`` holds the (table, schema, plan) triples that the log has introduced."""

    def __init__(self, identity: Identity, standing: Standing, salt_key: bytes, known: set[tuple[str, str, str]]) -> None:
        self._identity = identity
        self._standing = standing
        self._salt_key = salt_key
        self._known = known
        self._fixed = {"origin": identity.origin, "partition": str(identity.partition), "topic_id": identity.topic_id}

    @property
    def standing(self) -> Standing:
        """Where the log stands after everything assembled so far."""
        return self._standing

    def assemble(
        self,
        events: Sequence[Protected],
        heads: Callable[[str, str], Head | None],
        suspended: Mapping[str, tuple[str, str]],
        next_offset: int,
        delivered: int,
    ) -> Batch:
        """The batch of these events.

        Args:
            events: consecutive and ended where ``cdc.batch.cut`` says.
            heads: newest version of a row before this batch, by table and row key; asked once per row.
            suspended: tables whose state does not follow, with code and message.
            next_offset: the position after the last of them.
            delivered: records that the broker delivered for them, counted before decoding.

        Raises:
            Halted: the source's epoch changed, or a transaction does not add up.
        """
        start = self._standing
        run = _Run(self, start, heads, suspended)
        for event in events:
            run.take(event)
        batch = run.finish(next_offset, delivered)
        self._standing = batch.end
        return batch

    def salt(self, offset: int, ordinal: int) -> str:
        """``docs/formats.md`` §3.5."""
        identity = f"{self._identity.topic_id}/{self._identity.partition}/{offset}/{ordinal}"
        return hmac.digest(self._salt_key, identity.encode(), "sha256")[:16].hex()


class _Run:
    """One batch in the making."""

    def __init__(self, sequencer: Sequencer, start: Standing, heads: Callable[[str, str], Head | None], suspended: Mapping[str, tuple[str, str]]) -> None:
        self._s = sequencer
        self._start = start
        self._heads = heads
        self._suspended = suspended
        self._own_heads: dict[tuple[str, str], Head] = {}
        self._seq = start.edge.size
        self._ordered_at = start.ordered_at
        self._epoch = start.source_epoch
        self._high = start.high
        self._open = start.open_transaction
        self._open_count = start.open_count
        self._complete = (start.complete_seq, start.complete_at)
        self._drafts: list[_Draft] = []
        self._foldable: _Draft | None = None
        self._rows: list[EntryRow] = []
        self._bodies: list[tuple[int, str]] = []
        self._versions: list[tuple[str, str, str, int]] = []
        self._changes: dict[ProtectedTable, dict[str, StateChange]] = {}
        self._truncated: dict[str, int] = {}
        self._suspensions: dict[str, tuple[str, str, int]] = {}
        self._skipped: dict[str, int] = {}
        self._extra = 0

    def take(self, event: Protected) -> None:
        """Account for one record."""
        if isinstance(event, ProtectedEvent):
            self._change(event)
        elif isinstance(event, Begin):
            self._begin(event)
        elif isinstance(event, End):
            self._end(event)
        elif isinstance(event, Skipped):
            self._skip(event.reason)
        elif isinstance(event, ProtectedMessage):
            self._message(event)
        elif isinstance(event, Truncate):
            self._truncate(event)
        else:
            self._baseline(event)

    # -- the kinds ------------------------------------------------------------------------------------------------------------------

    def _change(self, event: ProtectedEvent) -> None:
        table = event.table
        self._watch_epoch(event)
        replay = self._replay(event.origin)
        members = self._record_members(event.origin, 1 if self._introduce(event) else 0)
        members |= {
            "kind": "change",
            "operation": event.operation,
            "table": table.table,
            "schema": table.schema_digest,
            "plan": table.plan_digest,
            "key": Raw(b'"' + event.key.encode() + b'"' if table.keyless else event.key.encode()),
            "subject": Subject(after=event.subject_after or UNSET, before=event.subject_before or UNSET),
        }
        for name, image in (("before", event.before), ("after", event.after), ("linked_key", event.linked_key)):
            if image is not None:
                members[name] = Raw(image)
        flags = tuple(flag for flag, holds in (("before-missing", event.before_missing), ("keyless", table.keyless)) if holds)
        if flags:
            members["flags"] = flags
        row = {"table_name": escape(table.table), "row_key": escape(event.key), "operation": event.operation}
        subject = event.subject_after or event.subject_before
        if subject:
            row["subject"] = subject
            if event.subject_before and event.subject_before != subject:
                row["subject_before"] = event.subject_before
        version = None
        if replay is not None:
            members["replay_of"] = replay
        elif not table.keyless:
            head = self._head(table.table, event.key)
            version = head[0] + 1 if head else 1
            members |= {"version": str(version), "prev": str(head[1]) if head else None}
            row |= {"version": str(version), "prev": str(head[1]) if head else NULL}
            self._own_heads[table.table, event.key] = (version, self._seq)
        seq = self._draft(event.origin, members, row)
        if replay is None:
            self._project(event, seq, version)

    def _truncate(self, event: Truncate) -> None:
        table = qualified_name(event.schema, event.name)
        replay = self._replay(event.origin)
        members = self._record_members(event.origin, 0) | {"kind": "truncate", "operation": "t", "table": table}
        if replay is not None:
            members["replay_of"] = replay
        seq = self._draft(event.origin, members, {"table_name": escape(table), "operation": "t"})
        if replay is None:
            self._truncated[table] = seq
            for protected, rows in self._changes.items():
                if protected.table == table and protected.keyless:
                    rows.clear()

    def _message(self, event: ProtectedMessage) -> None:
        replay = self._replay(event.origin)
        members = self._record_members(event.origin, 0) | {"kind": "message", "operation": "m", "content": Raw(event.content)}
        if replay is not None:
            members["replay_of"] = replay
        self._draft(event.origin, members, {"operation": "m"})

    def _baseline(self, event: Baseline) -> None:
        content = canonical({"detail": dict(event.detail), "notification": event.notification})
        seq = self._draft(event.origin, self._record_members(event.origin, 0) | {"kind": "baseline", "content": Raw(content)}, {})
        if event.notification == "COMPLETED":
            self._complete = (seq, event.origin.captured_at)

    def _begin(self, event: Begin) -> None:
        if self._open is not None:
            raise Halted(
                "transaction-without-end",
                f"BEGIN at offset {event.origin.offset} inside a transaction that has not ended",
                hint="cdc status",
            )
        self._open, self._open_count, self._foldable = event.id, 0, None
        self._skip("begin")

    def _end(self, event: End) -> None:
        if self._open != event.id or self._open_count != event.count:
            raise Halted(
                "transaction-incomplete",
                f"END at offset {event.origin.offset} counts {event.count} events, the log has {self._open_count} of that transaction",
                hint="compare the source with the warehouse before going on; the connector lost or repeated events",
            )
        folded = FoldedEnd(count=str(event.count), offset=str(event.origin.offset), tables={name: str(n) for name, n in event.tables})
        if self._foldable is not None:
            transaction = self._foldable.members["transaction"]
            assert isinstance(transaction, Transaction)
            self._foldable.members["transaction"] = msgspec.structs.replace(transaction, end=folded)
            self._skip("end")
        else:
            members = self._record_members(event.origin, 0) | {"kind": "end", "transaction": Transaction(id=event.id, end=folded)}
            self._draft(event.origin, members, {"transaction_id": escape(event.id)})
        self._open, self._open_count, self._foldable = None, 0, None
        self._flush()
        if self._complete[0] is not None:
            self._complete = (self._seq - 1, event.origin.committed_at)

    def _skip(self, reason: str) -> None:
        self._skipped[reason] = self._skipped.get(reason, 0) + 1

    # -- what they share --------------------------------------------------------------------------------------------------------------

    def _record_members(self, origin: Origin, ordinal: int) -> dict[str, object]:
        members: dict[str, object] = dict(self._s._fixed)  # noqa: SLF001 - one class in two halves
        members["offset"] = str(origin.offset)
        members["ordinal"] = str(ordinal)
        members["produced_at"] = str(origin.produced_at)
        members["salt"] = self._s.salt(origin.offset, ordinal)
        if origin.captured_at is not None:
            members["captured_at"] = str(origin.captured_at)
        if origin.committed_at is not None:
            members["committed_at"] = str(origin.committed_at)
        if self._epoch is not None:
            members["epoch"] = self._epoch
        if origin.position:
            members["position"] = origin.position
        if origin.transaction is not None:
            members["transaction"] = Transaction(id=origin.transaction.id, order=str(origin.transaction.order))
        return members

    def _draft(self, origin: Origin, members: dict[str, object], row: dict[str, str]) -> int:
        """Give the entry its place; returns its seq."""
        clocks = [clock for clock in (origin.committed_at, origin.captured_at) if clock is not None]
        self._ordered_at = max(self._ordered_at, min(clocks, default=0))
        seq = self._seq
        self._seq += 1
        members |= {"seq": str(seq), "ordered_at": str(self._ordered_at)}
        row["kafka_offset"] = str(origin.offset)
        if origin.committed_at is not None:
            row["committed_at"] = str(origin.committed_at)
        draft = _Draft(members, row)
        if origin.transaction is not None:
            if self._open != origin.transaction.id:
                raise Halted("transaction-without-begin", f"the event at offset {origin.offset} belongs to no open transaction", hint="cdc status")
            self._flush()
            if members["kind"] != "schema":
                self._foldable = draft
                self._open_count += 1
                row["transaction_id"] = escape(origin.transaction.id)
        self._drafts.append(draft)
        if self._open is None:
            self._flush()
        return seq

    def _flush(self) -> None:
        for draft in self._drafts:
            entry, body = encode(Entry(**draft.members))  # type: ignore[arg-type]  # members are named by the kinds above
            seq = str(draft.members["seq"])
            if body is not None:
                self._bodies.append((int(seq), body.decode()))
            hashed = leaf(entry)
            get = draft.row.get
            self._rows.append(EntryRow(
                (seq, str(draft.members["kind"]), str(draft.members["ordered_at"]), get("committed_at", NULL), get("table_name", NULL),
                 get("row_key", NULL), get("operation", NULL), get("version", NULL), get("prev", NULL), get("transaction_id", NULL),
                 get("subject", NULL), get("subject_before", NULL), get("kafka_offset", NULL), str(draft.members["ordinal"]),
                 entry.decode().replace("\\", "\\\\"), "\\\\x" + hashed.hex()),
                hashed,
            ))  # fmt: skip
        self._drafts.clear()

    def _introduce(self, event: ProtectedEvent) -> bool:
        """A table version that this log has not described yet is described first (kind ``schema``, ordinal 0)."""
        table = event.table
        triple = (table.table, table.schema_digest, table.plan_digest)
        if triple in self._s._known:  # noqa: SLF001
            return False
        self._s._known.add(triple)  # noqa: SLF001
        members = self._record_members(event.origin, 0)
        members |= {
            "kind": "schema",
            "table": table.table,
            "schema": table.schema_digest,
            "plan": table.plan_digest,
            "content": Raw(table.content),
        }
        members.pop("transaction", None)
        members.pop("position", None)
        origin = msgspec.structs.replace(event.origin, transaction=None)
        self._versions.append((*triple, self._draft(origin, members, {"table_name": escape(table.table)})))
        self._extra += 1
        return True

    def _head(self, table: str, key: str) -> Head | None:
        return self._own_heads.get((table, key)) or self._heads(table, key)

    def _replay(self, origin: Origin) -> str | None:
        """The source position, when the log has it already; otherwise it becomes the high-water."""
        if origin.commit is None:
            return None
        here = (origin.commit, origin.transaction.order if origin.transaction else 0)
        if self._high is not None and here <= self._high:
            return f"{here[0]}/{here[1]}"
        self._high = here
        return None

    def _watch_epoch(self, event: ProtectedEvent) -> None:
        if event.table.table != HEARTBEAT_TABLE or event.after is None:
            return
        image = msgspec.json.decode(event.after)
        system, timeline = image.get("system_identifier"), image.get("timeline")
        if not (isinstance(system, str) and isinstance(timeline, str)):
            return
        epoch = f"{system}/{timeline}"
        if self._epoch is not None and self._epoch != epoch:
            raise Halted(
                "source-epoch",
                f"the source changed from {self._epoch} to {epoch} (system identifier/timeline) at offset {event.origin.offset}",
                hint="a restored or failed-over source may have lost commits: compare it with the warehouse first",
            )
        self._epoch = epoch

    def _project(self, event: ProtectedEvent, seq: int, version: int | None) -> None:
        """Remember the row's last image for typed current state."""
        table = event.table
        if event.state is None:
            return
        if table.table in self._suspended:
            code, message = self._suspended[table.table]
            self._suspensions.setdefault(table.table, (code, message, seq))
            return
        if not table.keyless:
            for other, rows in self._changes.items() if len(self._changes) > 1 else ():
                if other is not table and other.table == table.table:
                    rows.pop(event.key, None)
            deleted = event.operation == "d"
            self._changes.setdefault(table, {})[event.key] = StateChange(seq, version, event.origin.committed_at, event.state, deleted)
            return
        if event.before_key is not None and event.before_state is not None:
            self._copies(table, event.before_key, event.before_state, seq, event.origin.committed_at, -1)
        if event.operation != "d":
            self._copies(table, event.key, event.state, seq, event.origin.committed_at, 1)

    def _copies(self, table: ProtectedTable, key: str, texts: tuple[str, ...], seq: int, committed_at: int | None, change: int) -> None:
        row = self._changes.setdefault(table, {}).setdefault(key, StateChange(seq, None, committed_at, texts))
        row.copies += change
        row.seq, row.committed_at = seq, committed_at

    def finish(self, next_offset: int, delivered: int) -> Batch:
        """The batch, balanced: every record delivered is an entry or a counted skip."""
        self._flush()
        skips = sum(self._skipped.values())
        if delivered != len(self._rows) - self._extra + skips:
            raise LedgerError(f"{delivered} records do not balance with {len(self._rows)} entries ({self._extra} extra) and {skips} skips")
        start = self._start
        edge: Edge = start.edge.append([row.leaf for row in self._rows])
        end = replace(
            start,
            next_offset=next_offset,
            edge=edge,
            ordered_at=self._ordered_at,
            source_epoch=self._epoch,
            high=self._high,
            open_transaction=self._open,
            open_count=self._open_count,
            records=start.records + delivered,
            skipped=MappingProxyType({k: start.skipped.get(k, 0) + self._skipped.get(k, 0) for k in {*start.skipped, *self._skipped}}),
            extra_entries=start.extra_entries + self._extra,
            complete_seq=self._complete[0],
            complete_at=self._complete[1],
        )
        return Batch(start, end, self._rows, self._bodies, self._versions, self._changes, self._truncated, self._suspensions, self._own_heads)

"""One batch, assembled event by event: what each kind of event becomes in the log."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import msgspec
from msgspec import Raw

from cdc.absence import Absent, Unseen, members
from cdc.batch import Batch, Standing
from cdc.copytext import escape
from cdc.drafts import AnyChangeDraft, Draft, Drafts, draft_change
from cdc.entry import End as FoldedEnd
from cdc.entry import Transaction, canonical, qualified_name
from cdc.errors import LedgerError
from cdc.event import Baseline, Begin, End, Origin, Skipped, Truncate
from cdc.identity import EntryIdentity
from cdc.images import LastImages
from cdc.mariadb import counts
from cdc.open_transaction import OpenTransaction
from cdc.protect import Protected, ProtectedEvent, ProtectedMessage, ProtectedQuarantine, ProtectedTable
from cdc.source_epoch import HEARTBEAT_TABLE, beat, source_epoch

Head = tuple[int, int]
"""Version and seq of a row's newest version."""
HeadOf = Callable[[str, str], Head | None]


class Assembly:
    """One batch in the making."""

    def __init__(
        self,
        start: Standing,
        identity: EntryIdentity,
        known: set[tuple[str, str, str]],
        heads: HeadOf,
        images: LastImages,
        unseen: Sequence[Unseen] = (),
    ) -> None:
        self._start = start
        self._identity = identity
        self._introduced: set[ProtectedTable] = set()
        self._known = known
        self._heads = heads
        self._images = images
        self._unseen = unseen
        self._absent = 0
        self._drafts = Drafts()
        self._own_heads: dict[tuple[str, str], Head] = {}
        self._versions: list[tuple[str, str, str, int]] = []
        self._skipped: dict[str, int] = {}
        self._seq = start.edge.size
        self._ordered_at = start.ordered_at
        self._epoch = start.source_epoch
        self._beat = start.beat
        self._high = start.high
        self._open = OpenTransaction(start.open_transaction, start.open_count, start.open_unread)
        self._complete = (start.complete_seq, start.complete_at)

    @property
    def introduced(self) -> list[tuple[str, str, str]]:
        """Table, schema digest and plan digest of the table versions that this batch describes."""
        return [version[:3] for version in self._versions]

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
            self._draft(event.origin, {"kind": "message", "operation": "m", "content": Raw(event.content)})
        elif isinstance(event, Truncate):
            self._truncate(event)
        elif isinstance(event, ProtectedQuarantine):
            self._quarantined(event)
        else:
            self._baseline(event)

    def batch(self, next_offset: int, delivered: int) -> Batch:
        """The batch, balanced: every record delivered is an entry or a counted skip."""
        self._drafts.finish()
        rows, extra, skips = self._drafts.rows, len(self._versions) + self._absent, sum(self._skipped.values())
        if delivered != len(rows) - extra + skips:
            raise LedgerError(
                f"{delivered} records do not balance with {len(rows)} entries ({extra} extra) and {skips} skips"
            )
        start = self._start
        reasons = {*start.skipped, *self._skipped}
        skipped = {reason: start.skipped.get(reason, 0) + self._skipped.get(reason, 0) for reason in sorted(reasons)}
        end = replace(
            start,
            next_offset=next_offset,
            edge=start.edge.append([row.leaf for row in rows]),
            ordered_at=self._ordered_at,
            source_epoch=self._epoch,
            beat=self._beat,
            high=self._high,
            open_transaction=self._open.id,
            open_count=self._open.count,
            open_unread=self._open.unread,
            records=start.records + delivered,
            skipped=MappingProxyType(skipped),
            extra_entries=start.extra_entries + extra,
            complete_seq=self._complete[0],
            complete_at=self._complete[1],
        )
        images = self._images
        return Batch(
            start, end, rows, self._drafts.bodies, self._versions, images.changes, images.truncated, images.missed,
            self._own_heads, absent=images.gone, waits=images.waiting.began,
        )  # fmt: skip

    # The kinds.

    def _change(self, event: ProtectedEvent) -> None:
        """A change that the log has not seen gets a version and goes to state; a replay is recorded and no more."""
        table, origin = event.table, event.origin
        heartbeat = table.table == HEARTBEAT_TABLE
        if heartbeat:
            self._epoch = source_epoch(event, self._epoch)
        ordinal = 1 if table not in self._introduced and self._introduce(event) else 0
        replay = self._judge(origin)
        if heartbeat and replay is None:
            self._beat = beat(event, self._beat)
        seq, ordered_at = self._place(origin)
        row: tuple[int, int | None] | None = None
        if replay is None and not table.keyless:
            name = (table.table, event.key)
            head = self._own_heads.get(name) or self._heads(*name)
            row = (head[0] + 1, head[1]) if head else (1, None)
            self._own_heads[name] = (row[0], seq)
        draft = draft_change(
            event,
            self._identity,
            seq=seq,
            ordered_at=ordered_at,
            ordinal=ordinal,
            epoch=self._epoch,
            replay_of=replay,
            head_of_row=row,
        )
        self._add(seq, draft, origin)
        if replay is None:
            self._images.change(event, seq, row[0] if row is not None else None)

    def _truncate(self, event: Truncate) -> None:
        table = qualified_name(event.schema, event.name)
        members = {"kind": "truncate", "operation": "t", "table": table}
        seq = self._draft(event.origin, members, {"table_name": escape(table)})
        if table == HEARTBEAT_TABLE:
            self._beat = None
        if "replay_of" not in members:
            self._images.truncate(table, seq)

    def _baseline(self, event: Baseline) -> None:
        if event.notification == "STARTED" and self._complete[0] is None:
            self._skip("notification")  # the first snapshot: nothing was there before it
            return
        content = canonical({"detail": dict(event.detail), "notification": event.notification})
        seq = self._draft(event.origin, {"kind": "baseline", "content": Raw(content)})
        if event.notification == "COMPLETED":
            self._complete = (seq, event.origin.captured_at)
            for ordinal, row in enumerate(self._unseen, 1):
                self._miss(row, event.origin, ordinal)

    def _miss(self, unseen: Unseen, origin: Origin, ordinal: int) -> None:
        """A row that the snapshot which ends here did not show is gone."""
        seq = self._draft(origin, *members(unseen), ordinal)
        self._absent += 1
        self._images.absent(absent := Absent.of(unseen, seq))
        if absent.version is not None:
            self._own_heads[absent.table, absent.key] = (absent.version, seq)

    def _begin(self, event: Begin) -> None:
        closed = self._open.begin(event, self._epoch)
        if closed is None:
            self._skip("begin")
        else:  # a DDL of MariaDB's: this record says that it is over
            end = FoldedEnd(count=None, offset=str(event.origin.offset), tables={})
            self._stand_alone(closed, end, event.origin)
            self._drafts.finish()
        self._drafts.begin()

    def _end(self, event: End) -> None:
        end = self._open.end(event)
        if self._drafts.fold(end):
            self._skip("end")
        else:
            self._stand_alone(event.id, end, event.origin)
        self._drafts.finish()
        if self._complete[0] is not None:
            self._complete = (self._seq - 1, event.origin.committed_at)

    def _stand_alone(self, transaction: str, end: FoldedEnd, origin: Origin) -> None:
        """The end of a transaction as an entry of its own."""
        members = {"kind": "end", "transaction": Transaction(id=transaction, end=end)}
        self._draft(origin, members, {"transaction_id": escape(transaction)})

    def _quarantined(self, event: ProtectedQuarantine) -> None:
        """Whether it is of the open transaction cannot be read: END may count it, and it may stand in between."""
        members: dict[str, Any] = {"kind": "quarantined", "content": Raw(event.content)}
        row: dict[str, str] = {}
        if event.table is not None:
            members["table"], row["table_name"] = event.table, escape(event.table)
        if self._open.id is not None:
            members["transaction"], row["transaction_id"] = Transaction(id=self._open.id), escape(self._open.id)
            self._open.unread += 1
        seq = self._draft(event.origin, members, row)
        if event.table in {None, HEARTBEAT_TABLE}:
            self._beat = None
        if event.table is not None:
            self._images.unread(event.table, event.key, seq)

    def _skip(self, reason: str) -> None:
        self._skipped[reason] = self._skipped.get(reason, 0) + 1

    # What they share.

    def _draft(
        self, origin: Origin, members: dict[str, Any], row: dict[str, str] | None = None, ordinal: int = 0
    ) -> int:
        """Give an entry of a rarer kind than ``change`` its place in the log; returns its seq."""
        replay = self._judge(origin)
        seq, ordered_at = self._place(origin)
        row = row or {}
        members |= self._identity.members(origin, ordinal)
        members["seq"], members["ordered_at"] = str(seq), str(ordered_at)
        if replay is not None:
            members["replay_of"] = replay
        if self._epoch is not None:
            members["epoch"] = self._epoch
        if "operation" in members:
            members["position"] = origin.position
            row["operation"] = members["operation"]
        if origin.committed_at is not None:
            row["committed_at"] = members["committed_at"]
        row["kafka_offset"] = members["offset"]
        transaction = origin.transaction
        if transaction is not None:
            members["transaction"] = Transaction(id=transaction.id, order=str(transaction.order))
            row["transaction_id"] = escape(transaction.id)
        self._add(seq, Draft(members, row), origin, foldable="transaction" in members)
        return seq

    def _place(self, origin: Origin) -> tuple[int, int]:
        """The next seq, and the ordered clock there (docs/formats.md §3.4)."""
        committed, captured = origin.committed_at, origin.captured_at
        clock = min(committed, captured) if committed is not None and captured is not None else committed or captured
        self._ordered_at = max(self._ordered_at, clock or 0)
        seq = self._seq
        self._seq += 1
        return seq, self._ordered_at

    def _add(self, seq: int, draft: Draft | AnyChangeDraft, origin: Origin, *, foldable: bool = False) -> None:
        transaction = origin.transaction
        if transaction is not None:
            counted = not isinstance(draft, Draft) or counts(transaction.id, draft.members["kind"])
            self._open.take(transaction, origin.offset, counted)
        self._drafts.add(seq, draft, foldable=foldable or transaction is not None)
        if self._open.id is None:
            self._drafts.finish()

    def _introduce(self, event: ProtectedEvent) -> bool:
        """Describe a table version that this log has not described yet (kind ``schema``, ordinal 0, same record)."""
        table = event.table
        triple = (table.table, table.schema_digest, table.plan_digest)
        self._introduced.add(table)
        if triple in self._known:
            return False
        self._known.add(triple)
        members = {
            "kind": "schema",
            "table": table.table,
            "schema": table.schema_digest,
            "plan": table.plan_digest,
            "content": Raw(table.content),
        }
        origin = msgspec.structs.replace(event.origin, transaction=None, position=(), commit=None)
        self._versions.append((*triple, self._draft(origin, members, {"table_name": escape(table.table)})))
        return True

    def _judge(self, origin: Origin) -> str | None:
        """What ``replay_of`` says of an event that the log has already; any other becomes the high-water."""
        if origin.commit is None:
            return None
        here = (origin.commit, origin.transaction.order if origin.transaction else 0)
        if self._high is not None and here <= self._high:
            return f"{here[0]}/{here[1]}"
        self._high = here
        return None

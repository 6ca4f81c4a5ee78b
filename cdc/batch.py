"""What one commit takes to the warehouse, and where batches may be cut.

A batch is consecutive records of one stream, cut at transaction ends; only a transaction larger than a batch is split.
Where it is cut never shows in the bytes of an entry: an entry is made only when the next event of its transaction is
known, because END is folded into the last one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import msgspec

from cdc.absence import Absent
from cdc.event import Begin, ChangeEvent, End, Event, Skipped
from cdc.ledger.merkle import Edge
from cdc.protect import ProtectedEvent, ProtectedTable
from cdc.waiting import Wait


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a stream stands: everything that the next entry depends on besides its record. One row of
    ``pipeline.stream``. ``open_unread``: quarantined records of the open transaction, which may or may not count.
    ``beat``: the newest heartbeat (:func:`cdc.source_epoch.beat`).
    """

    next_offset: int
    edge: Edge
    ordered_at: int = 0
    source_epoch: str | None = None
    beat: str | None = None
    high: tuple[int, int] | None = None
    open_transaction: str | None = None
    open_count: int = 0
    open_unread: int = 0
    records: int = 0
    skipped: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    extra_entries: int = 0
    complete_seq: int | None = None
    complete_at: int | None = None

    def unseen(self, changes: Iterable[ProtectedEvent]) -> Iterator[ProtectedEvent]:
        """Those of the next changes whose source position the log does not have, nor an earlier one of them: the others
        are replays, which change no state.
        """
        high = self.high
        for change in changes:
            origin = change.origin
            if origin.commit is not None:
                here = (origin.commit, origin.transaction.order if origin.transaction else 0)
                if high is not None and here <= high:
                    continue
                high = here
            yield change


class EntryRow(msgspec.Struct, frozen=True, gc=False):
    """One row of ``audit.entry``: a line of COPY's text format with ``cdc.warehouse.commit.ENTRY_COLUMNS``."""

    line: bytes
    leaf: bytes

    def __repr__(self) -> str:
        return f"EntryRow(leaf={self.leaf.hex()})"


class StateChange(msgspec.Struct, gc=False):
    """The last image of one row key in a batch (``copies`` is the change of the count, for rows without a key).

    ``line``: a line of COPY's text format with the columns of the state table. ``unsent``: those of them that the
    source did not send, so that state keeps what it has.
    """

    seq: int
    version: int | None
    committed_at: int | None
    line: str
    deleted: bool = False
    copies: int = 0
    unsent: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"StateChange(seq={self.seq}, version={self.version})"


@dataclass(frozen=True, slots=True)
class Batch:
    """One commit. ``start`` is what the warehouse must still hold (the fence), ``end`` what it holds afterwards.

    ``waits``: records in quarantine that a row waits for. ``resolved``: table, where it is known, and entry of the
    quarantined record of which this says what became.
    """

    start: Standing
    end: Standing
    rows: Sequence[EntryRow] = field(repr=False)
    bodies: Sequence[tuple[int, str]] = field(repr=False)
    versions: Sequence[tuple[str, str, str, int]]
    changes: Mapping[ProtectedTable, Mapping[str, StateChange]] = field(repr=False)
    truncated: Mapping[str, int]
    suspended: Mapping[str, tuple[str, str, int]]
    heads: Mapping[tuple[str, str], tuple[int, int]] = field(repr=False)
    columns: Mapping[str, str] = field(default_factory=dict)
    absent: Sequence[Absent] = ()
    waits: Sequence[Wait] = ()
    resolved: tuple[str | None, int] | None = None

    @property
    def records(self) -> int:
        """Kafka records that this batch accounts for."""
        return self.end.records - self.start.records


def cut(events: Sequence[Event], *, inside: bool, limit: int) -> int:
    """How many of ``events`` the next batch takes; 0 means: wait for more.

    ``inside`` says whether the first of them is inside an open transaction. Everything through the last transaction end
    is taken; in a transaction of more than ``limit`` events, everything before the last entry so far, which may yet be
    the one that END is folded into. A snapshot can stand inside a transaction: its entries count as well.
    """
    boundary = 0
    last_entry = 0
    for index, event in enumerate(events):
        kind = type(event)
        if kind is ChangeEvent:
            if inside:
                last_entry = index
        elif kind is Begin:
            inside = True
        elif kind is End:
            inside = False
        elif inside and kind is not Skipped:
            last_entry = index
        if not inside:
            boundary = index + 1
    if boundary == 0 and len(events) >= limit:
        return last_entry
    return boundary

"""The stream's owner carries out what people asked to be done with quarantined records, between transactions.

Each is a commit of its own, fenced as any other. Nothing here is done while nobody asks, but one look a second.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import psycopg2

from cdc.debezium import Decoder
from cdc.errors import RecordError
from cdc.event import ChangeEvent, Event, LogicalMessage
from cdc.heads import Heads
from cdc.protect import Protected, ProtectedEvent, ProtectedMessage
from cdc.resolution import Place, Replay, Resolving, place_of, record
from cdc.sequencer import Sequencer
from cdc.telemetry import Progress
from cdc.warehouse import requests
from cdc.warehouse.commit import PrivacyMark
from cdc.warehouse.projection import Projections
from cdc.warehouse.requests import Outcome, Request
from cdc.writer import Writer
from governance.errors import CellError, SubjectClosed
from governance.keys import Keys
from governance.seal import associated_tail
from governance.store import StoreMark

EVERY_S = 1.0
"""Seconds between two looks at what was asked."""
Readable: TypeAlias = ProtectedEvent | ProtectedMessage


class _RefusedError(Exception):
    """Nothing is written for a request; the text says why, without a value."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What of a session a resolution needs. ``protect``: as the session protects, halts and all."""

    log: str
    topic: str
    reader: psycopg2.extensions.connection
    keys: Keys
    protect: Callable[[Sequence[Event]], tuple[Sequence[Protected], StoreMark]]
    sequencer: Sequencer
    heads: Heads
    projections: Projections
    writer: Writer
    progress: Progress


class Resolver:
    """Looks for requests, and carries them out in the order of their records."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._looked_at = time.monotonic() - EVERY_S

    def look(self, *, at_once: bool = False) -> None:
        """Carry out what was asked, if the log stands between two transactions.

        Raises:
            Fenced, TransientError, LedgerError: as any commit.
        """
        now = time.monotonic()
        parts = self._parts
        if (now - self._looked_at < EVERY_S and not at_once) or parts.sequencer.standing.open_transaction is not None:
            return
        self._looked_at = now
        asked = requests.pending(parts.reader, parts.log)
        if not asked:
            return
        parts.writer.drain()
        for request in asked:
            requests.done(parts.reader, request, self._carry_out(request))

    def _carry_out(self, request: Request) -> Outcome:
        parts = self._parts
        if request.seq not in requests.still_open(parts.reader, parts.log):
            return Outcome(None, None)  # by this request, and its owner died before it said so
        start = parts.sequencer.standing
        place = place_of(*requests.sealed_entry(parts.reader, parts.log, request.seq))
        making = Resolving(start, parts.sequencer.identity, place)
        if request.how == "replayed":
            try:
                making.replay(self._replay(place), parts.sequencer.known)
            except _RefusedError as refused:
                parts.progress.note(f"entry {request.seq:,} stays in quarantine: {refused}")
                return Outcome(str(refused), None)
        batch = replace(making.end(request.said(), secrets.token_hex(16)), columns=parts.projections.take_changes())
        mark = parts.keys.mark
        parts.writer.submit(batch, PrivacyMark(mark.identity, mark.high_water))
        parts.writer.drain()
        parts.sequencer.go_on(batch)
        parts.heads.remember(batch)
        parts.projections.load_waiting()
        parts.progress.note(f"entry {request.seq:,} is out of quarantine: {request.how}")
        return Outcome(None, batch.end.edge.size - 1)

    def _replay(self, place: Place) -> Replay:
        """The record, opened, decoded and protected as of today."""
        parts = self._parts
        event = self._protected(self._readable(place))
        replay_of = self._had_before(event, place)
        if isinstance(event, ProtectedMessage):
            return Replay(event, replay_of, None, parts.projections.suspended)
        table = event.table
        key = None if table.keyless else event.key
        if replay_of is None:
            later = requests.later_than(parts.reader, parts.log, table.table, key, place.seq)
            replay_of = None if later is None else f"entry/{later}"
        head = None
        triple = (table.table, table.schema_digest, table.plan_digest)
        waits = key is not None and key in parts.projections.waiting.get(table.table, ())
        if replay_of is None:
            if not waits or triple not in parts.sequencer.known:  # state of a row that waits is folded from its entries
                parts.projections.ready(table)
            if key is not None:
                parts.heads.load([(table.table, key)])
                head = parts.heads.get(table.table, key)
        return Replay(event, replay_of, head, parts.projections.suspended, parts.projections.waiting)

    def _had_before(self, event: Readable, place: Place) -> str | None:
        """The source position of an event that the log has: a connector that went back sent its transaction again.

        An event is the *order*-th of its transaction. Before its own record there are fewer of that transaction than
        that; before a copy's there are as many or more, because a transaction is sent again as a whole. Those that were
        quarantined are counted where they can be read by now. Snapshot rows are not judged.
        """
        parts, origin = self._parts, event.origin
        if origin.commit is None or origin.transaction is None:
            return None
        name, order = origin.transaction.id, origin.transaction.order
        table, operation = (event.table.table, event.operation) if isinstance(event, ProtectedEvent) else (None, "m")
        before = requests.of_transaction(
            parts.reader, parts.log, place.seq,
            transaction=name, table=table, operation=operation, committed_at=origin.committed_at,
        )  # fmt: skip
        orders: list[int] = []
        for seq in before.quarantined:
            try:
                held = self._decoded(place_of(*requests.sealed_entry(parts.reader, parts.log, seq)))
            except _RefusedError:
                continue
            at = held.origin.transaction
            if at is not None and at.id == name:
                orders.append(at.order)
        known = before.alike > 0 or order in orders
        return f"{origin.commit}/{order}" if known and before.events + len(orders) >= order else None

    def _readable(self, place: Place) -> ChangeEvent | LogicalMessage:
        event = self._decoded(place)
        if not isinstance(event, ChangeEvent | LogicalMessage):
            raise _RefusedError(
                f"it is a record of kind {type(event).__name__}, which orders or hides others and cannot come later"
            )
        return event

    def _decoded(self, place: Place) -> Event:
        parts = self._parts
        tail = associated_tail(parts.log, "", "quarantined", b'["%d"]' % place.offset)
        try:
            opened = parts.keys.open_cell(place.cell, tail)
        except CellError as error:
            raise _RefusedError(f"its sealed bytes cannot be opened: {error}") from None
        try:
            return Decoder().decode(record(parts.topic, place, opened))
        except RecordError as error:
            raise _RefusedError(f"it still cannot be decoded ({error.reason})") from None

    def _protected(self, event: Event) -> Readable:
        try:
            (protected,), _ = self._parts.protect([event])
        except SubjectClosed as error:
            raise _RefusedError(f"it still cannot be protected ({error.reason})") from None
        assert isinstance(protected, ProtectedEvent | ProtectedMessage)  # of these nothing else is made
        return protected

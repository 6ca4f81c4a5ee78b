"""What becomes of a quarantined record (docs/formats.md §3.9): dismissed by a person, or replayed as what it is. Pure.

The entry of kind ``resolved`` is not of a record, as a gap is not: its salt is random, its clock is the log's. What a
replay adds before it has the coordinates of the record, and the member ``resolves``.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
from msgspec import UNSET, Raw

from cdc.batch import Batch, EntryRow, Standing
from cdc.copytext import escape
from cdc.drafts import Draft, resolving_change
from cdc.entry import Resolves, Transaction, canonical
from cdc.event import Origin, Record
from cdc.identity import EntryIdentity
from cdc.images import LastImages
from cdc.protect import ProtectedEvent, ProtectedMessage
from cdc.waiting import Waiting

Triple = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a quarantined record stands: its entry, topic and table, and when Kafka got it (ms since 1970)."""

    seq: int
    topic_id: str
    offset: int
    timestamp_ms: int
    table: str | None
    cell: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Replay:
    """What the record is by now. ``replay_of``: why it is recorded and not applied (docs/formats.md §3.9): the log has
    the event, or something later of its row; None: neither.

    ``head``: version and seq of the row's newest version. ``suspended``: tables whose state does not follow.
    ``waiting``: rows whose state does not, by table.
    """

    event: ProtectedEvent | ProtectedMessage
    replay_of: str | None
    head: tuple[int, int] | None
    suspended: Mapping[str, tuple[str, str]]
    waiting: Mapping[str, AbstractSet[str]] = field(default_factory=dict)


def record(topic: str, place: Place, plaintext: bytes) -> Record:
    """The Kafka record again, from the plaintext of its sealed cell (its first byte says that it is a structure)."""
    held = msgspec.json.decode(plaintext[1:])
    key, value = (None if held[name] is None else base64.b64decode(held[name]) for name in ("key", "value"))
    headers = tuple((name, base64.b64decode(text or "")) for name, text in held["headers"])
    return Record(topic, 0, place.offset, key, value, headers, place.timestamp_ms)


def place_of(entry: bytes, body: bytes | None) -> Place:
    """Where the record of a ``quarantined`` entry stands."""
    said = msgspec.json.decode(entry)
    content = (said if body is None else msgspec.json.decode(body))["content"]
    cell = base64.b64decode(content["sealed"]["seal"])
    produced_ms = int(said["produced_at"]) // 1_000_000
    return Place(int(said["seq"]), said["topic_id"], int(said["offset"]), produced_ms, said.get("table"), cell)


class Resolving:
    """The entries of one resolution, in order, and the batch that they make."""

    def __init__(self, start: Standing, identity: EntryIdentity, place: Place) -> None:
        self._start = start
        self._identity = identity.of_topic(place.topic_id)
        self._of = place
        self._ordered_at = start.ordered_at
        self._ordinal = 0  # of the quarantined entry
        self._rows: list[EntryRow] = []
        self._bodies: list[tuple[int, str]] = []
        self._versions: list[tuple[str, str, str, int]] = []
        self._heads: dict[tuple[str, str], tuple[int, int]] = {}
        self._images = LastImages({})

    def replay(self, replay: Replay, known: frozenset[Triple]) -> None:
        """Take the record as what it is. ``known``: table versions that the log has described."""
        event, origin = replay.event, replay.event.origin
        resolves = Resolves(seq=str(self._of.seq), transaction=_transaction(origin))
        if isinstance(event, ProtectedMessage):
            members = {"kind": "message", "operation": "m", "content": Raw(event.content), "position": origin.position}
            if replay.replay_of is not None:
                members["replay_of"] = replay.replay_of
            self._draft(origin, resolves, members, {"operation": "m"})
            return
        table = event.table
        triple = (table.table, table.schema_digest, table.plan_digest)
        if triple not in known:
            members = {"kind": "schema", "table": table.table, "schema": triple[1], "plan": triple[2]}
            described = {**members, "content": Raw(table.content)}
            seq = self._draft(origin, Resolves(seq=resolves.seq), described, {"table_name": escape(table.table)})
            self._versions.append((*triple, seq))
        row: tuple[int, int | None] | None = None
        seq = self._place(origin)
        self._images = LastImages(replay.suspended, Waiting(replay.waiting))
        if replay.replay_of is None:
            if not table.keyless:
                row = (replay.head[0] + 1, replay.head[1]) if replay.head else (1, None)
                self._heads[table.table, event.key] = (row[0], seq)
            self._images.change(event, seq, row[0] if row is not None else None)
        outside = msgspec.structs.replace(event, origin=msgspec.structs.replace(origin, transaction=None))
        made, body = resolving_change(
            outside,
            self._identity,
            resolves,
            seq=seq,
            ordered_at=self._ordered_at,
            ordinal=self._ordinal,
            epoch=self._start.source_epoch,
            replay_of=replay.replay_of,
            head_of_row=row,
        )
        self._add(seq, made, body)

    def end(self, said: Mapping[str, str | None], salt: str) -> Batch:
        """The ``resolved`` entry, and the commit. ``said``: ``at``, ``by``, ``how``, ``reason``; ``salt``: random."""
        seq = self._start.edge.size + len(self._rows)
        members = {
            "content": Raw(canonical({**said, "of": str(self._of.seq)})),
            "kind": "resolved",
            "ordered_at": str(self._ordered_at),
            "origin": self._identity.identity.origin,
            "salt": salt,
            "seq": str(seq),
        }
        self._add(seq, *Draft(members, {}).finish())
        start, images = self._start, self._images
        end = replace(
            start,
            edge=start.edge.append([row.leaf for row in self._rows]),
            ordered_at=self._ordered_at,
            extra_entries=start.extra_entries + len(self._rows),
        )
        return Batch(
            start, end, self._rows, self._bodies, self._versions, images.changes, images.truncated, images.missed,
            self._heads, resolved=(self._of.table, self._of.seq),
        )  # fmt: skip

    def _draft(self, origin: Origin, resolves: Resolves, members: dict[str, Any], row: dict[str, str]) -> int:
        seq = self._place(origin)
        members |= self._identity.members(origin, self._ordinal)
        members |= {"seq": str(seq), "ordered_at": str(self._ordered_at), "resolves": resolves}
        if self._start.source_epoch is not None:
            members["epoch"] = self._start.source_epoch
        row |= {"committed_at": members["committed_at"], "kafka_offset": members["offset"]}
        self._add(seq, *Draft(members, row).finish())
        return seq

    def _place(self, origin: Origin) -> int:
        """The next seq, ordinal and instant on the ordered clock (docs/formats.md §3.4)."""
        self._ordinal += 1
        clocks = [clock for clock in (origin.committed_at, origin.captured_at) if clock is not None]
        self._ordered_at = max(self._ordered_at, min(clocks, default=0))
        return self._start.edge.size + len(self._rows)

    def _add(self, seq: int, row: EntryRow, body: str | None) -> None:
        self._rows.append(row)
        if body is not None:
            self._bodies.append((seq, body))


def _transaction(origin: Origin) -> Any:
    if origin.transaction is None:
        return UNSET
    return Transaction(id=origin.transaction.id, order=str(origin.transaction.order))

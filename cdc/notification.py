"""What Debezium says about snapshots in a stream's topic, and what it comes to (its manual, "Notifications"). Pure.

An incremental snapshot reads tables in chunks beside the stream. It names itself by the signal that asked for it, and
says STARTED, IN_PROGRESS (a chunk), TABLE_SCAN_COMPLETED, PAUSED, RESUMED, COMPLETED and ABORTED. What it tells of keys
are values of rows: they are compared here, and neither kept in a ``repr`` nor shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

import msgspec

INITIAL = "Initial Snapshot"
"""Aggregate of the first snapshot, and of blocking ones."""
INCREMENTAL = "Incremental Snapshot"
"""Aggregate of those that read beside the stream."""
_MARK = "io.debezium.connector.common.Notification"
_AS_BYTES = _MARK.encode()

State: TypeAlias = Literal["asked", "running", "paused", "complete", "stopped"]
ENDED: frozenset[State] = frozenset({"complete", "stopped"})


@dataclass(frozen=True, slots=True)
class Notification:
    """One of them. ``at``: milliseconds by the worker's clock; ``detail`` may hold keys of rows."""

    id: str
    aggregate: str
    type: str
    at: int
    detail: Mapping[str, str] = field(repr=False)


def notification(value: bytes | None) -> Notification | None:
    """The notification that a record's value is; None for any other record."""
    if value is None or _AS_BYTES not in value:
        return None
    record: Any = msgspec.json.decode(value)
    if (record.get("schema") or {}).get("name") != _MARK:
        return None
    payload = record["payload"]
    return Notification(
        str(payload["id"]),
        payload["aggregate_type"],
        payload["type"],
        payload["timestamp"],
        payload.get("additional_data") or {},
    )


@dataclass(frozen=True, slots=True)
class Scan:
    """A table that has been read: Debezium's word for how it ended, and how many rows."""

    table: str
    status: str
    rows: int

    @property
    def whole(self) -> bool:
        """Whether it was read to its end."""
        return self.status in {"SUCCEEDED", "EMPTY"}


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is known of one incremental snapshot. ``tables`` and ``current`` are named as Debezium writes them.

    ``chunks``: of the current table, read so far. ``read``: share of the current table's keys, where its key is one
    integer. Times are milliseconds by the worker's clock; ``idle``: of pauses that have ended.
    """

    id: str
    state: State = "asked"
    tables: tuple[str, ...] = ()
    scans: tuple[Scan, ...] = ()
    current: str | None = None
    chunks: int = 0
    read: float | None = None
    began: int | None = None
    latest: int | None = None
    since_pause: int = 0
    idle: int = 0
    paused_at: int | None = None
    first_key: int | None = field(default=None, repr=False)

    @property
    def seconds(self) -> float:
        """From the first to the last that it has said, without its pauses."""
        until = self.latest if self.paused_at is None else self.paused_at
        return 0.0 if self.began is None or until is None else (until - self.began - self.idle) / 1000

    @property
    def unread(self) -> tuple[str, ...]:
        """Tables that have not been read to their end, the one in hand among them."""
        done = {scan.table for scan in self.scans if scan.whole}
        return tuple(table for table in self.tables if table not in done)

    @property
    def whole(self) -> bool:
        """Whether it is complete, and every table was read to its end."""
        return self.state == "complete" and not self.unread


def fold(snapshot: Snapshot, said: Notification) -> Snapshot:
    """The snapshot after one more notification; those of others change nothing."""
    if said.aggregate != INCREMENTAL or said.id != snapshot.id:
        return snapshot
    now = replace(snapshot, began=said.at if snapshot.began is None else snapshot.began, latest=said.at)
    folding = _FOLDED.get(said.type)
    return now if folding is None else folding(now, said.detail)


def _started(snapshot: Snapshot, detail: Mapping[str, str]) -> Snapshot:
    names = tuple(name for name in detail.get("data_collections", "").split(",") if name)
    return replace(snapshot, state="running", tables=names)


def _scanned(snapshot: Snapshot, detail: Mapping[str, str]) -> Snapshot:
    scan = Scan(
        detail.get("scanned_collection", ""), detail.get("status", ""), int(detail.get("total_rows_scanned") or 0)
    )
    return replace(snapshot, scans=(*snapshot.scans, scan), current=None, chunks=0, read=None, first_key=None)


def _in_progress(snapshot: Snapshot, detail: Mapping[str, str]) -> Snapshot:
    """A chunk was read. One may still come after PAUSED, the one in hand; a second means that it goes on again: a task
    that is restarted has forgotten that it was paused.
    """
    table = detail.get("current_collection_in_progress")
    last, most = _integer(detail.get("last_processed_key")), _integer(detail.get("maximum_key"))
    begins = table != snapshot.current
    first = last if begins else snapshot.first_key
    read = None
    if last is not None and most is not None and first is not None:
        read = 1.0 if most <= first else min(1.0, max(0.0, (last - first) / (most - first)))
    since = snapshot.since_pause + 1
    if snapshot.state == "asked" or (snapshot.state == "paused" and since > 1):
        snapshot = _going(snapshot, detail)
    return replace(
        snapshot,
        current=table,
        chunks=1 if begins else snapshot.chunks + 1,
        read=read,
        first_key=first,
        since_pause=since,
    )


def _going(snapshot: Snapshot, _detail: Mapping[str, str]) -> Snapshot:
    """It reads on: what a pause took is no part of its time."""
    paused = 0 if snapshot.paused_at is None or snapshot.latest is None else snapshot.latest - snapshot.paused_at
    return replace(snapshot, state="running", idle=snapshot.idle + paused, paused_at=None)


def _ended(snapshot: Snapshot, detail: Mapping[str, str]) -> Snapshot:
    """Nothing is left to read: COMPLETED comes after a stop as well, of which the tables tell that were not read."""
    scanned = {scan.table for scan in snapshot.scans}
    state: State = "complete" if scanned >= set(snapshot.tables) else "stopped"
    return replace(_going(snapshot, detail), state=state, current=None)


def _aborted(snapshot: Snapshot, detail: Mapping[str, str]) -> Snapshot:
    return replace(_going(snapshot, detail), state="stopped", current=None)


def _integer(text: str | None) -> int | None:
    return int(text) if text is not None and text.removeprefix("-").isdecimal() else None


_FOLDED: Mapping[str, Callable[[Snapshot, Mapping[str, str]], Snapshot]] = {
    "STARTED": _started,
    "IN_PROGRESS": _in_progress,
    "TABLE_SCAN_COMPLETED": _scanned,
    "PAUSED": lambda snapshot, _detail: replace(snapshot, state="paused", since_pause=0, paused_at=snapshot.latest),
    "RESUMED": _going,
    "COMPLETED": _ended,
    "ABORTED": _aborted,
}
"""By Debezium's word. Others say nothing that is kept."""

"""What one round saw of each part, as plain data. A part that did not answer is absent here and named instead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cdc.warehouse.status import StreamStatus


@dataclass(frozen=True, slots=True)
class ConnectorSeen:
    """A configured connector. ``state`` is Connect's, or ``ABSENT``. Traces can hold values: not in the ``repr``."""

    name: str
    state: str
    tasks: tuple[str, ...] = ()
    traces: tuple[str, ...] = field(default=(), repr=False)

    @property
    def failed(self) -> bool:
        """Whether it or a task of it is FAILED."""
        return self.state == "FAILED" or "FAILED" in self.tasks

    @property
    def running(self) -> bool:
        """Whether it and all its tasks run; without a task it captures nothing."""
        return self.state == "RUNNING" and bool(self.tasks) and all(task == "RUNNING" for task in self.tasks)


@dataclass(frozen=True, slots=True)
class SlotSeen:
    """A replication slot (``pg_replication_slots``). ``safe_bytes``: WAL that may be written before it is in danger;
    ``limit_bytes``: ``max_slot_wal_keep_size``; both None where the server sets no limit. ``inactive_s`` since
    PostgreSQL 17.
    """

    source: str
    slot: str
    present: bool
    active: bool = False
    wal_status: str | None = None
    retained_bytes: int | None = None
    unconfirmed_bytes: int | None = None
    safe_bytes: int | None = None
    limit_bytes: int | None = None
    inactive_s: float | None = None
    invalidation: str | None = None

    @property
    def lost(self) -> bool:
        """Whether the server no longer has the WAL that its reader needs."""
        return self.wal_status == "lost" or bool(self.invalidation)


@dataclass(frozen=True, slots=True)
class SourceSeen:
    """A source database that answers; ``slot`` None: its kind has none (MariaDB)."""

    source: str
    slot: SlotSeen | None = None


@dataclass(frozen=True, slots=True)
class TopicSeen:
    """A topic's partition 0. ``unread`` False: the worker has read all there is (what follows is transaction markers).
    ``next_made_at``: Kafka's time stamp of its next record (seconds since 1970). ``retention_s`` None: for ever.
    ``held_s``: for how long an open Kafka transaction has held it back.
    """

    topic: str
    low: int
    high: int
    retention_s: float | None = None
    retention_bytes: int | None = None
    unread: bool | None = None
    next_made_at: float | None = None
    held_s: float | None = None


@dataclass(frozen=True, slots=True)
class Requests:
    """What people asked of a stream's owner and nobody has carried out."""

    waiting: int
    oldest_s: float


@dataclass(frozen=True, slots=True)
class WarehouseSeen:
    """Streams as ``cdc status`` has them; ``cut_through``: log → entries for which partitions exist; ``sizes``: log →
    entries.
    """

    streams: Mapping[str, StreamStatus]
    requests: Mapping[str, Requests]
    sizes: Mapping[str, int]
    cut_through: Mapping[str, int]

    def ahead(self, log: str) -> int:
        """Entries for which partitions exist, beyond those there are."""
        return self.cut_through.get(log, 0) - self.sizes.get(log, 0)


@dataclass(frozen=True, slots=True)
class Seen:
    """One round. ``at``: seconds since 1970. ``away``: part → why it did not answer, without a secret."""

    at: float
    parts: tuple[str, ...] = ()
    away: Mapping[str, str] = field(default_factory=dict)
    connectors: Mapping[str, ConnectorSeen] = field(default_factory=dict)
    sources: Mapping[str, SourceSeen] = field(default_factory=dict)
    topics: Mapping[str, TopicSeen] = field(default_factory=dict)
    warehouse: WarehouseSeen | None = None

"""The forecasts: what is fed to each window in a round, and what each then says. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from cdc.supervise.forecast import Window
from cdc.supervise.seen import Seen, SlotSeen, TopicSeen
from cdc.supervise.settings import Settings


def budget_bytes(slot: SlotSeen, settings: Settings) -> int:
    """WAL that the slot may retain: what the server keeps for it, else what the settings say."""
    return settings.slot_budget_bytes if slot.limit_bytes is None else slot.limit_bytes


def retention_s(topic: TopicSeen, now: float) -> float | None:
    """Seconds until Kafka may delete the worker's next record, by its time stamp (a segment goes as a whole, so later).
    None: nothing is unread, or it is kept for ever.
    """
    if topic.retention_s is None or topic.next_made_at is None:
        return None
    return max(0.0, topic.next_made_at + topic.retention_s - now)


@dataclass(slots=True)
class Outlook:
    """Seconds until something runs out, where a line through the window says that it does.

    ``slot_s``: source → until its slot retains more WAL than it may. ``passing_s``: topic → until its oldest offset is
    the worker's next one. ``partitions_s``: log → until it has no partition.
    """

    slot_s: dict[str, float] = field(default_factory=dict)
    passing_s: dict[str, float] = field(default_factory=dict)
    partitions_s: dict[str, float] = field(default_factory=dict)
    _windows: dict[tuple[str, str], Window] = field(default_factory=dict)

    def update(self, seen: Seen, settings: Settings) -> None:
        """Take one round in. What was not seen is not forecast."""
        self.slot_s, self.passing_s, self.partitions_s = {}, {}, {}

        def put(into: dict[str, float], kind: str, name: str, value: float, limit: float) -> None:
            window = self._windows.setdefault((kind, name), Window(settings.window_s))
            window.add(seen.at, value)
            seconds = window.seconds_until(limit)
            if seconds is not None:
                into[name] = seconds

        for name, source in seen.sources.items():
            slot = source.slot
            if slot is not None and slot.retained_bytes is not None:
                put(self.slot_s, "slot", name, slot.retained_bytes, budget_bytes(slot, settings))
        if seen.warehouse is None:
            return
        for log, stream in seen.warehouse.streams.items():
            topic = seen.topics.get(stream.topic)
            if topic is not None and topic.unread is not False:
                put(self.passing_s, "topic", topic.topic, topic.low - stream.position, 0)
            put(self.partitions_s, "log", log, -seen.warehouse.ahead(log), 0)

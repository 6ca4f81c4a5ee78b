"""What an entry continues from the entry before: origin, stream, source epoch, Kafka offsets, the ordered clock."""

from __future__ import annotations

from typing import Any

from .shape import is_topic_id


class Order:
    """Judges the entries of one log in order (docs/formats.md §3, §3.4)."""

    def __init__(self, origin: str) -> None:
        self.ordered_at = 0
        self.offset = -1
        self.topic_id: str | None = None
        self.epoch: str | None = None
        self._origin = origin
        self._operations = origin.startswith("operations/")
        self._partition = ""
        self._ordinal = 0

    def faults(self, seq: int, entry: dict[str, Any]) -> list[str]:
        """What does not follow, in sentences without values."""
        found = []
        if entry["seq"] != str(seq):
            found.append("it says that it has another seq")
        if entry["origin"] != self._origin:
            found.append("it says that it is of another origin than its log")
        if (entry["kind"] == "operation") != self._operations:
            found.append("its kind does not belong in this log")
        if "offset" in entry:
            found += self._epoch(entry) if "resolves" in entry else self._identity(entry)
        return found

    def gap(self, effect: dict[str, Any]) -> None:
        """A person let the log go on elsewhere: at another offset, in another topic, of another source epoch."""
        if effect["topic_id"] != self.topic_id:
            self.topic_id = effect["topic_id"]
        self.offset, self._ordinal = int(effect["position"]) - 1, 0
        self.epoch = effect["epoch"]

    def clock_fault(self, entry: dict[str, Any]) -> str | None:
        """``ordered_at`` = max(the one before, min(``committed_at``, ``captured_at``)); of one clock, that one."""
        committed, captured = entry.get("committed_at"), entry.get("captured_at")
        if committed is not None and captured is not None:
            clock = min(int(committed), int(captured))
        elif committed is not None or captured is not None:
            clock = int(committed or captured or 0)
        else:
            clock = int(
                entry["ordered_at"]
            )  # an operation or a gap: PostgreSQL's own clock, which is in no other member
        before, self.ordered_at = self.ordered_at, max(self.ordered_at, clock)
        if entry["ordered_at"] == str(self.ordered_at):
            return None
        goes_back = int(entry["ordered_at"]) < before
        return "ordered_at goes back" if goes_back else "ordered_at does not follow from its clocks"

    def _identity(self, entry: dict[str, Any]) -> list[str]:
        found = []
        if self.topic_id is None:
            self.topic_id, self._partition = entry["topic_id"], entry["partition"]
            if not is_topic_id(self.topic_id):
                found.append("its topic id is not one of Kafka's")
        elif entry["topic_id"] != self.topic_id or entry["partition"] != self._partition:
            found.append("it is of another topic or partition than the entries before")
        found += self._epoch(entry)
        offset, ordinal = int(entry["offset"]), int(entry["ordinal"])
        if not (offset > self.offset and ordinal == 0) and (offset, ordinal) != (self.offset, self._ordinal + 1):
            found.append("its Kafka offset and ordinal do not come after those of the entry before")
        self.offset, self._ordinal = offset, ordinal
        return found

    def _epoch(self, entry: dict[str, Any]) -> list[str]:
        epoch, before = entry.get("epoch"), self.epoch
        self.epoch = epoch
        return ["it is of another source epoch than the entries before"] if before not in {None, epoch} else []

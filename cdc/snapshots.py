"""Incremental snapshots as the stream's topic tells of them: read from where one was asked for, or followed live."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from cdc.errors import Conflict
from cdc.notification import Snapshot, fold, notification
from cdc.signals import Begun
from cdc.stream import Stream
from cdc.topic import Topic

Tell = Callable[[Snapshot, int, int], None]
"""Takes the snapshot, how many offsets have been read since it was asked for, and how many there are."""


def _silent(_snapshot: Snapshot, _done: int, _of: int) -> None:
    """Say nothing."""


@dataclass(slots=True)
class Following:
    """Reads a topic onwards. ``snapshot`` is what has been read of it so far."""

    stream: Stream
    snapshot: Snapshot
    begun: int
    position: int = field(default=0)

    def to_end(self, tell: Tell = _silent, patience_s: float | None = None) -> Snapshot:
        """Read what the topic holds now; stops early when that takes longer than ``patience_s``."""
        ends = None if patience_s is None else time.monotonic() + patience_s
        _low, high = self.stream.bounds()
        while not self.stream.caught_up() and (ends is None or time.monotonic() < ends):
            self._read()
            tell(self.snapshot, self.position - self.begun, max(high, self.position) - self.begun)
        return self.snapshot

    def heard(self) -> bool:
        """Whether the connector has said anything of it by now: it has read the signal then."""
        while self.snapshot.state == "asked" and not self.stream.caught_up():
            self._read()
        return self.snapshot.state != "asked"

    def until(self, reached: Callable[[Snapshot], bool], patience_s: float | None, tell: Tell = _silent) -> bool:
        """Read on until something holds. False when it does not within ``patience_s`` seconds; None waits for ever."""
        ends = None if patience_s is None else time.monotonic() + patience_s
        while not reached(self.snapshot):
            if ends is not None and time.monotonic() > ends:
                return False
            self._read()
            tell(self.snapshot, self.position - self.begun, self.position - self.begun)
        return True

    def _read(self) -> None:
        for record in self.stream.read():
            self.position = record.offset + 1
            said = notification(record.value)
            if said is not None:
                self.snapshot = fold(self.snapshot, said)


@contextmanager
def following(kafka: Mapping[str, str], topic: Topic, log: str, begun: Begun) -> Iterator[Following]:
    """Follow one snapshot from where it was asked for.

    Raises:
        Conflict: the topic ends before that: it is another topic than the one that the snapshot was asked for in.
        TransientError, Unreachable: Kafka does not answer.
    """
    stream = Stream(kafka, topic, f"{log}-snapshot")
    try:
        low, high = stream.bounds()
        if begun.offset > high:
            raise Conflict(
                f"topic {topic.name} ends at offset {high:,}; snapshot {begun.id} was asked for at {begun.offset:,}:"
                " the topic was made anew since",
                hint="cdc status",
            )
        at = max(low, begun.offset)
        stream.rewind(at)
        yield Following(stream, Snapshot(begun.id), at, at)
    finally:
        stream.close()


def end_of(kafka: Mapping[str, str], topic: Topic, log: str) -> int:
    """The offset of the topic's next record.

    Raises:
        TransientError: Kafka does not answer.
    """
    stream = Stream(kafka, topic, f"{log}-snapshot")
    try:
        return stream.bounds()[1]
    finally:
        stream.close()

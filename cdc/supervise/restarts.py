"""When a failed connector is restarted, and when no more: the back-off of Strimzi's auto-restart. Pure.

Strimzi documentation, "Automatically restart connectors": n² + n minutes after the n-th restart (0, 2, 6, 12, 20, 30,
42, 56), an hour at most.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

LONGEST_S = 3600.0
FLAPS = 4
"""Restarts within :data:`FLAPS_WITHIN_S` after which a connector is said to flap, whether or not it ran between."""
FLAPS_WITHIN_S = 6 * 3600.0

Step: TypeAlias = Literal["restart", "wait", "give-up"]


def delay_s(attempts: int) -> float:
    """Seconds after the last restart before the next one, when there were ``attempts`` in a row."""
    return min(60.0 * (attempts * attempts + attempts), LONGEST_S)


@dataclass(frozen=True, slots=True)
class Restarts:
    """What was tried with one connector. Instants are seconds since 1970.

    ``attempts``: in a row, without a stable time since. ``times``: of all within :data:`FLAPS_WITHIN_S`.
    ``running_since``: since when it has been seen running without a break.
    """

    attempts: int = 0
    last_at: float | None = None
    times: tuple[float, ...] = field(default=())
    running_since: float | None = None

    def seen_running(self, now: float, stable_s: float) -> Restarts:
        """It runs. After ``stable_s`` of that the next failure begins anew."""
        since = self.running_since if self.running_since is not None else now
        attempts = 0 if now - since >= stable_s else self.attempts
        return replace(self, running_since=since, attempts=attempts)

    def seen_down(self) -> Restarts:
        """It does not run."""
        return replace(self, running_since=None)

    def restarted(self, now: float) -> Restarts:
        """It was restarted now."""
        recent = tuple(at for at in self.times if now - at < FLAPS_WITHIN_S)
        return Restarts(self.attempts + 1, now, (*recent, now), None)

    def step(self, now: float, most: int) -> Step:
        """What to do with a connector that is FAILED now; ``most``: restarts in a row."""
        if self.attempts >= most:
            return "give-up"
        return "restart" if now >= self.next_at else "wait"

    @property
    def next_at(self) -> float:
        """From when on the next restart is due."""
        return 0.0 if self.last_at is None else self.last_at + delay_s(self.attempts)

    def flaps(self, now: float) -> bool:
        """Whether it fails again and again."""
        return sum(1 for at in self.times if now - at < FLAPS_WITHIN_S) >= FLAPS


def remembered(at: Sequence[float], attempts: int) -> Restarts:
    """From what the log ``operations`` has: instants of the restarts in order, and the number of the last one."""
    if not at:
        return Restarts()
    recent = tuple(time for time in at if at[-1] - time < FLAPS_WITHIN_S)
    return Restarts(attempts, at[-1], recent)

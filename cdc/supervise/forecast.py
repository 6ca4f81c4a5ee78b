"""When something runs out if it goes on like this: a straight line fitted through a window (least squares). Pure.

A line knows nothing of day and night or of a job at five o'clock: it says how long *this* lasts, no more.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

FEWEST = 5
"""Points under which nothing is said."""
SHORTEST_S = 60.0
"""Seconds of a window under which nothing is said."""


@dataclass(frozen=True, slots=True)
class Line:
    """The fit. ``slope`` is per second, ``level`` what the line says at the last point."""

    slope: float
    level: float


@dataclass(slots=True)
class Window:
    """The points of the last ``span_s`` seconds, in order of time."""

    span_s: float
    _points: deque[tuple[float, float]] = field(default_factory=deque)

    def add(self, at: float, value: float) -> None:
        """A new point; what is older than the window goes. A point that is not later than the last is left out."""
        if self._points and at <= self._points[-1][0]:
            return
        self._points.append((at, value))
        while at - self._points[0][0] > self.span_s:
            self._points.popleft()

    def line(self) -> Line | None:
        """The fit, or None while there is too little to say."""
        if len(self._points) < FEWEST or self._points[-1][0] - self._points[0][0] < SHORTEST_S:
            return None
        last = self._points[-1][0]
        count = len(self._points)
        mean_t = sum(t - last for t, _ in self._points) / count
        mean_v = sum(v for _, v in self._points) / count
        spread = sum((t - last - mean_t) ** 2 for t, _ in self._points)
        slope = sum((t - last - mean_t) * (v - mean_v) for t, v in self._points) / spread
        return Line(slope, mean_v - slope * mean_t)

    def seconds_until(self, limit: float) -> float | None:
        """Seconds until a rising line reaches ``limit``, 0 when it has; None: it does not rise, or little is known."""
        line = self.line()
        if line is None or line.slope <= 0:
            return None
        return max(0.0, (limit - line.level) / line.slope)

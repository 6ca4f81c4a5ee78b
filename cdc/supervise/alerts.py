"""What is told, and how often: an alert fires once, is repeated every so many hours, and resolves. Pure.

A condition whose part did not answer is not known to be over: its alert stays as it is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from cdc.supervise.catalogue import ALERTS, Severity

Status: TypeAlias = Literal["firing", "resolved"]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong, of a kind in the catalogue. ``about``: the connector, source, topic or part; ``part``: which
    part must answer for this to be over. ``summary`` and ``hint`` hold no value of a row and no secret.
    """

    alert: str
    about: str
    part: str
    summary: str
    hint: str

    @property
    def key(self) -> str:
        """What makes two findings the same alert."""
        return f"{self.alert}/{self.about}"


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to tell. ``repeat``: how often it was told before. Instants are seconds since 1970."""

    finding: Finding
    status: Status
    since: float
    at: float
    repeat: int = 0

    @property
    def severity(self) -> Severity:
        """As the catalogue says."""
        return ALERTS[self.finding.alert].severity

    def document(self, supervisor: str) -> dict[str, object]:
        """What a webhook and a hook get."""
        found = self.finding
        return {
            "schema_version": 1, "key": found.key, "alert": found.alert, "about": found.about, "status": self.status,
            "severity": self.severity, "summary": found.summary, "hint": found.hint, "since": round(self.since, 3),
            "at": round(self.at, 3), "repeat": self.repeat, "runbook": f"docs/operations.md#{found.alert}",
            "supervisor": supervisor,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Open:
    """An alert that was told and has not resolved."""

    finding: Finding
    since: float
    told_at: float
    repeat: int = 0


@dataclass(slots=True)
class Book:
    """Which conditions hold, and which of them were told."""

    repeat_s: float
    open: dict[str, Open] = field(default_factory=dict)
    _began: dict[str, float] = field(default_factory=dict)

    def judge(
        self, findings: Iterable[Finding], now: float, *, away: Collection[str] = (), at_once: bool = False
    ) -> list[Notice]:
        """What to tell of this round. ``away``: parts that did not answer; ``at_once``: do not wait for it to last."""
        found = {finding.key: finding for finding in findings}
        notices = []
        for key, finding in found.items():
            began = self._began.setdefault(key, now)
            lasts = at_once or now - began >= ALERTS[finding.alert].after_s
            if key in self.open:
                notices += self._again(self.open[key], finding, now)
            elif lasts:
                self.open[key] = Open(finding, began, now)
                notices.append(Notice(finding, "firing", began, now))
        for key in [key for key in self.open if key not in found and self.open[key].finding.part not in away]:
            over = self.open.pop(key)
            notices.append(Notice(over.finding, "resolved", over.since, now, over.repeat))
        self._began = {key: at for key, at in self._began.items() if key in found or key in self.open}
        return notices

    def _again(self, known: Open, finding: Finding, now: float) -> list[Notice]:
        if now - known.told_at < self.repeat_s:
            self.open[finding.key] = replace(known, finding=finding)
            return []
        self.open[finding.key] = Open(finding, known.since, now, known.repeat + 1)
        return [Notice(finding, "firing", known.since, now, known.repeat + 1)]

    def remember(self, known: Mapping[str, Open]) -> None:
        """Begin from what the log ``operations`` has: what was told is not told anew."""
        self.open = dict(known)
        self._began = {key: one.since for key, one in known.items()}

"""What was found where: findings with their source, and which parts could be looked at."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from connectors.finding import Finding
from connectors.listed import AREAS


@dataclass(frozen=True, slots=True)
class Found:
    """A finding, and the source it is about; None where it is about no one of them."""

    source: str | None
    finding: Finding

    def document(self) -> dict[str, str | None]:
        """As JSON shows it: stable members."""
        finding = self.finding
        return {
            "id": finding.code,
            "severity": finding.severity,
            "area": finding.check.area,
            "source": self.source,
            "place": finding.place or None,
            "problem": finding.problem,
            "reason": finding.reason,
            "fix_sql": finding.fix or None,
            "fix": finding.remedy,
        }


@dataclass(slots=True)
class Report:
    """Grows while parts are looked at. ``reached`` and ``asked`` count parts."""

    found: list[Found] = field(default_factory=list)
    asked: int = 0
    reached: int = 0

    def add(self, source: str | None, findings: Iterable[Finding]) -> None:
        """Findings of a source, or of none; those that came before an error among them."""
        for finding in findings:
            self.found.append(Found(source, finding))

    def ordered(self) -> list[Found]:
        """By area, then errors first, then by source, in the order in which they were found."""
        ranks = {"error": 0, "warning": 1, "info": 2}
        return sorted(
            self.found,
            key=lambda each: (
                AREAS.index(each.finding.check.area), ranks[each.finding.severity],
                each.finding.code,
                each.source or "",
            ),
        )  # fmt: skip

    def exit_code(self, *, strict: bool = False) -> int:
        """0; 6 for an error (with ``strict`` for a warning); 5 when no part could be looked at."""
        if self.asked and not self.reached:
            return 5
        bad = {"error", "warning"} if strict else {"error"}
        return 6 if any(each.finding.severity in bad for each in self.found) else 0

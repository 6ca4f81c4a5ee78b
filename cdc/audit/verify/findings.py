"""What verification says: findings, verdicts, and what was and was not checked."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Verdict: TypeAlias = Literal["PASS", "FAIL", "INCOMPLETE"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong. ``cause`` is a sentence that names columns and members, never a value.

    ``seq`` is None where no single entry can be named. ``row_key`` holds protected values, and clear ones where the
    policy says so: shown to whoever asked, never in an exception or a ``repr``.
    """

    log: str
    seq: int | None
    check: str
    cause: str
    table: str | None = None
    row_key: str | None = field(default=None, repr=False)
    offset: str | None = None

    @property
    def place(self) -> tuple[float, int]:
        """Sorts by seq; what has none comes last."""
        return (self.seq, 0) if self.seq is not None else (float("inf"), 1)


class Findings:
    """The first findings, by seq, up to ``limit``; and how many there are in all."""

    def __init__(self, log: str, limit: int = 20) -> None:
        self.log = log
        self.count = 0
        self._limit = max(1, limit)
        self._first: list[Finding] = []

    def say(
        self,
        seq: int | None,
        check: str,
        cause: str,
        *,
        table: str | None = None,
        row_key: str | None = None,
        offset: str | None = None,
    ) -> None:
        """Note a finding."""
        self.count += 1
        finding = Finding(self.log, seq, check, cause, table, row_key, offset)
        bisect.insort(self._first, finding, key=lambda one: one.place)
        del self._first[self._limit :]

    def first(self) -> tuple[Finding, ...]:
        """Those that are kept, in the order of their seq."""
        return tuple(self._first)


@dataclass(frozen=True, slots=True)
class LogReport:
    """What verification says of one log.

    ``checked`` counts what was compared. ``incomplete`` names what of the log could not be checked, and so forbids
    PASS; ``unchecked`` what no verification of this kind shows, or was not asked for.
    """

    log: str
    origin: str | None
    entries: int
    findings: tuple[Finding, ...]
    found: int
    checked: tuple[tuple[str, int], ...]
    incomplete: tuple[str, ...]
    unchecked: tuple[str, ...]

    @property
    def verdict(self) -> Verdict:
        """FAIL with any finding; INCOMPLETE when something could not be checked, or there was nothing to check."""
        if self.found:
            return "FAIL"
        return "INCOMPLETE" if self.incomplete or not self.entries else "PASS"


def overall(reports: Sequence[LogReport]) -> Verdict:
    """The verdict on several logs: the worst; on none, INCOMPLETE."""
    verdicts = {report.verdict for report in reports}
    if "FAIL" in verdicts:
        return "FAIL"
    return "PASS" if verdicts == {"PASS"} else "INCOMPLETE"

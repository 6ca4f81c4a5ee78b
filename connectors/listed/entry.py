"""What a check is, apart from any one finding of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Severity: TypeAlias = Literal["error", "warning", "info"]
"""``error``: evidence is lost or wrong, or will be. ``warning``: a margin is thin, or a limit to live with. ``info``:
what a person should know."""

Area: TypeAlias = Literal["source", "configuration", "kafka", "connect", "warehouse", "privacy"]
"""The part that a check looks at, in the order in which answers group them."""

AREAS: tuple[Area, ...] = ("source", "configuration", "kafka", "connect", "warehouse", "privacy")


@dataclass(frozen=True, slots=True)
class Check:
    """A check by its stable ``code``: why what it finds matters, and what mends it in general."""

    code: str
    area: Area
    severity: Severity
    reason: str
    remedy: str


def listed(area: Area, *rows: tuple[str, Severity, str, str]) -> dict[str, Check]:
    """Rows of (code, severity, reason, remedy) by code."""
    return {row[0]: Check(row[0], area, *row[1:]) for row in rows}

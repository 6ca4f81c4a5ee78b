"""The alerts by name: how grave, and how long a condition lasts before it is told (``docs/operations.md``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Severity: TypeAlias = Literal["page", "warning"]


@dataclass(frozen=True, slots=True)
class Kind:
    """``page``: somebody must act now, or evidence is in danger. ``after_s``: seconds it must last."""

    severity: Severity
    after_s: float = 0.0


ALERTS: dict[str, Kind] = {
    "part-unreachable": Kind("page", 60),
    "connector-data-loss": Kind("page"),
    "connector-given-up": Kind("page"),
    "connector-flapping": Kind("page"),
    "connector-failed": Kind("warning", 300),
    "connector-not-running": Kind("page", 300),
    "slot-missing": Kind("page", 60),
    "slot-lost": Kind("page"),
    "slot-in-danger": Kind("page"),
    "slot-growing": Kind("page"),
    "slot-inactive": Kind("warning", 600),
    "retention-passed": Kind("page"),
    "retention-near": Kind("page"),
    "topic-held-back": Kind("warning", 60),
    "stream-halted": Kind("page"),
    "stream-without-owner": Kind("page", 120),
    "stream-behind": Kind("warning", 120),
    "table-suspended": Kind("warning", 60),
    "quarantine-open": Kind("warning"),
    "request-waiting": Kind("warning", 600),
    "partitions-running-out": Kind("page"),
    "check-not-passed": Kind("page"),
    "check-overdue": Kind("warning"),
}
"""Name → its kind."""

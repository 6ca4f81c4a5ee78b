"""Checks that run by themselves: what each is, when it is due, and how its end is read. Pure.

To add one: a line in :data:`CHECKS`, and a setting ``<name>_every`` in :mod:`cdc.supervise.settings`. A check is a
command of ours that ends with 0 when all is well and with 6 when something was found; if it answers with a JSON
document that has a ``verdict``, that is taken.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

RETRY_S = 900.0
"""Seconds after which a check that could not run is tried again, when its interval is longer."""

CHECKS: dict[str, tuple[str, ...]] = {
    "verify": ("audit", "verify", "--output", "json"),
    "drift": ("connectors", "drift", "--output", "json"),
    "policy": ("policy", "check"),
    "check": ("check", "--output", "json"),
}
"""Name → the command's words after ``cdc``."""


@dataclass(frozen=True, slots=True)
class Ran:
    """The last run of a check. ``began``: seconds since 1970. ``verdict``: PASS, FAIL, INCOMPLETE, or ERROR when the
    command itself failed. ``detail``: counts, no values.
    """

    check: str
    began: float
    seconds: float
    verdict: str
    detail: Mapping[str, str] = field(default_factory=dict)

    @property
    def command(self) -> str:
        """What a person would type."""
        return command_line(self.check)


def command_line(check: str) -> str:
    """What a person would type."""
    return " ".join(["cdc", *(word for word in CHECKS[check] if word not in {"--output", "json"})])


def due(every_s: float, last: Ran | None, now: float) -> bool:
    """Whether it must run now."""
    if last is None:
        return True
    return now - last.began >= (min(every_s, RETRY_S) if last.verdict == "ERROR" else every_s)


def late(last: Ran, every_s: float, now: float) -> bool:
    """Whether it has not run for two intervals."""
    return now - last.began > 2 * every_s


def judged(check: str, began: float, seconds: float, exit_code: int, answer: str) -> Ran:
    """How a run ended, by its exit code and its answer."""
    document = _document(answer)
    verdict = document.get("verdict")
    if exit_code == 0:
        said = "PASS"
    elif exit_code == 6:
        said = verdict if verdict in {"FAIL", "INCOMPLETE"} else "FAIL"
    else:
        said = "ERROR"
    detail = {"exit": str(exit_code)}
    if isinstance(document.get("entries"), int):
        detail["entries"] = str(document["entries"])
    return Ran(check, began, seconds, said, detail)


def _document(answer: str) -> dict[str, object]:
    try:
        document = json.loads(answer)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}

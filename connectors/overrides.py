"""What the raw settings of a definition risk, named one by one. Pure.

The risks are the checks of a configuration (:mod:`connectors.listed.configuration`). What no definition may override
is in :mod:`connectors.invariants`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from connectors.definition import Definition
from connectors.listed.configuration import risk
from connectors.setting import Settings

Severity: TypeAlias = Literal["critical", "warning", "info"]
"""``critical``: changes are lost, altered or shown where they must not be (a check calls that an error; here it is the
definition's choice). ``warning``: they may be, or what reads the topic has to cope. ``info``: another choice than the
profile's, or a setting that the profile leaves alone."""

_ORDER: tuple[Severity, ...] = ("critical", "warning", "info")


@dataclass(frozen=True, slots=True)
class Override:
    """One raw setting of a definition. ``profile``: what the profile says; None where it says nothing. ``code``: the
    check that finds the same on a connector; None where it is only another choice.
    """

    setting: str
    value: str
    profile: str | None
    severity: Severity
    reason: str
    code: str | None = None


def overrides(definition: Definition, profile: Settings) -> tuple[Override, ...]:
    """What each raw setting of the definition risks, the gravest first. ``profile``: the configuration without them.

    A setting that says what the profile says anyway is harmless, and not named.
    """
    found = [_judged(definition.kind, name, value, profile) for name, value in definition.settings]
    return tuple(sorted((each for each in found if each), key=lambda each: _ORDER.index(each.severity)))


def _judged(kind: str, name: str, value: str, profile: Settings) -> Override | None:
    present = profile.get(name)
    was = present.value if present is not None else None
    if was == value:
        return None
    found = risk(kind, name, value)
    if found is not None:
        check, _where = found
        severity: Severity = "critical" if check.severity == "error" else check.severity
        return Override(name, value, was, severity, check.reason, check.code)
    if present is not None:
        return Override(name, value, was, "info", f"in place of the profile's {was}: {present.reason}")
    return Override(name, value, None, "info", "the profile leaves it to its default")

"""Instants: ISO 8601 with a zone to nanoseconds since 1970, and back to UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from cdc.errors import ConfigError

HOW = "for example 2026-01-31T21:00:00Z or 2026-01-31T16:00:00-05:00, or now"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FRACTION = re.compile(r"(?<=[0-9]{2})[.,]([0-9]+)")
"""Of a second. Python would read six digits of it and drop the rest."""
_ZONE = re.compile(r"(Z|[+-][0-9]{2}(:?[0-9]{2})?)\Z")


def parse(text: str) -> int:
    """Nanoseconds since 1970-01-01T00:00:00Z of an ISO 8601 instant (date, time and zone).

    Raises:
        ConfigError: it is none, or says no zone; the hint shows how.
    """
    text = text.strip().upper()
    fraction = _FRACTION.search(text)
    whole = text[: fraction.start()] + text[fraction.end() :] if fraction else text
    try:
        moment = datetime.fromisoformat(whole)
    except ValueError:
        raise ConfigError("--at: not an ISO 8601 instant", hint=HOW) from None
    if moment.tzinfo is None:
        wanted = "a zone" if ":" in whole or "T" in whole else "a time of day and a zone"
        raise ConfigError(f"--at: an instant needs {wanted}: which moment it is depends on it", hint=HOW)
    if not _ZONE.search(whole):
        raise ConfigError("--at: a zone is Z, or hours and minutes", hint=HOW)
    digits = fraction[1] if fraction else ""
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1000 + int(digits[:9].ljust(9, "0"))


def shown(nanoseconds: int) -> str:
    """An instant in UTC to the microsecond."""
    try:
        moment = _EPOCH + timedelta(microseconds=nanoseconds // 1000)
    except OverflowError:  # a source's clock may say anything
        return f"{nanoseconds} ns since 1970"
    return moment.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"

"""The position that Kafka Connect has stored for a connector (KIP-875), asked for at the right moment.

A slot is looked at *before* the stored position is asked for: the connector stores a position first and moves the slot
to it afterwards, so a slot that was ahead of a position that was asked for later is ahead of it in truth.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

Position: TypeAlias = Callable[[], Mapping[str, Any] | None]
"""Asks; None where nothing is stored or nobody can be asked."""


def unknown() -> None:
    """Nobody can be asked."""


def log_position(offset: Mapping[str, Any]) -> int | None:
    """The furthest position in the WAL that a stored offset of Debezium's PostgreSQL connector names, in bytes."""
    numbers = [offset.get(member) for member in ("lsn", "lsn_proc", "lsn_commit")]
    known = [number for number in numbers if isinstance(number, int) and not isinstance(number, bool)]
    return max(known, default=None)


def binary_log(offset: Mapping[str, Any]) -> str | None:
    """The binary log file that a stored offset of Debezium's MariaDB connector names."""
    file = offset.get("file")
    return file if isinstance(file, str) and file else None

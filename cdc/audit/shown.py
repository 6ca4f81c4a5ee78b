"""How values look to people: null, empty, protected and missing ones told apart, without a key and without guessing.

For tables only. What programs read (JSON, CSV) has values in full, in the form of docs/formats.md §2.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from hashlib import sha256

from msgspec import UNSET, UnsetType

from cdc.entry import Json, canonical

_NOT_BARE = re.compile(r"\s|.*\s\Z|null\Z|[\"\[{(]|sealed:|tok_")
"""Printable texts that are quoted all the same, because bare they could be taken for something else."""


def value(given: Json | UnsetType) -> str:
    """A column's value in one cell of a table; nothing for what does not exist."""
    if given is UNSET:
        return ""
    if given is None:
        return "null"
    if isinstance(given, str):
        return given if given.isprintable() and given and not _NOT_BARE.match(given) else _quoted(given)
    if isinstance(given, dict) and len(given) == 1:
        ((marker, inner),) = given.items()
        if marker in _MARKED:
            return _MARKED[marker](inner)
    return _quoted(given)


def fingerprint(cell: str) -> str:
    """Eight hex digits that change when a sealed cell (base64) does: of two values of one cell, whether they differ.

    They say nothing about the value, and nothing across rows: cells are bound to their place.
    """
    return sha256(base64.b64decode(cell)).hexdigest()[:8]


def row_key(key: Json) -> str:
    """A row key: its values, or the start of the hash that stands for a row without a key."""
    if isinstance(key, list):
        return ", ".join(value(part) for part in key)
    return f"row {str(key)[:12]}…"


def _quoted(given: Json) -> str:
    return canonical(given).decode()


_MARKED: dict[str, Callable[[str], str]] = {
    "token": lambda token: f"{token[:12]}…",
    "seal": lambda cell: f"sealed:{fingerprint(cell)}",
    "unavailable": lambda _: "(not sent by the source)",
    "dropped": lambda _: "(not kept: dropped by policy)",
}

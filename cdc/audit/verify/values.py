"""What a column may hold under its plan (docs/formats.md §2, §5, §6)."""

from __future__ import annotations

import binascii
import re
from functools import lru_cache
from typing import Any

UNAVAILABLE = {"unavailable": "toast"}
DROPPED = {"dropped": ""}
PROTECTIONS = frozenset({"clear", "token", "seal", "drop"})

_TOKEN = re.compile(r"tok_[0-9a-f]{32}")
_SUBJECT = re.compile(r"([0-9a-f]{32})/(0|[1-9][0-9]{0,4})")
_SHORTEST_CELL = 20 + 16 + 1
"""Header, SIV, and one byte that says what is sealed."""


def is_subject(text: object) -> bool:
    """Whether this is ``<subject id, hex>/<generation>``."""
    return isinstance(text, str) and _SUBJECT.fullmatch(text) is not None


def is_clear(value: object) -> bool:
    """A text, null, an array of such values, or a struct of them."""
    if value is None or type(value) is str:
        return True
    if type(value) is list:
        return all(is_clear(item) for item in value)
    if type(value) is dict and len(value) == 1 and type(value.get("struct")) is dict:
        return all(is_clear(item) for item in value["struct"].values())
    return value == UNAVAILABLE


def is_token(value: object, _subject: str = "") -> bool:
    """A token, or null, or that the source did not send the value."""
    if type(value) is not dict or len(value) != 1:
        return value is None
    token = value.get("token")
    return value == UNAVAILABLE if token is None else type(token) is str and _TOKEN.fullmatch(token) is not None


def is_dropped(value: object, _subject: str = "") -> bool:
    """What a plan leaves of a column of which it keeps nothing."""
    return value is None or value in (DROPPED, UNAVAILABLE)


def is_sealed(value: object, subject: str, tier: int) -> bool:
    """A cell whose header names this subject, its generation and the tier; or null, or not sent."""
    if type(value) is not dict or len(value) != 1:
        return value is None
    seal = value.get("seal")
    if type(seal) is not str:
        return value == UNAVAILABLE
    cell = cell_of(seal)
    return len(cell) >= _SHORTEST_CELL and cell.startswith(_header(subject, tier))


def cell_of(seal: Any) -> bytes:
    """The bytes of a sealed cell; none for what is not base64."""
    try:
        return binascii.a2b_base64(seal, strict_mode=True)
    except (binascii.Error, ValueError, TypeError):
        return b""


@lru_cache(4096)
def _header(subject: str, tier: int) -> bytes:
    """The 20 bytes in front of a cell (docs/formats.md §6)."""
    found = _SUBJECT.fullmatch(subject)
    if found is None:
        return b"not a subject"
    return b"\x01" + bytes.fromhex(found[1]) + bytes([tier]) + int(found[2]).to_bytes(3, "big")[1:]

"""What a column of PostgreSQL's catalog becomes in current state, before any record of it was seen.

Types of which the registry knows how Debezium writes them come from the table of ``docs/types.md``; what that does not
list lands as text. ``tests/real/test_types.py`` holds the outcome to the columns that a worker made.
"""

from __future__ import annotations

import re

from cdc.event import Column
from cdc.values.postgres import typing_of
from cdc.values.postgres_document import LINES

_EXAMPLES = {"D", "SIDE", "PAIR"}
_BUILT_IN = {
    line.name: line for line in reversed(LINES) if not line.name.startswith("_") and line.name not in _EXAMPLES
}
_ENUM = "io.debezium.data.Enum"
_MODIFIERS = re.compile(r"\((\d+)(?:,(-?\d+))?\)")


def state_type(own: str, base: str, bottom: str, enum: bool) -> str:
    """The type of the state column of a column that is left clear.

    ``own``: PostgreSQL's name of its type (``_int4``, ``d_amount``); ``base``: of the type at the bottom of arrays and
    domains; ``bottom``: that as SQL spells it, with modifiers; ``enum``: it is one.
    """
    line = _BUILT_IN.get(base.upper())
    wire = line.wire if line else "string"
    semantic = _ENUM if enum else line.semantic if line else ""
    length, scale = _modifiers(base, bottom)
    if base == "bit" and length == "1":
        wire, semantic = "boolean", ""
    if own.startswith("_") and own[1:] != base:
        wire, semantic = "array", "string"
    elif own.startswith("_"):
        wire, semantic = "array", f"{wire} {semantic}".strip()
    return typing_of(Column("", own.upper(), length, scale, wire, True, semantic)).state


def _modifiers(base: str, bottom: str) -> tuple[str | None, str | None]:
    """Length and scale as Debezium counts them: a negative scale is a number beyond PostgreSQL's largest."""
    found = _MODIFIERS.search(bottom)
    if found is None:
        return ("1" if base == "bit" else None), None
    scale = int(found[2] or 0)
    return found[1], str(scale if scale >= 0 else 2048 + scale) if base == "numeric" else None

"""Dates that a snapshot of Debezium's spells otherwise than its stream (docs/types.md): the one place where a before
image need not be the after image before it.

Its snapshot reads a ``date`` through the JDBC driver's calendar, which is Julian before 15 October 1582, and takes the
year without its era.
"""

from __future__ import annotations

import re
from typing import Any

_ISO_DATE = "io.debezium.time.IsoDate"
_BEFORE_CHRIST = re.compile(r"-?([0-9]{4})(-[0-9]{2}-[0-9]{2}Z)")
_SKIPPED = {f"1582-10-{day:02d}Z": f"1582-10-{day + 10}Z" for day in range(5, 15)}
"""Days that the Julian calendar's reform left out."""


def early_date(described: tuple[Any, Any], snapshot: Any, stream: Any) -> bool:
    """Whether a column's value in a row that a snapshot read, and in the before image of the row's first change, can be
    one date all the same. Of a protected date that cannot be seen.
    """
    column, step = described
    if column.get("semantic") != _ISO_DATE or snapshot is None or stream is None:
        return False
    if step["protect"] != "clear":
        return True
    return type(stream) is str and bool(_as_a_snapshot(stream) == snapshot)


def _as_a_snapshot(stream: str) -> str | None:
    """What the snapshot writes for a date that the stream writes so, where it is another text."""
    if stream in _SKIPPED:
        return _SKIPPED[stream]
    found = _BEFORE_CHRIST.fullmatch(stream)
    if found is None or not (stream[0] == "-" or found[1] == "0000"):
        return None
    return f"{int(found[1]) + 1:04d}{found[2]}"

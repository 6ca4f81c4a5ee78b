"""Replays (docs/formats.md §3): an event at a source position that the log already has says so, and nothing else
does.
"""

from __future__ import annotations

import re
from typing import Any

_LSNS = re.compile(r"(?:0|[1-9][0-9]{0,19})(?: (?:0|[1-9][0-9]{0,19}))*|")


class Replays:
    """Keeps the high-water: the last source position (last commit LSN, order in the transaction) that was applied."""

    def __init__(self) -> None:
        self.high: tuple[int, int] | None = None
        self.count = 0
        self.unjudged = 0

    def gap(self) -> None:
        """The source is another one: its positions are judged anew."""
        self.high = None

    def fault(self, entry: dict[str, Any]) -> str | None:
        """What is wrong with ``replay_of``, or its absence, in a change, truncate or message."""
        stated = entry.get("replay_of")
        if stated is not None:
            self.count += 1
        position = [lsn for lsn in entry["position"] if lsn is not None]
        if _LSNS.fullmatch(" ".join(position)) is None:
            return "its source position is not one of PostgreSQL's"
        if entry["operation"] == "r":  # a later snapshot may show old rows: not judged
            return None if stated is None else "a row of a snapshot is never a replay"
        if not position:
            self.unjudged += 1
            return None
        transaction = entry.get("transaction")
        order = "0" if transaction is None else transaction["order"]
        here = (int(position[0]), int(order))
        if self.high is not None and here <= self.high:
            if stated == f"{position[0]}/{order}":
                return None
            return "the log has its source position, and it is no replay of that"
        self.high = here
        return None if stated is None else "it is called a replay, and the log does not have its source position"

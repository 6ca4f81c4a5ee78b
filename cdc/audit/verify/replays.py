"""Replays (docs/formats.md §3): an event at a source position that the log already has says so, and nothing else
does.
"""

from __future__ import annotations

import re
from typing import Any

_GTID = re.compile(r"(?:0|[1-9][0-9]{0,9})-(?:0|[1-9][0-9]{0,9})-(0|[1-9][0-9]{0,19})")
_LSNS = re.compile(r"(?:0|[1-9][0-9]{0,19})(?: (?:0|[1-9][0-9]{0,19}))*|")


class Replays:
    """Keeps the high-water: the last source position (last commit LSN, of MariaDB the sequence of the GTID; and the
    order in the transaction) that was applied.
    """

    def __init__(self) -> None:
        self.high: tuple[int, int] | None = None
        self.count = 0
        self.unjudged = 0

    def gap(self) -> None:
        """The source is another one: its positions are judged anew."""
        self.high = None

    def begun_again(self, transaction: str) -> None:
        """A second BEGIN: the rest of MariaDB's transaction is numbered from 1 again."""
        gtid = _GTID.fullmatch(transaction)
        if gtid is not None:
            self.high = (int(gtid[1]), 0)

    def fault(self, entry: dict[str, Any]) -> str | None:
        """What is wrong with ``replay_of``, or its absence, in a change, truncate or message."""
        stated = entry.get("replay_of")
        if stated is not None:
            self.count += 1
        commit, fault = commit_of(entry["position"])
        if fault is not None:
            return fault
        if entry["operation"] == "r":  # a later snapshot may show old rows: not judged
            return None if stated is None else "a row of a snapshot is never a replay"
        if commit is None:
            self.unjudged += 1
            return None
        transaction = entry.get("transaction")
        order = "0" if transaction is None else transaction["order"]
        here = (int(commit), int(order))
        if self.high is not None and here <= self.high:
            if stated == f"{commit}/{order}":
                return None
            return "the log has its source position, and it is no replay of that"
        self.high = here
        return None if stated is None else "it is called a replay, and the log does not have its source position"


def commit_of(position: list[str | None]) -> tuple[str | None, str | None]:
    """The part of a source position that never goes back, in decimal, or None; and what is wrong with it."""
    if len(position) == 4:  # MariaDB: GTID, and file, offset and row of the binary log
        if position[0] is None:
            return None, None
        gtid = _GTID.fullmatch(position[0])
        return (gtid[1], None) if gtid else (None, "its source position is not one of MariaDB's")
    lsns = [lsn for lsn in position if lsn is not None]
    if _LSNS.fullmatch(" ".join(lsns)) is None:
        return None, "its source position is not one of PostgreSQL's"
    return (lsns[0] if lsns else None), None

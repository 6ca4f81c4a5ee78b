"""A gap: what of a stream is known to be missing, accepted by a person, and how the log goes on after it. Pure.

A gap entry (docs/formats.md §3.2) is not of a record: its salt is random, its clock is the log's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from msgspec import Raw

from cdc.batch import Batch, Standing
from cdc.drafts import Draft
from cdc.entry import canonical
from cdc.mariadb import is_gtid


@dataclass(frozen=True, slots=True)
class Going:
    """How the log goes on: position and topic, source epoch, open transaction.

    ``closes``: a transaction that never ends in this log; ``opens``: id and order of one whose first events are not in
    it; ``skips``: records (0 or 1) that the gap stands for.
    """

    position: int
    topic_id: str
    epoch: str | None
    closes: str | None = None
    opens: tuple[str, int] | None = None
    skips: int = 0

    def content(self) -> dict[str, Any]:
        """As the member ``effect`` of the entry."""
        opened = None if self.opens is None else {"id": self.opens[0], "order": str(self.opens[1])}
        return {
            "closes": self.closes,
            "epoch": self.epoch,
            "opens": opened,
            "position": str(self.position),
            "skips": str(self.skips),
            "topic_id": self.topic_id,
        }


@dataclass(frozen=True, slots=True)
class Gap:
    """What is missing: ``cause`` is the code of the halt; ``lost`` counts offsets, None where nobody can tell."""

    cause: str
    since: str
    through: str
    lost: int | None
    going: Going
    suspends: str | None = None
    forgets_store: bool = False


def batch(start: Standing, origin: str, gap: Gap, said: Mapping[str, str], salt: str) -> Batch:
    """The commit of one gap entry. ``said``: ``at``, ``by`` and ``reason``; ``salt``: 16 random bytes, hex."""
    going = gap.going
    content = {
        **said,
        "cause": gap.cause,
        "effect": going.content(),
        "from": gap.since,
        "lost": None if gap.lost is None else str(gap.lost),
        "through": gap.through,
    }
    members = {
        "content": Raw(canonical(content)),
        "kind": "gap",
        "ordered_at": str(start.ordered_at),
        "origin": origin,
        "salt": salt,
        "seq": str(start.edge.size),
    }
    row, body = Draft(members, {}).finish()
    skipped = dict(start.skipped)
    if going.skips:
        skipped["gap"] = skipped.get("gap", 0) + going.skips
    standing = replace(
        start,
        next_offset=going.position,
        edge=start.edge.append([row.leaf]),
        source_epoch=going.epoch,
        beat=None,
        high=_high(start, going),
        records=start.records + going.skips,
        skipped=MappingProxyType(skipped),
        extra_entries=start.extra_entries + 1,
        **_open(start, going),
    )
    bodies = [(start.edge.size, body)] if body is not None else []
    return Batch(start, standing, [row], bodies, [], {}, {}, {}, {})


def _high(start: Standing, going: Going) -> tuple[int, int] | None:
    """The last source position that was applied. Of another source none counts; after a second BEGIN, which the gap
    stands for, none of the transaction's own does: the rest of its events is numbered from 1 again.
    """
    if going.epoch != start.source_epoch:
        return None
    if going.skips and going.opens is not None and going.opens == (going.closes, 1) and is_gtid(going.opens[0]):
        return int(going.opens[0].rpartition("-")[2]), 0
    return start.high


def _open(start: Standing, going: Going) -> dict[str, Any]:
    if going.opens is not None:
        return {"open_transaction": going.opens[0], "open_count": going.opens[1] - 1}
    if going.closes is not None:
        return {"open_transaction": None, "open_count": 0}
    return {"open_transaction": start.open_transaction, "open_count": start.open_count}

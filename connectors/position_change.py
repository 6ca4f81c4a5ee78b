"""What another stored position means for a stream: said before it is written. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from connectors.offsets import Stored, lsn_number
from connectors.slots import Slot

Effect: TypeAlias = Literal["none", "repeats", "loses", "fails", "anew", "unknown"]
SEVERE: frozenset[Effect] = frozenset({"loses", "fails", "anew"})
"""A person must say that this is what they want."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """An effect, and what it is in a sentence or two."""

    effect: Effect
    text: str


def of_reset(before: Stored | None) -> Meaning:
    """The position is forgotten."""
    if before is None:
        return Meaning("none", "nothing is stored: there is nothing to forget")
    return Meaning(
        "anew",
        "the connector reads every table anew when it runs next, as on its first day. What the source committed between"
        f" {before.position or 'its position'} and that snapshot is not in the log change by change; rows that are gone"
        " by then become absent entries",
    )


def of_set(before: Stored | None, after: Stored, slot: Slot | None) -> Meaning:
    """Another position takes its place. ``slot``: the connector's own, of PostgreSQL; None where it is not known."""
    if before is None:
        return Meaning("unknown", "nothing is stored yet: the connector goes on from there, without its first snapshot")
    if before.lsn is not None and after.lsn is not None:
        return _in_wal(before, before.lsn, after, after.lsn, slot)
    if before.binary_log is not None and after.binary_log is not None:
        return _between(before, after, after.binary_log > before.binary_log, before.binary_log == after.binary_log)
    return Meaning("unknown", "what these positions mean to the connector is not known here")


def _in_wal(before: Stored, old: int, after: Stored, new: int, slot: Slot | None) -> Meaning:
    confirmed = slot.confirmed_flush_lsn if slot is not None else None
    if confirmed is not None and new != old and new < lsn_number(confirmed):
        return Meaning(
            "fails",
            f"the slot {slot.name if slot else ''} has confirmed {confirmed}, and the server keeps nothing before it:"
            " the connector refuses to go on from there (offset.mismatch.strategy=trust_offset)",
        )
    return _between(before, after, new > old, new == old)


def _between(before: Stored, after: Stored, forward: bool, same: bool) -> Meaning:
    if same:
        return Meaning("none", "it is where it was")
    if forward:
        return Meaning(
            "loses",
            f"what the source committed between {before.position} and {after.position} is never read: the log lacks it,"
            " and no count of the stream shows that. State is right again after: cdc stream rebaseline",
        )
    return Meaning(
        "repeats",
        f"what the source committed between {after.position} and {before.position} is sent once more: the log records"
        " it as replays, and state stays as it is",
    )

"""Records that decode and cannot be protected for what they hold: which of a batch they are, and what becomes of them.

Nothing here is done while all can be protected. What is wrong with the privacy store itself is never a record's fault.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias, TypeVar

from cdc.errors import Halted
from cdc.event import ChangeEvent, Event, Image, Record, TableVersion
from cdc.quarantine import quarantined
from governance.errors import SubjectClosed

_T = TypeVar("_T")
Protect: TypeAlias = Callable[[Sequence[Event]], _T]


def protected_apart(protect: Protect[_T], events: Sequence[Event], records: Sequence[Record]) -> tuple[_T, list[int]]:
    """What ``protect`` makes of the events, and the offsets of the records that it took as quarantined ones instead.

    Raises:
        Halted: not even those could be protected.
    """
    try:
        return protect(events), []
    except SubjectClosed:
        left = _without_refused(protect, events, records)
    odd = [record.offset for event, was, record in zip(left, events, records, strict=True) if event is not was]
    try:
        return protect(left), odd
    except SubjectClosed as error:  # the source's own
        raise Halted("protection", str(error), hint=error.hint) from None


def _row_of(event: Event) -> tuple[TableVersion, Image] | None:
    """The row of a change that was decoded."""
    if not isinstance(event, ChangeEvent):
        return None
    image = event.after if event.after is not None else event.before
    names = [column.name for column in event.table.columns]
    return event.table, tuple(image[names.index(name)] for name in event.table.key) if image is not None else ()


def _without_refused(protect: Protect[_T], events: Sequence[Event], records: Sequence[Record]) -> list[Event]:
    """The events of these records; each that ``protect`` refuses for what it holds, as a quarantined record.

    Found by halves: what is asked of the privacy store may be asked again.
    """
    if not events:
        return []
    try:
        protect(events)
    except SubjectClosed as error:
        if len(events) == 1:
            return [quarantined(records[0], error.reason, _row_of(events[0]))]
    else:
        return list(events)
    half = len(events) // 2
    return [
        *_without_refused(protect, events[:half], records[:half]),
        *_without_refused(protect, events[half:], records[half:]),
    ]

"""All that a verification is given of one log."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from .checkpoint import Checkpoint
from .rows import BodyRow, EntriesAt, EntryRow, StatedTree, StateRow, StateTable, Stream, TableVersionRow


@dataclass(frozen=True, slots=True)
class Given:
    """All there is of one log, in one snapshot. ``entries`` and ``bodies`` come in the order of seq.

    ``tree`` and ``stream`` are None where the warehouse has no such row. ``entries_at`` and ``state`` give entries
    again, and the rows of a state table; without them what needs them is reported as not checked. ``findings``: how
    many are kept.
    """

    log: str
    tree: StatedTree | None
    entries: Iterable[EntryRow]
    bodies: Iterable[BodyRow] = ()
    stream: Stream | None = None
    versions: Sequence[TableVersionRow] = ()
    tables: Sequence[StateTable] = ()
    entries_at: EntriesAt | None = None
    state: Callable[[StateTable], Iterable[StateRow]] | None = None
    checkpoints: Sequence[Checkpoint] = ()
    findings: int = 20

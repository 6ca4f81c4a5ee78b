"""What the verifier is given: rows of a warehouse, as texts, all of one snapshot. It fetches nothing itself.

Every cell is the text that PostgreSQL prints under ``TimeZone`` UTC, ``DateStyle`` ISO, ``IntervalStyle`` iso_8601,
``extra_float_digits`` 1 and ``bytea_output`` hex, or None for NULL: a boolean is ``t`` or ``f``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

ENTRY_COLUMNS = (
    "seq", "kind", "ordered_at", "committed_at", "table_name", "row_key", "operation", "version", "prev",
    "transaction_id", "subject", "subject_before", "kafka_offset", "ordinal", "entry", "leaf",
)  # fmt: skip
"""Columns of an :data:`EntryRow`, in order: all of ``audit.entry`` but the log's name and ``recorded_at``."""

EntryRow: TypeAlias = tuple[str | None, ...]
"""One row of ``audit.entry``, by :data:`ENTRY_COLUMNS`."""
BodyRow: TypeAlias = tuple[str, str]
"""Seq and text of one body."""
StoredEntry: TypeAlias = tuple[str, str, str | None]
"""Seq, text and body of an entry that was asked for again."""
StateRow: TypeAlias = tuple[str | None, ...]
"""One row of a state table: row key, seq, committed_at, version, then deleted (with a key) or copies (without), then
the columns in the order of :attr:`StateTable.columns`."""

EntriesAt: TypeAlias = Callable[[Sequence[int]], Iterable[StoredEntry]]
"""Gives entries of the log again, by seq, in any order."""


@dataclass(frozen=True, slots=True)
class StatedTree:
    """A row of ``audit.log``: what the log says of itself. ``edge`` in hex, largest subtree first."""

    origin: str
    size: int
    edge: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Stream:
    """A row of ``pipeline.stream``, what of it follows from the log. Times in ns since 1970."""

    topic_id: str
    next_offset: int
    ordered_at: int
    source_epoch: str | None
    high: tuple[int, int] | None
    open_transaction: str | None
    open_count: int
    records: int
    skipped: Mapping[str, int]
    extra_entries: int
    complete_seq: int | None
    complete_at: int | None


class RowWait(NamedTuple):
    """A row of ``pipeline.row_wait``: seq of the first quarantined entry, and of those that are in quarantine still."""

    since: int
    open: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class StateTable:
    """A row of ``pipeline.state_table``, and the columns (name, type as PostgreSQL spells it) that its table has.

    ``suspended_seq``: the first change that this table's state does not show; None while it follows the log.
    ``waiting``: by row key, the rows that do not follow it.
    """

    table: str
    keyless: bool
    key: tuple[str, ...]
    truncated_through: int
    suspended_seq: int | None
    columns: tuple[tuple[str, str], ...]
    waiting: Mapping[str, RowWait] = field(default_factory=dict)


TableVersionRow: TypeAlias = tuple[str, str, str, int]
"""A row of ``pipeline.table_version``: table, schema digest, plan digest, seq of the entry that describes them."""

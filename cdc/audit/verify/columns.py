"""The columns of ``audit.entry`` are projections of the entry (docs/formats.md §11): derived here, and compared."""

from __future__ import annotations

from typing import Any

from . import canonical
from .rows import ENTRY_COLUMNS, EntryRow

COMPARED = len(ENTRY_COLUMNS) - 2
"""Columns that are compared here: all but the entry itself and its leaf."""


def row_key(entry: dict[str, Any]) -> str | None:
    """The row key as a column has it: the hash of a keyless row as it is, else the canonical text of the array."""
    key = entry.get("key")
    return key if key is None or type(key) is str else canonical.write(key)


def project(entry: dict[str, Any], key: str | None) -> EntryRow:
    """The columns that an entry gives; ``key``: its :func:`row_key`."""
    get = entry.get
    transaction, subject = get("transaction"), get("subject")
    after = before = None
    if type(subject) is dict:
        after, before = subject.get("after"), subject.get("before")
    return (
        get("seq"),
        get("kind"),
        get("ordered_at"),
        get("committed_at"),
        get("table"),
        key,
        get("operation"),
        get("version"),
        get("prev"),
        transaction.get("id") if type(transaction) is dict else None,
        after or before,
        before if after and before != after else None,
        get("offset"),
        get("ordinal"),
    )


def differing(row: EntryRow, projected: EntryRow) -> list[str]:
    """Names of the columns whose cells are not what the entry gives."""
    return [
        name for name, cell, given in zip(ENTRY_COLUMNS[:COMPARED], row, projected, strict=False) if cell != given
    ]

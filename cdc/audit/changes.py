"""One entry as a change: what happened to which row, and which columns it changed from what to what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from msgspec import UNSET, UnsetType

from cdc.audit import shown
from cdc.audit.entries import JOINED, read
from cdc.audit.instants import shown as instant
from cdc.audit.versions import TableVersion
from cdc.entry import Entry, Json

SELECT = f"SELECT e.entry, b.body, e.recorded_at FROM {JOINED}"
"""Rows of it are what :func:`change` takes."""
_WORDS = {"c": "created", "u": "changed", "d": "deleted", "r": "read by snapshot", "t": "truncated"}
Columns = Mapping[tuple[object, object], Sequence[str]]
"""Schema and plan digest → column names in the table's order."""


@dataclass(frozen=True, slots=True)
class Field:
    """One column before and after; UNSET where the image, or the column in it, does not exist."""

    column: str
    before: Json | UnsetType
    after: Json | UnsetType

    @property
    def changed(self) -> bool:
        """Whether the change changed it."""
        return bool(self.before != self.after)


@dataclass(frozen=True, slots=True)
class Change:
    """An entry of the log with its columns laid side by side. ``recorded_at``: when the warehouse got it."""

    entry: Entry
    recorded_at: datetime
    fields: tuple[Field, ...]

    @property
    def seq(self) -> int:
        """Its place in the log."""
        return int(self.entry.seq)

    @property
    def applied(self) -> bool:
        """False for a replay: the log has the event already."""
        return self.entry.replay_of is UNSET

    @property
    def transaction(self) -> str | None:
        """Id of its source transaction."""
        return None if self.entry.transaction is UNSET else self.entry.transaction.id

    @property
    def what(self) -> str:
        """The operation in words."""
        entry = self.entry
        if isinstance(entry.content, dict) and entry.kind == "message":
            words = f"message {shown.value(entry.content['prefix'])}"
        elif entry.kind == "quarantined":
            words = "a record that could not be read"
        elif entry.kind == "absent":
            words = "gone: a later snapshot did not show it"
        elif entry.kind == "end":
            words = "end of a transaction without changes"
        elif entry.linked_key is not UNSET:
            other = "now" if entry.operation == "d" else "was"
            words = f"key changed, {other} {shown.row_key(entry.linked_key)}"
        else:
            words = _WORDS[str(entry.operation)]
        if entry.flags is not UNSET and "before-missing" in entry.flags:
            words += " (before image not sent)"
        if entry.resolves is not UNSET:
            words += f" (out of quarantine, entry {int(entry.resolves.seq):,})"
        return words if self.applied else f"replay, not applied: {words}"

    def document(self, *, full: bool = False) -> dict[str, Any]:
        """As JSON: values in the form of the entry. ``full`` adds the complete images."""
        entry = self.entry
        at = None if entry.committed_at is UNSET else int(entry.committed_at)
        transaction = None if entry.transaction is UNSET else entry.transaction
        members: dict[str, Any] = {
            "seq": self.seq,
            "kind": entry.kind,
            "operation": _or_none(entry.operation),
            "what": self.what,
            "table": _or_none(entry.table),
            "key": _or_none(entry.key),
            "version": _number(entry.version),
            "prev": _number(entry.prev),
            "committed_at": None if at is None else instant(at),
            "committed_at_ns": None if at is None else str(at),
            "recorded_at": self.recorded_at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
            + "Z",
            "transaction": self.transaction,
            "order": None if transaction is None else _number(transaction.order),
            "linked_key": _or_none(entry.linked_key),
            "replay_of": _or_none(entry.replay_of),
            "resolves": None if entry.resolves is UNSET else int(entry.resolves.seq),
            "changes": [_field(field) for field in self.fields if field.changed],
        }
        if entry.kind == "message":
            members["message"] = entry.content
        if full:
            images = (("before", entry.before), ("after", entry.after))
            members |= {name: image for name, image in images if image is not UNSET}
        return members


def change(row: tuple[Any, ...], columns: Columns) -> Change:
    """The change that a row of :data:`SELECT` holds."""
    text, body, recorded_at = row
    entry = read(text, body)
    before, after = (image if isinstance(image, dict) else {} for image in (entry.before, entry.after))
    order = dict.fromkeys([*columns.get((entry.schema, entry.plan), ()), *after, *before])
    names = [name for name in order if name in before or name in after]
    return Change(
        entry, recorded_at, tuple(Field(name, before.get(name, UNSET), after.get(name, UNSET)) for name in names)
    )


def columns_of(described: Iterable[TableVersion]) -> dict[tuple[object, object], Sequence[str]]:
    """Column order by version, for :func:`change`."""
    return {(each.schema, each.plan): [column.name for column in each.columns] for each in described}


def _field(field: Field) -> dict[str, Json]:
    sides = (("before", field.before), ("after", field.after))
    return {"column": field.column} | {name: side for name, side in sides if side is not UNSET}


def _or_none(member: Any) -> Any:
    return None if member is UNSET else member


def _number(member: str | UnsetType | None) -> int | None:
    return int(member) if isinstance(member, str) else None

"""Entries in the making: each waits as a draft until its last words are known, then becomes canonical bytes and a row.

The last entry of a transaction carries the transaction's end, so the newest draft of an open transaction waits for what
follows it.
"""

from __future__ import annotations

from binascii import hexlify
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from cdc.batch import EntryRow
from cdc.copytext import NULL, escape
from cdc.entry import MAX_ENTRY, ChangeForm, End, Entry, Flag, Resolves, Transaction, encode, leaf
from cdc.identity import EntryIdentity
from cdc.protect import ProtectedEvent

if TYPE_CHECKING:
    from cdc.native._kernel import Draft as NativeDraft

AnyChangeDraft: TypeAlias = "ChangeDraft | NativeDraft"
_PROJECTED = (
    "committed_at", "table_name", "row_key", "operation", "version", "prev", "transaction_id", "subject",
    "subject_before", "kafka_offset",
)  # fmt: skip
_NULL = NULL.encode()


@dataclass(slots=True)
class Draft:
    """Members of an entry, and the columns of its row that are projections of them (COPY texts)."""

    members: dict[str, Any]
    row: dict[str, str]

    def fold(self, end: End) -> None:
        """Take the end of the transaction."""
        transaction: Transaction = self.members["transaction"]
        self.members["transaction"] = msgspec.structs.replace(transaction, end=end)

    def finish(self) -> tuple[EntryRow, str | None]:
        """Its row, and its body where it needs one."""
        entry, body = encode(Entry(**self.members))
        hashed = leaf(entry)
        projected = [self.row.get(column, NULL) for column in _PROJECTED]
        own = (self.members["seq"], self.members["kind"], self.members["ordered_at"])
        line = "\t".join((*own, *projected, self.members.get("ordinal", NULL))).encode()
        return EntryRow(b"%b\t%b\t\\\\x%b" % (line, _copied(entry), hexlify(hashed)), hashed), _decoded(body)


class ChangeDraft(msgspec.Struct, gc=False):
    """A change whose transaction may still end with it. ``head``: of the entry; ``columns``: COPY fields before it."""

    head: bytes
    columns: bytes
    transaction: tuple[str, int] | None
    version: int | None
    end: End | None = None

    def __repr__(self) -> str:
        return f"ChangeDraft(version={self.version})"

    def fold(self, end: End) -> None:
        """Take the end of the transaction."""
        self.end = end

    def finish(self) -> tuple[EntryRow, str | None]:
        """Its row, and its body where it needs one."""
        return _change_row(self.columns, self.head + ChangeForm.tail(self.transaction, self.end, self.version))


def _change_row(columns: bytes, entry: bytes) -> tuple[EntryRow, str | None]:
    body = None
    if len(entry) > MAX_ENTRY:
        entry, body = encode(msgspec.json.decode(entry, type=Entry))
    hashed = leaf(entry)
    return EntryRow(b"%b\t%b\t\\\\x%b" % (columns, _copied(entry), hexlify(hashed)), hashed), _decoded(body)


def draft_change(
    event: ProtectedEvent,
    identity: EntryIdentity,
    *,
    seq: int,
    ordered_at: int,
    ordinal: int,
    epoch: str | None,
    replay_of: str | None,
    head_of_row: tuple[int, int | None] | None,
) -> AnyChangeDraft:
    """The draft of a change, by the native kernel where it takes it. ``head_of_row``: its version and prev, if any."""
    form = identity.native(event.table, _change_row)
    if form is not None:
        made = form.draft(
            event,
            seq=seq,
            ordered_at=ordered_at,
            ordinal=ordinal,
            epoch=epoch,
            replay_of=replay_of,
            head_of_row=head_of_row,
        )
        if made is not None:
            return made
    return _draft_in_python(event, identity, seq, ordered_at, ordinal, epoch, replay_of, head_of_row)


def _draft_in_python(
    event: ProtectedEvent,
    identity: EntryIdentity,
    seq: int,
    ordered_at: int,
    ordinal: int,
    epoch: str | None,
    replay_of: str | None,
    head_of_row: tuple[int, int | None] | None,
) -> ChangeDraft:
    """The reference: what the native kernel must make the same of, and does not take everything of."""
    origin, table = event.origin, event.table
    captured_at, committed_at = origin.captured_at or 0, origin.committed_at or 0
    key = event.key.encode()
    subject, before = event.subject_after or event.subject_before, event.subject_before
    transaction = (origin.transaction.id, origin.transaction.order) if origin.transaction is not None else None
    version, prev = head_of_row or (None, None)
    head = identity.form(table).head(
        after=event.after,
        before=event.before,
        captured_at=captured_at,
        committed_at=committed_at,
        epoch=epoch,
        flags=_flags(event),
        key=b'"' + key + b'"' if table.keyless else key,
        linked_key=event.linked_key,
        offset=origin.offset,
        operation=event.operation,
        ordered_at=ordered_at,
        ordinal=ordinal,
        position=origin.position,
        head_of_row=head_of_row,
        produced_at=origin.produced_at,
        replay_of=replay_of,
        salt=identity.salt(origin.offset, ordinal),
        seq=seq,
        subject_after=event.subject_after,
        subject_before=before,
    )
    columns = b"%d\tchange\t%d\t%d\t%b\t%b\t%b\t%b\t%b\t%b\t%b\t%b\t%d\t%d" % (
        seq,
        ordered_at,
        committed_at,
        table.copied_name,
        _copied(key),
        event.operation.encode(),
        b"%d" % version if version is not None else _NULL,
        b"%d" % prev if prev is not None else _NULL,
        escape(transaction[0]).encode() if transaction is not None else _NULL,
        subject.encode() if subject is not None else _NULL,
        before.encode() if before is not None and before != subject else _NULL,
        origin.offset,
        ordinal,
    )
    return ChangeDraft(head, columns, transaction, version)


def resolving_change(
    event: ProtectedEvent,
    identity: EntryIdentity,
    resolves: Resolves,
    *,
    seq: int,
    ordered_at: int,
    ordinal: int,
    epoch: str | None,
    replay_of: str | None,
    head_of_row: tuple[int, int | None] | None,
) -> tuple[EntryRow, str | None]:
    """Row and body of a change that resolves a quarantined entry (docs/formats.md §3.9). It is in no transaction."""
    draft = _draft_in_python(event, identity, seq, ordered_at, ordinal, epoch, replay_of, head_of_row)
    entry = msgspec.json.decode(draft.head + ChangeForm.tail(None, None, draft.version), type=Entry)
    whole = msgspec.structs.replace(entry, resolves=resolves)
    return _change_row(draft.columns, msgspec.json.encode(whole))


def _flags(event: ProtectedEvent) -> tuple[Flag, ...]:
    if event.before_missing:
        return ("before-missing", "keyless") if event.table.keyless else ("before-missing",)
    return ("keyless",) if event.table.keyless else ()


class Drafts:
    """The entries of one batch, in order. ``rows`` and ``bodies`` grow as drafts are finished."""

    def __init__(self) -> None:
        self.rows: list[EntryRow] = []
        self.bodies: list[tuple[int, str]] = []
        self._waiting: list[tuple[int, Draft | AnyChangeDraft]] = []
        self._foldable: Draft | AnyChangeDraft | None = None

    def add(self, seq: int, draft: Draft | AnyChangeDraft, *, foldable: bool) -> None:
        """Take a draft; ``foldable`` when the end of its transaction may be folded into it. No other entry stands
        between the two: after one that is not of the transaction, END is an entry of its own.
        """
        self.finish()
        self._foldable = draft if foldable else None
        self._waiting.append((seq, draft))

    def begin(self) -> None:
        """A transaction begins: no entry of an earlier one takes its end."""
        self._foldable = None

    def fold(self, end: End) -> bool:
        """Fold the end into the transaction's last entry; False when it has none."""
        if self._foldable is None:
            return False
        self._foldable.fold(end)
        self._foldable = None
        return True

    def finish(self) -> None:
        """Turn all waiting drafts into rows."""
        for seq, draft in self._waiting:
            row, body = draft.finish()
            self.rows.append(row)
            if body is not None:
                self.bodies.append((seq, body))
        self._waiting.clear()


def _copied(text: bytes) -> bytes:
    """Canonical bytes in COPY's text format: of what it reserves they hold only backslashes."""
    return text.replace(b"\\", b"\\\\") if b"\\" in text else text


def _decoded(body: bytes | None) -> str | None:
    return body.decode() if body is not None else None

"""Which entry of which record: the members that every record-borne entry of one log has, and its salt. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from cdc import native
from cdc.batch import EntryRow
from cdc.entry import MAX_ENTRY, ChangeForm
from cdc.event import Origin
from cdc.protect import ProtectedTable

if TYPE_CHECKING:
    from cdc.native._kernel import Form

LongRow: TypeAlias = Callable[[bytes, bytes], tuple[EntryRow, str | None]]
"""COPY fields before an entry, and the entry → its row, and its body where it needs one."""
_json = msgspec.json.Encoder().encode
_BLOCK = 64
"""Bytes of a block of SHA-256 (RFC 2104, B)."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What is the same in every entry of a log."""

    log: str
    origin: str
    topic_id: str
    partition: int


class EntryIdentity:
    """Says of each entry of a log which record it is of (docs/formats.md §3). ``salt_key`` is the origin's."""

    def __init__(self, identity: Identity, salt_key: bytes) -> None:
        self.identity = identity
        self._place = f"{identity.topic_id}/{identity.partition}"
        self._fixed = {
            "origin": identity.origin,
            "partition": str(identity.partition),
            "topic_id": identity.topic_id,
        }
        key = (sha256(salt_key).digest() if len(salt_key) > _BLOCK else salt_key).ljust(_BLOCK, b"\0")
        self._inner = sha256(bytes(byte ^ 0x36 for byte in key))
        self._outer = sha256(bytes(byte ^ 0x5C for byte in key))
        self._forms: dict[ProtectedTable, ChangeForm] = {}
        self._salt_key = salt_key
        self._native: dict[ProtectedTable, Form | None] = {}

    def of_topic(self, topic_id: str) -> EntryIdentity:
        """The same log's, of records of another incarnation of its topic."""
        return EntryIdentity(replace(self.identity, topic_id=topic_id), self._salt_key)

    def members(self, origin: Origin, ordinal: int) -> dict[str, Any]:
        """The members that every record-borne entry has."""
        members: dict[str, Any] = {
            **self._fixed,
            "offset": str(origin.offset),
            "ordinal": str(ordinal),
            "produced_at": str(origin.produced_at),
            "salt": self.salt(origin.offset, ordinal),
        }
        if origin.captured_at is not None:
            members["captured_at"] = str(origin.captured_at)
        if origin.committed_at is not None:
            members["committed_at"] = str(origin.committed_at)
        return members

    def form(self, table: ProtectedTable) -> ChangeForm:
        """How changes of this table version are written in this log."""
        form = self._forms.get(table)
        if form is None:
            form = self._forms[table] = ChangeForm(
                origin=self.identity.origin,
                partition=self.identity.partition,
                topic_id=self.identity.topic_id,
                table=table.table,
                schema=table.schema_digest,
                plan=table.plan_digest,
            )
        return form

    def native(self, table: ProtectedTable, long: LongRow) -> Form | None:
        """The native kernel's form of changes of this table version; None where there is none, or rows have no key."""
        try:
            return self._native[table]
        except KeyError:
            form = self._native[table] = self._native_form(table, long)
            return form

    def _native_form(self, table: ProtectedTable, long: LongRow) -> Form | None:
        kernel = native.kernel()
        if kernel is None or table.keyless:
            return None
        form: Form = kernel.Form(
            origin=_json(self.identity.origin),
            partition=_json(str(self.identity.partition)),
            plan=_json(table.plan_digest),
            schema=_json(table.schema_digest),
            table=_json(table.table),
            topic_id=_json(self.identity.topic_id),
            copied_name=table.copied_name,
            place=self._place.encode(),
            salt_key=self._salt_key,
            row=EntryRow,
            tail=ChangeForm.tail,
            long=long,
            longest=MAX_ENTRY,
        )
        return form

    def salt(self, offset: int, ordinal: int) -> str:
        """``docs/formats.md`` §3.5: HMAC-SHA256 from copied states, which spares two of its four blocks."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(f"{self._place}/{offset}/{ordinal}".encode())
        outer.update(inner.digest())
        return outer.hexdigest()[:32]

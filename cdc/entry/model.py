"""The members of an entry, as structs whose fields are declared in canonical order (docs/formats.md §3).

So what msgspec writes *is* canonical, as long as what is given as :class:`msgspec.Raw` is.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType

from cdc.entry.canonical import member_order

Kind: TypeAlias = Literal[
    "absent",
    "baseline",
    "change",
    "end",
    "gap",
    "message",
    "operation",
    "quarantined",
    "resolved",
    "schema",
    "truncate",
]
Operation: TypeAlias = Literal["c", "d", "m", "r", "t", "u"]
Flag: TypeAlias = Literal["before-missing", "keyless"]

Json: TypeAlias = Any
"""str, None, list or dict of these; or :class:`msgspec.Raw` holding the canonical bytes of one (only when encoding)."""
Decimal: TypeAlias = Annotated[str, Meta(pattern=r"\A(0|[1-9][0-9]*)\Z")]
"""A non-negative integer in decimal, without leading zeros."""
Digest: TypeAlias = Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]
_SubjectId: TypeAlias = Annotated[str, Meta(pattern=r"\A[0-9a-f]{32}/(0|[1-9][0-9]*)\Z")]


class Body(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stands in an entry for the members moved aside (docs/formats.md §3.3). ``length`` in bytes."""

    length: Decimal
    sha256: Digest


class Subject(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose keys protect each image: ``<subject id, hex>/<generation>``."""

    after: _SubjectId | UnsetType = UNSET
    before: _SubjectId | UnsetType = UNSET


class End(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The folded END of a transaction (docs/formats.md §3.6). ``tables`` is put in canonical order."""

    count: Decimal | None
    offset: Decimal
    tables: dict[str, Decimal]

    def __post_init__(self) -> None:
        ordered = {name: self.tables[name] for name in member_order(self.tables)}
        msgspec.structs.force_setattr(self, "tables", ordered)


class Transaction(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Debezium's transaction id, and the entry's ``total_order`` in it (none on an entry of kind ``end``)."""

    end: End | UnsetType = UNSET
    id: str
    order: Decimal | UnsetType = UNSET


class Resolves(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which quarantined entry this one resolves (docs/formats.md §3.9). ``transaction``: the record's own."""

    seq: Decimal
    transaction: Transaction | UnsetType = UNSET


class Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One leaf of a log. Every member is described in docs/formats.md §3; UNSET is absent, None is null."""

    after: Json | UnsetType = UNSET
    before: Json | UnsetType = UNSET
    body: Body | UnsetType = UNSET
    captured_at: Decimal | UnsetType = UNSET
    committed_at: Decimal | UnsetType = UNSET
    content: Json | UnsetType = UNSET
    epoch: str | UnsetType = UNSET
    flags: tuple[Flag, ...] | UnsetType = UNSET
    format: Literal["1"] = "1"
    key: Json | UnsetType = UNSET
    kind: Kind
    linked_key: Json | UnsetType = UNSET
    offset: Decimal | UnsetType = UNSET
    operation: Operation | UnsetType = UNSET
    ordered_at: Decimal
    ordinal: Decimal | UnsetType = UNSET
    origin: Annotated[str, Meta(pattern=r"\A[^/]+/[1-9][0-9]*\Z")]
    partition: Decimal | UnsetType = UNSET
    plan: Digest | UnsetType = UNSET
    position: tuple[str | None, ...] | UnsetType = UNSET
    prev: Decimal | UnsetType | None = UNSET
    produced_at: Decimal | UnsetType = UNSET
    replay_of: Annotated[str, Meta(pattern=r"\A[^/]+/(0|[1-9][0-9]*)\Z")] | UnsetType = UNSET
    resolves: Resolves | UnsetType = UNSET
    salt: Annotated[str, Meta(pattern=r"\A[0-9a-f]{32}\Z")]
    schema: Digest | UnsetType = UNSET
    seq: Decimal
    subject: Subject | UnsetType = UNSET
    table: str | UnsetType = UNSET
    topic_id: Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_-]{22}\Z")] | UnsetType = UNSET
    transaction: Transaction | UnsetType = UNSET
    version: Annotated[str, Meta(pattern=r"\A[1-9][0-9]*\Z")] | UnsetType = UNSET


class Aside(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body: the members that make an entry long."""

    after: Json | UnsetType = UNSET
    before: Json | UnsetType = UNSET
    content: Json | UnsetType = UNSET

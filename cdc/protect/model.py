"""What protection makes: tables under a plan, and events without the plaintext that the policy protects."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

import msgspec

from cdc.event import Baseline, Begin, End, Operation, Origin, Skipped, TableVersion, Truncate
from governance.plan import Plan


@dataclass(frozen=True, slots=True)
class StateColumn:
    """One column of a state table: its name, its PostgreSQL type and how its value is protected."""

    name: str
    type: str
    protect: str


@dataclass(frozen=True, slots=True, eq=False)
class ProtectedTable:
    """A table version under a plan: its names and digests, and the columns its state has.

    ``copied_name``: ``table`` in COPY's text format. ``keyless``: rows have no key, so state counts copies.
    """

    source: str
    version: TableVersion
    plan: Plan
    table: str
    schema_digest: str
    plan_digest: str
    content: bytes = field(repr=False)
    state_columns: tuple[StateColumn, ...]
    copied_name: bytes
    keyless: bool


class ProtectedEvent(msgspec.Struct, frozen=True, gc=False):
    """A row change whose images hold no plaintext that the policy protects.

    ``key``, ``before``, ``after`` and ``linked_key`` are canonical bytes. ``state`` is a line of COPY's text format:
    the row after the change (the key columns alone after a delete). ``before_key`` is set for keyless rows that had a
    before image.
    """

    origin: Origin
    table: ProtectedTable
    operation: Operation
    key: str
    before: bytes | None
    after: bytes | None
    subject_before: str | None
    subject_after: str | None
    state: str
    before_key: str | None = None
    before_state: str | None = None
    linked_key: bytes | None = None
    before_missing: bool = False


class ProtectedMessage(msgspec.Struct, frozen=True, gc=False):
    """A logical message; ``content`` is the canonical bytes of the entry's content."""

    origin: Origin
    content: bytes


class ProtectedQuarantine(msgspec.Struct, frozen=True, gc=False):
    """A record that cannot be decoded; ``content`` is the canonical bytes of the entry's content, its bytes sealed.

    ``key``: the row key of its row, where that can be told.
    """

    origin: Origin
    table: str | None
    content: bytes
    key: str | None = None


Protected: TypeAlias = (
    ProtectedEvent | ProtectedMessage | ProtectedQuarantine | Truncate | Begin | End | Baseline | Skipped
)

"""ChangeEvent → ProtectedEvent: the one door through which values leave plaintext.

Only this module makes a :class:`ProtectedEvent` or :class:`ProtectedMessage`, and the warehouse takes nothing else. It works batch-wise: what the privacy
store must know (subjects, tokens) is ensured for a whole batch first, in the store's own transaction; then each cell is a dictionary look-up away.
"""

from __future__ import annotations

import base64
from hashlib import sha256
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import msgspec

from cdc.copytext import NULL, clear_text, sealed_text, token_text
from cdc.entry import canonical, digest, member_order, qualified_name
from cdc.event import Baseline, Begin, ChangeEvent, End, Event, Image, LogicalMessage, Operation, Origin, Skipped, TableVersion, Truncate, Value
from cdc.values import state_text, state_type
from governance.keys import Keys, Subject
from governance.policy import Plan, Policy
from governance.seal import tail_prefix

_TEXT, _STRUCTURED = b"\x01", b"\x02"
_json = msgspec.json.Encoder().encode
_b64 = base64.b64encode


@dataclass(frozen=True, slots=True)
class StateColumn:
    """One column of a state table: its name, its PostgreSQL type and how its value is protected."""

    name: str
    type: str
    protect: str


@dataclass(frozen=True, slots=True, eq=False)
class ProtectedTable:
    """A table version under a plan: its names and digests, and the columns its state has."""

    source: str
    version: TableVersion
    plan: Plan
    table: str
    schema_digest: str
    plan_digest: str
    content: bytes = field(repr=False)
    state_columns: tuple[StateColumn, ...]

    @property
    def keyless(self) -> bool:
        """Rows have no key: state counts copies."""
        return self.version.keyless


class ProtectedEvent(msgspec.Struct, frozen=True, gc=False):
    """A row change whose images hold no plaintext that the policy protects.

    ``key``, ``before``, ``after`` and ``linked_key`` are canonical bytes. ``state`` holds the COPY texts of the row after the change
    (of the key columns alone after a delete). ``before_key`` is set for keyless rows that had a before image.
    """

    origin: Origin
    table: ProtectedTable
    operation: Operation
    key: str
    before: bytes | None
    after: bytes | None
    subject_before: str | None
    subject_after: str | None
    state: tuple[str, ...] | None
    before_key: str | None = None
    before_state: tuple[str, ...] | None = None
    linked_key: bytes | None = None
    before_missing: bool = False


class ProtectedMessage(msgspec.Struct, frozen=True, gc=False):
    """A logical message; ``content`` is the canonical bytes of the entry's content."""

    origin: Origin
    content: bytes


Protected: TypeAlias = ProtectedEvent | ProtectedMessage | Truncate | Begin | End | Baseline | Skipped


class Protector:
    """Protects the events of one source under one policy. Not thread-safe: one stream, one protector."""

    def __init__(self, source: str, policy: Policy, keys: Keys) -> None:
        self._source = source
        self._policy = policy
        self._keys = keys
        self._tables: dict[TableVersion, _Table] = {}

    def protect(self, events: Sequence[Event]) -> list[Protected]:
        """The same events, protected, in order.

        Raises:
            governance.errors.GovernanceError: the privacy store is away, was restored to the past, or does not fit the keyring.
        """
        self._ensure(events)
        return [self._one(event) for event in events]

    def _ensure(self, events: Iterable[Event]) -> None:
        """Subjects first, then tokens, each in one round trip when anything is new."""
        subjects: dict[str, set[str]] = {"source": {self._source}}
        changes = [(self._table(event.table), event) for event in events if type(event) is ChangeEvent]
        for table, event in changes:
            table.collect_subjects(event, subjects)
        self._keys.ensure_subjects(subjects)
        tokens: dict[str, dict[str, Subject]] = {}
        for table, event in changes:
            table.collect_tokens(event, tokens)
        if tokens:
            self._keys.ensure_tokens(tokens)

    def _table(self, version: TableVersion) -> _Table:
        table = self._tables.get(version)
        if table is None:
            table = self._tables[version] = _Table(self._source, version, self._policy, self._keys)
        return table

    def _one(self, event: Event) -> Protected:
        if type(event) is ChangeEvent:
            return self._tables[event.table].protect(event)
        if type(event) is LogicalMessage:
            return self._message(event)
        return event  # type: ignore[return-value]  # the two plaintext kinds are handled above

    def _message(self, event: LogicalMessage) -> ProtectedMessage:
        content: Value = event.content
        if self._policy.messages != "clear":
            cipher = self._keys.cipher(self._keys.subject("source", self._source), 0)
            tail = tail_prefix(self._source, "", event.prefix) + b"[]]"
            content = {"seal": _b64(cipher.seal(_TEXT + event.content.encode(), tail)).decode()}
        return ProtectedMessage(event.origin, canonical({"content": content, "prefix": event.prefix}))


class _Table:
    """One table version, compiled: which column is protected how, by position."""

    def __init__(self, source: str, version: TableVersion, policy: Policy, keys: Keys) -> None:
        name = qualified_name(version.schema, version.name)
        names = [column.name for column in version.columns]
        plan = policy.compile(name, names, list(version.key))
        self._keys = keys
        self._source_subject = source
        self._tokens = [(n, rule.domain or "") for n, rule in enumerate(plan.columns) if rule.protect == "token"]
        self._seals = [
            (n, rule.tier, tail_prefix(source, name, rule.column)) for n, rule in enumerate(plan.columns) if rule.protect == "seal"
        ]
        self._drops = [n for n, rule in enumerate(plan.columns) if rule.protect == "drop"]
        self._key_at = [names.index(column) for column in version.key]
        self._subject_type = plan.subject.type if plan.subject else ""
        self._subject_at = names.index(plan.subject.column) if plan.subject and plan.subject.column in names else -1
        order = member_order(names)
        self._order = [names.index(column) for column in order]
        self._sorted_names = order
        self._state = [
            (n, _copy_texts(rule.protect, column.type)) for n, (rule, column) in enumerate(zip(plan.columns, version.columns, strict=True)) if rule.protect != "drop"
        ]
        self._state_key = [n in self._key_at for n, _ in self._state]
        self.table = _describe(source, name, version, plan)

    def collect_subjects(self, event: ChangeEvent, into: dict[str, set[str]]) -> None:
        """Add the texts that name this event's subjects."""
        if self._subject_at < 0:
            return
        named = into.setdefault(self._subject_type, set())
        for image in (event.before, event.after):
            if image is not None and image[self._subject_at] is not None:
                named.add(_text(image[self._subject_at]))

    def collect_tokens(self, event: ChangeEvent, into: dict[str, dict[str, Subject]]) -> None:
        """Add the texts that need a token, each with the subject under whose key the store keeps it."""
        for image in (event.before, event.after):
            if image is not None:
                for n, domain in self._tokens:
                    if image[n] is not None:
                        into.setdefault(domain, {}).setdefault(_text(image[n]), self._subject(image))
        if event.other_key is not None:
            domains = dict(self._tokens)
            image = event.after or event.before or ()
            for n, value in zip(self._key_at, event.other_key, strict=True):
                if n in domains and value is not None:
                    into.setdefault(domains[n], {}).setdefault(_text(value), self._subject(image))

    def protect(self, event: ChangeEvent) -> ProtectedEvent:
        """One event. Everything it needs is in the cache of ``keys`` by now."""
        before, after = event.before, event.after
        image = after if after is not None else before
        assert image is not None  # the decoder refuses a change without an image
        key = self._row_key(image) if self._key_at else b"[]"
        before_cells = self._cells(before, key) if before is not None else None
        after_cells = self._cells(after, key) if after is not None else None
        before_bytes = self._image(before_cells) if before_cells is not None else None
        after_bytes = self._image(after_cells) if after_cells is not None else None
        linked = None
        if event.other_key is not None:
            linked = _json([self._key_value(n, value) for n, value in zip(self._key_at, event.other_key, strict=True)])
        before_key = self._hash_key(before_cells) if not self._key_at and before_cells is not None else None
        keyless_key = self._hash_key(after_cells) if not self._key_at and after_cells is not None else before_key
        return ProtectedEvent(
            origin=event.origin,
            table=self.table,
            operation=event.operation,
            key=key.decode() if self._key_at else keyless_key or "",
            before=before_bytes,
            after=after_bytes,
            subject_before=self._subject(before).label if before is not None else None,
            subject_after=self._subject(after).label if after is not None else None,
            state=self._state_texts(after_cells) if after_cells is not None else self._tombstone(before_cells or []),
            before_key=before_key,
            before_state=self._state_texts(before_cells) if before_key is not None and before_cells is not None else None,
            linked_key=linked,
            before_missing=event.before_missing,
        )

    def _subject(self, image: Image) -> Subject:
        if self._subject_at >= 0 and image[self._subject_at] is not None:
            return self._keys.subject(self._subject_type, _text(image[self._subject_at]))
        return self._keys.subject("source", self._source_subject)

    def _row_key(self, image: Image) -> bytes:
        return _json([self._key_value(n, image[n]) for n in self._key_at])

    def _key_value(self, n: int, value: Value) -> Value:
        for at, domain in self._tokens:
            if at == n and value is not None:
                return {"token": self._keys.token(domain, _text(value))}
        return value

    def _cells(self, image: Image, key: bytes) -> list[Value]:
        """The image's values with tokens and sealed cells in their places."""
        cells = list(image)
        for n, domain in self._tokens:
            value = image[n]
            if value is not None and not _is_unavailable(value):
                cells[n] = {"token": self._keys.token(domain, _text(value))}
        if self._seals:
            subject = self._subject(image)
            for n, tier, prefix in self._seals:
                value = image[n]
                if value is not None and not _is_unavailable(value):
                    plain = _TEXT + value.encode() if type(value) is str else _STRUCTURED + canonical(value)
                    sealed = self._keys.cipher(subject, tier).seal(plain, prefix + key + b"]")
                    cells[n] = {"seal": _b64(sealed).decode()}
        for n in self._drops:
            if cells[n] is not None:
                cells[n] = {"dropped": ""}
        return cells

    def _image(self, cells: list[Value]) -> bytes:
        members = zip(self._sorted_names, [cells[n] for n in self._order], strict=True)
        return _json(dict(members))

    def _hash_key(self, cells: list[Value]) -> str:
        """The row key of a row without a key: nulls are left out, so that a nullable column added later changes no key."""
        members = zip(self._sorted_names, [cells[n] for n in self._order], strict=True)
        return sha256(_json({name: value for name, value in members if value is not None})).hexdigest()

    def _state_texts(self, cells: list[Value]) -> tuple[str, ...]:
        return tuple(copy(cells[n]) for n, copy in self._state)

    def _tombstone(self, cells: list[Value]) -> tuple[str, ...]:
        return tuple(copy(cells[n]) if key else NULL for (n, copy), key in zip(self._state, self._state_key, strict=True))


def _is_unavailable(value: Value) -> bool:
    return type(value) is dict and "unavailable" in value


def _text(value: Value) -> str:
    return value if type(value) is str else canonical(value).decode()


def _copy_texts(protect: str, source_type: str) -> Callable[[Value], str]:
    if protect == "seal":
        return sealed_text
    return token_text if protect == "token" else clear_text(state_text(source_type))


def _describe(source: str, name: str, version: TableVersion, plan: Plan) -> ProtectedTable:
    columns: list[Value] = [
        {
            "length": column.length,
            "name": column.name,
            "optional": "yes" if column.optional else "no",
            "scale": column.scale,
            "type": column.type,
            "wire": column.wire,
        }
        for column in version.columns
    ]
    key: list[Value] = list(version.key)
    state = tuple(
        StateColumn(column.name, {"seal": "bytea", "token": "text"}.get(rule.protect) or state_type(column.type, column.wire), rule.protect)
        for rule, column in zip(plan.columns, version.columns, strict=True)
        if rule.protect != "drop"
    )
    return ProtectedTable(
        source=source,
        version=version,
        plan=plan,
        table=name,
        schema_digest=digest({"columns": columns, "key": key, "table": name}),
        plan_digest=plan.digest,
        content=canonical({"columns": columns, "key": key, "plan": plan.content()}),
        state_columns=state,
    )

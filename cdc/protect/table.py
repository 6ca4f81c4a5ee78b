"""Protection of one table version: which column is protected how, compiled to positions once."""

from __future__ import annotations

import base64
from collections.abc import Callable
from hashlib import sha256

import msgspec

from cdc.copytext import NULL, clear_text, sealed_text, token_text
from cdc.entry import canonical, member_order, qualified_name
from cdc.event import ChangeEvent, Image, TableVersion, Value
from cdc.protect.description import describe
from cdc.protect.model import ProtectedEvent
from cdc.values import state_text
from governance.keys import Keys, Subject
from governance.policy import Policy
from governance.seal import STRUCTURE, TEXT, tail_prefix

_json = msgspec.json.Encoder().encode
_b64 = base64.b64encode


class TableProtection:
    """One table version, compiled: which column is protected how, by position."""

    def __init__(self, source: str, version: TableVersion, policy: Policy, keys: Keys) -> None:
        name = qualified_name(version.schema, version.name)
        names = [column.name for column in version.columns]
        plan = policy.compile(name, names, list(version.key))
        self._keys = keys
        self._source_subject = source
        self._tokens = [(n, rule.domain or "") for n, rule in enumerate(plan.columns) if rule.protect == "token"]
        self._domains = dict(self._tokens)
        self._seals = [
            (n, rule.tier, tail_prefix(source, name, rule.column))
            for n, rule in enumerate(plan.columns)
            if rule.protect == "seal"
        ]
        self._drops = [n for n, rule in enumerate(plan.columns) if rule.protect == "drop"]
        self._key_at = [names.index(column) for column in version.key]
        self._subject_type = plan.subject.type if plan.subject else ""
        self._subject_at = names.index(plan.subject.column) if plan.subject and plan.subject.column in names else -1
        order = member_order(names)
        self._order = [names.index(column) for column in order]
        self._sorted_names = order
        self._state = [
            (n, _copy_texts(rule.protect, column.type))
            for n, (rule, column) in enumerate(zip(plan.columns, version.columns, strict=True))
            if rule.protect != "drop"
        ]
        self._state_key = [n in self._key_at for n, _ in self._state]
        self.table = describe(source, name, version, plan)

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
                    if _is_sent(image[n]):
                        into.setdefault(domain, {}).setdefault(_text(image[n]), self._subject(image))
        if event.other_key is not None:
            image = event.after or event.before or ()
            for n, value in zip(self._key_at, event.other_key, strict=True):
                if n in self._domains and value is not None:
                    into.setdefault(self._domains[n], {}).setdefault(_text(value), self._subject(image))

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
            before_state=self._state_texts(before_cells) if before_key and before_cells is not None else None,
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
        domain = self._domains.get(n)
        if domain is None or value is None:
            return value
        return {"token": self._keys.token(domain, _text(value))}

    def _cells(self, image: Image, key: bytes) -> list[Value]:
        """The image's values with tokens and sealed cells in their places."""
        cells = list(image)
        for n, domain in self._tokens:
            value = image[n]
            if _is_sent(value):
                cells[n] = {"token": self._keys.token(domain, _text(value))}
        if self._seals:
            subject = self._subject(image)
            for n, tier, prefix in self._seals:
                value = image[n]
                if _is_sent(value):
                    plain = TEXT + value.encode() if type(value) is str else STRUCTURE + canonical(value)
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
        """The row key of a row without a key. Without nulls: a nullable column that is added later changes no key."""
        members = zip(self._sorted_names, [cells[n] for n in self._order], strict=True)
        return sha256(_json({name: value for name, value in members if value is not None})).hexdigest()

    def _state_texts(self, cells: list[Value]) -> tuple[str, ...]:
        return tuple(copy(cells[n]) for n, copy in self._state)

    def _tombstone(self, cells: list[Value]) -> tuple[str, ...]:
        return tuple(
            copy(cells[n]) if key else NULL for (n, copy), key in zip(self._state, self._state_key, strict=True)
        )


def _is_sent(value: Value) -> bool:
    """Whether there is a value to protect: not NULL, and not the marker for what the source left out."""
    return value is not None and not (type(value) is dict and "unavailable" in value)


def _text(value: Value) -> str:
    return value if type(value) is str else canonical(value).decode()


def _copy_texts(protect: str, source_type: str) -> Callable[[Value], str]:
    if protect == "seal":
        return sealed_text
    return token_text if protect == "token" else clear_text(state_text(source_type))

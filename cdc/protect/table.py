"""Protection of one table version: which column is protected how, compiled to positions once."""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Sequence
from hashlib import sha256

import msgspec

from cdc.entry import canonical, member_order, qualified_name
from cdc.event import ChangeEvent, Image, TableVersion, Value
from cdc.protect.description import describe
from cdc.protect.model import ProtectedEvent
from cdc.protect.native import native_protection
from cdc.protect.rendering import StateLine, image_encoder
from governance.keys import Keys, Subject
from governance.policy import Policy
from governance.seal import STRUCTURE, TEXT, tail_prefix

_json = msgspec.json.Encoder().encode


class ProtectedImage(msgspec.Struct, gc=False):
    """One image in protection: its plaintext, its subject, and its cells with the bytes of those that are sealed."""

    plain: Image
    subject: Subject
    cells: list[Value]
    sealed: dict[int, bytes]

    def __repr__(self) -> str:
        return f"ProtectedImage(subject={self.subject.label})"


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
        self._sorted = [(member, names.index(member)) for member in member_order(names)]
        self._image = image_encoder(names)
        self._line = StateLine(plan.columns, version.columns, self._key_at)
        self.table = describe(source, name, version, plan)
        self._native = native_protection(self.table, keys)

    def subjects(self, events: Sequence[ChangeEvent], into: dict[str, set[str]]) -> None:
        """Add the texts that name the subjects of these events."""
        if (at := self._subject_at) < 0:
            return
        named = {
            value if type(value := image[at]) is str or value is None else _text(value)
            for event in events
            for image in (event.before, event.after)
            if image is not None
        }
        into.setdefault(self._subject_type, set()).update(text for text in named if text is not None)

    def tokens(self, events: Sequence[ChangeEvent], into: dict[str, dict[str, Subject]]) -> None:
        """Add the texts that have no token yet, each with the subject under whose key the store keeps it."""
        for n, domain in self._tokens:
            texts: dict[str, Image] = {}
            for event in events:
                for image in (event.before, event.after):
                    if image is not None and _is_sent(value := image[n]):
                        texts.setdefault(_text(value), image)
                if event.other_key is not None and n in self._key_at:
                    moved = event.other_key[self._key_at.index(n)]
                    if moved is not None:
                        texts.setdefault(_text(moved), event.after or event.before or ())
            if lacking := self._keys.lacking_tokens(domain, texts.keys()):
                new = into.setdefault(domain, {})
                for text in lacking:
                    new.setdefault(text, self._subject(texts[text]))

    def protect(self, event: ChangeEvent) -> ProtectedEvent:
        """One event. Everything it needs is in the cache of ``keys`` by now."""
        if self._native is not None and (made := self._native(event)) is not None:
            return made
        image = event.after if event.after is not None else event.before
        assert image is not None  # the decoder refuses a change without an image
        key = self._row_key(image) if self._key_at else b"[]"
        after = self._protected(event.after, key, None) if event.after is not None else None
        before = self._protected(event.before, key, after) if event.before is not None else None
        linked = None
        if event.other_key is not None:
            linked = _json([self._key_value(n, value) for n, value in zip(self._key_at, event.other_key, strict=True)])
        text, before_key = key.decode(), None
        if not self._key_at:
            before_key = self._hash_key(before.cells) if before is not None else None
            text = self._hash_key(after.cells) if after is not None else before_key or ""
        return ProtectedEvent(
            event.origin,
            self.table,
            event.operation,
            text,
            self._image(before.cells) if before is not None else None,
            self._image(after.cells) if after is not None else None,
            before.subject.label if before is not None else None,
            after.subject.label if after is not None else None,
            self._line.row(after.cells, after.sealed) if after is not None else self._deleted(before),
            before_key,
            self._line.row(before.cells, before.sealed) if before_key is not None and before is not None else None,
            linked,
            event.before_missing,
        )

    def _subject(self, image: Image) -> Subject:
        if self._subject_at >= 0 and image[self._subject_at] is not None:
            return self._keys.subject(self._subject_type, _text(image[self._subject_at]))
        return self._keys.subject("source", self._source_subject)

    def _row_key(self, image: Image) -> bytes:
        if not self._domains:
            return _json([image[n] for n in self._key_at])
        return _json([self._key_value(n, image[n]) for n in self._key_at])

    def _key_value(self, n: int, value: Value) -> Value:
        domain = self._domains.get(n)
        if domain is None or value is None:
            return value
        return {"token": self._keys.token(domain, _text(value))}

    def _protected(self, image: Image, key: bytes, other: ProtectedImage | None) -> ProtectedImage:
        """The image with tokens and sealed cells in their places.

        ``other``: the event's other image. A token hangs on its value alone, and a sealed cell on its row and subject
        besides: what both images have alike is made once.
        """
        at = self._subject_at
        if other is not None and (at < 0 or image[at] == other.plain[at]):
            made = ProtectedImage(image, other.subject, list(image), {})
        else:
            made = ProtectedImage(image, self._subject(image), list(image), {})
        cells = made.cells
        for n, domain in self._tokens:
            value = image[n]
            if other is not None and value == other.plain[n]:
                cells[n] = other.cells[n]
            elif _is_sent(value):
                cells[n] = {"token": self._keys.token(domain, _text(value))}
        if self._seals:
            self._seal(made, key, other if other is not None and other.subject is made.subject else None)
        for n in self._drops:
            if cells[n] is not None:
                cells[n] = {"dropped": ""}
        return made

    def _seal(self, made: ProtectedImage, key: bytes, same: ProtectedImage | None) -> None:
        """Seal what the policy seals. ``same``: the other image, where it is of the same row and subject."""
        cells, tail, image = made.cells, key + b"]", made.plain
        tier_in_hand, seal = -1, None
        for n, tier, prefix in self._seals:
            value = image[n]
            if same is not None and value == same.plain[n]:
                cells[n] = same.cells[n]
                if n in same.sealed:
                    made.sealed[n] = same.sealed[n]
            elif _is_sent(value):
                if tier != tier_in_hand or seal is None:
                    tier_in_hand, seal = tier, self._keys.cipher(made.subject, tier).seal
                plain = TEXT + value.encode() if type(value) is str else STRUCTURE + canonical(value)
                sealed = seal(plain, prefix + tail)
                made.sealed[n] = sealed
                cells[n] = {"seal": b2a_base64(sealed, newline=False).decode()}

    def _hash_key(self, cells: Sequence[Value]) -> str:
        """The row key of a row without a key. Without nulls: a nullable column that is added later changes no key."""
        return sha256(_json({name: cells[n] for name, n in self._sorted if cells[n] is not None})).hexdigest()

    def _deleted(self, before: ProtectedImage | None) -> str:
        return self._line.deleted(before.cells if before is not None else ())


def _is_sent(value: Value) -> bool:
    """Whether there is a value to protect: not NULL, and not the marker for what the source left out."""
    return type(value) is str or (value is not None and not (type(value) is dict and "unavailable" in value))


def _text(value: Value) -> str:
    return value if type(value) is str else canonical(value).decode()

"""Entry to canonical bytes and back (docs/formats.md §3, §3.3).

The hot path hands over images, contents and keys as :class:`msgspec.Raw` (canonical bytes made once), and encoding is
one call.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Final, TypeVar

import msgspec
from msgspec import UNSET, Raw, UnsetType

from cdc.entry.canonical import EntryError, canonical, parse
from cdc.entry.model import Aside, Body, Entry
from cdc.entry.rules import check

MAX_ENTRY: Final = 65_535
"""Bytes of the longest entry: the C2SP tile format counts them in 16 bits."""

_Struct = TypeVar("_Struct", Entry, Aside)

_encode = msgspec.json.Encoder().encode
_WRITTEN = (Raw, UnsetType)


def encode(entry: Entry) -> tuple[bytes, bytes | None]:
    """The canonical bytes of an entry, at most :data:`MAX_ENTRY`, and of its body where it needs one (else None).

    What is given as ``Raw`` is taken as canonical, and nothing is checked against the kind: :func:`decode` does both.
    Raises :class:`EntryError` for a value without canonical form, and where even without its body it is too long.
    """
    if not (
        type(entry.after) in _WRITTEN
        and type(entry.before) in _WRITTEN
        and type(entry.content) in _WRITTEN
        and type(entry.key) in _WRITTEN
        and type(entry.linked_key) in _WRITTEN
    ):
        entry = _written(entry)
    try:
        data = _encode(entry)
    except UnicodeEncodeError:
        data = None
    if data is None:
        raise EntryError("a lone surrogate has no canonical form")
    if len(data) <= MAX_ENTRY:
        return data, None
    aside = Aside(after=entry.after, before=entry.before, content=entry.content)
    body = _encode(aside)
    moved = Body(length=str(len(body)), sha256=sha256(body).hexdigest())
    data = _encode(msgspec.structs.replace(entry, after=UNSET, before=UNSET, content=UNSET, body=moved))
    if len(data) > MAX_ENTRY:
        raise EntryError(f"{len(data)} bytes beside its body; an entry has at most {MAX_ENTRY}")
    return data, body


def decode(entry: bytes, body: bytes | None = None) -> Entry:
    """The entry of these bytes; with ``body``, its images or content put back: what was encoded comes back equal.

    Strict: raises :class:`EntryError` for bytes that :func:`encode` would not have written, members that are unknown,
    missing or out of place for the kind, and a body that is not the one the entry names. An entry whose body is not
    given keeps its ``body`` member. Images, contents and keys come back as plain Python values, never as ``Raw``.
    """
    if len(entry) > MAX_ENTRY:
        raise EntryError(f"{len(entry)} bytes; an entry has at most {MAX_ENTRY}")
    value = parse(entry)
    shaped = _shape(value, Entry)
    if "format" not in value:  # has a default, for those who make entries
        raise EntryError("format: missing from this kind")
    if body is not None:
        if shaped.body is UNSET:
            raise EntryError("a body is given for an entry that has none")
        if (str(len(body)), sha256(body).hexdigest()) != (shaped.body.length, shaped.body.sha256):
            raise EntryError("the body is not the one that the entry names")
        aside = _shape(parse(body), Aside)
        if not (shaped.after is shaped.before is shaped.content is UNSET):
            raise EntryError("the entry still has a member that its body holds")
        shaped = msgspec.structs.replace(
            shaped, body=UNSET, after=aside.after, before=aside.before, content=aside.content
        )
        if encode(shaped) != (entry, body):
            raise EntryError("the entry does not need its body")
    try:
        check(shaped)
    except RecursionError:
        raise EntryError("nested too deeply") from None
    return shaped


def _written(entry: Entry) -> Entry:
    """The same entry, its loose members replaced by their canonical bytes."""
    loose = {name: getattr(entry, name) for name in ("after", "before", "content", "key", "linked_key")}
    return msgspec.structs.replace(
        entry, **{name: Raw(canonical(value)) for name, value in loose.items() if type(value) not in _WRITTEN}
    )


def _shape(value: object, struct: type[_Struct]) -> _Struct:
    """``value`` as a struct, or an :class:`EntryError` that names the member but not what is in it."""
    try:
        return msgspec.convert(value, struct)
    except msgspec.ValidationError as error:
        where = re.search(r"at `(\$[^`]*)`\Z", str(error))
    # outside of the handler: the error of msgspec, which quotes values, is not even its context
    raise EntryError(f"malformed at {where[1] if where else '$'}")

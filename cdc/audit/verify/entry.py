"""One entry, read strictly: canonical bytes (docs/formats.md §1), at most 65,535 of them, with its body (§3.3)."""

from __future__ import annotations

from hashlib import sha256
from typing import Any, NamedTuple

from . import canonical

MAX_ENTRY = 65_535
"""Bytes of the longest entry."""
_ASIDE = frozenset({"after", "before", "content"})


class Malformed(ValueError):
    """Why an entry cannot be read, without what it holds. ``step``: which check found it."""

    def __init__(self, step: str, why: str) -> None:
        super().__init__(why)
        self.step = step


class Read(NamedTuple):
    """Members of an entry (those in its body among them), and the canonical texts of its images."""

    entry: dict[str, Any]
    after: str | None
    before: str | None
    bodied: bool


def read(text: str, body: str | None) -> Read:
    """Read an entry and its body.

    Raises:
        Malformed: not canonical, too long, or its body is missing, another one, or not wanted.
    """
    members, after, before = _members(text, "entry")
    if "body" not in members:
        if body is not None:
            raise Malformed("body", "a body is stored for it, but it names none")
        if len(text) > MAX_ENTRY or (not text.isascii() and len(text.encode()) > MAX_ENTRY):
            raise Malformed("entry", f"it is longer than {MAX_ENTRY:,} bytes")
        return Read(members, after, before, bodied=False)
    if body is None:
        raise Malformed("body", "its body is missing")
    stored = body.encode()
    if members["body"] != {"length": str(len(stored)), "sha256": sha256(stored).hexdigest()}:
        raise Malformed("body", "its body is not the one that it names by length and hash")
    aside, after, before = _members(body, "body")
    if not aside or not aside.keys() <= _ASIDE:
        raise Malformed("body", "its body does not hold images or content")
    if aside.keys() & members.keys():
        raise Malformed("body", "a member stands in it and in its body")
    whole = members | aside
    del whole["body"]
    if len(text.encode()) > MAX_ENTRY or (
        len(stored) <= MAX_ENTRY and len(canonical.write(whole).encode()) <= MAX_ENTRY
    ):
        raise Malformed("body", "it is too long beside its body, or needs none")
    return Read(whole, after, before, bodied=True)


def again(text: str, body: str | None) -> dict[str, Any]:
    """Members of an entry that :func:`read` has judged before; none where it could not be read."""
    try:
        members: dict[str, Any] = canonical.parse(text)
        return members if body is None else members | canonical.parse(body)
    except (canonical.NotCanonical, TypeError):
        return {}


def _members(text: str, step: str) -> tuple[dict[str, Any], str | None, str | None]:
    """The members of a canonical object. The images are written by themselves: their texts are needed again."""
    try:
        members = canonical.parse(text)
        if type(members) is not dict:
            raise Malformed(step, f"the {step} is not an object")
        after, before = members.pop("after", None), members.pop("before", None)
        after_text = None if after is None else canonical.write(after)
        before_text = None if before is None else canonical.write(before)
        parts = []
        if after_text is not None:
            parts.append(f'"after":{after_text}')
        if before_text is not None:
            parts.append(f'"before":{before_text}')
        if members:
            parts.append(canonical.write(members)[1:-1])
        if "{" + ",".join(parts) + "}" != text:
            raise Malformed(step, f"the {step} is not spelt canonically")
    except canonical.NotCanonical as error:
        raise Malformed(step, f"the {step} is not canonical: {error}") from None
    if after is not None:
        members["after"] = after
    if before is not None:
        members["before"] = before
    return members, after_text, before_text

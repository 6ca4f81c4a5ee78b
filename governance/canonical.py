"""Canonical bytes (``docs/formats.md`` §1) of the few things that governance binds or digests.

JCS (RFC 8785) restricted to objects, arrays, strings and null; member names here are fixed ASCII words, so sorting by
code point is sorting by UTF-16 code unit.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

_NOT_TEXT = "not Unicode text: it holds half of a surrogate pair"

Canonical = str | None | Sequence["Canonical"] | Mapping[str, "Canonical"]


def canonical(value: Canonical) -> bytes:
    """The canonical bytes of ``value``. ValueError where a string is not Unicode text (the string is not quoted)."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return utf8(text)


def utf8(text: str) -> bytes:
    """UTF-8 of ``text``. ValueError where it is not Unicode text: unlike UnicodeEncodeError, without the text."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        pass
    raise ValueError(_NOT_TEXT)

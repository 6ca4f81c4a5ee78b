"""Entries as questions read them: from the record itself, the canonical text, with the body put back.

Nothing is checked beyond the shape: that the bytes are what was hashed is for ``cdc audit verify``.
"""

from __future__ import annotations

import msgspec
from msgspec import UNSET

from cdc.entry import Entry
from cdc.entry.model import Aside
from cdc.errors import LedgerError

VERIFY = "cdc audit verify"
JOINED = "audit.entry e LEFT JOIN audit.body b ON b.log = e.log AND b.seq = e.seq"
_entry = msgspec.json.Decoder(Entry)
_aside = msgspec.json.Decoder(Aside)


def read(text: str, body: str | None, *, whole: bool = True) -> Entry:
    """The entry of a text and, where it has one, its body.

    ``whole``: without its body an entry that has one is refused.

    Raises:
        LedgerError: not an entry, or its body is missing.
    """
    try:
        entry = _entry.decode(text)
        aside = _aside.decode(body) if body is not None else None
    except msgspec.DecodeError:
        entry = None
    if entry is None:  # outside of the handler: its error may quote values
        raise LedgerError("an entry of the log cannot be read", hint=VERIFY)
    if aside is not None:
        return msgspec.structs.replace(entry, after=aside.after, before=aside.before, content=aside.content, body=UNSET)
    if whole and entry.body is not UNSET:
        raise LedgerError(f"the body of entry {entry.seq} of {entry.origin} is missing", hint=VERIFY)
    return entry

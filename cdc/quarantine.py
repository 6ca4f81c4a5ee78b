"""A record that cannot be decoded takes its place in the log: what is kept of it, and which table it is of.

Nothing here is asked of a record that decodes.
"""

from __future__ import annotations

import base64
import time
from collections import deque

import msgspec

from cdc.entry import canonical, qualified_name
from cdc.errors import Halted
from cdc.event import Image, Origin, Quarantined, Record, TableVersion

WINDOW_S = 600.0
"""Seconds in which :class:`Rate` counts."""
LIMIT = 100
"""Quarantined records that are too many within the window, by default."""
_KEY, _ENVELOPE = ".Key", ".Envelope"
_PARTS = 4
"""Of a schema name of Debezium's: prefix, schema, table, and what it describes."""


class _Named(msgspec.Struct, frozen=True):
    name: str | None = None


class _Described(msgspec.Struct, frozen=True):
    schema: _Named


_described = msgspec.json.Decoder(_Described)


def quarantined(record: Record, reason: str, row: tuple[TableVersion, Image] | None = None) -> Quarantined:
    """What becomes of a record that cannot be decoded, for the ``reason`` word that the decoder gave. ``row``: what its
    Kafka key says, which is believed where its schemas name the same table.
    """
    held = {
        "headers": [[name, _text(value)] for name, value in record.headers],
        "key": _text(record.key),
        "value": _text(record.value),
    }
    origin, table = Origin(record.offset, record.timestamp_ms * 1_000_000), table_of(record)
    if row is not None and table != qualified_name(row[0].schema, row[0].name):
        row = None
    return Quarantined(origin, reason, table, canonical(held), row)


def table_of(record: Record) -> str | None:
    """The table that a record is of, as entries name it, as far as its schemas say: Debezium names them
    ``<prefix>.<schema>.<table>.Key`` and ``.Envelope``. None where neither can be read, or a dot in a name leaves it
    open. They may disagree: then neither is believed.
    """
    found = {_named(record.key, _KEY), _named(record.value, _ENVELOPE)} - {None}
    return found.pop() if len(found) == 1 else None


def _named(text: bytes | None, kind: str) -> str | None:
    """The table that the schema before the payload names."""
    at = (text or b"").find(b',"payload":')
    if text is None or at < 0:
        return None
    try:
        name = _described.decode(text[:at] + b"}").schema.name or ""
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None
    parts = name.split(".")
    if not name.endswith(kind) or len(parts) != _PARTS or not (parts[1] and parts[2]):
        return None
    return qualified_name(parts[1], parts[2])


def _text(value: bytes | None) -> str | None:
    return base64.b64encode(value).decode() if value is not None else None


class Rate:
    """Counts quarantined records by this machine's monotonic clock. Says when they are too many to be accidents."""

    def __init__(self, limit: int, window_s: float = WINDOW_S) -> None:
        self._limit = limit
        self._window_s = window_s
        self._seen: deque[float] = deque()

    def count(self, offset: int) -> None:
        """One more, at this offset.

        Raises:
            Halted: more than ``limit`` within ``window_s`` seconds. All of them are to be committed before it is raised
            to anybody else.
        """
        now = time.monotonic()
        self._seen.append(now)
        while self._seen[0] < now - self._window_s:
            self._seen.popleft()
        if len(self._seen) > self._limit:
            raise Halted(
                "quarantine-rate",
                f"more than {self._limit} records within {self._window_s:g} s could not be decoded, the last of them"
                f" before offset {offset + 1}",
                hint="cdc status, then find out who writes to the topic; starting again goes on where this ended",
            )

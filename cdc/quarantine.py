"""A record that cannot be decoded takes its place in the log: what is kept of it, and which table it is of.

Nothing here is asked of a record that decodes.
"""

from __future__ import annotations

import base64
import json
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import TypeAlias

import msgspec

from cdc.entry import canonical, qualified_name
from cdc.errors import Halted
from cdc.event import Column, Image, Origin, Quarantined, Record, TableVersion
from cdc.rows import key_values, key_version
from cdc.values import REGISTRIES, rendering_of, typing_of

WINDOW_S = 600.0
"""Seconds in which :class:`Rate` counts."""
LIMIT = 100
"""Quarantined records that are too many within the window, by default."""
KeyColumns: TypeAlias = Mapping[str, tuple[str, str]]
"""The key columns of a table's current state, in the key's order: the state column's type, and how it is protected."""
_KEY, _ENVELOPE = ".Key", ".Envelope"
_SPLIT = b',"payload":'
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


def row_by_state(record: Record, key_of: Callable[[str], KeyColumns | None]) -> tuple[TableVersion, Image] | None:
    """Which row a record is of that cannot be decoded, of a table that no record has shown since the worker took the
    stream: as its Kafka key says, where that describes the key which current state of the table has (``key_of``): the
    same columns in the same order, of the same types, of values that entries hold as they are on the wire.
    """
    key, table = record.key or b"", table_of(record)
    columns = key_of(table) if table is not None else None
    at = key.find(_SPLIT)
    if not columns or at < 0 or not key.endswith(b"}"):
        return None
    try:
        for version in _described_key(key[:at]):
            if version.key == tuple(columns) and all(_fits(each, columns[each.name]) for each in version.columns):
                return version, key_values(version, key[at + len(_SPLIT) : -1])
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, msgspec.DecodeError):
        return None
    return None


@lru_cache(maxsize=256)
def _described_key(schema: bytes) -> tuple[TableVersion, ...]:
    """The key columns as a Kafka key describes them, read for each kind of source: it does not say which one it is."""
    place = _place(schema + _SPLIT, _KEY)
    read = json.loads(schema + b"}")["schema"]
    return tuple(key_version(read, place, connector) for connector in REGISTRIES) if place is not None else ()


def _fits(column: Column, state: tuple[str, str]) -> bool:
    """Whether values of a key column are those that its column of current state was made of."""
    wanted, protect = state
    plain = all(rendering_of(replace(column, connector=each)) is None for each in REGISTRIES)
    return plain and wanted == ("text" if protect == "token" else typing_of(column).state)


def _named(text: bytes | None, kind: str) -> str | None:
    """The table that the schema before the payload names."""
    place = _place(text, kind)
    return qualified_name(*place) if place is not None else None


def _place(text: bytes | None, kind: str) -> tuple[str, str] | None:
    """Schema and name of that table."""
    at = (text or b"").find(_SPLIT)
    if text is None or at < 0:
        return None
    try:
        name = _described.decode(text[:at] + b"}").schema.name or ""
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None
    parts = name.split(".")
    if not name.endswith(kind) or len(parts) != _PARTS or not (parts[1] and parts[2]):
        return None
    return parts[1], parts[2]


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

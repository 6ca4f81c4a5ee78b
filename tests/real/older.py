"""A worker of an older version: one that cannot read the records at the offsets in ``UNREADABLE``.

With ``TABLELESS`` it cannot tell their table either; with ``FRESH`` it has seen no record of their table; with ``DIES`` it is killed between a resolution and saying so.

``python -m tests.real.older replicate …`` is ``cdc replicate …`` otherwise.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import cdc.quarantine
import cdc.warehouse.requests
from cdc.cli import main
from cdc.debezium import Decoder
from cdc.errors import RecordError

if TYPE_CHECKING:
    from cdc.event import Event, Record

UNREADABLE = frozenset(map(int, os.environ["UNREADABLE"].split()))
_decode = Decoder.decode


def decode(self: Decoder, record: Record) -> Event:
    event = _decode(self, record)
    if record.offset in UNREADABLE:
        self._deleted = None
        raise RecordError(f"record at offset {record.offset} cannot be decoded (of-a-later-version)", reason="of-a-later-version")
    return event


if __name__ == "__main__":
    Decoder.decode = decode  # type: ignore[method-assign]
    if os.environ.get("TABLELESS"):
        cdc.quarantine.table_of = lambda _record: None
    if os.environ.get("FRESH"):
        Decoder.row_of = lambda *_: None  # type: ignore[method-assign]
    if os.environ.get("DIES"):
        cdc.warehouse.requests.done = lambda *_: os._exit(9)
    main()

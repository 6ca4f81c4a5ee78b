"""The records in quarantine: where they stand and why, never what they hold."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cdc.audit.reading import Reading
from cdc.errors import NotFound

# The condition on two kinds is that of the partial index.
_QUARANTINED = """
SELECT e.log, e.seq, s.topic, e.kafka_offset, e.table_name, e.transaction_id, e.recorded_at, e.entry, b.body,
       encode(e.leaf, 'hex')
  FROM audit.entry e LEFT JOIN audit.body b USING (log, seq) LEFT JOIN pipeline.stream s USING (log)
 WHERE e.kind = 'quarantined' AND e.kind IN ('quarantined', 'resolved')
   AND e.log = coalesce(%(log)s, e.log) AND e.seq = coalesce(%(seq)s, e.seq) ORDER BY e.log, e.seq
"""


@dataclass(frozen=True, slots=True)
class Quarantined:
    """One record. ``sealed_bytes``: characters of the sealed cell in base64, the only measure of its size that shows.

    ``digest``: the entry's leaf. ``recorded_at`` is ISO 8601 in UTC, ``produced_at`` ns since 1970.
    """

    log: str
    seq: int
    topic: str | None
    offset: int
    reason: str
    table: str | None
    transaction: str | None
    produced_at: int
    recorded_at: str
    sealed_bytes: int
    digest: str

    def document(self) -> dict[str, Any]:
        """For programs."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def quarantined(reading: Reading, log: str | None = None, seq: int | None = None) -> Iterator[Quarantined]:
    """All of them in order, of one log where it is named."""
    for row in reading.stream(_QUARANTINED, {"log": log, "seq": seq}):
        source, number, topic, offset, table, transaction, recorded_at, entry, body, leaf = row
        said = json.loads(entry)
        content = (said if body is None else json.loads(body))["content"]
        yield Quarantined(
            source, number, topic, offset, content["reason"], table, transaction, int(said["produced_at"]),
            recorded_at.isoformat(), len(content["sealed"]["seal"]), leaf,
        )  # fmt: skip


def one(reading: Reading, log: str, seq: int) -> Quarantined:
    """The record in quarantine at ``seq``.

    Raises:
        NotFound: that entry is none.
    """
    for found in quarantined(reading, log, seq):
        return found
    raise NotFound(f"entry {seq:,} of {log} is no record in quarantine", hint=f"cdc quarantine list {log}")

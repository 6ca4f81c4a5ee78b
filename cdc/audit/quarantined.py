"""The records in quarantine: where they stand and why, what has become of them, never what they hold."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from cdc.audit.reading import Reading
from cdc.errors import NotFound

# The condition on two kinds is that of the partial index.
_QUARANTINED = """
WITH resolved AS MATERIALIZED (
    SELECT r.log, (c.content ->> 'of')::bigint AS of, r.seq, c.content ->> 'how' AS how, c.content ->> 'by' AS by,
           c.content ->> 'at' AS at, c.content ->> 'reason' AS reason
      FROM audit.entry r, LATERAL (SELECT audit.readable(r.entry) -> 'content' AS content) c
     WHERE r.kind = 'resolved' AND r.kind IN ('quarantined', 'resolved') AND r.log = coalesce(%(log)s, r.log)
), tables AS MATERIALIZED (
    SELECT p.log, t.seq FROM pipeline.stream p CROSS JOIN LATERAL pipeline.table_waits(p.log) t
     WHERE p.log = coalesce(%(log)s, p.log))
SELECT e.log, e.seq, s.topic, e.kafka_offset, e.table_name,
       CASE WHEN EXISTS (SELECT FROM pipeline.row_wait w WHERE w.log = e.log AND w.table_name = e.table_name
                            AND e.seq = ANY (w.open)) THEN 'row'
            WHEN EXISTS (SELECT FROM tables t WHERE t.log = e.log AND t.seq = e.seq) THEN 'table' END,
       e.transaction_id, e.recorded_at, e.entry, b.body,
       encode(e.leaf, 'hex'), r.seq, r.how, r.by, r.at, r.reason
  FROM audit.entry e LEFT JOIN audit.body b USING (log, seq) LEFT JOIN pipeline.stream s USING (log)
  LEFT JOIN resolved r ON r.log = e.log AND r.of = e.seq
 WHERE e.kind = 'quarantined' AND e.kind IN ('quarantined', 'resolved')
   AND e.log = coalesce(%(log)s, e.log) AND e.seq = coalesce(%(seq)s, e.seq) AND (%(all)s OR r.seq IS NULL)
 ORDER BY e.log, e.seq
"""


@dataclass(frozen=True, slots=True)
class Resolution:
    """What has become of a record: ``how`` is ``replayed`` or ``dismissed``; ``at``: ISO 8601 in UTC."""

    seq: int
    how: str
    by: str
    at: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class Quarantined:
    """One record. ``sealed_bytes``: characters of the sealed cell in base64, the only measure of its size that shows.

    ``waits``: whose current state waits for it, ``row`` or ``table``; None: nothing's. ``digest``: the entry's leaf.
    ``recorded_at`` is ISO 8601 in UTC, ``produced_at`` ns since 1970. ``resolution``: None as long as the record
    is in quarantine.
    """

    log: str
    seq: int
    topic: str | None
    offset: int
    reason: str
    table: str | None
    waits: str | None
    transaction: str | None
    produced_at: int
    recorded_at: str
    sealed_bytes: int
    digest: str
    resolution: Resolution | None

    def document(self) -> dict[str, Any]:
        """For programs."""
        return asdict(self)


def quarantined(
    reading: Reading, log: str | None = None, seq: int | None = None, *, resolved: bool = False
) -> Iterator[Quarantined]:
    """Those that are in quarantine, in order, of one log where it is named; with ``resolved`` also those that were."""
    for row in reading.stream(_QUARANTINED, {"log": log, "seq": seq, "all": resolved}):
        source, number, topic, offset, table, waits, transaction, recorded_at, entry, body, leaf, *became = row
        said = json.loads(entry)
        content = (said if body is None else json.loads(body))["content"]
        yield Quarantined(
            source, number, topic, offset, content["reason"], table, waits, transaction, int(said["produced_at"]),
            recorded_at.isoformat(), len(content["sealed"]["seal"]), leaf,
            None if became[0] is None else Resolution(*became),
        )  # fmt: skip


def one(reading: Reading, log: str, seq: int) -> Quarantined:
    """The record that is, or was, in quarantine at ``seq``.

    Raises:
        NotFound: that entry is none.
    """
    for found in quarantined(reading, log, seq, resolved=True):
        return found
    raise NotFound(f"entry {seq:,} of {log} is no record in quarantine", hint=f"cdc quarantine list {log}")

"""Rows of ``pipeline.stream`` and ``audit.log`` as a :class:`cdc.batch.Standing`, and back."""

from __future__ import annotations

import json
from typing import Any

from cdc.batch import Standing
from cdc.ledger.merkle import Edge

SELECT = """
SELECT s.next_offset, l.size, l.edge, s.ordered_at, s.source_epoch, s.heartbeat_at, s.high_commit, s.high_order,
       s.open_transaction, s.open_count, s.open_unread, s.records, s.skipped, s.extra_entries,
       s.complete_seq, s.complete_at
  FROM pipeline.stream s JOIN audit.log l USING (log) WHERE s.log = %s
"""

# The fence: nothing is written unless the stream is where this batch continues, and the log is as long as it says.
ADVANCE = """
UPDATE pipeline.stream SET next_offset = %(next_offset)s, ordered_at = %(ordered_at)s,
       source_epoch = %(source_epoch)s, heartbeat_at = %(heartbeat_at)s,
       high_commit = %(high_commit)s, high_order = %(high_order)s,
       open_transaction = %(open_transaction)s, open_count = %(open_count)s, open_unread = %(open_unread)s,
       records = %(records)s, skipped = %(skipped)s, extra_entries = %(extra_entries)s, complete_seq = %(complete_seq)s,
       complete_at = %(complete_at)s, privacy_identity = %(privacy_identity)s,
       privacy_high_water = %(privacy_high_water)s,
       halted_code = NULL, halted_message = NULL, halted_at = NULL, halted_coordinates = NULL
 WHERE log = %(log)s AND next_offset = %(from_offset)s AND epoch = %(epoch)s AND topic_id = %(topic_id)s
RETURNING audit.advance(%(log)s, %(from_size)s, %(size)s, %(edge)s::bytea[])
"""


def standing_of(row: tuple[Any, ...]) -> Standing:
    """The standing that a row of :data:`SELECT` says."""
    (
        next_offset,
        size,
        edge,
        ordered_at,
        source_epoch,
        beat,
        commit,
        order,
        transaction,
        count,
        unread,
        records,
        skipped,
        extra,
        seq,
        at,
    ) = row
    return Standing(
        next_offset=next_offset,
        edge=Edge(size, tuple(bytes(node) for node in edge)),
        ordered_at=ordered_at,
        source_epoch=source_epoch,
        beat=beat,
        high=(int(commit), int(order)) if commit is not None else None,
        open_transaction=transaction,
        open_count=count,
        open_unread=unread,
        records=records,
        skipped=skipped,
        extra_entries=extra,
        complete_seq=seq,
        complete_at=at,
    )


def parameters(standing: Standing) -> dict[str, Any]:
    """The parameters of :data:`ADVANCE` that the new standing gives."""
    return {
        "next_offset": standing.next_offset,
        "size": standing.edge.size,
        "edge": list(standing.edge.hashes),
        "ordered_at": standing.ordered_at,
        "source_epoch": standing.source_epoch,
        "heartbeat_at": standing.beat,
        "high_commit": standing.high[0] if standing.high else None,
        "high_order": standing.high[1] if standing.high else None,
        "open_transaction": standing.open_transaction,
        "open_count": standing.open_count,
        "open_unread": standing.open_unread,
        "records": standing.records,
        "skipped": json.dumps(dict(standing.skipped)),
        "extra_entries": standing.extra_entries,
        "complete_seq": standing.complete_seq,
        "complete_at": standing.complete_at,
    }

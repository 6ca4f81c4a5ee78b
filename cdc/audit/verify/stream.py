"""The stream's row: where the log says the stream stands, and that records, entries and skips balance
(docs/formats.md §4).
"""

from __future__ import annotations

from .order import Order
from .replays import Replays
from .rows import Stream
from .transactions import Transactions

_MILLISECOND = 1_000_000


def faults(
    stream: Stream, entries: int, described: int, order: Order, replays: Replays, transactions: Transactions
) -> list[str]:
    """What of the row does not follow from the log. ``described``: entries of kinds ``schema``, ``absent``
    and ``gap``, and what became of quarantined records.
    """
    skipped = stream.skipped
    begun = transactions.begun + transactions.ended - transactions.unterminated
    begun += stream.open_transaction is not None
    held = {
        "records is not entries minus extra_entries plus skipped": stream.records
        == entries - stream.extra_entries + sum(skipped.values()),
        "extra_entries is not the number of schema, absent, gap, resolved and resolving entries": described
        == stream.extra_entries,
        "skipped.begin is not the number of transactions": skipped.get("begin", 0) == begun,
        "skipped.end is not the number of folded ends": skipped.get("end", 0) == transactions.folded,
        "next_offset is not beyond the last entry": stream.next_offset > max(order.offset, transactions.end_offset),
        "topic_id is not that of the entries": order.topic_id in {None, stream.topic_id},
        "ordered_at is not that of the last entry": stream.ordered_at == order.ordered_at,
        "source_epoch is not that of the entries": stream.source_epoch == order.epoch,
        "high_commit and high_order are not the last source position": bool(replays.unjudged)
        or stream.high == replays.high,
        "open_transaction is not the one in which the log ends": _same_open(stream, transactions),
        "complete_seq is not where the log is complete": stream.complete_seq == transactions.complete_seq,
        "complete_at is not when the source committed that": _same_instant(stream.complete_at, transactions),
    }
    return [f"pipeline.stream: {cause}" for cause, holds in held.items() if not holds]


def _same_open(stream: Stream, transactions: Transactions) -> bool:
    """A transaction that began, and has no entry yet, is known to the stream alone."""
    if transactions.open is None:
        return stream.open_count == 0
    counted = transactions.count - transactions.uncounted
    return (stream.open_transaction, stream.open_count) == (transactions.open, counted)


def _same_instant(complete_at: int | None, transactions: Transactions) -> bool:
    """An END record has the commit's clock in milliseconds, the entries have it in full; a quarantined one has none."""
    stated = transactions.complete_at
    if stated is None and transactions.complete_seq is not None:
        return complete_at is not None
    if complete_at is None or stated is None:
        return complete_at == stated
    if transactions.committed_later:
        return complete_at >= stated
    return complete_at in {stated, stated - stated % _MILLISECOND}

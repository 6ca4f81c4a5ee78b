"""Where a stream is cut into batches, and who continues it, never shows in the log."""

from __future__ import annotations

from itertools import pairwise
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from cdc.batch import Batch
from tests.builders import Worker, entries
from tests.history import History
from tests.independent.reader import verify

randoms = st.randoms(use_true_random=False, note_method_calls=False)


def in_one_batch(history: History) -> Batch:
    worker = Worker()
    worker.read(history.feed.records)
    batch = worker.batch()
    assert batch is not None
    return batch


def in_many(history: History, random: Random, *, crashing: bool) -> list[Batch]:
    """The same records in reads and batches of any size; with ``crashing``, by a worker that now and then starts anew from what was committed."""
    records = history.feed.records
    batches: list[Batch] = []
    worker, at = Worker(), 0
    limit = random.choice((2, 3, 5, 20))
    while at < len(records):
        size = random.choice((1, 1, 2, 7, 40))
        worker.read(records[at : at + size])
        at += size
        if random.randrange(2):
            continue
        while (batch := worker.batch(limit)) is not None:
            batches.append(batch)
        if crashing and random.randrange(3) == 0:
            committed = batches[-1].end if batches else None
            worker = Worker(committed, worker.known, worker.heads)
            # what the worker that died had read and not committed is read again
            at = next((n for n, r in enumerate(records) if committed and r.offset >= committed.next_offset), len(records) if committed else 0)
            limit = random.choice((2, 3, 5, 20, 10_000))
    while (batch := worker.batch(limit)) is not None:
        batches.append(batch)
    return batches


@given(randoms, st.integers(0, 12))
@settings(max_examples=60, deadline=None)
def test_a_log_satisfies_the_independent_reader(random, steps):
    history = History(random).grow(steps)
    batch = in_one_batch(history)
    problems = verify(entries([batch]), edge=[node.hex() for node in batch.end.edge.hashes])
    assert problems == []
    end = batch.end
    assert end.records == len(history.feed.records) == end.edge.size - end.extra_entries + sum(end.skipped.values())
    assert end.open_transaction is None
    assert end.complete_seq is not None


@given(randoms, st.integers(0, 12), st.booleans())
@settings(max_examples=100, deadline=None)
def test_batch_boundaries_never_show(random, steps, crashing):
    history = History(random).grow(steps)
    whole = in_one_batch(history)
    parts = in_many(history, random, crashing=crashing)
    assert entries(parts) == entries([whole])
    assert [row.line for part in parts for row in part.rows] == [row.line for row in whole.rows]
    assert parts[-1].end == whole.end
    for earlier, later in pairwise(parts):
        assert earlier.end == later.start
    assert [version for part in parts for version in part.versions] == list(whole.versions)
    heads = {row: head for part in parts for row, head in part.heads.items()}
    assert heads == whole.heads


@given(randoms, st.integers(1, 12))
@settings(max_examples=40, deadline=None)
def test_replays_are_recorded_and_never_projected(random, steps):
    history = History(random, incremental=False).grow(steps)  # snapshot rows are not judged: a later snapshot shows old rows
    once = in_one_batch(history)
    records = history.feed.records
    start = next((n for n, record in enumerate(records) if b'"BEGIN"' in (record.value or b"")), None)
    if start is None:
        return
    history.feed.again(records[start:])
    twice = in_one_batch(history)
    assert twice.heads == once.heads
    assert {table.table: rows for table, rows in twice.changes.items()} == {table.table: rows for table, rows in once.changes.items()}
    assert twice.truncated == once.truncated
    assert twice.end.high == once.end.high
    assert verify(entries([twice])) == []

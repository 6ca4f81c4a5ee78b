"""Each heartbeat follows the one before it: where it does not, changes of the source never came, and the stream halts."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import msgspec
import pytest

from cdc.errors import Halted
from governance import policy
from tests.builders import HEARTBEAT, POLICY, Column, Feed, Worker

CLEAR = policy.parse("""
source: trading
tables:
  cdc.heartbeat:
    columns: {id: clear, beat_at: clear, system_identifier: clear, timeline: clear}
""")
BEATING = replace(HEARTBEAT, columns=(*HEARTBEAT.columns, Column("beat_at")))


def beats(feed: Feed, *times: str) -> None:
    """One transaction each, from the first of them on: the connector's own."""
    rows = [{"id": 1, "system_identifier": "77", "timeline": 1, "beat_at": f"2026-11-02T09:00:{time}Z"} for time in times]
    for before, after in pairwise(rows):
        feed.begin()
        feed.row(BEATING, "u", before, after)
        feed.end()


def test_a_beat_that_never_came_halts():
    """What PostgreSQL 18 does while a publication is missing: it goes on, and sends nothing of the time in between."""
    feed = Feed()
    beats(feed, "01", "02", "03")
    worker = Worker(plan=CLEAR)
    worker.read(feed.records)
    assert worker.batch() is not None
    assert worker.standing.beat == "2026-11-02T09:00:03Z"
    came = len(feed.records)
    beats(feed, "07", "08")
    worker.read(feed.records[came:])
    with pytest.raises(Halted, match="heartbeat before that of offset 9 was at 2026-11-02T09:00:07Z") as halted:
        worker.batch()
    assert halted.value.code == "source-skipped"
    assert halted.value.coordinates == {"offset": "9", "since": "2026-11-02T09:00:03Z", "through": "2026-11-02T09:00:07Z"}


def read_anew(feed: Feed) -> None:
    feed.row(BEATING, "r", None, {"id": 1, "system_identifier": "77", "timeline": 1, "beat_at": "x"}, snapshot="last")


@pytest.mark.parametrize("between", [
    read_anew,
    lambda feed: feed.truncate(HEARTBEAT),
    lambda feed: feed.row(HEARTBEAT, "u", None, {"id": 1, "system_identifier": "77", "timeline": 1}),
])  # fmt: skip
def test_a_beat_is_not_judged_where_the_one_before_is_not_known(between):
    feed = Feed()
    beats(feed, "01", "02")
    feed.begin()
    between(feed)
    feed.end()
    beats(feed, "07", "08", "09")
    worker = Worker(plan=CLEAR)
    worker.read(feed.records)
    assert worker.batch() is not None
    assert worker.standing.beat == "2026-11-02T09:00:09Z"


def test_a_beat_is_not_judged_where_the_policy_hides_it():
    feed = Feed()
    beats(feed, "01", "02")
    beats(feed, "07", "08")
    worker = Worker(plan=POLICY)
    worker.read(feed.records)
    assert worker.batch() is not None
    assert worker.standing.beat is None


def test_a_replayed_beat_is_not_judged():
    feed = Feed()
    beats(feed, "01", "02", "03", "04")
    again = feed.records[:3]
    worker = Worker(plan=CLEAR)
    worker.read([*feed.records, *(msgspec.structs.replace(record, offset=len(feed.records) + n) for n, record in enumerate(again))])
    assert worker.batch() is not None
    assert worker.standing.beat == "2026-11-02T09:00:04Z"

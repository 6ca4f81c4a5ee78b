"""Alerts: told once, repeated every so many hours, resolved; nothing is over because its part is away."""

from __future__ import annotations

from cdc.supervise.alerts import Book, Finding, Open
from cdc.supervise.catalogue import ALERTS

HALTED = Finding("stream-halted", "trading", "warehouse", "stream trading: gap: x", "cdc stream show trading")
DOWN = Finding("part-unreachable", "kafka", "kafka", "kafka does not answer", "cdc local status")
REPEAT = 4 * 3600.0


def told(book: Book, findings, now: float, **options) -> list[tuple[str, str, int]]:
    return [(n.finding.alert, n.status, n.repeat) for n in book.judge(findings, now, **options)]


def test_it_fires_once_is_repeated_and_resolves():
    book = Book(REPEAT)
    assert told(book, [HALTED], 0) == [("stream-halted", "firing", 0)]
    assert told(book, [HALTED], 15) == []
    assert told(book, [HALTED], REPEAT) == [("stream-halted", "firing", 1)]
    assert told(book, [HALTED], REPEAT + 15) == []
    assert told(book, [HALTED], 2 * REPEAT) == [("stream-halted", "firing", 2)]
    assert told(book, [], 2 * REPEAT + 15) == [("stream-halted", "resolved", 2)]
    assert told(book, [], 2 * REPEAT + 30) == []
    assert told(book, [HALTED], 2 * REPEAT + 45) == [("stream-halted", "firing", 0)]


def test_a_condition_must_last_before_it_is_told():
    after = ALERTS["part-unreachable"].after_s
    book = Book(REPEAT)
    assert told(book, [DOWN], 0) == []
    assert told(book, [], after / 2) == []
    assert told(book, [DOWN], after) == []
    (notice,) = book.judge([DOWN], 2 * after)
    assert (notice.since, notice.at) == (after, 2 * after)


def test_out_of_cron_nothing_is_waited_for():
    assert told(Book(REPEAT), [DOWN], 0, at_once=True) == [("part-unreachable", "firing", 0)]


def test_what_cannot_be_seen_is_not_over():
    book = Book(REPEAT)
    book.judge([HALTED], 0)
    assert told(book, [], 15, away={"warehouse"}) == []
    assert told(book, [], 30, away={"kafka"}) == [("stream-halted", "resolved", 0)]


def test_two_of_one_kind_are_two():
    book = Book(REPEAT)
    other = Finding("stream-halted", "portfolio", "warehouse", "x", "y")
    assert len(book.judge([HALTED, other], 0)) == 2
    assert told(book, [HALTED], 15) == [("stream-halted", "resolved", 0)]


def test_what_another_supervisor_told_is_not_told_anew():
    book = Book(REPEAT)
    book.remember({HALTED.key: Open(HALTED, 0, 100, 3)})
    assert told(book, [HALTED], 115) == []
    assert told(book, [HALTED], 100 + REPEAT) == [("stream-halted", "firing", 4)]


def test_a_notice_says_where_to_read_on():
    (notice,) = Book(REPEAT).judge([HALTED], 12.5)
    document = notice.document("host/1")
    assert document["runbook"] == "docs/operations.md#stream-halted"
    assert (document["key"], document["severity"], document["status"]) == ("stream-halted/trading", "page", "firing")

"""When a failed connector is restarted: back-off, the counter, flapping. No clock but the one passed in."""

from __future__ import annotations

from cdc.supervise.restarts import FLAPS, FLAPS_WITHIN_S, Restarts, delay_s, remembered

MINUTE = 60.0


def test_the_back_off_is_strimzis():
    assert [delay_s(n) / MINUTE for n in range(10)] == [0, 2, 6, 12, 20, 30, 42, 56, 60, 60]


def failing(minutes: int, most: int = 8) -> list[float]:
    """A connector that is FAILED at every look, one a minute: when it is restarted (minutes)."""
    tried, at = Restarts(), []
    for minute in range(minutes):
        now = 1e9 + minute * MINUTE
        tried = tried.seen_down()
        if tried.step(now, most) == "restart":
            tried = tried.restarted(now)
            at.append(minute)
    return at


def test_it_is_restarted_at_once_then_later_and_later_and_then_no_more():
    assert failing(600) == [0, 2, 8, 20, 40, 70, 112, 168]
    assert failing(600, most=3) == [0, 2, 8]
    assert failing(600, most=0) == []


def test_after_a_stable_time_the_counter_begins_anew():
    tried = Restarts().restarted(0).restarted(120)
    for at in range(200, 200 + 1800, 15):
        tried = tried.seen_running(at, 1800)
        assert tried.attempts == 2
    tried = tried.seen_running(2000, 1800)
    assert tried.attempts == 0
    assert tried.seen_down().step(2015, 8) == "restart"


def test_a_break_in_running_begins_the_stable_time_anew():
    tried = Restarts().restarted(0).seen_running(10, 100).seen_down().seen_running(109, 100)
    assert tried.seen_running(111, 100).attempts == 1
    assert tried.seen_running(209, 100).attempts == 0


def test_one_that_fails_after_every_stable_time_flaps():
    tried, now = Restarts(), 0.0
    for _ in range(FLAPS):
        assert not tried.flaps(now)
        tried = tried.restarted(now)
        tried = tried.seen_running(now + 1, 60).seen_running(now + 62, 60)
        assert tried.attempts == 0
        now += 3600
    assert tried.flaps(now)
    assert not tried.flaps(now + FLAPS_WITHIN_S)


def test_what_the_log_has_is_gone_on_with():
    tried = remembered([0.0, 120.0], 2)
    assert tried.step(120 + 5 * MINUTE, 8) == "wait"
    assert tried.step(120 + 6 * MINUTE, 8) == "restart"
    assert remembered([], 0) == Restarts()

"""Forecasts: a straight line through a window, and what is said when there is too little to say."""

from __future__ import annotations

import random

import pytest

from cdc.supervise.forecast import FEWEST, Window


def window(values, step: float = 15, span: float = 3600) -> Window:
    made = Window(span)
    for number, value in enumerate(values):
        made.add(number * step, value)
    return made


def test_a_line_is_met_when_it_is_met():
    made = window([100 + 10 * n for n in range(9)], step=10)  # 1 a second, at 180 now
    assert made.seconds_until(1180) == pytest.approx(1000)
    assert made.seconds_until(180) == pytest.approx(0)
    assert made.seconds_until(100) == 0


def test_what_does_not_rise_is_not_forecast():
    assert window([5] * 20).seconds_until(10) is None
    assert window(range(20, 0, -1)).seconds_until(30) is None


def test_too_little_is_not_enough():
    assert window(range(FEWEST - 1), step=100).seconds_until(50) is None
    assert window(range(20), step=1).seconds_until(50) is None


def test_noise_does_not_matter_much():
    noise = random.Random(7)
    made = window([1000 + 4 * 15 * n + noise.uniform(-50, 50) for n in range(240)])
    assert made.seconds_until(1000 + 4 * 15 * 239 + 4 * 600) == pytest.approx(600, rel=0.05)


def test_what_is_older_than_the_window_is_forgotten():
    made = window([0] * 100 + list(range(0, 1000, 10)), step=15, span=300)
    assert made.line().slope == pytest.approx(10 / 15)


def test_a_clock_that_goes_back_is_passed_over():
    made = window(range(10), step=30)
    made.add(5, 1_000_000)
    assert made.line().slope == pytest.approx(1 / 30)

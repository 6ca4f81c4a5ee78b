"""Instants with a zone, to the nanosecond; nothing else is one."""

from __future__ import annotations

import pytest

from cdc.audit.instants import parse, shown
from cdc.errors import ConfigError

NINE_PM = 1_769_893_200_000_000_000


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("2026-01-31T21:00:00Z", NINE_PM),
        ("2026-01-31T21:00:00z", NINE_PM),
        (" 2026-01-31T21:00Z ", NINE_PM),
        ("2026-01-31 21:00:00+00:00", NINE_PM),
        ("2026-01-31T16:00:00-05:00", NINE_PM),
        ("2026-02-01T02:30:00+05:30", NINE_PM),
        ("20260131T210000Z", NINE_PM),
        ("2026-W05-6T21:00:00Z", NINE_PM),
        ("2026-01-31T21:00:00.1Z", NINE_PM + 100_000_000),
        ("2026-01-31T21:00:00,123456789Z", NINE_PM + 123_456_789),
        ("2026-01-31T21:00:00.1234567899+00", NINE_PM + 123_456_789),
        ("1969-12-31T23:59:59.999999999Z", -1),
    ],
)
def test_instants(text, nanoseconds):
    assert parse(text) == nanoseconds


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("2026-01-31T21:00:00", "needs a zone"),
        ("2026-01-31 21:00", "needs a zone"),
        ("2026-01-31", "needs a time of day and a zone"),
        ("yesterday", "not an ISO 8601 instant"),
        ("", "not an ISO 8601 instant"),
        ("1769893200", "not an ISO 8601 instant"),
        ("2026-02-30T21:00:00Z", "not an ISO 8601 instant"),
        ("2026-01-31T21:00:00+05:30:15", "hours and minutes"),
        ("2026-01-31T21:00:00+05:30:15.5", "hours and minutes"),
        ("2026-01-31T21:00:00 CET", "not an ISO 8601 instant"),
    ],
)
def test_what_is_no_instant_shows_how(text, says):
    with pytest.raises(ConfigError, match=says) as caught:
        parse(text)
    assert "2026-01-31T16:00:00-05:00" in str(caught.value.hint)
    assert caught.value.exit_code == 2


def test_shown_to_the_microsecond():
    assert shown(NINE_PM + 123_456_789) == "2026-01-31T21:00:00.123456Z"
    assert shown(-1) == "1969-12-31T23:59:59.999999Z"
    assert shown(10**20 * 9) == "900000000000000000000 ns since 1970"
    assert parse(shown(NINE_PM + 5_000)) == NINE_PM + 5_000

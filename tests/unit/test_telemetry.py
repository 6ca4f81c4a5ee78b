"""What the operator sees: coordinates and counts."""

from __future__ import annotations

import io
import os

import pytest

from cdc import telemetry
from cdc.errors import ConfigError
from cdc.telemetry import Progress, instant
from tests.builders import ORDERS, Feed, Worker


@pytest.mark.parametrize(
    ("ns", "text"),
    [(None, "nothing yet"), (0, "1970-01-01T00:00:00.000000Z"), (1_700_000_000_123_456_789, "2023-11-14T22:13:20.123456Z"), (-1, "1969-12-31T23:59:59.999999Z")],
)
def test_instants(ns, text):
    assert instant(ns) == text


@pytest.mark.parametrize("ns", [10**30, -(10**30), 2**63 - 1, 253_402_300_800 * 10**9])
def test_an_instant_beyond_the_calendar_is_shown_all_the_same(ns):
    """A source's clock may say anything: the worker goes on."""
    assert instant(ns)


def test_a_line_when_it_is_time_and_something_moved(monkeypatch):
    out, now = io.StringIO(), [100.0]
    monkeypatch.setattr(telemetry.time, "monotonic", lambda: now[0])
    progress = Progress("trading", every_s=5, out=out)
    progress.beat(7)
    now[0] += 6
    progress.beat(7)
    assert out.getvalue() == ""
    feed = Feed()
    feed.snapshot(ORDERS, [{"id": 1, "owner": "planted", "price": None, "note": None, "pin": None}])
    worker = Worker()
    worker.read(feed.records)
    progress.committed(worker.batch())
    progress.beat(1234)
    progress.beat(1234)
    now[0] += 6
    progress.beat(1234)
    assert out.getvalue().count("\n") == 1
    assert "trading: 0 records/s, lag 1,234, offset 2, 3 entries, complete through nothing yet" in out.getvalue()
    assert "planted" not in out.getvalue()
    progress.committed(worker.batch() or _more(worker, feed))
    now[0] += 6
    progress.beat(None)
    assert "lag unknown" in out.getvalue()


def _more(worker, feed):
    at = len(feed.records)
    feed.heartbeat()
    worker.read(feed.records[at:])
    return worker.batch()


def test_a_file_is_young_while_the_loop_goes_round(monkeypatch, tmp_path):
    """What a container's health check looks at: touched once a second, also when nothing moves."""
    now, alive = [100.0], tmp_path / "alive"
    monkeypatch.setattr(telemetry.time, "monotonic", lambda: now[0])
    progress = Progress("trading", out=io.StringIO(), alive_file=alive)
    assert not alive.exists()
    progress.alive()
    assert alive.exists()
    os.utime(alive, (1, 1))
    now[0] += 0.5
    progress.beat(None)
    assert alive.stat().st_mtime == 1
    now[0] += 1
    progress.beat(None)
    assert alive.stat().st_mtime > 1


def test_a_file_that_cannot_be_written_ends_the_worker_with_its_name(tmp_path):
    progress = Progress("trading", out=io.StringIO(), alive_file=tmp_path / "missing" / "alive")
    with pytest.raises(ConfigError, match=r"--alive-file .*missing/alive"):
        progress.alive()

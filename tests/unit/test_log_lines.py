"""Lines of the log: for people, and the same as JSON for programs."""

from __future__ import annotations

import ast
import io
import json
import logging
from pathlib import Path

import pytest

from cdc.errors import Halted, LedgerError
from cdc.reports import Reports
from cdc.telemetry import Progress

ROOT = Path(__file__).resolve().parents[2]
ALWAYS = ["time", "level", "source", "event"]


@pytest.fixture
def said():
    out = io.StringIO()
    progress = Progress("trading", topic="t", form="json", out=out)
    return progress, lambda: [json.loads(line) for line in out.getvalue().splitlines()]


def test_an_object_a_line_with_coordinates(said):
    progress, lines = said
    progress.note("a\nb \x1b[31m", "quarantined", logging.WARNING, offset=7, reason="malformed")
    (line,) = lines()
    assert list(line) == [*ALWAYS, "topic", "partition", "offset", "reason", "message"]
    assert (line["level"], line["source"], line["event"], line["topic"], line["offset"]) == ("warning", "trading", "quarantined", "t", 7)
    assert line["message"] == "a\nb \x1b[31m"
    assert line["time"].endswith("Z")


def test_a_halt_says_code_coordinates_and_command(said):
    progress, lines = said
    progress.failed(Halted("source-epoch", "x", hint="cdc stream show", coordinates={"offset": "12", "epoch": "1/2"}))
    progress.failed(LedgerError("y"))
    halt, failure = lines()
    assert (halt["event"], halt["code"], halt["offset"], halt["epoch"], halt["hint"], halt["exit"]) == ("halted", "source-epoch", 12, "1/2", "cdc stream show", 4)
    assert (failure["event"], failure["family"], failure["exit"]) == ("failed", "LedgerError", 1)


def test_people_get_what_they_got():
    out = io.StringIO()
    Progress("trading", topic="t", out=out).note("standing by", "standby", owner="h/1")
    assert out.getvalue()[2] == ":"
    assert out.getvalue()[8:] == " trading: standing by\n"


def test_a_suspended_table_is_told_once(said):
    progress, lines = said
    reports = Reports(progress, {}, "t")
    for seq in (5, 9):
        reports.suspended("public.x", "column-gone", "dropped", seq)
    (line,) = lines()
    assert (line["event"], line["table"], line["code"], line["seq"]) == ("suspended", "public.x", "column-gone", 5)


def test_two_workers_in_a_process_and_the_root_logger_do_not_mix(said, caplog):
    progress, lines = said
    other = io.StringIO()
    Progress("portfolio", out=other).note("x")
    progress.note("y")
    assert (len(lines()), other.getvalue().count("\n"), caplog.records) == (1, 1, [])


def test_every_event_is_explained():
    events = {"failed", "halted", "progress"}
    for name in ("replicator", "reports", "session", "telemetry"):
        for node in ast.walk(ast.parse((ROOT / f"cdc/{name}.py").read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "note" and len(node.args) > 1 and isinstance(node.args[1], ast.Constant):
                events.add(node.args[1].value)
    documented = (ROOT / "docs/operations.md").read_text()
    assert len(events) > 10
    assert [event for event in sorted(events) if f"| `{event}`" not in documented and f", `{event}` |" not in documented] == []

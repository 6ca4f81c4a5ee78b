"""What every answer ends with, when all is well and when it is not; and that no output that is piped has an escape code."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys

import pytest

from tests.audit import ask, cdc, configuration
from tests.builders import FILLS, HOLDERS, ORDERS, Column, Feed, Table
from tests.real.test_audit_as_of import FILL, ROW, baseline, bring, change
from tests.warehouse import query, worker

QUESTIONS = (("history", "orders", "1"), ("as-of", "orders", "--at", "now"), ("transaction", "701"))


@pytest.fixture
def lived(warehouse_database, tmp_path):
    feed = Feed()
    baseline(feed, (ORDERS, [ROW]))
    change(feed, (ORDERS, "u", ROW, {**ROW, "price": "2.50"}))
    bring(warehouse_database, feed)
    return warehouse_database, configuration(warehouse_database, tmp_path)


def gap(database, seq: int) -> None:
    """By hand, as the owner: `cdc stream accept-gap` needs a Kafka."""
    entry = {
        "content": {
            "at": "2026-01-31T10:00:00.000000Z", "by": "ops@host, database user cdc_replicator", "cause": "position-lost",
            "effect": {"closes": None, "epoch": None, "opens": None, "position": "20", "skips": "0", "topic_id": "q1Sh-9_8TY6Cd0XMHzWLOw"},
            "from": "offset 17", "lost": "3", "reason": "topic-retention", "through": "offset 19",
        },
        "format": "1", "kind": "gap", "ordered_at": "1800000000000000000",
        "origin": "trading/1", "salt": "0" * 32, "seq": str(seq),
    }  # fmt: skip
    query(
        database.admin_dsn,
        "INSERT INTO audit.entry (log, seq, kind, ordered_at, entry, leaf) VALUES ('trading', %s, 'gap', 1800000000000000000, %s, sha256(''))",
        seq,
        json.dumps(entry, separators=(",", ":")),
    )


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question[0])
def test_every_answer_says_how_complete_it_is(lived, question):
    _, path = lived
    table, document = ask(path, *question), ask(path, *question, "--output", "json").document
    lines = dict(line.split("  ", 1) for line in table.out.splitlines()[-8:] if "  " in line)
    assert (
        lines["complete through"]
        .strip()
        .startswith("source commit 2023-11-14T22:13:21.007000Z (log trading/1, 7 entries)")
    )
    assert lines["gaps"].strip() == "no known gap"
    assert "none" in lines["open transaction"]
    assert "cdc audit verify" in table.out
    assert "not captured" in table.out
    assert document["completeness"]["complete_through"] == "2023-11-14T22:13:21.007000Z"
    assert document["completeness"]["halted"] is None
    for output in ("csv", "ndjson"):
        said = ask(path, *question, "--output", output)
        assert "no known gap" in said.err
        assert "no known gap" not in said.out


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question[0])
def test_gaps_halts_and_suspended_tables_are_named(lived, question):
    database, path = lived
    gap(database, 7)
    query(database.admin_dsn, "UPDATE audit.log SET size = 8, edge = ARRAY[sha256('')] WHERE log = 'trading'")
    query(database.admin_dsn, "UPDATE pipeline.stream SET halted_code = 'position-lost', halted_message = 'planned'")
    query(
        database.admin_dsn,
        "UPDATE pipeline.state_table SET suspended_code = 'column-gone', suspended_seq = 6 WHERE table_name IN ('public.orders', 'cdc.heartbeat')",
    )
    table, document = ask(path, *question), ask(path, *question, "--output", "json").document
    assert "gap               entry 7: position-lost, from offset 17 through offset 19, 3 offsets missing; accepted" in table.out
    assert "by ops@host, database user cdc_replicator: topic-retention; current state may differ" in table.out
    assert "no known gap" not in table.out
    assert "halted            the stream stopped on purpose (position-lost)" in table.out
    assert (
        "suspended         current state of public.orders stands still (column-gone); this answer is from the log"
        in table.out
    )
    assert "cdc.heartbeat" not in table.out  # not a table of this answer
    known = document["completeness"]
    (told,) = known["gaps"]
    assert (told["seq"], told["from"], told["through"], told["lost"]) == (7, "offset 17", "offset 19", "3")
    assert (told["cause"], told["reason"]) == ("position-lost", "topic-retention")
    assert known["suspended"] == [{"table": "public.orders", "code": "column-gone", "since_seq": 6}]
    assert known["halted"] == "position-lost"


def test_before_the_baseline_there_is_history_but_no_completeness(warehouse_database, tmp_path):
    feed = Feed()
    feed.snapshot(ORDERS, [ROW])
    bring(warehouse_database, feed)
    said = ask(configuration(warehouse_database, tmp_path), "history", "orders", "1")
    assert said.code == 0
    assert "complete through  nothing yet: the initial snapshot has not ended" in said.out
    assert "known since" not in said.out


@pytest.mark.parametrize("output", ["table", "json", "csv", "ndjson"])
def test_hostile_names_and_values_do_not_reach_a_terminal_as_they_are(warehouse_database, tmp_path, output):
    steering = "\x1b]0;title\x07\x1b[2J\x9b31m\u202e"
    table = Table("public", f"t{steering}", (Column("id", optional=False), Column(f"c{steering}")), ("id",))
    feed = Feed()
    baseline(feed)
    change(feed, (table, "c", None, {"id": f"k{steering}", f"c{steering}": f"v{steering}"}))
    from tests.real.test_history_views import clear_policy

    bring(warehouse_database, feed, plan=clear_policy(table))
    path = configuration(warehouse_database, tmp_path)
    for arguments in (
        ("history", f"t{steering}", f"k{steering}"),
        ("as-of", f"t{steering}", "--at", "now"),
        ("transaction", "701"),
    ):
        said = ask(path, *arguments, "--output", output)
        assert said.code == 0
        if output == "csv":  # exact, for programs
            assert steering in said.out
        else:
            assert not set(said.out) & set("\x1b\x07\x9b\u202e")
        assert not set(said.err) & set("\x1b\x07\x9b\u202e")
    wrong = ask(path, "as-of", "t", "--at", "now")
    assert wrong.code == 3
    assert "\\u001b" in wrong.err
    assert not set(wrong.err) & set("\x1b\x07\x9b\u202e")


def test_a_pipe_gets_no_escape_code_and_a_terminal_gets_a_table(lived):
    _, path = lived
    command = [sys.executable, "-m", "cdc", "audit", "history", "--config", str(path), "orders", "1"]
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "200", "LC_ALL": "C", "FORCE_COLOR": "1"}
    environment.pop("NO_COLOR", None)
    piped = subprocess.run(command, capture_output=True, check=False, env=environment)
    assert piped.returncode == 0, piped.stderr
    assert b"\x1b" not in piped.stdout + piped.stderr
    assert "…".encode() in piped.stdout  # UTF-8, whatever the locale
    for variables, escapes in (({}, True), ({"NO_COLOR": "1"}, False)):
        ours, theirs = pty.openpty()
        process = subprocess.Popen(command, stdout=theirs, stderr=subprocess.PIPE, env={**environment, **variables})
        os.close(theirs)
        shown = b""
        while chunk := _read(ours):
            shown += chunk
        assert process.wait(timeout=60) == 0
        os.close(ours)
        assert (b"\x1b[" in shown) is escapes
        assert b"created" in shown or b"read by snapshot" in shown


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # the other side is closed
        return b""


def test_a_reader_that_leaves_ends_the_answer(lived):
    _, path = lived
    command = f"{sys.executable} -m cdc audit as-of --config {path} orders --at now --output ndjson | true"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.stderr == ""


def test_answers_write_nothing(lived):
    database, path = lived
    before = query(database.admin_dsn, "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()")
    sizes = "SELECT log, size, edge FROM audit.log ORDER BY 1"
    was = query(database.admin_dsn, sizes)
    for question in QUESTIONS:
        assert ask(path, *question).code == 0
    assert query(database.admin_dsn, sizes) == was
    assert before


def test_an_answer_sees_one_state_of_the_log(warehouse_database, tmp_path, monkeypatch):
    """What is committed while the answer is read is neither in its rows nor in what it says of completeness."""
    from cdc.audit import completeness as module

    feed = Feed()
    baseline(feed, (ORDERS, [ROW]), (FILLS, [FILL]), (HOLDERS, []))
    path = configuration(warehouse_database, tmp_path)
    with worker(warehouse_database) as it:
        it.bring(feed.records)
        sent = len(feed.records)
        change(feed, (ORDERS, "c", None, {**ROW, "id": 2}))
        honest = module.completeness

        def later(*arguments):
            it.bring(feed.records[sent:])
            return honest(*arguments)

        monkeypatch.setattr(module, "completeness", later)
        document = ask(path, "as-of", "orders", "--at", "now", "--output", "json").document
    size = query(warehouse_database.admin_dsn, "SELECT size FROM audit.log WHERE log = 'trading'")
    assert len(document["rows"]) == 1
    assert size == [(document["completeness"]["entries"] + 1,)]
    assert document["completeness"]["complete_seq"] == document["as_of"]["seq"]


def test_help_names_the_questions():
    said = cdc("audit", "--help")
    assert said.code == 0
    assert {"history", "as-of", "transaction"} <= set(said.out.split())

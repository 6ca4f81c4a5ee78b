"""The parts of the checks that need no server: a slot's row, a topic's settings, the script that mends, exit codes, the list itself."""

from __future__ import annotations

import ast
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cdc.checks import streams
from cdc.checks.kafka import Standing, TopicSeen, headroom, one_topic, schema_history
from cdc.checks.report import Report
from cdc.warehouse.status import KnownGap, Quarantine, StreamStatus, Suspension
from connectors.check import mending
from connectors.check.position import binary_log, log_position
from connectors.check.slot import health, size
from connectors.definition import load
from connectors.finding import Finding
from connectors.listed import CHECKS, GROUPS
from connectors.listed.__main__ import document
from connectors.listed.configuration import RISKS

ROOT = Path(__file__).resolve().parents[2]
SLOT = {"wal_status": "reserved", "active": True, "retained": 0, "keep": -1, "safe_wal_size": None}
BOUND = SLOT | {"keep": 1024, "safe_wal_size": 1 << 30}


@pytest.mark.parametrize(
    ("slot", "rate", "codes"),
    [
        (SLOT, None, ["slot_unbounded"]),
        (SLOT | {"retained": 2 << 30}, 100.0, ["slot_unbounded", "slot_retained"]),
        (SLOT | {"active": False}, None, ["slot_unbounded", "slot_inactive"]),
        (BOUND, None, []),
        (BOUND, 100.0, []),
        (BOUND, 1e6, ["slot_wal_short"]),  # 1 GiB at 1 MB/s is 18 minutes
        (BOUND | {"safe_wal_size": 100 << 20}, None, ["slot_wal_short"]),
        (BOUND | {"safe_wal_size": -5, "wal_status": "unreserved"}, None, ["slot_wal_short"]),
        (BOUND | {"wal_status": "lost", "safe_wal_size": None}, None, ["slot_lost"]),
        (BOUND | {"invalidation_reason": "idle_timeout"}, None, ["slot_lost"]),
    ],
)
def test_a_slots_health(slot, rate, codes):
    assert [finding.code for finding in health("cdc_x", slot, rate)] == codes


def test_sizes_are_readable():
    assert [size(number) for number in (5, 2048, 3 << 20, 7 << 30, 5 << 40)] == ["5 B", "2.0 KiB", "3.0 MiB", "7.0 GiB", "5.0 TiB"]


def test_stored_positions():
    assert log_position({"lsn": 5, "lsn_commit": 9, "lsn_proc": 7, "txId": 1}) == 9
    assert log_position({"lsn": "x", "snapshot": True}) is None
    assert binary_log({"file": "binlog.000003", "pos": 4}) == "binlog.000003"
    assert binary_log({}) is None


GOOD = TopicSeen(1, 3, {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1", "max.message.bytes": "33554432",
                        "min.insync.replicas": "2", "unclean.leader.election.enable": "false", "compression.type": "producer"})  # fmt: skip


def changed(**settings: str) -> TopicSeen:
    return replace(GOOD, settings=GOOD.settings | {name.replace("_", "."): value for name, value in settings.items()})


@pytest.mark.parametrize(
    ("seen", "codes"),
    [
        (GOOD, []),
        (None, ["topic_missing"]),
        (replace(GOOD, partitions=3), ["topic_partitions"]),
        (replace(GOOD, replicas=1), ["topic_replication"]),
        (changed(cleanup_policy="compact"), ["topic_compacted"]),
        (changed(cleanup_policy="compact,delete"), ["topic_compacted"]),
        (changed(retention_ms="3600000"), ["topic_retention"]),
        (changed(retention_bytes="1000"), ["topic_retention"]),
        (changed(retention_ms="2592000000"), []),
        (changed(min_insync_replicas="1"), ["min_insync"]),
        (changed(max_message_bytes="1048588"), ["message_size"]),
        (changed(unclean_leader_election_enable="true"), ["unclean_election"]),
        (changed(compression_type="uncompressed"), ["topic_uncompressed"]),
    ],
)
def test_a_topic(seen, codes):
    assert [finding.code for finding in one_topic("t", "s", seen, 3)] == codes


@pytest.mark.parametrize(
    ("standing", "retention", "codes"),
    [
        (Standing(5, 9, None), "-1", ["position_lost"]),
        (Standing(9, 5, 80_000), "100000", ["retention_headroom"]),
        (Standing(9, 5, 70_000), "100000", []),
        (Standing(9, 5, None), "100000", []),
        (Standing(9, 5, 1e12), "-1", []),
    ],
)
def test_headroom(standing, retention, codes):
    assert [finding.code for finding in headroom("t", standing, changed(retention_ms=retention), "s")] == codes


def test_a_schema_history_is_kept_whole():
    assert list(schema_history("h", GOOD)) == list(schema_history("h", None)) == []
    debeziums = TopicSeen(1, 3, {"retention.ms": "9223372036854775807", "retention.bytes": "-1", "cleanup.policy": "delete"})
    assert list(schema_history("h", debeziums)) == []
    for seen in (changed(retention_ms="1"), changed(cleanup_policy="compact")):
        assert [finding.code for finding in schema_history("h", seen)] == ["schema_history"]


def test_exit_codes():
    report = Report(asked=2, reached=1)
    assert report.exit_code() == 0
    report.add("s", [Finding("slot_unbounded", "x")])
    assert report.exit_code(strict=True) == 0
    report.add("s", [Finding("topic_retention", "x")])
    assert (report.exit_code(), report.exit_code(strict=True)) == (0, 6)
    report.add(None, [Finding("kafka_unreachable", "x")])
    assert report.exit_code() == 6
    report.reached = 0
    assert report.exit_code() == 5
    assert [each.finding.code for each in report.ordered()] == ["slot_unbounded", "kafka_unreachable", "topic_retention"]


def test_the_script_mends_in_an_order_that_works_and_deletes_nothing():
    definition = load(ROOT / "connectors" / "definitions" / "trading.yaml")
    findings = [
        Finding("wal_level", "x", "ALTER SYSTEM SET wal_level = 'logical';"),
        Finding("publication_table", "x", 'ALTER PUBLICATION "p" ADD TABLE public.t;'),
        Finding("publication_missing", "x", 'CREATE PUBLICATION "p" FOR TABLES IN SCHEMA public;'),
        Finding("replica_identity", "x", "ALTER TABLE public.t REPLICA IDENTITY FULL;"),
        Finding("replica_identity", "x", "ALTER TABLE public.t REPLICA IDENTITY FULL;"),
        Finding("slot_lost", "slot cdc_x is lost", command="SELECT pg_drop_replication_slot('cdc_x');"),
    ]
    script = mending.script(definition, 'o"dd', (), findings)
    at = [script.index(text) for text in ('CREATE ROLE "o""dd"', "REPLICA IDENTITY", "CREATE PUBLICATION", "ADD TABLE", "GRANT CONNECT", "ALTER SYSTEM")]
    assert at == sorted(at)
    assert script.count("REPLICA IDENTITY") == 1
    assert [line for line in script.splitlines() if "pg_drop_replication_slot" in line and not line.startswith("--")] == []
    blocks = [block for block in script.split("\n\n") if "BEGIN;" in block.splitlines()]
    assert all(block.splitlines()[-1] == "COMMIT;" for block in blocks)
    assert "ALTER SYSTEM" not in "".join(blocks)
    assert "PASSWORD '" not in script


def found_codes() -> tuple[set[str], set[str]]:
    """First literal arguments of ``Finding(…)`` in the product, and every text in it that is the code of a check."""
    made, named = set(), set()
    for path in [*(ROOT / "connectors").rglob("*.py"), *(ROOT / "cdc").rglob("*.py")]:
        if path.parent.name in {"listed", "supervise", "verify"}:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Finding" and isinstance(node.args[0], ast.Constant):
                made.add(str(node.args[0].value))
            if isinstance(node, ast.Constant) and node.value in CHECKS:
                named.add(str(node.value))
    return made, named


def test_every_finding_is_listed_and_every_check_can_be_found():
    made, named = found_codes()
    assert made - CHECKS.keys() == set()
    assert CHECKS.keys() - named - {risk.code for risk in RISKS} - {f"warehouse_{name}" for name in ("fsync", "full_page_writes", "synchronous_commit")} == set()


def test_the_list_is_whole():
    assert sum(map(len, GROUPS.values())) == len(CHECKS)
    assert all(check.reason and check.remedy and "|" not in check.reason + check.remedy for check in CHECKS.values())
    assert (ROOT / "docs/checks.md").read_text() == document()  # python -m connectors.listed > docs/checks.md


def stream_status(**changed: object) -> StreamStatus:
    whole = {
        "log": "s", "origin": "s/1", "topic": "s", "position": 9, "entries": 9, "records": 9, "extra_entries": 0, "skipped": {}, "inside_transaction": False, "complete_seq": 8,
        "complete_at": 1, "source_epoch": "7/1", "halted_code": None, "halted_message": None, "owner": "h/1", "epoch": 1, "owned": True, "renewed_at": None,
    }  # fmt: skip
    return StreamStatus(**(whole | changed))


@pytest.mark.parametrize(
    ("found", "codes"),
    [
        (None, ["stream_absent"]),
        (stream_status(), []),
        (stream_status(owned=False), ["stream_unowned"]),
        (stream_status(halted_code="position-lost", halted_message="x", owned=False), ["stream_halted"]),
        (stream_status(gaps=[KnownGap(3, "position-lost", "a", "b", [], 0)]), ["stream_gap"]),
        (stream_status(quarantine=Quarantine(2, 5, datetime.now(UTC))), ["quarantine_open"]),
        (stream_status(suspended=[Suspension("public.t", "column-gone", "x", 4)]), ["state_suspended"]),
    ],
)
def test_a_stream(found, codes):
    findings = list(streams.stream("s", found))
    assert [finding.code for finding in findings] == codes
    assert all(finding.command.startswith("cdc ") for finding in findings if finding.code != "stream_gap")


def test_a_source_that_is_another_cluster_or_timeline_than_its_stream_is_of():
    assert [finding.code for finding in streams.source_epoch(stream_status(), "7/2")] == ["source_epoch"]
    assert list(streams.source_epoch(stream_status(), "7/1")) == list(streams.source_epoch(stream_status(source_epoch=None), "7/2")) == []
    assert list(streams.source_epoch(None, "7/2")) == list(streams.source_epoch(stream_status(), None)) == []

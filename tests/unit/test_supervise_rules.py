"""From what a round saw to alerts, and to samples: each condition alone, on a world where all else is well."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import get_args

import pytest

from cdc.supervise.catalogue import ALERTS, Severity
from cdc.supervise.checks import CHECKS, Ran, due, judged
from cdc.supervise.metrics import COUNTERS, GAUGES, Metrics
from cdc.supervise.outlook import Outlook
from cdc.supervise.restarts import Restarts
from cdc.supervise.rules import Known, findings
from cdc.supervise.samples import samples
from cdc.supervise.seen import ConnectorSeen, Requests, Seen, SlotSeen, SourceSeen, TopicSeen, WarehouseSeen
from cdc.supervise.settings import Settings
from cdc.warehouse.status import Quarantine, StreamStatus, Suspension

NOW = 1.8e9
GIB = 2**30
STREAM = StreamStatus(
    log="trading", origin="trading/1", topic="trading", position=1000, entries=900, records=900, extra_entries=0, skipped={},
    inside_transaction=False, complete_seq=899, complete_at=int((NOW - 5) * 1e9), source_epoch="7/1", halted_code=None,
    halted_message=None, owner="h/1", epoch=3, owned=True, renewed_at=datetime.now(UTC),
)  # fmt: skip
CONNECTOR = ConnectorSeen("trading", "RUNNING", ("RUNNING",))
SLOT = SlotSeen(
    "trading",
    "cdc_trading",
    present=True,
    active=True,
    wal_status="reserved",
    retained_bytes=1000,
    unconfirmed_bytes=10,
)
TOPIC = TopicSeen("trading", low=0, high=1001, retention_s=7 * 86_400, unread=False)
TRACE = 'io.debezium.DebeziumException: x\nCaused by: org.postgresql.util.PSQLException: FATAL: "hunter2"'


def world(connector=CONNECTOR, slot=SLOT, topic=TOPIC, stream=STREAM, requests=None, ahead=6_000_000, **more) -> Seen:
    warehouse = WarehouseSeen({"trading": stream}, requests or {}, {"trading": 900}, {"trading": 900 + ahead})
    seen = Seen(
        at=NOW, parts=("connect", "kafka", "warehouse"), connectors={"trading": connector},
        sources={"trading": SourceSeen("trading", slot)}, topics={"trading": topic}, warehouse=warehouse,
    )  # fmt: skip
    return replace(seen, **more)


def alerts(seen: Seen, **known) -> set[str]:
    return {finding.alert for finding in findings(seen, Known(Settings(), **known))}


def test_where_all_is_well_nothing_is_said():
    assert alerts(world()) == set()


FAILED = replace(CONNECTOR, tasks=("FAILED",), traces=(TRACE,))
HALTED = replace(STREAM, halted_code="position-lost", halted_message="x", owned=False)


@pytest.mark.parametrize(
    ("seen", "known", "said"),
    [
        (world(away={"kafka": "no broker answers"}), {}, {"part-unreachable"}),
        (world(connector=FAILED), {}, {"connector-failed"}),
        (world(connector=FAILED), {"restarts": {"trading": Restarts(8, NOW, (NOW,))}}, {"connector-given-up"}),
        (world(connector=FAILED, slot=replace(SLOT, wal_status="lost")), {}, {"connector-data-loss", "slot-lost"}),
        (world(connector=FAILED, slot=replace(SLOT, present=False)), {}, {"connector-data-loss", "slot-missing"}),
        (world(connector=ConnectorSeen("trading", "ABSENT"), slot=replace(SLOT, present=False)), {}, {"connector-not-running"}),
        (world(connector=replace(CONNECTOR, tasks=())), {}, {"connector-not-running"}),
        (world(), {"restarts": {"trading": Restarts(0, NOW, (NOW - 3,) * 4)}}, {"connector-flapping"}),
        (world(slot=replace(SLOT, wal_status="unreserved")), {}, {"slot-in-danger"}),
        (world(slot=replace(SLOT, retained_bytes=11 * GIB)), {}, {"slot-in-danger"}),
        (world(slot=replace(SLOT, retained_bytes=GIB, limit_bytes=GIB)), {}, {"slot-in-danger"}),
        (world(slot=replace(SLOT, active=False)), {}, {"slot-inactive"}),
        (world(), {"outlook": Outlook(slot_s={"trading": 3600})}, {"slot-growing"}),
        (world(), {"outlook": Outlook(slot_s={"trading": 86_400})}, set()),
        (world(topic=replace(TOPIC, low=1001)), {}, {"retention-passed"}),
        (world(topic=replace(TOPIC, unread=True, next_made_at=NOW - 6.5 * 86_400)), {}, {"retention-near"}),
        (world(topic=replace(TOPIC, unread=True, next_made_at=NOW - 5 * 86_400)), {}, set()),
        (world(topic=replace(TOPIC, unread=True, next_made_at=NOW - 60, retention_s=3600)), {}, set()),
        (world(topic=replace(TOPIC, unread=True)), {"outlook": Outlook(passing_s={"trading": 60})}, {"retention-near"}),
        (world(topic=replace(TOPIC, held_s=90)), {}, {"topic-held-back"}),
        (world(stream=HALTED), {}, {"stream-halted"}),
        (world(stream=replace(STREAM, owned=False)), {}, {"stream-without-owner"}),
        (world(stream=replace(STREAM, complete_at=int((NOW - 1000) * 1e9))), {}, {"stream-behind"}),
        (world(stream=replace(STREAM, complete_at=None)), {}, set()),
        (world(stream=replace(STREAM, suspended=[Suspension("public.x", "column-gone", "m", 7)])), {}, {"table-suspended"}),
        (world(stream=replace(STREAM, quarantine=Quarantine(2, 7, datetime.now(UTC)))), {}, {"quarantine-open"}),
        (world(requests={"trading": Requests(1, 700)}), {}, {"request-waiting"}),
        (world(ahead=400_000), {}, {"partitions-running-out"}),
        (world(), {"outlook": Outlook(partitions_s={"trading": 60})}, {"partitions-running-out"}),
        (world(), {"ran": {"verify": Ran("verify", NOW, 1, "PASS")}}, set()),
        (world(), {"ran": {"verify": Ran("verify", NOW, 1, "FAIL")}}, {"check-not-passed"}),
        (world(), {"ran": {"verify": Ran("verify", NOW - 3 * 86_400, 1, "PASS")}}, {"check-overdue"}),
    ],
)  # fmt: skip
def test_each_condition_is_its_alert(seen, known, said):
    assert alerts(seen, **known) == said


def test_no_summary_quotes_a_trace_that_is_not_redacted():
    (failed,) = findings(world(connector=FAILED), Known(Settings()))
    assert "hunter2" not in failed.summary
    assert "hunter2" not in repr(FAILED)


def test_every_round_gives_samples_that_prometheus_takes():
    metrics = Metrics()
    known = Known(
        Settings(),
        outlook=Outlook({"trading": 5}, {"trading": 6}, {"trading": 7}),
        ran={"verify": Ran("verify", NOW, 2, "PASS")},
    )
    seen = world(connector=FAILED, slot=replace(SLOT, safe_bytes=9, limit_bytes=99, wal_status="lost"),
                 topic=replace(TOPIC, unread=True, next_made_at=NOW - 9, retention_bytes=1), stream=HALTED)  # fmt: skip
    metrics.show(samples(seen, known, [], "verify"))
    text = {sample.name for family in metrics.registry.collect() for sample in family.samples}
    own = {name for name in GAUGES if name.startswith(("cdc_supervise", "cdc_build"))}
    assert text >= GAUGES.keys() - own
    assert {name for name in text if not name.endswith("_created")} - GAUGES.keys() <= COUNTERS.keys()
    values = {(s.name, *s.labels.values()): s.value for f in metrics.registry.collect() for s in f.samples}
    assert values["cdc_stream_lag_seconds", "trading"] == 9
    assert values["cdc_stream_retention_headroom_seconds", "trading"] == 7 * 86_400 - 9


def test_what_is_not_known_has_no_sample():
    empty = Seen(at=NOW, parts=("connect",), away={"connect": "x"})
    assert {name for name, _, _ in samples(empty, Known(Settings()), [], None)} == {
        "cdc_up",
        "cdc_alerts_firing",
        "cdc_check_running",
    }


def test_checks_are_due_and_judged():
    assert due(60, None, NOW)
    assert not due(60, Ran("verify", NOW - 59, 1, "PASS"), NOW)
    assert due(60, Ran("verify", NOW - 60, 1, "FAIL"), NOW)
    assert due(86_400, Ran("verify", NOW - 900, 1, "ERROR"), NOW)
    assert [judged("verify", NOW, 1, code, answer).verdict for code, answer in (
        (0, '{"verdict": "PASS", "entries": 7}'), (6, '{"verdict": "FAIL"}'), (6, '{"verdict": "INCOMPLETE"}'),
        (6, "two findings"), (5, ""), (-9, ""), (1, "[]"),
    )] == ["PASS", "FAIL", "INCOMPLETE", "FAIL", "ERROR", "ERROR", "ERROR"]  # fmt: skip
    assert judged("verify", NOW, 1, 0, '{"entries": 7}').detail == {"exit": "0", "entries": "7"}


def test_the_words_of_the_catalogue():
    assert {kind.severity for kind in ALERTS.values()} == set(get_args(Severity))
    assert set(Settings().checks) <= set(CHECKS)

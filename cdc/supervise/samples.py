"""One round as samples of :data:`cdc.supervise.metrics.GAUGES`. Pure. What is not known has no sample."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cdc.supervise.alerts import Open
from cdc.supervise.catalogue import ALERTS
from cdc.supervise.causes import data_loss
from cdc.supervise.metrics import Sample
from cdc.supervise.outlook import Outlook, budget_bytes, retention_s
from cdc.supervise.restarts import Restarts
from cdc.supervise.rules import Known
from cdc.supervise.seen import ConnectorSeen, Seen, SlotSeen, WarehouseSeen
from cdc.supervise.settings import Settings
from cdc.warehouse.status import StreamStatus

CONNECTOR_STATES = ("RUNNING", "FAILED", "PAUSED", "STOPPED", "UNASSIGNED", "RESTARTING", "ABSENT")
TASK_STATES = ("RUNNING", "FAILED", "PAUSED", "UNASSIGNED", "RESTARTING")
WAL_STATUS = ("reserved", "extended", "unreserved", "lost")
STREAM_STATES = ("running", "halted", "stopped")
VERDICTS = ("PASS", "FAIL", "INCOMPLETE", "ERROR")


def samples(seen: Seen, known: Known, firing: Iterable[Open], running: str | None) -> Iterator[Sample]:
    """All of a round. ``running``: the check that runs now."""
    for part in seen.parts:
        yield "cdc_up", (part,), float(part not in seen.away)
    yield from _firing(firing)
    for connector in seen.connectors.values():
        yield from _connector(connector, seen, known.restarts.get(connector.name, Restarts()))
    for source in seen.sources.values():
        if source.slot is not None:
            yield from _slot(source.slot, known.outlook, known.settings)
    yield from _topics(seen)
    if seen.warehouse is not None:
        for stream in seen.warehouse.streams.values():
            yield from _stream(stream, seen.warehouse)
            yield from _reading(stream, seen, known.outlook)
        yield from _partitions(seen.warehouse, known.outlook)
    yield from _checks(known, running)


def _firing(firing: Iterable[Open]) -> Iterator[Sample]:
    counts = dict.fromkeys(ALERTS, 0)
    for one in firing:
        counts[one.finding.alert] += 1
    for alert, count in counts.items():
        yield "cdc_alerts_firing", (alert, ALERTS[alert].severity), count


def _partitions(warehouse: WarehouseSeen, outlook: Outlook) -> Iterator[Sample]:
    for log in warehouse.sizes:
        yield "cdc_log_partition_headroom_entries", (log,), warehouse.ahead(log)
        if log in outlook.partitions_s:
            yield "cdc_log_partition_exhaustion_seconds", (log,), outlook.partitions_s[log]


def _one_of(name: str, labels: tuple[str, ...], words: Iterable[str], is_now: str | None) -> Iterator[Sample]:
    for word in words:
        yield name, (*labels, word), float(word == is_now)


def _connector(connector: ConnectorSeen, seen: Seen, tried: Restarts) -> Iterator[Sample]:
    name = connector.name
    yield from _one_of("cdc_connector_state", (name,), CONNECTOR_STATES, connector.state)
    for state in TASK_STATES:
        yield "cdc_connector_tasks", (name, state), connector.tasks.count(state)
    yield "cdc_connector_restart_attempts", (name,), tried.attempts
    cause = data_loss(connector, seen.sources.get(name)) if connector.failed else None
    if cause is not None:
        yield "cdc_connector_data_loss", (name, cause), 1


def _slot(slot: SlotSeen, outlook: Outlook, settings: Settings) -> Iterator[Sample]:
    labels = (slot.source, slot.slot)
    yield "cdc_slot_present", labels, float(slot.present)
    if not slot.present:
        return
    yield "cdc_slot_active", labels, float(slot.active)
    yield "cdc_slot_wal_limit_bytes", labels, budget_bytes(slot, settings)
    yield from _one_of("cdc_slot_wal_status", labels, WAL_STATUS, slot.wal_status)
    for name, value in (
        ("cdc_slot_retained_bytes", slot.retained_bytes),
        ("cdc_slot_unconfirmed_bytes", slot.unconfirmed_bytes),
        ("cdc_slot_safe_wal_bytes", slot.safe_bytes),
        ("cdc_slot_inactive_seconds", 0.0 if slot.active else slot.inactive_s),
        ("cdc_slot_exhaustion_seconds", outlook.slot_s.get(slot.source)),
    ):
        if value is not None:
            yield name, labels, value


def _topics(seen: Seen) -> Iterator[Sample]:
    for topic in seen.topics.values():
        labels = (topic.topic,)
        yield "cdc_topic_low_offset", labels, topic.low
        yield "cdc_topic_high_offset", labels, topic.high
        yield "cdc_topic_offsets", labels, topic.high - topic.low
        yield "cdc_topic_held_back_seconds", labels, topic.held_s or 0.0
        if topic.retention_s is not None:
            yield "cdc_topic_retention_seconds", labels, topic.retention_s
        if topic.retention_bytes is not None:
            yield "cdc_topic_retention_bytes", labels, topic.retention_bytes


def _stream(stream: StreamStatus, warehouse: WarehouseSeen) -> Iterator[Sample]:
    labels = (stream.log,)
    yield from _one_of("cdc_stream_state", labels, STREAM_STATES, stream.state)
    if stream.halted_code is not None:
        yield "cdc_stream_halted", (stream.log, stream.halted_code), 1
    yield "cdc_stream_position_offset", labels, stream.position
    yield "cdc_stream_entries", labels, stream.entries
    if stream.complete_at is not None:
        yield "cdc_stream_complete_through_timestamp_seconds", labels, stream.complete_at / 1e9
    yield "cdc_stream_suspended_tables", labels, len(stream.suspended)
    yield "cdc_stream_quarantine_open", labels, stream.quarantine.records if stream.quarantine is not None else 0
    yield "cdc_stream_gaps", labels, len(stream.gaps)
    requests = warehouse.requests.get(stream.log)
    yield "cdc_stream_requests_waiting", labels, requests.waiting if requests is not None else 0
    yield "cdc_stream_request_oldest_seconds", labels, requests.oldest_s if requests is not None else 0


def _reading(stream: StreamStatus, seen: Seen, outlook: Outlook) -> Iterator[Sample]:
    topic = seen.topics.get(stream.topic)
    if topic is None:
        return
    labels = (stream.log,)
    lag = max(0, topic.high - stream.position)
    yield "cdc_stream_lag_offsets", labels, lag
    if topic.unread is False:
        yield "cdc_stream_lag_seconds", labels, 0
    elif topic.next_made_at is not None:
        yield "cdc_stream_lag_seconds", labels, max(0.0, seen.at - topic.next_made_at)
    yield "cdc_stream_retention_headroom_offsets", labels, stream.position - topic.low
    seconds = retention_s(topic, seen.at)
    if seconds is not None:
        yield "cdc_stream_retention_headroom_seconds", labels, seconds
    if topic.topic in outlook.passing_s:
        yield "cdc_stream_retention_exhaustion_seconds", labels, outlook.passing_s[topic.topic]


def _checks(known: Known, running: str | None) -> Iterator[Sample]:
    for check in known.settings.checks:
        yield "cdc_check_running", (check,), float(check == running)
        ran = known.ran.get(check)
        if ran is not None:
            yield from _one_of("cdc_check_verdict", (check,), VERDICTS, ran.verdict)
            yield "cdc_check_last_run_timestamp_seconds", (check,), ran.began
            yield "cdc_check_duration_seconds", (check,), ran.seconds

"""What is exported to Prometheus: one table of names, and one round as its samples.

Names follow Prometheus' "Metric and label naming": prefix ``cdc_``, base units, ``_total`` for counters. Labels are
names of the configuration and words of fixed sets, so their number is bounded; none holds a key, an offset, a person.
``docs/metrics.md`` has the same table for people.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import Counter
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector, CollectorRegistry

Sample = tuple[str, tuple[str, ...], float]
"""Name, values of its labels, value."""


@dataclass(frozen=True, slots=True)
class Described:
    """A metric: its labels, and its line of help."""

    labels: tuple[str, ...]
    help: str


GAUGES: dict[str, Described] = {
    "cdc_build_info": Described(("version",), "Always 1; the version that runs."),
    "cdc_up": Described(
        ("part",), "Whether a part answered in the last round: connect, kafka, privacy, warehouse, source/NAME."
    ),
    "cdc_supervise_active": Described(
        (), "Whether this supervisor acts; 0: another one does, or the warehouse is away."
    ),
    "cdc_supervise_last_round_timestamp_seconds": Described((), "When the last round ended."),
    "cdc_supervise_round_duration_seconds": Described((), "How long the last round took."),
    "cdc_supervise_undelivered_alerts": Described(("channel",), "Alerts that wait to be delivered."),
    "cdc_alerts_firing": Described(("alert", "severity"), "Alerts of this kind that have been told and are not over."),
    "cdc_connector_state": Described(
        ("connector", "state"), "1 for the state that the connector is in; ABSENT: Connect does not have it."
    ),
    "cdc_connector_tasks": Described(("connector", "state"), "Tasks in this state."),
    "cdc_connector_restart_attempts": Described(("connector",), "Restarts in a row, without a stable time since."),
    "cdc_connector_data_loss": Described(
        ("connector", "cause"), "1: failed for a cause after which it is not restarted."
    ),
    "cdc_slot_present": Described(("source", "slot"), "Whether the source has the replication slot."),
    "cdc_slot_active": Described(("source", "slot"), "Whether somebody reads it."),
    "cdc_slot_inactive_seconds": Described(
        ("source", "slot"), "For how long nobody has read it (PostgreSQL 17 or later)."
    ),
    "cdc_slot_retained_bytes": Described(("source", "slot"), "WAL that the source keeps for it."),
    "cdc_slot_unconfirmed_bytes": Described(("source", "slot"), "WAL that its reader has not confirmed."),
    "cdc_slot_safe_wal_bytes": Described(
        ("source", "slot"), "WAL that may be written before it is in danger; absent without max_slot_wal_keep_size."
    ),
    "cdc_slot_wal_limit_bytes": Described(
        ("source", "slot"), "What it may retain: max_slot_wal_keep_size, else [supervise] slot_budget."
    ),
    "cdc_slot_wal_status": Described(
        ("source", "slot", "status"), "1 for its wal_status: reserved, extended, unreserved, lost."
    ),
    "cdc_slot_exhaustion_seconds": Described(
        ("source", "slot"), "Forecast: until it retains its limit. Absent while it does not grow."
    ),
    "cdc_topic_low_offset": Described(("topic",), "First offset that Kafka still has."),
    "cdc_topic_high_offset": Described(("topic",), "High watermark: where the next record goes."),
    "cdc_topic_offsets": Described(("topic",), "Offsets between the two, transaction markers included."),
    "cdc_topic_retention_seconds": Described(("topic",), "retention.ms in force; absent: for ever, or not readable."),
    "cdc_topic_retention_bytes": Described(
        ("topic",), "retention.bytes in force; absent: without limit, or not readable."
    ),
    "cdc_topic_held_back_seconds": Described(
        ("topic",), "For how long an open Kafka transaction has held it back; 0: it does not."
    ),
    "cdc_stream_state": Described(("stream", "state"), "1 for its state: running, halted, stopped."),
    "cdc_stream_halted": Described(("stream", "code"), "1: halted with this code."),
    "cdc_stream_position_offset": Described(("stream",), "Next offset that the worker reads."),
    "cdc_stream_entries": Described(("stream",), "Size of its log."),
    "cdc_stream_lag_offsets": Described(("stream",), "Offsets between position and high watermark."),
    "cdc_stream_lag_seconds": Described(
        ("stream",), "Age of the oldest unread record by Kafka's time stamp; 0: nothing is unread."
    ),
    "cdc_stream_complete_through_timestamp_seconds": Described(
        ("stream",), "Source commit through which its log is complete."
    ),
    "cdc_stream_retention_headroom_offsets": Described(
        ("stream",), "Offsets between Kafka's first one and the position; negative: lost."
    ),
    "cdc_stream_retention_headroom_seconds": Described(
        ("stream",),
        "Until Kafka may delete the next record, by its time stamp. Absent: nothing is unread, or kept for ever.",
    ),
    "cdc_stream_retention_exhaustion_seconds": Described(
        ("stream",), "Forecast: until Kafka's first offset passes the position."
    ),
    "cdc_stream_suspended_tables": Described(("stream",), "Tables whose current state does not follow."),
    "cdc_stream_quarantine_open": Described(("stream",), "Records in quarantine."),
    "cdc_stream_gaps": Described(("stream",), "Gaps that were accepted, ever."),
    "cdc_stream_requests_waiting": Described(("stream",), "Requests of people that its owner has not carried out."),
    "cdc_stream_request_oldest_seconds": Described(("stream",), "For how long the oldest of them has waited."),
    "cdc_log_partition_headroom_entries": Described(
        ("log",), "Entries for which the warehouse has partitions, beyond those there are."
    ),
    "cdc_log_partition_exhaustion_seconds": Described(("log",), "Forecast: until it has none."),
    "cdc_check_verdict": Described(("check", "verdict"), "1 for the last verdict: PASS, FAIL, INCOMPLETE, ERROR."),
    "cdc_check_last_run_timestamp_seconds": Described(("check",), "When its last run began."),
    "cdc_check_duration_seconds": Described(("check",), "How long that took."),
    "cdc_check_running": Described(("check",), "Whether it runs now."),
}
"""Name → what it is."""

COUNTERS: dict[str, Described] = {
    "cdc_supervise_rounds_total": Described(("outcome",), "Rounds: complete, or partial when a part did not answer."),
    "cdc_supervise_errors_total": Described((), "Rounds that ended in an error of the supervisor itself."),
    "cdc_connector_restarts_total": Described(("connector",), "Restarts by this supervisor."),
    "cdc_alert_deliveries_total": Described(("channel", "outcome"), "Attempts to deliver an alert: delivered, failed."),
}
"""Name → what it is. They count from the start of this process."""


class Metrics(Collector):
    """The samples of the last round, exchanged as one: a scrape never sees half of a round."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._counters = {
            name: Counter(name, described.help, described.labels, registry=self.registry)
            for name, described in COUNTERS.items()
        }
        self._families: tuple[Metric, ...] = ()
        self.registry.register(self)

    def count(self, name: str, *labels: str, by: int = 1) -> None:
        """Count something; ``by`` 0 makes the sample be there before it first happens."""
        counter = self._counters[name]
        (counter.labels(*labels) if labels else counter).inc(by)

    def show(self, samples: Iterable[Sample]) -> None:
        """What scrapes get from now on."""
        self._families = tuple(_families(samples).values())

    def collect(self) -> Iterator[Metric]:
        """The gauges; the registry asks."""
        yield from self._families

    def describe(self) -> Iterator[Metric]:
        """Nothing: the registry need not collect to register."""
        return iter(())


def _families(samples: Iterable[Sample]) -> Mapping[str, GaugeMetricFamily]:
    families: dict[str, GaugeMetricFamily] = {}
    for name, labels, value in samples:
        if name not in families:
            families[name] = GaugeMetricFamily(name, GAUGES[name].help, labels=GAUGES[name].labels)
        families[name].add_metric(labels, value)
    return families

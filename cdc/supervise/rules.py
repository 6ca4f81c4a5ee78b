"""From what a round saw to what is wrong with it. Pure; the words are the catalogue's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from cdc.supervise.alerts import Finding
from cdc.supervise.causes import data_loss
from cdc.supervise.checks import Ran, late
from cdc.supervise.outlook import Outlook, budget_bytes, retention_s
from cdc.supervise.restarts import FLAPS_WITHIN_S, Restarts
from cdc.supervise.seen import ConnectorSeen, Seen, SlotSeen, TopicSeen
from cdc.supervise.settings import Settings
from cdc.warehouse.status import StreamStatus


@dataclass(frozen=True, slots=True)
class Known:
    """What a round is judged by besides itself: restarts so far, forecasts, checks that ran. ``told``: what a Java
    trace says, fit to print.
    """

    settings: Settings
    restarts: Mapping[str, Restarts] = field(default_factory=dict)
    outlook: Outlook = field(default_factory=Outlook)
    ran: Mapping[str, Ran] = field(default_factory=dict)
    told: Callable[[str], str] = lambda _trace: "its log has the cause"


def findings(seen: Seen, known: Known) -> list[Finding]:
    """Everything that is wrong."""
    found = [*_parts(seen)]
    for connector in seen.connectors.values():
        found += _connector(connector, known, seen)
    for source in seen.sources.values():
        if source.slot is not None:
            found += _slot(source.slot, seen, known)
    if seen.warehouse is not None:
        for stream in seen.warehouse.streams.values():
            found += _stream(stream, seen, known)
            found += _waiting(stream, seen)
        found += _partitions(seen, known)
    for stream_topic, position in _positions(seen):
        found += _topic(stream_topic, position, seen, known)
    return found + list(_checks(seen, known))


def _parts(seen: Seen) -> Iterator[Finding]:
    for part, why in seen.away.items():
        yield Finding("part-unreachable", part, part, f"{part} does not answer: {why}", "cdc local status; cdc status")


def _connector(connector: ConnectorSeen, known: Known, seen: Seen) -> Iterator[Finding]:
    name, tried = connector.name, known.restarts.get(connector.name, Restarts())
    check = f"cdc connectors check {name}"  # names the loss, and the section that says how to begin anew

    def finding(alert: str, summary: str, hint: str) -> Finding:
        return Finding(alert, name, "connect", f"connector {name}: {summary}", hint)

    if connector.failed:
        cause = known.told(connector.traces[0]) if connector.traces else "no trace"
        lost = data_loss(connector, seen.sources.get(name))
        if lost is not None:
            yield finding("connector-data-loss", f"{lost}; it is not restarted: {cause}", check)
        elif tried.attempts >= known.settings.max_restarts:
            yield finding(
                "connector-given-up", f"failed after {tried.attempts} restarts: {cause}", "cdc connectors list"
            )
        else:
            yield finding("connector-failed", cause, "cdc connectors list")
    elif not connector.running:
        tasks = ", ".join(connector.tasks) or "none"
        yield finding("connector-not-running", f"{connector.state}, tasks: {tasks}", f"cdc connectors apply {name}")
    if tried.flaps(seen.at):
        hours = FLAPS_WITHIN_S / 3600
        yield finding("connector-flapping", f"{len(tried.times)} restarts in {hours:.0f} hours", "cdc connectors list")


def _slot(slot: SlotSeen, seen: Seen, known: Known) -> Iterator[Finding]:
    def finding(
        alert: str, summary: str, hint: str = "cdc connectors list"
    ) -> Finding:
        return Finding(
            alert, slot.source, f"source/{slot.source}", f"slot {slot.slot} of {slot.source}: {summary}", hint
        )

    check = f"cdc connectors check {slot.source}"
    if not slot.present:
        connector = seen.connectors.get(slot.source)
        if connector is not None and connector.state != "ABSENT":
            yield finding("slot-missing", "the source has no such slot; what was not read is lost", check)
        return
    if slot.lost:
        summary = f"{slot.invalidation or 'wal removed'}: the source no longer has what was not read"
        yield finding("slot-lost", summary, check)
        return
    retained = slot.retained_bytes or 0
    budget = budget_bytes(slot, known.settings)
    if slot.wal_status == "unreserved" or retained >= budget:
        yield finding("slot-in-danger", f"retains {_mib(retained)} of {_mib(budget)}, wal_status {slot.wal_status}")
    seconds = known.outlook.slot_s.get(slot.source)
    if seconds is not None and seconds < known.settings.forecast_within_s:
        yield finding("slot-growing", f"retains {_mib(retained)}; at this pace {_mib(budget)} in {_hours(seconds)}")
    if not slot.active:
        yield finding("slot-inactive", "nobody reads it; the source keeps its WAL")


def _positions(seen: Seen) -> Iterator[tuple[TopicSeen, StreamStatus]]:
    for stream in seen.warehouse.streams.values() if seen.warehouse is not None else ():
        if stream.topic in seen.topics:
            yield seen.topics[stream.topic], stream


def _topic(topic: TopicSeen, stream: StreamStatus, seen: Seen, known: Known) -> Iterator[Finding]:
    def finding(alert: str, summary: str, hint: str) -> Finding:
        return Finding(alert, stream.log, "kafka", f"topic {topic.topic}: {summary}", hint)

    if stream.position < topic.low:
        lost = topic.low - stream.position
        yield finding("retention-passed", f"Kafka deleted {lost:,} offsets before they were read", "cdc stream show")
        return
    seconds = retention_s(topic, seen.at)
    passes = known.outlook.passing_s.get(topic.topic)
    least = min((each for each in (seconds, passes) if each is not None), default=None)
    # With a retention shorter than the threshold even a worker that keeps up would be near it: a quarter is left then.
    within = known.settings.retention_within_s
    within = within if topic.retention_s is None else min(within, topic.retention_s / 4)
    if least is not None and least < within and topic.unread is not False:
        yield finding("retention-near", f"deletes what is not read in {_hours(least)}", f"cdc replicate {stream.log}")
    if topic.held_s is not None:
        yield finding("topic-held-back", f"an open Kafka transaction holds it for {topic.held_s:.0f} s", "cdc status")


def _stream(stream: StreamStatus, seen: Seen, known: Known) -> Iterator[Finding]:
    log = stream.log

    def finding(alert: str, summary: str, hint: str) -> Finding:
        return Finding(alert, log, "warehouse", f"stream {log}: {summary}", hint)

    if stream.halted_code is not None:
        yield finding("stream-halted", str(stream.halted_message), f"cdc stream show {log}")
    elif not stream.owned:
        yield finding("stream-without-owner", "no worker owns it", f"cdc replicate {log}")
    if stream.complete_at is not None and stream.halted_code is None:
        age = seen.at - stream.complete_at / 1e9
        if age > known.settings.fresh_within_s:
            yield finding("stream-behind", f"complete through {_hours(age)} ago", "cdc status; cdc connectors list")
    if stream.suspended:
        tables = ", ".join(each.table for each in stream.suspended[:3])
        yield finding("table-suspended", f"{len(stream.suspended)} tables, {tables}", stream.suspended[0].command(log))


def _waiting(stream: StreamStatus, seen: Seen) -> Iterator[Finding]:
    log = stream.log
    if stream.quarantine is not None:
        summary = f"stream {log}: {stream.quarantine.records:,} records in quarantine"
        yield Finding("quarantine-open", log, "warehouse", summary, f"cdc quarantine list {log}")
    requests = seen.warehouse.requests.get(log) if seen.warehouse is not None else None
    if requests is not None and requests.waiting:
        summary = f"stream {log}: {requests.waiting} requests wait for its owner, for {_hours(requests.oldest_s)}"
        yield Finding("request-waiting", log, "warehouse", summary, f"cdc replicate {log}")


def _partitions(seen: Seen, known: Known) -> Iterator[Finding]:
    assert seen.warehouse is not None  # its only caller has asked
    for log in seen.warehouse.sizes:
        ahead = seen.warehouse.ahead(log)
        seconds = known.outlook.partitions_s.get(log)
        if ahead < known.settings.partitions_ahead // 10 or (
            seconds is not None and seconds < known.settings.forecast_within_s
        ):
            until = f", {_hours(seconds)} at this pace" if seconds is not None else ""
            summary = f"log {log}: partitions for {ahead:,} more entries{until}"
            yield Finding("partitions-running-out", log, "warehouse", summary, "cdc migrate; cdc status")


def _checks(seen: Seen, known: Known) -> Iterator[Finding]:
    for name, every_s in known.settings.checks.items():
        ran = known.ran.get(name)
        if ran is None:
            continue
        if ran.verdict != "PASS":
            yield Finding("check-not-passed", name, "check", f"{ran.command}: {ran.verdict}", ran.command)
        if late(ran, every_s, seen.at):
            ago = _hours(seen.at - ran.began)
            yield Finding("check-overdue", name, "check", f"{ran.command} last ran {ago} ago", ran.command)


def _mib(size: int) -> str:
    return f"{size / 2**20:,.0f} MiB"


def _hours(seconds: float) -> str:
    return (
        f"{seconds:.0f} s"
        if seconds < 120
        else f"{seconds / 60:.0f} min"
        if seconds < 7200
        else f"{seconds / 3600:.1f} h"
    )

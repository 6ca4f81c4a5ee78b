"""The loop: look, judge, act, tell. A round that fails is counted and said, and the next one begins."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version

from cdc.config import Config
from cdc.errors import CdcError
from cdc.supervise import samples as sampling
from cdc.supervise.acting import Acting
from cdc.supervise.alerts import Book, Finding, Notice
from cdc.supervise.check_run import Runner
from cdc.supervise.checks import Ran, due
from cdc.supervise.delivery import Delivery, channels
from cdc.supervise.forecast import FEWEST
from cdc.supervise.journal import Journal, alert_detail, check_detail
from cdc.supervise.looking import PATIENCE_S, Looking
from cdc.supervise.metrics import Metrics, Sample
from cdc.supervise.outlook import Outlook
from cdc.supervise.rules import Known, findings
from cdc.supervise.seen import Seen
from cdc.supervise.settings import Settings
from cdc.telemetry import Progress
from connectors import redact
from connectors.definition import Definition

FINISH_S = 3.0
"""Seconds for which alerts that wait are still delivered when the process is to end."""

OBSERVATIONS = 2 * FEWEST
"""Looks of ``once`` before its round: some may find a part that does not answer."""


class Supervisor:
    """Watches what ``config`` names. ``now``: seconds since 1970, for tests that let time pass."""

    def __init__(
        self,
        config: Config,
        settings: Settings,
        definitions: Mapping[str, Definition],
        progress: Progress,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.settings, self.now, self.progress = settings, now, progress
        self.stopping = threading.Event()
        self.metrics = Metrics()
        self.name = f"{socket.gethostname()}/{os.getpid()}"
        idle_s = 2 * settings.every_s + 2 * PATIENCE_S + 20
        self.journal = Journal(config.warehouse_dsn, config.warehouse_auditor_dsn, self.name, idle_s)
        self.book = Book(settings.repeat_s)
        self.ran: dict[str, Ran] = {}
        self.acting = Acting(config, settings, self.journal, progress, self.metrics)
        self._outlook = Outlook()
        self._looking = Looking(config, definitions, now, self.stopping)
        self._checks = Runner(config.path, now)
        self._deliveries = [Delivery(channel, self.name, self._delivered) for channel in channels(settings)]
        self._round_ended = time.monotonic()
        self._last: Seen | None = None
        for delivery in self._deliveries:
            delivery.start()
        for name in definitions:
            self.metrics.count("cdc_connector_restarts_total", name, by=0)

    def run(self) -> None:
        """Until :meth:`stop`."""
        while not self.stopping.is_set():
            began = time.monotonic()
            try:
                self.round()
            except Exception as error:  # noqa: BLE001 - an error of ours must not end the watch; its text may hold anything
                self.metrics.count("cdc_supervise_errors_total")
                self.progress.note(f"a round failed: {type(error).__name__}", "round-failed", logging.ERROR)
            self._round_ended = time.monotonic()
            self.stopping.wait(max(0.1, self.settings.every_s - (time.monotonic() - began)))
        self.end()

    def stop(self) -> None:
        """Have :meth:`run` return within seconds."""
        self.stopping.set()

    def end(self, finish_s: float = FINISH_S) -> None:
        """Give up the lock, end a check that runs, deliver what waits for a moment."""
        self._checks.stop()
        undelivered = sum(delivery.finish(finish_s) for delivery in self._deliveries)
        self.journal.close()
        lost = f"; {undelivered} alerts could not be delivered" if undelivered else ""
        self.progress.note(f"stopped{lost}", "stopped", undelivered=undelivered)

    def once(self, observe_s: float = 0.0) -> list[Finding]:
        """One round, its checks run to their end, every condition told at once; returns what is wrong.

        ``observe_s``: for so long it only looks before, because one look has no pace. 0: it forecasts nothing.
        """
        self._observe(observe_s)
        self.round(at_once=True)
        if self.journal.role == "standby":
            self._remember()  # to judge by; another supervisor tells
        if self.journal.role == "active":
            for check in self._due():
                self._checks.start(check)
                while not self._collect() and not self.stopping.is_set():
                    time.sleep(0.1)
        if self._last is None:
            return []
        self._judge(self._last, at_once=True)
        return findings(self._last, self._known())

    def round(self, *, at_once: bool = False) -> None:
        """Look at everything, act on it, tell what is new."""
        began = time.monotonic()
        seen = self._looking.look()
        if self.stopping.is_set():
            return
        self._take_role()  # now, not before a look in which this process may have been stopped for an hour
        self._outlook.update(seen, self.settings)
        self.acting.restart(seen)
        self.acting.cut_ahead(seen)
        if not at_once:
            self._collect()
            self._start_due()
        self._judge(seen, at_once=at_once)
        self.metrics.count("cdc_supervise_rounds_total", "partial" if seen.away else "complete")
        self._show(seen, time.monotonic() - began)

    def _observe(self, seconds: float) -> None:
        """Look often enough for a line; the round that follows adds its last point."""
        began = self.now()
        for each in range(OBSERVATIONS if seconds else 0):
            seen = self._looking.look()
            self._outlook.update(seen, self.settings)
            began = seen.at if each == 0 else began
            while self.now() < began + (each + 1) * seconds / OBSERVATIONS:
                if self.stopping.wait(0.1):
                    return

    def live(self) -> tuple[bool, dict[str, object]]:
        """Whether the loop turns, whatever the parts do."""
        age = time.monotonic() - self._round_ended
        return age < self.settings.every_s + 6 * PATIENCE_S, {"seconds_since_round": round(age, 1)}

    def ready(self) -> tuple[bool, dict[str, object]]:
        """Whether the last round is recent and every part answered in it."""
        turning, said = self.live()
        away = dict(self._last.away) if self._last is not None else {}
        return turning and self._last is not None and not away, {"role": self.journal.role, "away": away, **said}

    def _take_role(self) -> None:
        before = self.journal.role
        if self.journal.renew():
            self.journal.record_waiting()
            self._remember()
        if self.journal.role == "standby" and before != "standby":
            self.book.remember({})
        if self.journal.role != before or self._last is None:
            says = {
                "active": "acts: restarts, checks, alerts",
                "standby": "stands by: another supervisor acts",
                "blind": "the warehouse does not answer: alerts, but does not act",
            }[self.journal.role]
            self.progress.note(says, self.journal.role, supervisor=self.name)

    def _remember(self) -> None:
        """Go on where the last supervisor was; without knowing that, not at all."""
        try:
            memory = self.journal.memory()
        except CdcError:
            self.journal.lose()
            return
        self.acting.restarts = dict(memory.restarts)
        self.acting.left = {
            one.finding.about for one in memory.open.values() if one.finding.alert == "connector-data-loss"
        }
        self.book.remember(memory.open)
        self.ran = dict(memory.ran)

    def _judge(self, seen: Seen, *, at_once: bool) -> None:
        """Who stands by tells nothing: whoever acts sees the same."""
        if self.journal.role == "standby":
            return
        for notice in self.book.judge(findings(seen, self._known()), seen.at, away=seen.away, at_once=at_once):
            self._tell(notice)

    def _tell(self, notice: Notice) -> None:
        found, firing = notice.finding, notice.status == "firing"
        self.journal.record_later(f"alert-{'fired' if firing else 'resolved'}", alert_detail(notice))
        text = f"{found.alert}: {found.summary}" if firing else f"over: {found.alert}: {found.summary}"
        level = logging.INFO if not firing else logging.ERROR if notice.severity == "page" else logging.WARNING
        self.progress.note(
            text, "alert" if firing else "alert-resolved", level, alert=found.alert, about=found.about,
            severity=notice.severity, repeat=notice.repeat, hint=found.hint,
        )  # fmt: skip
        for delivery in self._deliveries:
            delivery.put(notice)

    def _delivered(self, channel: str, delivered: bool, why: str) -> None:
        self.metrics.count("cdc_alert_deliveries_total", channel, "delivered" if delivered else "failed")
        if not delivered:
            self.progress.note(f"{channel}: an alert could not be delivered: {why}", "undelivered", logging.WARNING)

    def _due(self) -> list[str]:
        """Checks that must run now."""
        return [name for name, every_s in self.settings.checks.items() if due(every_s, self.ran.get(name), self.now())]

    def _start_due(self) -> None:
        """Start the first check that is due, if none runs."""
        waiting = self._due()
        if waiting and self.journal.role == "active" and self._checks.running is None:
            self._checks.start(waiting[0])

    def _collect(self) -> bool:
        """Take in the check that has ended, if one has."""
        ran = self._checks.ended()
        if ran is None:
            return False
        self.ran[ran.check] = ran
        self.journal.record_later("check-ran", check_detail(ran))
        level = logging.INFO if ran.verdict == "PASS" else logging.ERROR
        text = f"{ran.command}: {ran.verdict} in {ran.seconds:.1f} s"
        self.progress.note(text, "check", level, check=ran.check, verdict=ran.verdict)
        return True

    def _known(self) -> Known:
        return Known(self.settings, self.acting.restarts, self._outlook, self.ran, redact.causes)

    def _show(self, seen: Seen, took_s: float) -> None:
        self._last = seen
        own: list[Sample] = [
            ("cdc_build_info", (version("cdc-audit"),), 1),
            ("cdc_supervise_active", (), float(self.journal.role == "active")),
            ("cdc_supervise_last_round_timestamp_seconds", (), seen.at),
            ("cdc_supervise_round_duration_seconds", (), took_s),
            *(("cdc_supervise_undelivered_alerts", (each.channel.name,), each.waiting) for each in self._deliveries),
        ]
        told = list(self.book.open.values())
        self.metrics.show([*own, *sampling.samples(seen, self._known(), told, self._checks.running)])

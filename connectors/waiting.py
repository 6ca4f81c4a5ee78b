"""Look at a connector until it is as it should be, or has failed anew."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from connectors import redact
from connectors.client import ConnectClient
from connectors.errors import NotFound, NotInTime, TaskFailed
from connectors.model import ConnectorStatus

Report: TypeAlias = Callable[[str], None]
"""Takes one line of progress."""

POLL_S = 0.25
STEADY_S = 2.0
"""So long it must be seen running after a change: Connect shows old tasks RUNNING until it has stopped them, and a new
task is RUNNING before Debezium has connected."""
STALE_S = 10.0
"""So long a failure from before the change is taken for what Connect has not cleared away yet."""


def seen(status: ConnectorStatus) -> str:
    """A status in one line."""
    tasks = ", ".join(f"task {task.id} {task.state}" for task in status.tasks) or "no task yet"
    return f"{status.name}: {status.state}, {tasks}"


def status_of(client: ConnectClient, name: str, deadline: float) -> ConnectorStatus:
    """The status; it comes round a moment after a connector is created.

    Raises:
        NotFound: it has not come round by ``deadline`` (``time.monotonic``), or there is no such connector.
    """
    while True:
        try:
            return client.status(name)
        except NotFound:
            if time.monotonic() > deadline:
                raise
        time.sleep(POLL_S)


@dataclass(slots=True)
class Wait:
    """Waits for one connector until ``deadline`` (``time.monotonic``). ``before``: its status before the change."""

    client: ConnectClient
    name: str
    deadline: float
    before: ConnectorStatus | None
    report: Report

    def running(self, steady_s: float) -> ConnectorStatus:
        """Its status, once it and all its tasks have been running for ``steady_s``.

        Raises:
            TaskFailed: the connector or a task failed; the message has the causes.
            NotInTime: not by the deadline, or there is no status of it by then.
        """
        began = time.monotonic()

        def judge(status: ConnectorStatus) -> bool:
            if status.failed and (time.monotonic() - began > STALE_S or not self._stale(status)):
                cause = redact.causes(status.failed_traces[0])
                raise TaskFailed(
                    f"{self.name} failed: {cause}", hint=f"mend that, then cdc connectors apply {self.name}"
                )
            return status.running

        return self._until(judge, steady_s)

    def settled(self, state: str) -> ConnectorStatus:
        """Its status, once it is PAUSED with all its tasks, or STOPPED without any.

        Raises:
            NotInTime: not by the deadline.
        """

        def judge(status: ConnectorStatus) -> bool:
            tasks = {task.state for task in status.tasks}
            return status.state == state and tasks <= ({"PAUSED"} if state == "PAUSED" else set())

        return self._until(judge, 0)

    def _until(self, judge: Callable[[ConnectorStatus], bool], steady_s: float) -> ConnectorStatus:
        since = time.monotonic()
        shown = ""
        while True:
            try:
                status, now = status_of(self.client, self.name, self.deadline), time.monotonic()
            except NotFound as error:
                raise NotInTime(f"not in time: {error}", hint="cdc connectors list: is it still there?") from None
            line = seen(status)
            if line != shown:
                self.report(line)
                shown = line
            if not judge(status):
                since = now
            elif now - since >= steady_s:
                return status
            if now > self.deadline:
                raise NotInTime(f"not in time: {line}", hint="the worker's log says what it waits for")
            time.sleep(POLL_S)

    def _stale(self, status: ConnectorStatus) -> bool:
        return self.before is not None and status.failed_traces == self.before.failed_traces

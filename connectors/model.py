"""What Connect's REST interface answers, as plain data (Kafka 4.3 documentation, "Connect REST API")."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

State: TypeAlias = Literal["UNASSIGNED", "RUNNING", "PAUSED", "STOPPED", "FAILED", "RESTARTING", "DESTROYED"]
"""States of a connector and of a task; ``STOPPED`` exists for connectors only."""


@dataclass(frozen=True, slots=True)
class WorkerInfo:
    """The worker that answered, and the Kafka cluster it serves."""

    version: str
    kafka_cluster_id: str


@dataclass(frozen=True, slots=True)
class Plugin:
    """A connector class that the worker has."""

    class_name: str
    version: str


@dataclass(frozen=True, slots=True)
class TaskStatus:
    """One task. ``trace`` is a Java stack trace: its messages can hold values, so it is not in the ``repr``."""

    id: int
    state: str
    worker: str
    trace: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class ConnectorStatus:
    """A connector and its tasks. ``version``: of its plugin, where the worker says it (Kafka 4.1, KAFKA-18988)."""

    name: str
    state: str
    worker: str
    tasks: tuple[TaskStatus, ...]
    trace: str = field(default="", repr=False)
    version: str = ""

    @property
    def running(self) -> bool:
        """Whether the connector and all its tasks run. A source connector without a task captures nothing."""
        return self.state == "RUNNING" and bool(self.tasks) and all(task.state == "RUNNING" for task in self.tasks)

    @property
    def failed_traces(self) -> tuple[str, ...]:
        """The traces of what is FAILED."""
        own = (self.trace,) if self.state == "FAILED" else ()
        return own + tuple(task.trace for task in self.tasks if task.state == "FAILED")

    @property
    def failed(self) -> bool:
        """Whether anything of it is FAILED."""
        return bool(self.failed_traces)


@dataclass(frozen=True, slots=True)
class ConnectorInfo:
    """A connector as Connect lists it; ``kind`` is ``source`` or ``sink``.

    The configuration may hold secrets that others wrote in plain.
    """

    name: str
    status: ConnectorStatus
    config: Mapping[str, str] = field(repr=False)
    kind: str = "source"

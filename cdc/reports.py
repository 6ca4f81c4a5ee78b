"""What a session says besides its progress, each thing once: coordinates and codes, never a value."""

from __future__ import annotations

from collections.abc import Mapping
from logging import WARNING

from cdc.errors import RecordError
from cdc.protect import ProtectedTable
from cdc.telemetry import Progress
from cdc.topic import producers_command


class Reports:
    """The events of one ownership."""

    def __init__(self, progress: Progress, kafka: Mapping[str, str], topic: str) -> None:
        self._progress = progress
        self._kafka = kafka
        self._topic = topic
        self._suspended: set[str] = set()

    def rolled_back(self, told: str, position: int) -> None:
        """The warehouse was further once."""
        self._progress.note(told, "rolled-back", WARNING, offset=position)

    def quarantined(self, offset: int, error: RecordError) -> None:
        """A record cannot be decoded."""
        self._progress.note(f"quarantined: {error}", "quarantined", WARNING, offset=offset, reason=error.reason)

    def suspended(self, table: str, code: str, message: str, seq: int | None = None) -> None:
        """A table's current state does not follow its history, since entry ``seq`` where that is known. Once a table.

        Called by the writer's thread too: what both say at one time may be said twice.
        """
        if table not in self._suspended:
            self._suspended.add(table)
            told = f"state of {table} is suspended: {code}: {message}"
            where: dict[str, str | int] = {"table": table, "code": code}
            self._progress.note(told, "suspended", WARNING, **(where if seq is None else {**where, "seq": seq}))

    def held_back(self, offset: int | None) -> None:
        """Nothing comes although records are added: some producer has left a Kafka transaction open."""
        if offset is not None:
            command = producers_command(self._kafka, self._topic)
            told = f"held back at offset {offset:,} by a Kafka transaction that does not end: {command}"
            self._progress.note(told, "held-back", WARNING, offset=offset)

    def policy(self, table: ProtectedTable) -> None:
        """What the policy does not know of a table. It is protected all the same."""
        name, plan = table.table, table.plan
        if not plan.known_table:
            told = f"table {name} is not in the policy: all its columns are protected"
            self._progress.note(told, "policy", WARNING, table=name)
        elif plan.unlisted:
            told = f"not in the policy, so sealed: {name} {', '.join(plan.unlisted)}"
            self._progress.note(told, "policy", WARNING, table=name)
        for problem in plan.problems:
            self._progress.note(f"policy: {problem}", "policy", WARNING, table=name)

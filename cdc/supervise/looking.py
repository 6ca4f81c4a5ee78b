"""One round's look at all parts: each in a thread of its own, so that one that hangs hides none of the others."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cdc.config import Config
from cdc.supervise import connect_look, source_look, topic_look, warehouse_look
from cdc.supervise.seen import Seen, WarehouseSeen
from connectors.definition import Definition

PATIENCE_S = 20.0
"""Seconds after which a part that has said nothing is taken for away."""

Look = Callable[[], Any]


class _Asked(threading.Thread):
    """A part that is being asked, or has answered."""

    def __init__(self, part: str, look: Look) -> None:
        super().__init__(name=f"look-{part}", daemon=True)
        self._look = look
        self.answer: Any = None
        self.error: Exception | None = None

    def run(self) -> None:
        """Ask. Whatever a part does, the loop goes on and says so."""
        try:
            self.answer = self._look()
        except Exception as error:  # noqa: BLE001
            self.error = error


@dataclass(slots=True)
class Looking:
    """Looks. ``stopping``: set when the process is to end, so that nothing is waited for any more."""

    config: Config
    definitions: Mapping[str, Definition]
    now: Callable[[], float]
    stopping: threading.Event
    _asked: dict[str, _Asked] = field(default_factory=dict)
    _positions: dict[str, int] = field(default_factory=dict)

    def look(self) -> Seen:
        """One round. Kafka is asked last: what the warehouse says of positions is asked of it."""
        config = self.config
        first: dict[str, Look] = {
            "warehouse": lambda: warehouse_look.look(config.warehouse_auditor_dsn),
            "privacy": lambda: warehouse_look.answers(config.privacy_dsn),
            "connect": lambda: connect_look.look(config, self.definitions),
        }
        for name, defined in self.definitions.items():
            dsn = config.sources[name].dsn
            if dsn is not None:
                first[f"source/{name}"] = _source(name, dsn, defined)
        answers, away = self._ask(first)
        warehouse: WarehouseSeen | None = answers.get("warehouse")
        if warehouse is not None:
            self._positions = {stream.topic: stream.position for stream in warehouse.streams.values()}
        positions = dict(self._positions)
        then, more = self._ask({"kafka": lambda: topic_look.look(config.kafka, positions)})
        return Seen(
            at=self.now(),
            parts=(*first, "kafka"),
            away={**away, **more},
            connectors=answers.get("connect", {}),
            sources={name: answers[f"source/{name}"] for name in self.definitions if f"source/{name}" in answers},
            topics=then.get("kafka", {}),
            warehouse=warehouse,
        )

    def _ask(self, looks: Mapping[str, Look]) -> tuple[dict[str, Any], dict[str, str]]:
        """Part → its answer; part → why there is none. A part that still hangs from before is not asked once more."""
        for part, look in looks.items():
            if part not in self._asked:
                self._asked[part] = _Asked(part, look)
                self._asked[part].start()
        deadline = time.monotonic() + PATIENCE_S
        while any(self._asked[part].is_alive() for part in looks):
            if time.monotonic() > deadline or self.stopping.is_set():
                break
            time.sleep(0.02)
        answers, away = {}, {}
        for part in looks:
            asked = self._asked[part]
            if asked.is_alive():
                away[part] = f"no answer in {PATIENCE_S:.0f} s"
                continue
            del self._asked[part]
            if asked.error is None:
                answers[part] = asked.answer
            else:
                away[part] = _told(asked.error)
        return answers, away


def _source(name: str, dsn: str, defined: Definition) -> Look:
    return lambda: source_look.look(name, dsn, defined)


def _told(error: Exception) -> str:
    """Errors of ours hold no value; of another only its kind is said."""
    return str(error) if isinstance(getattr(error, "exit_code", None), int) else type(error).__name__

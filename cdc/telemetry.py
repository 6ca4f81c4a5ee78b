"""What the operator sees of a running worker: lines for people, or JSON for programs. Coordinates, counts, no value.

``logging`` carries them, one logger a worker, without a way up to the root logger: what other libraries say does not
come between.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, TextIO, TypeAlias

from cdc.batch import Batch
from cdc.errors import ConfigError

ALIVE_S = 1.0
"""Seconds between two touches of the file that says that a worker's loop goes round, at least."""

Form: TypeAlias = Literal["text", "json"]
Coordinate: TypeAlias = str | int | float | None


class Progress:
    """Lines on standard error: notes at once, the stream's state every ``every_s`` seconds when something moved.

    ``topic``: of the stream; stands beside an offset in JSON. ``alive_file``: touched by :meth:`alive`.
    """

    def __init__(
        self,
        log: str,
        *,
        topic: str | None = None,
        form: Form = "text",
        every_s: float = 5.0,
        out: TextIO | None = None,
        alive_file: Path | None = None,
    ) -> None:
        self._log = log
        self._alive_file = alive_file
        self._alive_at = 0.0
        self._topic = topic
        self._every_s = every_s
        self._logger = logging.Logger(f"cdc.{log}")  # noqa: LOG001 - of its own: no root, no handler of another's
        handler = logging.StreamHandler(out or sys.stderr)
        handler.setFormatter(Lines() if form == "text" else JsonLines())
        self._logger.addHandler(handler)
        self._records = 0
        self._told_records = 0
        self._told_at = time.monotonic()
        self._last: Batch | None = None

    def note(self, text: str, event: str = "note", level: int = logging.INFO, **coordinates: Coordinate) -> None:
        """One line, now. ``event``: its stable word; ``coordinates``: where, never what."""
        if self._topic is not None and "offset" in coordinates:
            coordinates = {"topic": self._topic, "partition": 0, **coordinates}
        self._logger.log(level, text, extra={"source": self._log, "event": event, "coordinates": coordinates})

    def failed(self, error: Exception) -> None:
        """What ended the worker: an error of ours. A halt says its code and its coordinates."""
        code = getattr(error, "code", None)
        told: Mapping[str, Coordinate] = {
            name: int(text) if name in {"offset", "order"} else text
            for name, text in (getattr(error, "coordinates", None) or {}).items()
        }
        event = "halted" if code else "failed"
        kind = {"code": code} if code else {"family": type(error).__name__}
        more = {**kind, "hint": getattr(error, "hint", None), "exit": getattr(error, "exit_code", 1)}
        self.note(str(error), event, logging.ERROR, **{**more, **told})

    def committed(self, batch: Batch) -> None:
        """A batch is in the warehouse."""
        self._records += batch.records
        self._last = batch

    def alive(self) -> None:
        """Called often, whatever the worker does: touches the file by which a container's health check sees that the
        loop goes round, once a second at most.

        Raises:
            ConfigError: the file cannot be written.
        """
        now = time.monotonic()
        if self._alive_file is None or (self._alive_at and now - self._alive_at < ALIVE_S):
            return
        self._alive_at = now
        try:
            self._alive_file.touch()
        except OSError as error:
            raise ConfigError(
                f"--alive-file {self._alive_file}: {error.strerror}", hint="name a file that this user may write"
            ) from None

    def beat(self, lag: int | None) -> None:
        """Called often; prints when it is time and something moved. ``lag`` is in records."""
        self.alive()
        now = time.monotonic()
        if now - self._told_at < self._every_s or self._records == self._told_records or self._last is None:
            return
        rate = (self._records - self._told_records) / (now - self._told_at)
        end = self._last.end
        behind = "unknown" if lag is None else f"{lag:,}"
        self.note(
            f"{rate:,.0f} records/s, lag {behind}, offset {end.next_offset:,}, {end.edge.size:,} entries,"
            f" complete through {instant(end.complete_at)}",
            "progress",
            offset=end.next_offset,
            entries=end.edge.size,
            lag=lag,
            records_per_second=round(rate, 1),
            complete_through=instant(end.complete_at) if end.complete_at else None,
        )
        self._told_at, self._told_records = now, self._records


class Lines(logging.Formatter):
    """For people: time of day in UTC, source, text."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        stamp = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S")
        return f"{stamp} {record.__dict__['source']}: {record.getMessage()}"


class JsonLines(logging.Formatter):
    """For programs: an object a line, its first members always the same."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        held = record.__dict__
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        always = {"time": at, "level": record.levelname.lower(), "source": held["source"], "event": held["event"]}
        return json.dumps({**always, **held["coordinates"], "message": record.getMessage()}, ensure_ascii=False)


def instant(nanoseconds: int | None) -> str:
    """An instant in UTC to the microsecond, or that there is none."""
    if nanoseconds is None:
        return "nothing yet"
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{rest // 1000:06d}Z"
    except (OverflowError, ValueError):  # a source's clock may say anything
        return f"{nanoseconds} ns since 1970"

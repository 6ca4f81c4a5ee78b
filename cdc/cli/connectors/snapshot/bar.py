"""How far a snapshot has come, drawn on standard error where that is a terminal."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from cdc.cli.connectors.snapshot.estimate import rows_read
from cdc.notification import Snapshot


class SnapshotBar:
    """A bar over the rows that a snapshot is expected to read. Use it in a ``with`` statement."""

    def __init__(self, rows: int | None, chunk: int) -> None:
        console = Console(stderr=True)
        self._rows, self._chunk = rows, chunk
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[rows]}"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("asked", total=rows, rows="")

    def show(self, snapshot: Snapshot, _done: int, _of: int) -> None:
        """Where it is now."""
        rows = rows_read(snapshot, self._chunk)
        total = None if self._rows is None else max(self._rows, rows, 1)
        said = f"{snapshot.state}: {snapshot.current or ''}" if snapshot.current else snapshot.state
        self._bar.update(self._task, completed=rows, total=total, description=said, rows=f"{rows:,} rows")

    def reading(self, snapshot: Snapshot, done: int, of: int) -> None:
        """How much of the topic has been read to learn of it."""
        self._bar.update(
            self._task, completed=done, total=max(of, 1), description="reading the topic", rows=snapshot.state
        )

    def __enter__(self) -> SnapshotBar:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

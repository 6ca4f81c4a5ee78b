"""A progress bar over the entries of logs: on standard error, and only where that is a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn


class Bar:
    """Shows how many of the entries of some logs (``sizes``) have been read. Use it in a ``with`` statement."""

    def __init__(self, sizes: Mapping[str, int]) -> None:
        console = Console(stderr=True)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("entries", total=sum(sizes.values()))

    def advance(self, log: str, entries: int) -> None:
        """So many more entries of this log have been read."""
        self._bar.update(self._task, advance=entries, description=log)

    def reach(self, done: int, of: int) -> None:
        """So many of the entries have been read; there may be more of them than before."""
        self._bar.update(self._task, completed=done, total=of, description="folding")

    def __enter__(self) -> Bar:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

"""How the story is told: plain lines of at most 120 columns, with the seconds since the start; modest colour.

Colour is a function of the plain line (:func:`styled`), so that the README's picture shows what a terminal shows.
"""

from __future__ import annotations

import io
import os
import sys
import textwrap
import time
from typing import TextIO

from rich.console import Console
from rich.text import Text

WIDTH = 120
"""Columns. Sentences wrap; output of commands is cut, with an ellipsis."""
_INDENT = " " * 10
_STYLES = (
    (r"^\d+ · .*$", "bold cyan"),
    (r"^ *\d+\.\d s(?=  )", "dim"),
    (r"^ *\$ .*$", "bold"),
    (r"\bPASS\b", "bold green"),
    (r"\bFAIL\b", "bold red"),
    (r"(?<=  )# .*$", "dim"),
    (r"^[a-z]+:$", "bold"),
)


class Teller:
    """Tells the story on standard output, line by line as it happens."""

    def __init__(self, out: TextIO | None = None) -> None:
        stream = out or sys.stdout
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8")  # another encoding would end the story at the first “
        self._console = Console(
            file=out, soft_wrap=True, highlight=False, markup=False, emoji=False,
            color_system=None if os.environ.get("NO_COLOR") else "auto",
        )  # fmt: skip
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self._began

    def __call__(self, sentence: str) -> None:
        """One sentence, with the time."""
        lines = textwrap.wrap(
            f"{self.seconds:6.1f} s  {sentence}", WIDTH, subsequent_indent=_INDENT, break_on_hyphens=False
        )
        self.text("\n".join(lines))

    def act(self, number: int, title: str) -> None:
        """The heading of an act."""
        self.text(f"\n{number} · {title}")

    def command(self, line: str) -> None:
        """A command as a person types it; its output follows through :meth:`text`."""
        self.text(f"{_INDENT}$ {line}")

    def text(self, lines: str) -> None:
        """Lines as they are, cut at the width."""
        for line in lines.split("\n"):
            self.line(_cut(line))

    def line(self, line: str) -> None:
        """One line, however long."""
        self._console.print(styled(line))


def styled(line: str) -> Text:
    """A line with its colours."""
    text = Text(line)
    for pattern, style in _STYLES:
        text.highlight_regex(pattern, style)
    return text


def _cut(line: str) -> str:
    line = line.rstrip()
    return line if len(line) <= WIDTH else line[: WIDTH - 1] + "…"

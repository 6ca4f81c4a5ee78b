"""A group whose commands are imported only when they are called, so that help and completion load nothing."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import click
from click.shell_completion import CompletionItem

from cdc.cli.examples import attach


class LazyGroup(click.Group):
    """A group of commands that are named, not imported.

    ``places``: name → where its command is (``module:attribute``), and its line in ``--help``.
    """

    def __init__(self, *arguments: Any, places: Mapping[str, tuple[str, str]], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._places = places

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """The commands that this installation has."""
        return [name for name, (place, _line) in self._places.items() if find_spec(place.partition(":")[0]) is not None]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command's module and take the command."""
        if cmd_name not in self.list_commands(ctx):
            return None
        module, _, name = self._places[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return attach(command, f"{_path(ctx)} {cmd_name}")

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Names and lines, without importing any of them; then the group's own options."""
        names = [CompletionItem(name, help=self._places[name][1]) for name in self.list_commands(ctx)]
        return [item for item in names if item.value.startswith(incomplete)] + click.Command.shell_complete(
            self, ctx, incomplete
        )

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in ``--help``, without importing any of them."""
        lines = [(name, self._places[name][1]) for name in self.list_commands(ctx)]
        if lines:
            with formatter.section("Commands"):
                formatter.write_dl(lines)


def _path(ctx: click.Context) -> str:
    """The command that this context is of, as EXAMPLES spells it, whatever the program was started as."""
    words = []
    at: click.Context | None = ctx
    while at is not None and at.parent is not None:
        words.append(at.info_name or "")
        at = at.parent
    return " ".join(["cdc", *reversed(words)])

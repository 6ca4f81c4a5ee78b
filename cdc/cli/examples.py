"""The end of a command's ``--help``: what one would type."""

from __future__ import annotations


def examples(*lines: tuple[str, str]) -> str:
    """An epilog for click: each command line with what it does. Longer lines have their meaning below them."""
    width = max(len(command) for command, _ in lines)
    shown = [f"  {command.ljust(width)}   {meaning}" for command, meaning in lines]
    return "\b\nExamples:\n" + "\n".join(shown)

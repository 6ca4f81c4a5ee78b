"""Act 11: what each reader types next. Every block runs as it stands, in the folder that the demo ran in."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cdc.local.demo.telling import WIDTH

TITLE = "Your next commands"
DEFAULT_STATE = Path(".cdc-demo")


@dataclass(frozen=True, slots=True)
class Next:
    """What the commands are about: the state folder; an order, an instant and a transaction of its life."""

    state: Path
    order: str
    instant: str
    transaction: str


def lines(about: Next, *, kept: bool) -> Iterator[str]:
    """A block for each reader. Without ``kept`` it begins with getting a stack."""
    state = _short(about.state)
    for reader, commands in _blocks(about, state, kept=kept).items():
        yield f"{reader}:"
        typed = [(_program(command), meaning) for command, meaning in [*_stack(state, kept=kept), *commands]]
        widest = max(len(command) for command, _ in typed)
        for command, meaning in typed:
            line = f"  {command.ljust(widest)}  # {meaning}"
            yield line if len(line) <= WIDTH else f"  {command}"


def _stack(state: str, *, kept: bool) -> list[tuple[str, str]]:
    """How to have the demo's stack."""
    option = "" if Path(state) == DEFAULT_STATE else f" --state {state}"
    again = [(f"cdc demo --keep{option}", "once more, and leave the stack up")]
    return [*([] if kept else again), (f"export CDC_CONFIG={state}/cdc.toml", "the stack that the commands ask")]


def _blocks(about: Next, state: str, *, kept: bool) -> dict[str, list[tuple[str, str]]]:
    """Instants and transactions are those of this run: they mean nothing on another stack."""
    at = about.instant if kept else "now"
    transaction = [(f"cdc audit transaction {about.transaction}", "everything that changed with it")]
    return {
        "operator": [
            ("cdc status", "where each stream stands"),
            ("cdc replicate", "go on replicating, until Ctrl-C"),
            (f"cdc local status --state {state}", "every address"),
        ],
        "auditor": [
            (f"cdc audit history orders {about.order}", "one row's whole life"),
            (f"cdc audit as-of orders --at {at} --where order_id={about.order}", "a table at an instant"),
            *(transaction if kept else []),
            (f"cdc audit verify --checkpoint {state}/checkpoint", "the logs continue what was saved"),
        ],
        "admin": [
            ("cdc connectors list", "what is captured, is it healthy"),
            ("cdc keys status", "keyring and privacy store belong together"),
            (f"cdc local reset --state {state} --yes", "stop the stack, delete everything"),
        ],
    }


def _short(path: Path) -> str:
    """Relative where that is shorter to read: below the current folder."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def _program(command: str) -> str:
    """The command as this shell can run it: the program may not be on its PATH."""
    if shutil.which("cdc") is not None or not command.startswith("cdc "):
        return command
    me = Path(sys.argv[0])
    program = f"{_short(Path(sys.executable))} -m cdc" if me.name == "__main__.py" else os.path.relpath(me)
    return program + command.removeprefix("cdc")

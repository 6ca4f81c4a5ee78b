"""Act 11: what each reader types next. Every line runs as it stands, from the folder that the demo ran in."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

TITLE = "Your next commands"


@dataclass(frozen=True, slots=True)
class Next:
    """What the commands are about: the state folder, one order, an instant and a transaction of its life."""

    state: Path
    order: str
    instant: str
    transaction: str


def lines(about: Next, *, kept: bool) -> Iterator[str]:
    """The blocks. Without ``kept`` each begins with getting a stack; then ids and instants of this run mean nothing."""
    state = os.path.relpath(about.state)
    get = [(f"export CDC_CONFIG={state}/cdc.toml", "the demo's stack is still up")]
    if not kept:
        get.insert(
            0,
            (
                "cdc demo --keep" + ("" if state == ".cdc-demo" else f" --state {state}"),
                "again, and leave the stack up",
            ),
        )
        get[1] = (get[1][0], "every command below asks it")
    for reader, commands in _blocks(about, state, kept=kept).items():
        yield f"{reader}:"
        for command, meaning in [*get, *commands]:
            yield f"  {_program(command).ljust(72)} # {meaning}"


def _blocks(about: Next, state: str, *, kept: bool) -> dict[str, list[tuple[str, str]]]:
    at = about.instant if kept else "now"
    transaction = [(f"cdc audit transaction {about.transaction}", "everything that its last transaction changed")]
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
            (f"cdc audit verify --checkpoint {state}/checkpoint", "that the logs continue what was saved"),
        ],
        "admin": [
            ("cdc connectors list", "what is captured, is it healthy"),
            ("cdc keys status", "that keyring and privacy store belong together"),
            (f"cdc local reset --state {state} --yes", "stop the stack and delete everything"),
        ],
    }


def _program(command: str) -> str:
    """The command as this shell can run it: the program may not be on its PATH."""
    if shutil.which("cdc") is None and command.startswith("cdc "):
        return f"{os.path.relpath(sys.argv[0])} {command.removeprefix('cdc ')}"
    return command

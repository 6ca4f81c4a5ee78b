"""The command line: one file per noun, loaded only when that noun is used.

Data goes to standard output, everything else to standard error. Exit codes: 0 ok · 1 failure · 2 usage · 3 not found ·
4 conflict or precondition · 5 unreachable · 6 check failed · 10 changes pending · 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from importlib.metadata import version
from itertools import pairwise
from typing import Any

import click

from cdc.cli.examples import attach
from cdc.cli.lazy import LazyGroup

NOUNS = {
    "demo": ("cdc.cli.demo:demo", "Run the main job before your eyes, on real databases, to a checked end."),
    "local": ("cdc.cli.local:local", "Start and stop the native stack: PostgreSQL, Kafka, Kafka Connect."),
    "replicate": ("cdc.cli.replicate:replicate", "Run the replicator: from Kafka into the warehouse's log and tables."),
    "stream": ("cdc.cli.stream:stream", "Show why a stream halted, and go on after it."),
    "supervise": ("cdc.cli.supervise:supervise", "Watch everything that runs: restart, verify, forecast, page."),
    "status": ("cdc.cli.status:status", "Show where each stream stands, and through which commit it is complete."),
    "check": ("cdc.cli.check:check", "Look at every part for what could lose or change evidence."),
    "rebuild": ("cdc.cli.rebuild:rebuild", "Fold a table's current state anew from its history; the stream goes on."),
    "audit": ("cdc.cli.audit:audit", "Ask what happened, and check that the log is what it was."),
    "quarantine": ("cdc.cli.quarantine:quarantine", "Records that could not be decoded: list, replay, dismiss."),
    "migrate": ("cdc.cli.migrate:migrate", "Bring the warehouse and the privacy store to the newest version."),
    "connectors": ("cdc.cli.connectors:connectors", "Prepare databases, apply and list the Debezium connectors."),
    "policy": ("cdc.cli.policy:policy", "Write, check and explain how each column is protected."),
    "completion": ("cdc.cli.completion:completion", "Complete commands and names with the Tab key."),
    "keys": ("cdc.cli.keys:keys", "Create the keyring and show the keys' state."),
}
"""Noun → where its command is, and its line in ``cdc --help`` (so that help loads nothing)."""


_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 120}


@click.group(cls=LazyGroup, places=NOUNS, context_settings=_SETTINGS)
@click.version_option(version("cdc-audit"), prog_name="cdc")
def root() -> None:
    """Database changes, protected, exactly once, in a tamper-evident log.

    Start with `cdc demo`, or with `cdc local up` and `cdc replicate`.
    """


attach(root, "cdc")


def main() -> None:
    """Run the command line and end the process with its exit code. An error is one line, and one line of what to do."""
    try:
        code = root.main(prog_name="cdc", standalone_mode=False)
    except click.exceptions.Abort:  # Ctrl-C, or the end of input at a question
        code = _say("interrupted", None, 130)
    except click.ClickException as error:
        if _for_a_program():
            code = _say(error.format_message(), None, error.exit_code)
        else:
            error.show()
            code = error.exit_code
    except BrokenPipeError:  # the reader of our output left
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except Exception as error:
        exit_code: Any = getattr(error, "exit_code", None)
        if not isinstance(exit_code, int):
            raise
        code = _say(str(error), getattr(error, "hint", None), exit_code)
    sys.exit(code if isinstance(code, int) else 0)


def _for_a_program() -> bool:
    """Whether JSON was asked for: whoever reads standard error then reads JSON there, too."""
    words = sys.argv[1:]
    asked = [after for word, after in pairwise(words) if word == "--output"]
    asked += [word.partition("=")[2] for word in words if word.startswith("--output=")]
    return bool(asked) and asked[-1] in {"json", "ndjson"}


def _say(message: str, hint: str | None, code: int) -> int:
    from cdc.cli.output import printable

    if _for_a_program():
        import json

        error = {"code": code, "message": message, "hint": hint}
        click.echo(json.dumps({"error": error}, ensure_ascii=False), err=True)
        return code

    for line in (f"cdc: {message}", *((f"  → {hint}",) if hint else ())):
        click.echo("\n".join(map(printable, line.split("\n"))), err=True)  # a table may be named with escape codes
    return code

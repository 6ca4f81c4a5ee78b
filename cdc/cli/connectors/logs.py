"""``cdc connectors logs``: what the local worker has written about one connector."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from cdc import config
from cdc.cli.audit.options import config_option
from cdc.cli.completion import sources
from cdc.errors import Conflict

_BEGINS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d,\d{3} [A-Z]+ ")
"""A line that is not the rest of the one before it."""
_KEYS = re.compile(r"Struct\{.*\}|\bposition \[.*?\]|\bkey:? '.*?'(?=[,\s]|$)|\bkey:? \[.*?\]")
"""Keys of rows, which Debezium logs of an incremental snapshot: the last one, and those that changed meanwhile."""
_BAD = re.compile(r"\S+ (?:WARN|ERROR|FATAL) ")


@click.command()
@click.argument("name", shell_complete=sources)
@click.option("--lines", type=click.IntRange(1, 100_000), default=100, show_default=True, help="The last so many.")
@click.option("--problems", is_flag=True, help="Warnings and errors alone.")
@config_option
def logs(name: str, lines: int, problems: bool, path: Path | None) -> None:
    """Show what the worker of the local stack has logged about the connector NAME, without values.

    Texts in quotes and what PostgreSQL says in detail are hidden, stack traces are folded to their causes: the file
    itself, which is named, has them. Where Connect runs elsewhere, it is said where its logs are.
    """
    from cdc.cli.output import printable

    settings = config.load(path)
    file = settings.state / "log" / "connect.log"
    if not file.is_file():
        raise Conflict(
            f"Connect at {_host(settings.connect_url)} is not of a local stack: its log is where it runs",
            hint=f"there: docker compose logs connect, kubectl logs, or journalctl; lines of it have [{name}|",
        )
    found: deque[str] = deque(maxlen=lines)
    for each in (file.with_name(f"{file.name}.{n}") for n in (3, 2, 1)):
        if each.is_file():
            found.extend(about(_read(each), name, problems=problems))
    found.extend(about(_read(file), name, problems=problems))
    for line in found:
        click.echo(printable(line))
    click.echo(f"{len(found)} lines from {file}", err=True)


def about(text: Iterable[str], name: str, *, problems: bool) -> Iterator[str]:
    """Messages about a connector: Connect marks them ``[name|…]`` (KIP-449). Each is one line here."""
    from connectors import redact

    mark = f"[{name}|"
    for message in _messages(text):
        if mark not in message[0] or (problems and not _BAD.match(message[0])):
            continue
        causes = redact.causes("\n".join(message[1:]))
        cause = f" ← {causes}" if causes != "no cause given" else ""
        yield redact.message(_KEYS.sub("…", message[0])) + cause


def _messages(text: Iterable[str]) -> Iterator[list[str]]:
    message: list[str] = []
    for line in text:
        if _BEGINS.match(line) and message:
            yield message
            message = []
        message.append(line.rstrip("\n"))
    if message:
        yield message


def _read(file: Path) -> Iterator[str]:
    with file.open(encoding="utf-8", errors="replace") as opened:
        yield from opened


def _host(url: str) -> str:
    """Host and port of a URL, which may hold a password."""
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)

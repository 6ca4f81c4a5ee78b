"""``cdc local``: the native stack on this machine."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from pathlib import Path

import click

from cdc.errors import Conflict
from cdc.local.stack import PartStatus, Stack

_state = click.option(
    "--state",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="CDC_STATE",
    default=Path(".cdc"),
    show_default=True,
    help="Folder with the stack's data, logs and passwords; $CDC_STATE.",
)


class _Progress:
    """Lines on standard error, each with the seconds since the start."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def __call__(self, line: str) -> None:
        click.echo(f"{time.monotonic() - self._began:6.1f} s  {line}", err=True)


@click.group()
def local() -> None:
    """The native stack: two PostgreSQL clusters, Kafka and Kafka Connect, on loopback, without Docker or root."""


@local.command()
@_state
@click.option(
    "--portfolio",
    type=click.Choice(["postgres", "mariadb"]),
    help="What the source portfolio is in; chosen at the first start.  [default: postgres]",
)
@click.option(
    "--plugins",
    type=click.Choice(["replicated", "all"]),
    help="Debezium's connectors for Kafka Connect: those whose records cdc replicate reads, or MySQL's, SQL Server's"
    " and MongoDB's too (fetched once).  [default: as before; at first replicated]",
)
def up(state: Path, portfolio: str | None, plugins: str | None) -> None:
    """Start the stack, or repair it; quick when everything runs. Writes cdc.toml for the other commands.

    With --portfolio mariadb a MariaDB server is part of it; its programs must be installed (Debian's packages
    mariadb-server-core and mariadb-client-core).
    """
    progress = _Progress()
    stack = Stack(state)
    stack.up(progress, portfolio=portfolio, plugins=plugins)
    progress(f"ready; configuration: {_short(stack.state / 'cdc.toml')}")


@local.command()
@_state
def down(state: Path) -> None:
    """Stop the stack in good order. Its data stays."""
    Stack(state).down(_Progress())


@local.command()
@_state
@click.option("--yes", is_flag=True, help="Do not ask.")
def reset(state: Path, yes: bool) -> None:
    """Stop the stack and delete its state folder: databases, topics, keys, everything."""
    stack = Stack(state)
    if not yes:
        if not sys.stdin.isatty():
            raise Conflict(f"this deletes {stack.state}, and there is no terminal to ask", hint="cdc local reset --yes")
        if not click.confirm(f"Delete {stack.state} with all its databases, topics and keys?", err=True):
            raise Conflict("nothing deleted")
    stack.reset(_Progress())


@local.command()
@_state
@click.option("--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
def status(state: Path, output: str) -> None:
    """Show every part: process, state, address. JSON has every DSN too, with passwords.

    Exit code 5 when a part is down.
    """
    stack = Stack(state)
    parts = stack.status()
    if output == "json":
        click.echo(json.dumps(_document(stack, parts), indent=2))
    else:
        _table(stack, parts)
    if any(part.state != "up" for part in parts):
        click.echo("  → cdc local up", err=True)
        sys.exit(5)


def _short(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def _document(stack: Stack, parts: list[PartStatus]) -> dict[str, object]:
    addresses = stack.addresses()
    return {
        "state": str(stack.state),
        "configuration": str(stack.state / "cdc.toml"),
        "parts": [{**asdict(part), "log": str(part.log)} for part in parts],
        "kafka": {"bootstrap.servers": addresses.bootstrap_servers},
        "connect": {"url": addresses.connect_url},
        "warehouse": {
            "dsn": addresses.warehouse_dsn,
            "admin_dsn": addresses.warehouse_admin_dsn,
            "auditor_dsn": addresses.auditor_dsn,
        },
        "privacy": {"dsn": addresses.privacy_dsn, "admin_dsn": addresses.privacy_admin_dsn},
        "sources": {name: asdict(source) for name, source in addresses.sources.items()},
    }


def _table(stack: Stack, parts: list[PartStatus]) -> None:
    holds = {
        "source": "PostgreSQL: databases "
        + ", ".join(name for name, source in stack.addresses().sources.items() if source.kind == "postgres"),
        "mariadb": "MariaDB: database portfolio",
        "warehouse": "PostgreSQL: databases warehouse, privacy",
        "broker": "Kafka, KRaft mode",
        "connect": "Kafka Connect with Debezium",
    }
    rows = [("PART", "STATE", "PID", "ADDRESS", "WHAT", "LOG")]
    rows += [(p.name, p.state, str(p.pid or "-"), p.address, holds[p.name], _short(p.log)) for p in parts]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())

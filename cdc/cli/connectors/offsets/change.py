"""``cdc connectors offsets set`` and ``reset``: another position, or none; what that means is said first."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from cdc import config
from cdc.cli.accept_gap import demand_consent, demand_reason, reasoned, unasked
from cdc.cli.completion import sources
from cdc.cli.connectors.cluster import cluster_options
from cdc.cli.connectors.recording import doer
from cdc.errors import ConfigError, Conflict

if TYPE_CHECKING:
    from cdc.config import Config
    from connectors.client import ConnectClient
    from connectors.offsets import Stored
    from connectors.position_change import Meaning
    from connectors.slots import Slot

stopping = click.option(
    "--stop", "stop_it", is_flag=True, help="Stop the connector for it, and have it do again what it did before."
)
accepting = click.option(
    "--accept-loss", is_flag=True, help="Go on although history will lack changes, or the connector fails."
)
patience = click.option(
    "--timeout", "timeout_s", type=click.FloatRange(1, 3600), default=120, show_default=True,
    help="Seconds to wait until it has stopped, and until it runs again.",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be done to a connector's position. ``after``: from what is stored to what will be; None: nothing."""

    name: str
    word: str
    after: Callable[[Sequence[Stored]], tuple[Stored, ...]]
    reason: str
    stop: bool
    accept: bool
    yes: bool
    timeout_s: float


@click.command("set")
@click.argument("name", shell_complete=sources)
@click.option("--lsn", help="PostgreSQL: the LSN to go on from, such as 0/16B3740.")
@click.option("--document", type=click.File(encoding="utf-8"), help="Any: JSON as of `get`; - for standard input.")
@stopping
@accepting
@reasoned
@unasked
@patience
@cluster_options
def set_(
    name: str, lsn: str | None, document: IO[str] | None, stop_it: bool, accept_loss: bool, reason: str, yes: bool,
    timeout_s: float, path: Path | None, context: str | None,
) -> None:  # fmt: skip
    """Have the connector NAME go on from another position. It must be STOPPED, or --stop does it.

    A later position loses what lies between, an earlier one repeats it; one that the source no longer has stops the
    connector. Which of them it is, is said before anything is asked.
    """
    from connectors.offsets import parse

    if (lsn is None) == (document is None):
        raise ConfigError("one of --lsn and --document is needed", hint="--lsn 0/16B3740")
    if lsn is not None:
        after = _at(lsn)
    else:
        given = parse(_json(document))

        def after(_before: Sequence[Stored]) -> tuple[Stored, ...]:
            return given

    _change(config.load(path, context), Change(name, "set", after, reason, stop_it, accept_loss, yes, timeout_s))


@click.command()
@click.argument("name", shell_complete=sources)
@stopping
@accepting
@reasoned
@unasked
@patience
@cluster_options
def reset(
    name: str,
    stop_it: bool,
    accept_loss: bool,
    reason: str,
    yes: bool,
    timeout_s: float,
    path: Path | None,
    context: str | None,
) -> None:
    """Forget the position of the connector NAME: when it runs next it reads all tables anew. It must be STOPPED, or
    --stop does it.
    """
    _change(
        config.load(path, context),
        Change(name, "reset", lambda _before: (), reason, stop_it, accept_loss, yes, timeout_s),
    )


def _at(text: str) -> Callable[[Sequence[Stored]], tuple[Stored, ...]]:
    from connectors.offsets import at_lsn, lsn_number

    try:
        lsn = lsn_number(text)
    except ValueError:
        raise ConfigError("--lsn: not an LSN", hint="two hexadecimal numbers: 0/16B3740") from None

    def after(before: Sequence[Stored]) -> tuple[Stored, ...]:
        if len(before) != 1 or before[0].lsn is None:
            raise Conflict("no position in a WAL is stored that could be changed", hint="--document")
        return (at_lsn(before[0], lsn),)

    return after


def _json(file: IO[str] | None) -> object:
    try:
        return json.load(file) if file is not None else None
    except (ValueError, UnicodeDecodeError):
        raise ConfigError("--document: not JSON", hint="as cdc connectors offsets get NAME --output json") from None


def _change(settings: Config, change: Change) -> None:
    from cdc.connect_client import opened
    from connectors.offsets import demand_stopped, stopped, stored

    demand_reason(change.reason)
    with opened(settings) as client:
        before = stored(client, change.name)
        if not change.stop:
            demand_stopped(client, change.name)
        slot = _slot(settings, change.name)
        found = _meaning(change, before, slot)
        click.echo("\n".join(_lines(change, before, found)), err=True)
        _demand_meant(change, found)
        demand_consent(change.yes)
        around: AbstractContextManager[None] = nullcontext()
        if change.stop:
            around = stopped(client, change.name, change.timeout_s, lambda line: click.echo(line, err=True))
        with around:
            before = stored(client, change.name)  # it moved on until it stopped
            _demand_meant(change, _meaning(change, before, _slot(settings, change.name)))
            _write(settings, client, change, before)
            after = stored(client, change.name)  # what runs again moves on
            click.echo(f"before    {_positions(before)}\nafter     {_positions(after)}", err=True)


def _slot(settings: Config, name: str) -> Slot | None:
    """The slot of the connector, where it is of a configured source on PostgreSQL that answers."""
    from connectors.definition import load
    from connectors.errors import ConnectorError
    from connectors.slots import slots

    source = settings.sources.get(name)
    dsn = None if source is None else source.dsn or source.admin_dsn
    if source is None or dsn is None:
        return None
    definition = load(source.definition)
    if definition.kind != "postgres":
        return None
    try:
        return next((slot for slot in slots(dsn, name) if slot.name == definition.slot), None)
    except ConnectorError as error:
        click.echo(f"not checked: what the slot of {name} still has: {error}", err=True)
        return None


def _meaning(change: Change, before: Sequence[Stored], slot: Slot | None) -> Meaning:
    from connectors.position_change import of_reset, of_set

    first, after = (before[0] if before else None), change.after(before)
    return of_set(first, after[0], slot) if after else of_reset(first)


def _lines(change: Change, before: Sequence[Stored], found: Meaning) -> list[str]:
    return [
        f"now       {_positions(before)}",
        f"will      {change.word} it to {_positions(change.after(before))}",
        f"means     {found.text}",
    ]


def _positions(found: Sequence[Stored]) -> str:
    shown = [each.position or json.dumps(each.shown(), ensure_ascii=False) for each in found]
    return ", ".join(shown) or "nothing stored"


def _demand_meant(change: Change, found: Meaning) -> None:
    """Refuse what loses history, unless it is said that this is meant.

    Raises:
        Conflict: it is not.
    """
    from connectors.position_change import SEVERE

    if found.effect in SEVERE and not change.accept:
        raise Conflict(
            f"{change.name}: {found.text}; nothing was changed", hint="--accept-loss, if that is what you want"
        )


def _write(settings: Config, client: ConnectClient, change: Change, before: Sequence[Stored]) -> None:
    """Into the log ``operations`` first, then to Connect."""
    from cdc.warehouse import lease
    from connectors.offsets import put

    after = change.after(before)
    detail = {
        "connector": change.name,
        "before": _positions(before),
        "after": _positions(after),
        "reason": change.reason,
        **doer(settings),
    }
    with (
        closing(lease.connect(settings.warehouse_dsn, f"cdc offsets {change.name}")) as connection,
        connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("SELECT audit.append_operation(%s, %s)", (f"offsets-{change.word}", json.dumps(detail)))
    if after:
        put(client, change.name, after)
    else:
        client.delete_offsets(change.name)

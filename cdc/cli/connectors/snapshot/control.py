"""``cdc connectors snapshot pause``, ``resume`` and ``stop``: done when the connector says so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cdc import config
from cdc.cli.accept_gap import demand_consent, demand_reason, reasoned, unasked
from cdc.cli.completion import sources
from cdc.cli.connectors.cluster import cluster_options
from cdc.errors import Conflict, NotFound

if TYPE_CHECKING:
    from cdc.cli.connectors.snapshot.place import Place
    from cdc.notification import Snapshot
    from cdc.signals import Signal
    from cdc.snapshots import Following
    from connectors.signal_table import SignalTable

patience = click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(1, 3600),
    default=60,
    show_default=True,
    help="Seconds to wait until the connector says that it is so.",
)


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked of a snapshot: a word for it, the states that it makes sense in, the signals by what is
    known of it, and when it is done. ``warning``: what it does, where a person must agree.
    """

    word: str
    fit: frozenset[str]
    signals: Callable[[Snapshot, int], list[Signal]]
    reached: Callable[[Snapshot], bool]
    warning: str | None = None


@click.command()
@click.argument("source", shell_complete=sources)
@reasoned
@patience
@cluster_options
def pause(source: str, reason: str, timeout_s: float, path: Path | None, context: str | None) -> None:
    """Have the snapshot of SOURCE read no further chunk for now. The stream goes on.

    Debezium forgets that it was paused when its task is restarted, and reads on.
    """
    from cdc import signals

    order = Order(
        "pause",
        frozenset({"running"}),
        lambda _seen, offset: [signals.pause(offset)],
        lambda seen: seen.state not in {"asked", "running"},
    )
    _carry_out(source, order, reason, timeout_s, path, context, yes=True)


@click.command()
@click.argument("source", shell_complete=sources)
@reasoned
@patience
@cluster_options
def resume(source: str, reason: str, timeout_s: float, path: Path | None, context: str | None) -> None:
    """Have the snapshot of SOURCE that was paused read on."""
    from cdc import signals

    order = Order(
        "resume",
        frozenset({"paused"}),
        lambda _seen, offset: [signals.resume(offset)],
        lambda seen: seen.state != "paused",
    )
    _carry_out(source, order, reason, timeout_s, path, context, yes=True)


@click.command()
@click.argument("source", shell_complete=sources)
@reasoned
@unasked
@patience
@cluster_options
def stop(source: str, reason: str, yes: bool, timeout_s: float, path: Path | None, context: str | None) -> None:
    """Have the connector give up the snapshot of SOURCE. What was read stays; what was not is not."""
    from cdc import signals
    from cdc.notification import ENDED

    def made(seen: Snapshot, offset: int) -> list[Signal]:
        # Debezium takes note of a stop between two chunks, and a paused snapshot comes to no next chunk.
        further = [signals.resume(offset)] if seen.state == "paused" else []
        return [signals.stop(offset, seen.unread), *further]

    order = Order(
        "stop",
        frozenset({"running", "paused"}),
        made,
        lambda seen: seen.state in ENDED,
        f"will      have the connector of {source} give up its snapshot: tables stay half read",
    )
    _carry_out(source, order, reason, timeout_s, path, context, yes=yes)


def _carry_out(
    source: str, order: Order, reason: str, timeout_s: float, path: Path | None, context: str | None, *, yes: bool
) -> None:
    from cdc.cli.connectors.snapshot.place import demand_running, newest, place_of
    from cdc.connect_client import opened
    from cdc.snapshots import following
    from connectors.signal_table import signal_table

    demand_reason(reason)
    place = place_of(config.load(path, context), source)
    with opened(place.settings) as client, signal_table(place.definition, place.dsn) as table:
        demand_running(client, source)
        table.lock()
        begun = newest(table)
        if begun is None:
            raise NotFound(
                f"no snapshot of {source} was asked for here",
                hint=f"cdc connectors snapshot start {source} TABLE --reason '…'",
            )
        with following(place.settings.kafka, place.topic, source, begun) as follow:
            state = follow.to_end().state
            if state not in order.fit:
                raise Conflict(
                    f"snapshot {begun.id} is {state}: there is nothing to {order.word}",
                    hint=f"cdc connectors snapshot status {source}",
                )
            if order.warning is not None:
                click.echo(order.warning, err=True)
                demand_consent(yes)
            _send(place, table, follow, order, reason)
            if not follow.until(order.reached, timeout_s):
                raise Conflict(
                    f"the connector did not {order.word} within {timeout_s:g} s; the signal stands in the source's log",
                    hint=f"cdc connectors snapshot status {source}",
                )
    click.echo(f"snapshot {begun.id} is {follow.snapshot.state}", err=True)


def _send(place: Place, table: SignalTable, follow: Following, order: Order, reason: str) -> None:
    from cdc.cli.connectors.snapshot.place import record

    signals = order.signals(follow.snapshot, follow.position)
    record(
        place,
        f"snapshot-{order.word}",
        {"snapshot": follow.snapshot.id, "signal": signals[0].id, "reason": reason},
    )
    for signal in signals:
        table.send(signal.id, signal.type, signal.data)

"""``cdc connectors snapshot start``: ask the connector to read tables anew, and see that it does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cdc import config
from cdc.cli.accept_gap import demand_consent, demand_reason, reasoned, unasked
from cdc.cli.completion import sources
from cdc.cli.connectors.cluster import cluster_options
from cdc.cli.connectors.snapshot.plan import where_option
from cdc.errors import CheckFailed, ConfigError, Conflict

if TYPE_CHECKING:
    from cdc.cli.connectors.snapshot.estimate import Estimate
    from cdc.cli.connectors.snapshot.place import Place
    from cdc.notification import Snapshot
    from cdc.snapshots import Following
    from connectors.client import ConnectClient
    from connectors.signal_table import SignalTable
    from governance.suggest import Table


@click.command()
@click.argument("source", shell_complete=sources)
@click.argument("tables", nargs=-1, required=True, metavar="TABLE...")
@where_option
@reasoned
@click.option("--wait", is_flag=True, help="Stay until it has ended; a bar on a terminal.")
@click.option(
    "--begin",
    "begin_s",
    type=click.FloatRange(1, 3600),
    default=60,
    show_default=True,
    help="Seconds to wait until the connector has begun.",
)
@unasked
@cluster_options
def start(
    source: str,
    tables: tuple[str, ...],
    where: str | None,
    reason: str,
    wait: bool,
    begin_s: float,
    yes: bool,
    path: Path | None,
    context: str | None,
) -> None:
    """Have the connector read TABLEs of SOURCE anew while it streams on: an incremental snapshot.

    What it reads arrives as changes with operation r, and becomes entries and current state like all else. The tables
    are looked at first: a signal for one that cannot be read can wedge a connector. One snapshot at a time. Do not
    alter the tables meanwhile.
    """
    from cdc.cli.connectors.snapshot.estimate import estimate
    from cdc.cli.connectors.snapshot.place import captured, demand_clear, demand_fit, demand_running, place_of
    from cdc.connect_client import opened
    from connectors.signal_table import signal_table

    demand_reason(reason)
    place = place_of(config.load(path, context), source)
    chosen = captured(place, tables)
    if where is not None:
        if len(chosen) != 1:
            raise ConfigError("--where is about one table", hint="name that one")
        demand_clear(place, chosen[0], where)
    demand_fit(place)
    with opened(place.settings) as client, signal_table(place.definition, place.dsn) as table:
        demand_running(client, source)
        table.lock()
        demand_alone(client, place, table)
        expected = estimate(client, place, chosen, where)
        click.echo("\n".join(_lines(expected, where)), err=True)
        demand_consent(yes)
        _ask(place, table, chosen, where, reason, expected, begin_s=begin_s, wait=wait)


def demand_alone(client: ConnectClient, place: Place, table: SignalTable) -> None:
    """See that no snapshot of this connector is under way: with several, Debezium tells of all under one id.

    Raises:
        Conflict: one is.
    """
    from cdc.cli.connectors.snapshot.place import newest, under_way
    from cdc.snapshots import following

    running = under_way(client, place.name)
    if running is not None:
        raise Conflict(
            f"a snapshot of {place.name} is under way ({running.id}): {', '.join(running.tables)}",
            hint=f"cdc connectors snapshot status {place.name}   (or stop)",
        )
    begun = newest(table)
    if begun is None:
        return
    with following(place.settings.kafka, place.topic, place.name, begun) as follow:
        if not follow.heard():
            raise Conflict(
                f"snapshot {begun.id} was asked for, and the connector has not read that yet; nothing was asked of it",
                hint=f"cdc connectors snapshot status {place.name}",
            )


def _lines(expected: Estimate, where: str | None) -> list[str]:
    named = ", ".join(line.table for line in expected.lines)
    part = " under a condition" if where is not None else ""
    return [
        f"will      have {expected.name} read {named} anew{part}: about {expected.rows:,} rows",
        *(f"{word.ljust(9)} {said}" for word, said in expected.foot()[1:]),
    ]


def _ask(
    place: Place, table: SignalTable, chosen: Sequence[Table], where: str | None, reason: str,
    expected: Estimate, *, begin_s: float, wait: bool,
) -> None:  # fmt: skip
    from cdc.cli.connectors.snapshot.place import debezium_name, record
    from cdc.signals import Begun, start
    from cdc.snapshots import end_of, following

    offset = end_of(place.settings.kafka, place.topic, place.name)
    signal = start(offset, [each.title for each in chosen], where)
    detail = {"tables": ", ".join(each.title for each in chosen), "signal": signal.id, "reason": reason}
    record(place, "snapshot-start", detail | ({"part": "yes"} if where is not None else {}))
    with following(place.settings.kafka, place.topic, place.name, Begun(signal.id, offset)) as follow:
        table.send(signal.id, signal.type, signal.data)
        if not follow.until(lambda seen: seen.state != "asked", begin_s):
            raise Conflict(
                f"the connector did not begin within {begin_s:g} s; it will when it reads the signal",
                hint=f"cdc connectors snapshot status {place.name}",
            )
        click.echo(f"snapshot {signal.id} has begun", err=True)
        _demand_all(follow.snapshot, [debezium_name(each) for each in chosen], place.name)
        if wait:
            report_end(_followed(follow, expected), place.name)
        else:
            click.echo(f"  → cdc connectors snapshot status {place.name}", err=True)


def _demand_all(snapshot: Snapshot, asked: Sequence[str], name: str) -> None:
    """See that the connector has taken every table: one that it cannot find it leaves out, with a line in its log.

    Raises:
        CheckFailed: it has not.
    """
    missing = sorted(set(asked) - set(snapshot.tables))
    if missing:
        raise CheckFailed(
            f"snapshot {snapshot.id} has begun without {', '.join(missing)}: the connector did not find them",
            hint=f"cdc connectors logs {name} --problems",
        )


def _followed(follow: Following, expected: Estimate) -> Snapshot:
    from cdc.cli.connectors.snapshot.bar import SnapshotBar
    from cdc.notification import ENDED

    with SnapshotBar(expected.rows, expected.chunk) as bar:
        follow.until(lambda seen: seen.state in ENDED, None, bar.show)
    return follow.snapshot


def report_end(snapshot: Snapshot, name: str) -> None:
    """Say how it ended.

    Raises:
        CheckFailed: not every table was read to its end.
    """
    for scan in snapshot.scans:
        click.echo(f"read {scan.table}: {scan.rows:,} rows ({scan.status})", err=True)
    if not snapshot.whole:
        what = ", ".join(snapshot.unread) or "to the end"
        raise CheckFailed(
            f"snapshot {snapshot.id} did not read {what} ({snapshot.state})",
            hint=f"cdc connectors logs {name}   says why; then start it again",
        )
    rows = sum(scan.rows for scan in snapshot.scans)
    click.echo(f"complete: {rows:,} rows in {snapshot.seconds:.1f} s", err=True)
    click.echo(f"  → cdc replicate {name}   (brings them into the warehouse, where it does not run already)", err=True)

"""``cdc connectors snapshot status``: how far the last one has come, from what the connector says in the topic."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cdc import config
from cdc.cli.completion import sources
from cdc.cli.connectors.cluster import cluster_options
from cdc.cli.output import Answer, Foot, Sheet, output_option, write
from cdc.errors import NotFound

if TYPE_CHECKING:
    from cdc.notification import Snapshot

_COLUMNS = ("table", "state", "rows", "of about", "read")
Line = dict[str, Any]


@click.command()
@click.argument("source", shell_complete=sources)
@click.option("--wait", is_flag=True, help="Stay until it has ended; a bar on a terminal.")
@output_option
@cluster_options
def status(source: str, wait: bool, output: str, path: Path | None, context: str | None) -> None:
    """Say how far the snapshot of SOURCE has come that was asked for last.

    Reads the topic from where that was: of a long snapshot this takes a while. Exit code 3 when none was asked for;
    with --wait 6 when not every table was read to its end.
    """
    from cdc.cli.connectors.snapshot.bar import SnapshotBar
    from cdc.cli.connectors.snapshot.place import chunk_rows, debezium_name, newest, place_of, under_way
    from cdc.connect_client import opened
    from cdc.notification import ENDED
    from cdc.snapshots import following
    from connectors.signal_table import signal_table

    place = place_of(config.load(path, context), source)
    with signal_table(place.definition, place.dsn) as table:
        begun = newest(table)
    with opened(place.settings) as client:
        chunk, running = chunk_rows(client, source), under_way(client, source)
        state = client.status(source)
    if begun is None:
        other = "" if running is None else f"; another is under way ({running.id}): {', '.join(running.tables)}"
        raise NotFound(
            f"no snapshot of {source} was asked for here{other}", hint=f"cdc connectors snapshot plan {source}"
        )
    expected = _expected(place, debezium_name)
    with following(place.settings.kafka, place.topic, source, begun) as follow:
        with SnapshotBar(None, chunk) as bar:
            follow.to_end(bar.reading)
        if wait:
            with SnapshotBar(sum(expected.get(name, 0) for name in follow.snapshot.tables) or None, chunk) as bar:
                follow.until(lambda seen: seen.state in ENDED, None, bar.show)
    write(_answer(source, follow.snapshot, expected, chunk, state.running), output)
    if wait and not follow.snapshot.whole:
        raise SystemExit(6)


def _expected(place: Any, name_of: Any) -> dict[str, int]:
    """Rows by the source's estimate, of each captured table by Debezium's name for it; none when it does not answer."""
    from cdc.cli.connectors.snapshot.place import captured
    from cdc.errors import CdcError
    from connectors.errors import ConnectorError
    from connectors.sizes import sizes

    try:
        tables = captured(place, ())
        found = sizes(place.definition, place.dsn, [(table.schema, table.name) for table in tables])
    except (CdcError, ConnectorError):
        return {}
    return {name_of(table): size.rows for table, size in zip(tables, found, strict=True)}


def lines_of(snapshot: Snapshot, expected: dict[str, int], chunk: int) -> list[Line]:
    """A line a table: done, in hand, or still to be read."""
    done = {scan.table: scan for scan in snapshot.scans}
    found = []
    for table in snapshot.tables:
        of, scan = expected.get(table), done.get(table)
        if scan is not None:
            state, rows, share = "read" if scan.whole else scan.status.lower(), scan.rows, 1.0 if scan.whole else None
        elif table == snapshot.current:
            state, rows, share = snapshot.state, snapshot.chunks * chunk, snapshot.read
            if share is None and of:
                share = min(1.0, rows / of)
        else:
            state, rows, share = "waits" if snapshot.state in {"running", "paused"} else "not read", 0, 0.0
        found.append({"table": table, "state": state, "rows": rows, "expected_rows": of, "read": share})
    return found


def _answer(name: str, seen: Snapshot, expected: dict[str, int], chunk: int, running: bool) -> Answer[Line]:
    from cdc.cli.connectors.snapshot.estimate import pace, rows_read

    rate = pace(seen, chunk)
    foot = [("state", seen.state if running or seen.state in {"complete", "stopped"} else
             f"{seen.state}, but connector {name} does not run: cdc connectors apply {name}")]  # fmt: skip
    if seen.began is not None:
        rows = f"{rows_read(seen, chunk):,} rows in {seen.seconds:,.1f} s"
        foot.append(("so far", rows if rate is None else f"{rows}, {rate:,.0f} rows/s"))
    if seen.state == "asked":
        foot.append(("begun", "not yet: the connector has not read the signal"))
    return Answer(
        title=f"snapshot {seen.id} of {name}",
        head={"question": "snapshot-status", "source": name, "snapshot": seen.id, "state": seen.state},
        name="tables",
        items=lines_of(seen, expected, chunk),
        document=lambda line: line,
        table=Sheet(_COLUMNS, lambda line: [_cells(line)]),
        csv=Sheet(("table", "state", "rows", "expected_rows", "read"), _raw),
        foot=lambda: Foot({"rows": rows_read(seen, chunk), "seconds": seen.seconds, "rows_per_second": rate}, foot),
    )


def _cells(line: Line) -> list[str | None]:
    of, read = line["expected_rows"], line["read"]
    return [
        line["table"],
        line["state"],
        f"{line['rows']:,}",
        None if of is None else f"{of:,}",
        None if read is None else f"{read:.0%}",
    ]


def _raw(line: Line) -> list[list[str | None]]:
    return [[None if value is None else str(value) for value in line.values()]]

"""What a snapshot would take: from the source's own estimates, and from the pace at which the last one read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cdc.cli.connectors.snapshot.place import Place, chunk_rows, look, newest
from cdc.cli.output import Answer, Foot, Sheet
from cdc.notification import Snapshot
from connectors.client import ConnectClient
from connectors.signal_table import signal_table
from connectors.sizes import Size, sizes
from governance.suggest import Table

LOOKED_S = 5.0
"""Seconds at most for which the topic is read, to learn how fast the last snapshot was."""
_ENTRY = """
SELECT sum(pg_total_relation_size(p.relid))::float8 / nullif((SELECT sum(size) FROM audit.log), 0)
  FROM pg_partition_tree('audit.entry') AS p
"""
_COLUMNS = ("table", "rows", "source bytes", "warehouse bytes", "seconds")


@dataclass(frozen=True, slots=True)
class Line:
    """One table. ``warehouse_bytes`` and ``seconds`` are None where nothing is known to reckon with."""

    table: str
    rows: int
    bytes: int
    warehouse_bytes: int | None
    seconds: float | None

    def document(self) -> dict[str, Any]:
        """For programs."""
        return {
            "table": self.table,
            "rows": self.rows,
            "source_bytes": self.bytes,
            "warehouse_bytes": self.warehouse_bytes,
            "seconds": None if self.seconds is None else round(self.seconds, 1),
        }

    def cells(self) -> list[str | None]:
        """For people."""
        return [
            self.table,
            f"{self.rows:,}",
            f"{self.bytes:,}",
            None if self.warehouse_bytes is None else f"{self.warehouse_bytes:,}",
            None if self.seconds is None else f"{self.seconds:,.0f}",
        ]


@dataclass(frozen=True, slots=True)
class Estimate:
    """All of it. ``rate``: rows a second, of the last snapshot that was asked for here; ``entry``: bytes of an entry
    in the warehouse on average, with its indexes.
    """

    name: str
    lines: tuple[Line, ...]
    chunk: int
    rate: float | None
    entry: float | None

    @property
    def rows(self) -> int:
        """Of all tables."""
        return sum(line.rows for line in self.lines)

    def foot(self) -> list[tuple[str, str]]:
        """What the figures mean."""
        found = [
            ("rows", f"{self.rows:,} by the source's own estimate, in chunks of {self.chunk:,}; each becomes an entry"),
            (
                "source",
                f"about {self._chunks():,} transactions of two rows in cdc.signal more; the slot moves on meanwhile",
            ),
        ]
        if self.rate is None:
            found.append(("time", "not known: no snapshot of this connector was asked for here yet"))
        else:
            found.append(("time", f"at {self.rate:,.0f} rows/s, the pace of the last snapshot of this connector"))
        if self.entry is None:
            found.append(("warehouse", "not known: the warehouse does not answer, or is empty"))
        else:
            found.append(("warehouse", f"{self.entry:,.0f} bytes an entry, as entries have been so far"))
        return found

    def _chunks(self) -> int:
        return sum(-(-line.rows // self.chunk) for line in self.lines)


def estimate(client: ConnectClient, place: Place, tables: Sequence[Table], where: str | None) -> Estimate:
    """Reckon. Reads no row of the source.

    Raises:
        ConnectorError: source or Connect do not answer, or the condition is wrong.
    """
    found = sizes(place.definition, place.dsn, [(table.schema, table.name) for table in tables], where)
    chunk = chunk_rows(client, place.name)
    rate, entry = _rate(place, chunk), _entry_bytes(place)
    return Estimate(
        place.name,
        tuple(_line(table, size, rate, entry) for table, size in zip(tables, found, strict=True)),
        chunk,
        rate,
        entry,
    )


def _line(table: Table, size: Size, rate: float | None, entry: float | None) -> Line:
    return Line(
        table.title,
        size.rows,
        size.bytes,
        None if entry is None else int(size.rows * entry),
        None if rate is None else size.rows / rate,
    )


def _rate(place: Place, chunk: int) -> float | None:
    with signal_table(place.definition, place.dsn) as table:
        begun = newest(table)
    return None if begun is None else pace(look(place, begun, lambda *_: None, LOOKED_S), chunk)


def pace(snapshot: Snapshot, chunk: int) -> float | None:
    """Rows a second; None where it has not read for a second yet."""
    rows = rows_read(snapshot, chunk)
    return rows / snapshot.seconds if rows and snapshot.seconds >= 1 else None


def rows_read(snapshot: Snapshot, chunk: int) -> int:
    """Rows that it has read: exact of tables that are done, in whole chunks of the one in hand."""
    return sum(scan.rows for scan in snapshot.scans) + snapshot.chunks * chunk


def _entry_bytes(place: Place) -> float | None:
    from cdc.audit.reading import reading
    from cdc.errors import CdcError

    try:
        with reading(place.settings.warehouse_auditor_dsn) as asked:
            row = asked.one(_ENTRY)
    except CdcError:
        return None
    return None if row is None or row[0] is None else float(row[0])


def answer(found: Estimate) -> Answer[Line]:
    """As a command answers."""
    return Answer(
        title=f"reading {len(found.lines)} tables of {found.name} anew, beside the stream",
        head={"question": "snapshot-plan", "source": found.name},
        name="tables",
        items=found.lines,
        document=lambda line: line.document(),
        table=Sheet(_COLUMNS, lambda line: [line.cells()]),
        csv=Sheet(tuple(found.lines[0].document()) if found.lines else _COLUMNS, _raw),
        foot=lambda: Foot(
            {"rows": found.rows, "chunk_rows": found.chunk, "rows_per_second": found.rate, "entry_bytes": found.entry},
            found.foot(),
        ),
    )


def _raw(line: Line) -> list[list[str | None]]:
    return [[None if value is None else str(value) for value in line.document().values()]]

"""Whether a warehouse that went through faults is what it would be without them. Judges by what imports nothing of ours."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable

import psycopg2
from psycopg2 import sql

from tests.fix_replication import SOURCES, Captured, Warehouse
from tests.independent.reader import verify
from tests.oracle.comparison import compare_source
from tests.oracle.tables import render
from tests.oracle.topic import read_topic


def judge(captured: Captured, warehouse: Warehouse, sources: Iterable[str] = SOURCES) -> str:
    """Drained warehouse = Kafka = source; says how much was compared."""
    said = []
    for source in sources:
        entries = whole(warehouse, source)
        records = balanced(warehouse, source)
        tables, rows = equal_to_source(captured, warehouse, source)
        said.append(f"{source}: {records:,} Kafka records, {entries:,} entries, {tables} tables with {rows:,} rows")
    whole(warehouse, "operations")
    return "; ".join(said)


def whole(warehouse: Warehouse, log: str) -> int:
    """The independent reader finds nothing wrong in a log; the number of its entries."""
    rows = warehouse.query(
        "SELECT e.seq, e.entry, b.body, encode(e.leaf, 'hex') FROM audit.entry e LEFT JOIN audit.body b USING (log, seq)"
        " WHERE e.log = %s ORDER BY e.seq",
        (log,),
    )
    ((size, edge),) = warehouse.query("SELECT size, edge FROM audit.log WHERE log = %s", (log,))
    assert size == len(rows)
    assert verify(rows, edge=[bytes(node).hex() for node in edge]) == []
    return len(rows)


def balanced(warehouse: Warehouse, source: str) -> int:
    """Every Kafka record before the position is an entry or a counted skip, and nothing else is; their number."""
    settings = tomllib.loads(warehouse.path.read_text())
    ((position, records, skipped),) = warehouse.query(
        "SELECT next_offset, records, skipped FROM pipeline.stream WHERE log = %s", (source,)
    )
    topic = read_topic(settings["kafka"]["bootstrap.servers"], settings["sources"][source]["topic"])
    offsets = {record.offset for record in topic if record.offset < position}
    stored = warehouse.query(
        "SELECT kafka_offset, min(ordinal), max(ordinal) + 1 = count(*) FROM audit.entry WHERE log = %s AND kafka_offset IS NOT NULL GROUP BY 1",
        (source,),
    )
    assert all(first == 0 and dense for _, first, dense in stored)
    assert {offset for offset, _, _ in stored} <= offsets
    assert records == len(offsets)
    assert len(offsets) - len(stored) == sum(skipped.values())
    return records


def equal_to_source(captured: Captured, warehouse: Warehouse, source: str) -> tuple[int, int]:
    """Keys and clear columns of every table of a source that stands still, byte for byte; tables and rows compared."""
    settings = tomllib.loads(warehouse.path.read_text())
    place = settings["sources"][source]
    compared = compare_source(place["admin_dsn"], settings["warehouse"]["admin_dsn"], source, place["policy"])
    assert [table.difference for table in compared if table.difference is not None] == []
    assert len(compared) >= 10
    return len(compared), sum(table.rows for table in compared)


def same(disturbed: Warehouse, undisturbed: Warehouse, source: str, *, at_least: int = 1000) -> int:
    """Both have written the same leaves, and the same state but for the heartbeat's; the number of leaves compared."""
    first, second = disturbed.leaves(source), undisturbed.leaves(source)
    shared = min(len(first), len(second))  # the heartbeat goes on meanwhile
    assert shared >= at_least
    assert first[:shared] == second[:shared]
    assert state(disturbed, source) == state(undisturbed, source)
    return shared


def state(warehouse: Warehouse, source: str) -> dict[str, bytes]:
    """All columns of all state tables of a source as ordered COPY text, protected ones and bookkeeping too."""
    dsn = tomllib.loads(warehouse.path.read_text())["warehouse"]["admin_dsn"]
    found = {}
    for table, name, truncated, suspended in warehouse.query(
        "SELECT table_name, state_name, truncated_through, suspended_code FROM pipeline.state_table WHERE log = %s",
        (source,),
    ):
        if table == "cdc.heartbeat":
            continue
        columns = _columns(dsn, f"{source}_state", name)
        text = render(dsn, sql.Identifier(f"{source}_state", name), ("_key",), columns)
        found[table] = f"{columns} {truncated} {suspended}\n".encode() + text
    return found


def _columns(dsn: str, schema: str, table: str) -> list[str]:
    connection = psycopg2.connect(dsn)
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT column_name::text FROM information_schema.columns WHERE table_schema = %s AND table_name = %s ORDER BY 1",
                (schema, table),
            )
            return [row[0] for row in cursor.fetchall()]
    finally:
        connection.close()

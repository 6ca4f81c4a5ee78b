"""Holds a running system's claims against its sources, Kafka and the warehouse.

``python -m tests.oracle.evidence CONFIG [SOURCE]...`` imports nothing of the project it judges. One line on standard output for each claim that holds; the first that does not
ends the process with exit code 1 and a line on standard error.
"""

from __future__ import annotations

import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg2

from tests.independent.reader import Reader
from tests.oracle.comparison import compare_source, open_protected
from tests.oracle.topic import read_topic


class Failed(Exception):
    """A claim does not hold."""


def log_is_whole(settings: dict[str, Any], source: str) -> str:
    """Canonical entries, leaves, edge of the tree, versions, continuity, transaction counts."""
    reader = Reader()
    for row in _rows(
        settings["warehouse"]["auditor_dsn"],
        "SELECT e.seq, e.entry, b.body, encode(e.leaf, 'hex') FROM audit.entry e LEFT JOIN audit.body b USING (log, seq)"
        " WHERE e.log = %s ORDER BY e.seq",
        source,
    ):
        reader.read(*row)
    ((edge, size),) = _rows(
        settings["warehouse"]["auditor_dsn"], "SELECT edge, size FROM audit.log WHERE log = %s", source
    )
    problems = reader.finish(edge=[bytes(node).hex() for node in edge])
    if problems:
        raise Failed(f"log {source}: entry {problems[0].seq}: {problems[0].reason} (of {len(problems)} problems)")
    return f"log {source}: {size:,} entries read again by another reader: canonical, hashed, chained, counted"


def log_is_kafka(settings: dict[str, Any], source: str) -> str:
    """Every record of the topic is one entry or one counted skip, and nothing else is in the log."""
    auditor = settings["warehouse"]["auditor_dsn"]
    ((position, records, skipped),) = _rows(
        auditor, "SELECT next_offset, records, skipped FROM pipeline.stream WHERE log = %s", source
    )
    stored = {row[0] for row in _rows(auditor, "SELECT DISTINCT kafka_offset FROM audit.entry WHERE log = %s", source)}
    topic = read_topic(settings["kafka"]["bootstrap.servers"], settings["sources"][source]["topic"])
    offsets = {record.offset for record in topic if record.offset < position}
    if not stored <= offsets or len(offsets) != records or len(offsets) - len(stored) != sum(skipped.values()):
        raise Failed(f"log {source}: {len(offsets)} Kafka records, {len(stored)} in the log, {skipped} skipped")
    return (
        f"log {source}: {len(offsets):,} Kafka records = {len(stored):,} in the log + {sum(skipped.values()):,} counted"
    )


def clear_columns_are_equal(settings: dict[str, Any], source: str) -> str:
    """Ordered COPY of keys and clear columns, byte for byte, source against warehouse."""
    compared = compare_source(
        settings["sources"][source]["admin_dsn"],
        settings["warehouse"]["auditor_dsn"],
        source,
        settings["sources"][source]["policy"],
    )
    for table in compared:
        if table.difference is not None:
            raise Failed(f"{source}: {table.difference}")
    rows = sum(table.rows for table in compared)
    return f"{source}: {len(compared)} tables, {rows:,} rows: keys and clear columns byte-identical on both sides"


def protected_columns_open(settings: dict[str, Any], source: str) -> str:
    """Sealed cells opened and tokens resolved by an independent implementation, compared with the source."""
    opened = open_protected(
        settings["sources"][source]["admin_dsn"],
        settings["warehouse"]["auditor_dsn"],
        settings["privacy"]["admin_dsn"],
        settings["keyring"]["path"],
        source,
        settings["sources"][source]["policy"],
    )
    for table in opened:
        if table.difference is not None:
            raise Failed(f"{source}: {table.difference}")
    cells = sum(table.cells for table in opened)
    return f"{source}: {cells:,} sealed cells and tokens opened by another implementation: all equal the source"


CLAIMS: tuple[Callable[[dict[str, Any], str], str], ...] = (
    log_is_kafka,
    log_is_whole,
    clear_columns_are_equal,
    protected_columns_open,
)


def _rows(dsn: str, statement: str, *parameters: str) -> Iterator[tuple[Any, ...]]:
    connection = psycopg2.connect(dsn)
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            yield from cursor.fetchall()
    finally:
        connection.close()


def main(path: str, *sources: str) -> int:
    """Judge these sources of a configuration file, or all."""
    settings = tomllib.loads(Path(path).read_text())
    for source in sources or settings["sources"]:
        for claim in CLAIMS:
            began = time.monotonic()
            try:
                held = claim(settings, source)
            except Failed as failure:
                print(failure, file=sys.stderr)
                return 1
            print(f"{held} ({time.monotonic() - began:.1f} s)", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

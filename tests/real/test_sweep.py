"""The plaintext sweep: planted values are in the sources, in Kafka for a while, and nowhere else in any encoding.

The data directory and WAL of the whole warehouse cluster are swept, so whatever else ran on this stack is swept with it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg2
import pytest

from cdc.local.workload import CANARIES
from tests.fix_replication import SOURCES, Captured, Warehouse, drop_warehouse, new_warehouse
from tests.fix_stack import FreshDatabase, WarehouseCluster
from tests.oracle.sweep import sweep
from tests.oracle.topic import read_topic
from tests.real.planted import LEAKED, VALUES, as_superuser, families, leaking, replicate

__all__ = ["leaking"]

KEPT = {canary.value for canary in CANARIES if canary.fate == "kept"}


def size(paths: list[Path]) -> int:
    """Bytes in these files and folders."""
    files = [Path(folder, name) for path in paths for folder, _, names in os.walk(path) for name in names]
    return sum(file.stat().st_size for file in (*files, *(path for path in paths if path.is_file())) if file.exists())


@dataclass(frozen=True, slots=True)
class Drained:
    """A warehouse that holds everything, and what its workers said on the way."""

    warehouse: Warehouse
    errors: Path


@pytest.fixture(scope="module")
def drained(captured: Captured, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drained]:
    errors = tmp_path_factory.mktemp("sweep") / "workers.log"
    warehouse = new_warehouse(captured)
    try:
        for source in SOURCES:
            assert replicate(warehouse.path, source, errors) == 0, errors.read_text()[-300:]
        yield Drained(warehouse, errors)
    finally:
        drop_warehouse(captured, warehouse)


def everything_but_the_source(captured: Captured, errors: Path) -> list[Path]:
    """All that the stack and its workers have written, but the source cluster and Kafka's data."""
    state = captured.stack.state
    others = [path for path in state.iterdir() if path.name not in {"source", "broker"}]
    return [*others, *(path for path in (state / "broker").iterdir() if path.name != "data"), errors]


def test_every_value_is_found_in_the_source(captured: Captured, drained: Drained) -> None:
    settings = drained.warehouse.settings
    dumps = {source: str(settings.sources[source].admin_dsn) for source in SOURCES}
    dumped = sweep([], dumps, VALUES)
    # Rows that are there now; a load test before this one may have changed some, so the files below must have those.
    there = {value for value, hits in dumped.items() if hits}
    assert there
    assert there <= KEPT
    for value in there:
        (canary,) = (c for c in CANARIES if c.value == value)
        assert {hit.place for hit in dumped[value]} == {canary.database}
    as_superuser(dumps["trading"], "CHECKPOINT")
    stored = sweep([captured.stack.state / "source"], {}, VALUES)
    missing = [canary.family for canary in CANARIES if not dumped[canary.value] and not stored[canary.value]]
    assert missing == []


def test_kafka_holds_what_was_committed_and_nothing_else(drained: Drained, tmp_path: Path) -> None:
    copy = tmp_path / "records"
    with copy.open("wb") as file:
        for source in SOURCES:
            for record in read_topic(drained.warehouse.settings.kafka["bootstrap.servers"], source):
                file.write((record.key or b"") + b"\n" + (record.value or b"") + b"\n")
    found = sweep([copy], {}, VALUES)
    assert {canary.family for canary in CANARIES if not found[canary.value]} == {
        canary.family for canary in CANARIES if canary.fate == "rolled back"
    }


def test_no_value_is_found_anywhere_else(
    captured: Captured, drained: Drained, capsys: pytest.CaptureFixture[str]
) -> None:
    warehouse = drained.warehouse
    settings = warehouse.settings
    assert holds_the_canaries(warehouse)  # sealed, but there: an empty warehouse has no leaks
    as_superuser(settings.warehouse_admin_dsn, "CHECKPOINT")
    paths = everything_but_the_source(captured, drained.errors)
    names = {path.name for path in paths}
    assert {"warehouse", "log", "connect", "secrets", "run", "cdc.toml", "server.properties"} <= names
    assert {file.name for file in (captured.stack.state / "log").iterdir()} >= {
        "broker.log",
        "connect.log",
        "source.log",
        "warehouse.log",
    }
    assert list((captured.stack.state / "warehouse" / "pg_wal").glob("0000*"))
    assert drained.errors.stat().st_size > 0
    began = time.monotonic()
    dumps = {"warehouse": settings.warehouse_admin_dsn, "privacy store": settings.privacy_admin_dsn}
    found = sweep(paths, dumps, VALUES)
    seconds = time.monotonic() - began
    assert families(found) == {}
    with capsys.disabled():
        print(f"\nswept {size(paths):,} bytes of files and 2 dumps for {len(VALUES)} values in {seconds:.1f} s: none")


def holds_the_canaries(warehouse: Warehouse) -> bool:
    """Whether the rows and messages that carry the planted values are in this log: their number is the source's."""
    for source, table, column in (
        ("trading", "customers", "maiden_name"),
        ("portfolio", "clients", "passport_no"),
        ("trading", "audit_notes", "note"),
        ("portfolio", "cash_movements", "reference"),
    ):
        connection = psycopg2.connect(warehouse.settings.sources[source].admin_dsn)
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT count({column}) FROM {table}")
            ((held,),) = cursor.fetchall()
        connection.close()
        if not held or warehouse.query(f"SELECT count({column}) FROM {source}.{table}") != [(held,)]:
            return False
    return all(
        count > 0
        for (count,) in warehouse.query("SELECT count(*) FROM audit.entry WHERE kind = 'message' GROUP BY log")
    )


# Where one column is left in clear, the sweep must say so. The control has a cluster of its own: no other sweep sees it.


def test_one_column_in_clear_is_found_and_only_that(
    leaking: tuple[FreshDatabase, Path], warehouse_cluster: WarehouseCluster, tmp_path: Path
) -> None:
    database, path = leaking
    errors = tmp_path / "worker.log"
    assert replicate(path, "trading", errors) == 0, errors.read_text()[-300:]
    as_superuser(database.admin_dsn, "CHECKPOINT")
    assert set(families(sweep([], {"leaking": database.admin_dsn}, VALUES))) == LEAKED
    assert set(families(sweep([warehouse_cluster.cluster.folder], {}, VALUES))) == LEAKED
    assert families(sweep([errors], {}, VALUES)) == {}

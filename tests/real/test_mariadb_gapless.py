"""Nothing is lost on MariaDB where the connector begins and begins again: changes amid its snapshot, and while it is away."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from cdc.local.mariadb import Server
from cdc.local.stack import Stack
from tests.fix_mariadb import MariaSource, maria_source

POLICY = """\
source: {name}
tables:
  cdc.heartbeat: {{columns: {{id: clear, beat_at: clear, system_identifier: clear, timeline: clear}}}}
  {name}.large: {{columns: {{id: clear, v: clear}}}}
  {name}.written: {{columns: {{id: clear, v: clear}}}}
  {name}.loose: {{columns: {{v: clear}}}}
"""


@pytest.fixture(scope="module")
def source(stack: Stack, mariadb: Server) -> Iterator[MariaSource]:
    with maria_source(stack, mariadb) as made:
        made.run(
            "CREATE TABLE large (id int PRIMARY KEY, v varchar(40))",
            "CREATE TABLE written (id int AUTO_INCREMENT PRIMARY KEY, v int)",
            "CREATE TABLE loose (v int)",
            "INSERT INTO large SELECT seq, repeat('x', 40) FROM seq_1_to_60000",
        )
        made.declare(POLICY.format(name=made.name))
        yield made


def _same(source: MariaSource) -> None:
    for table, columns in (("large", "id, v"), ("written", "id, v"), ("loose", "v")):
        here = sorted(source.run(f"SELECT {columns} FROM {table}"))
        assert sorted(source.warehouse.query(f'SELECT {columns} FROM {source.name}."{source.name}.{table}"')) == here, table
    assert len(here) > 20


def test_changes_amid_the_snapshot(source: MariaSource) -> None:
    stop, failed = threading.Event(), []

    def write() -> None:
        number = 0
        while not stop.wait(0.05):
            number += 1
            try:
                source.run(
                    f"INSERT INTO written (v) VALUES ({number})", f"INSERT INTO loose VALUES ({number})",
                    f"UPDATE written SET v = v + 1 WHERE id = {max(1, number // 2)}", f"DELETE FROM large WHERE id = {number}",
                )  # fmt: skip
            except Exception as error:  # noqa: BLE001 - told by the main thread
                failed.append(error)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        source.apply()
        ((applied,),) = source.run("SELECT count(*) FROM written")
        ends = time.monotonic() + 120
        while source.run("SELECT count(*) FROM written") < [(applied + 20,)]:
            assert time.monotonic() < ends
    finally:
        stop.set()
        writer.join()
    assert failed == []
    assert applied > 5
    source.wait()
    _same(source)


def test_changes_while_the_connector_is_away(source: MariaSource) -> None:
    source.stack.stop("connect")
    try:
        source.run("INSERT INTO written (v) VALUES (-1), (-2)", "INSERT INTO loose VALUES (-1), (-1)", "ALTER TABLE written ADD COLUMN w int", "INSERT INTO written (v, w) VALUES (-3, 3)")
    finally:
        source.stack.start("connect")
    source.wait()
    _same(source)

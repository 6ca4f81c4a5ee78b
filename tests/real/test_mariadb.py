"""MariaDB as a source, on a real server: snapshot, sessions that interleave, DDL amid load, kills; compared in SQL."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from cdc.local.mariadb import Server
from cdc.local.stack import Stack
from tests.fix_mariadb import MariaSource, maria_source
from tests.fix_replication import drop_warehouse, new_warehouse
from tests.independent.reader import verify

SCHEMA = (
    "CREATE TABLE clients (id int PRIMARY KEY, name varchar(80) NOT NULL, tier enum('a','b,c') NOT NULL DEFAULT 'a', note text, seen timestamp(6) NULL)",
    "CREATE TABLE trades (account int, no bigint unsigned, amount decimal(30,10), at datetime(6), PRIMARY KEY (account, no))",
    "CREATE TABLE ticks (symbol varchar(8), price decimal(20,8))",
    "CREATE TABLE accruals (id int PRIMARY KEY, amount decimal(20,4))",
    "INSERT INTO clients (id, name, seen) VALUES (1, 'Ada', NULL), (2, 'Bo', NULL), (3, 'Cy', '2025-06-02 10:00:00.12')",
    "INSERT INTO ticks VALUES ('X', 1.5), ('X', 1.5), ('Y', 2)",
    "INSERT INTO accruals VALUES (1, 1), (2, 2)",
)
POLICY = """\
source: {name}
tables:
  cdc.heartbeat: {{columns: {{id: clear, beat_at: clear, system_identifier: clear, timeline: clear}}}}
  {name}.clients: {{columns: {{id: clear, name: seal, tier: clear, note: clear, seen: clear, added: clear}}}}
  {name}.trades: {{columns: {{account: clear, no: clear, amount: clear, at: clear}}}}
  {name}.ticks: {{columns: {{symbol: clear, price: clear}}}}
  {name}.accruals: {{columns: {{id: clear, amount: clear}}}}
  {name}.later: {{columns: {{id: clear}}}}
"""
COMPARED = {
    "clients": ("concat_ws('|', id, tier, coalesce(note, '-'))", "concat_ws('|', id, tier, coalesce(note, '-'))"),
    "trades": (
        "concat_ws('|', account, no, amount, date_format(at, '%Y-%m-%d %H:%i:%s.%f'))",
        "concat_ws('|', account, no, amount, to_char(at, 'YYYY-MM-DD HH24:MI:SS.US'))",
    ),
    "ticks": ("concat_ws('|', symbol, price)", "concat_ws('|', symbol, price)"),
    "accruals": ("concat_ws('|', id, amount)", "concat_ws('|', id, amount)"),
    "later": ("id", "id::text"),
}


@pytest.fixture(scope="module")
def lived(stack: Stack, mariadb: Server) -> Iterator[MariaSource]:
    """A snapshot, then everything that this module's tests look at; all of it in the warehouse, the worker killed amid it."""
    with maria_source(stack, mariadb) as source:
        source.run(*SCHEMA)
        source.declare(POLICY.format(name=source.name))
        source.apply()
        source.wait()
        worker = source.warehouse.start(source.name)
        _load(source, worker)
        source.wait()
        yield source


def _load(source: MariaSource, worker: subprocess.Popen[str]) -> None:
    """Three sessions at once, DDL between their transactions and amid them; the worker is killed halfway."""
    failed: list[Exception] = []

    def session(account: int) -> None:
        try:
            with source.server.connect(source.name) as connection, connection.cursor() as cursor:
                for number in range(120):
                    connection.begin()
                    for part in range(3):
                        cursor.execute(
                            "INSERT INTO trades VALUES (%s, %s, %s, now(6))",
                            (account, 2**63 + 3 * number + part, f"{number}.{part}000000001"),
                        )
                        cursor.execute("INSERT INTO ticks VALUES ('Z', %s)", (number,))
                    connection.rollback() if number % 7 == 3 else connection.commit()
        except Exception as error:  # noqa: BLE001 - told by the main thread
            failed.append(error)

    threads = [threading.Thread(target=session, args=(account,)) for account in (1, 2, 3)]
    for thread in threads:
        thread.start()
    source.run(
        "CREATE TABLE later (id int PRIMARY KEY)",
        "INSERT INTO later VALUES (1)",
        "TRUNCATE TABLE accruals",
        "INSERT INTO accruals VALUES (1, 9), (7, 7)",
        "ALTER TABLE clients ADD COLUMN added int DEFAULT 5",
        "UPDATE clients SET id = 20 WHERE id = 2",
        "UPDATE clients SET note = 'é🎉\\t' WHERE id = 3",
        "DELETE FROM clients WHERE id = 1",
        "CREATE TABLE empty_one (id int)",
        "DROP TABLE empty_one",
    )
    time.sleep(1)
    worker.send_signal(signal.SIGKILL)
    worker.communicate()
    for thread in threads:
        thread.join()
    assert failed == []
    source.run(
        "DELETE FROM ticks WHERE symbol = 'X' LIMIT 1",  # one of two rows that are alike
        "UPDATE ticks SET price = 7 WHERE symbol = 'Z' AND price = 5 LIMIT 2",
        "TRUNCATE TABLE later",
        "INSERT INTO later VALUES (2)",
    )


def test_a_fraction_that_ends_in_zeros_is_the_same_from_snapshot_and_stream(lived: MariaSource) -> None:
    images = lived.warehouse.query(
        "SELECT operation, entry::json #>> '{before,seen}', entry::json #>> '{after,seen}' FROM audit.entry"
        " WHERE table_name = %s AND row_key = '[\"3\"]' ORDER BY seq",
        (f"{lived.name}.clients",),
    )
    seen = "2025-06-02T10:00:00.120000Z"
    assert images == [("r", None, seen), ("u", seen, seen)]


def test_every_table_is_the_source_as_text_in_sql(lived: MariaSource) -> None:
    for table, (here, there) in COMPARED.items():
        expected = sorted(row for (row,) in lived.run(f"SELECT cast({here} AS char) FROM {table}"))
        found = lived.warehouse.query(f'SELECT {there}, * FROM {lived.name}."{lived.name}.{table}"')
        assert sorted(row[0] for row in found) == expected, table
        assert expected
    assert lived.warehouse.query("SELECT * FROM pipeline.state_table WHERE suspended_code IS NOT NULL") == []


def test_verification_passes_and_an_independent_reader_agrees(lived: MariaSource) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cdc", "audit", "verify", lived.name, "--config", str(lived.warehouse.path), "--output", "json"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    rows = lived.warehouse.query(
        "SELECT e.seq, e.entry, b.body, encode(e.leaf, 'hex') FROM audit.entry e LEFT JOIN audit.body b USING (log, seq)"
        " WHERE e.log = %s ORDER BY e.seq",
        (lived.name,),
    )
    assert verify(rows) == []


def test_a_ddl_leaves_an_end_without_a_count(lived: MariaSource) -> None:
    entries = [json.loads(entry) for (entry,) in lived.warehouse.query("SELECT entry FROM audit.entry WHERE log = %s ORDER BY seq", (lived.name,))]  # fmt: skip
    closed = [entry for entry in entries if entry["kind"] == "end" and entry["transaction"]["end"]["count"] is None]
    truncates = [entry for entry in entries if entry["kind"] == "truncate"]
    assert len(closed) >= 6  # CREATE, TRUNCATE, ALTER, CREATE, DROP, TRUNCATE
    assert {entry["table"] for entry in truncates} == {f"{lived.name}.accruals", f"{lived.name}.later"}
    closed_ids = {entry["transaction"]["id"] for entry in closed}
    assert all(entry["transaction"]["id"] in closed_ids for entry in truncates)
    ((skipped,),) = lived.warehouse.query("SELECT skipped FROM pipeline.stream WHERE log = %s", (lived.name,))
    assert skipped["schema-change"] > 0


def test_a_key_change_is_linked(lived: MariaSource) -> None:
    halves = lived.warehouse.query(
        "SELECT operation, row_key, entry::json ->> 'linked_key' FROM audit.entry"
        " WHERE log = %s AND table_name = %s AND entry::json ->> 'linked_key' IS NOT NULL ORDER BY seq",
        (lived.name, f"{lived.name}.clients"),
    )
    assert halves == [("d", '["2"]', '["20"]'), ("c", '["20"]', '["2"]')]


def test_the_source_epoch_is_the_server_and_stands_before_the_first_row(lived: MariaSource) -> None:
    ((epoch,),) = lived.warehouse.query("SELECT source_epoch FROM pipeline.stream WHERE log = %s", (lived.name,))
    assert epoch.endswith("/0-7")
    ((without,),) = lived.warehouse.query(
        "SELECT count(*) FROM audit.entry WHERE log = %s AND kind = 'change' AND entry::json ->> 'epoch' IS NULL",
        (lived.name,),
    )
    assert without == 0


def test_another_warehouse_reads_byte_identical_entries(lived: MariaSource) -> None:
    other = new_warehouse(lived.captured)
    try:
        lived.wait(other)
        lived.wait()
        mine, theirs = lived.warehouse.leaves(lived.name), other.leaves(lived.name)
        size = min(len(mine), len(theirs))
        assert size > 1000
        assert mine[:size] == theirs[:size]
    finally:
        drop_warehouse(lived.captured, other)


def test_a_transaction_of_another_server_stops_the_stream(lived: MariaSource) -> None:
    other = new_warehouse(lived.captured)
    try:
        lived.wait(other)
        lived.run("SET server_id = 8", "INSERT INTO later VALUES (3)")
        lived.run("INSERT INTO later VALUES (4)")
        ends = time.monotonic() + 60
        while (done := other.replicate(lived.name, "--until-caught-up")).returncode == 0:
            assert time.monotonic() < ends
        assert "source-epoch" in done.stderr
        found = other.query(f'SELECT id FROM {lived.name}."{lived.name}.later"')
        assert (3,) not in found
    finally:
        drop_warehouse(lived.captured, other)

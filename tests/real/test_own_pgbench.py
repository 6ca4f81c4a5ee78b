"""A database made by ``pgbench -i`` goes the three steps while pgbench runs against it all the time."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import psycopg2
import pytest

from cdc.local.postgres import binaries
from cdc.local.stack import Stack
from tests.fix_own import Own, own_source
from tests.independent.reader import verify
from tests.oracle.comparison import compare_source, open_protected
from tests.oracle.topic import read_topic

TABLES = {f"public.pgbench_{name}" for name in ("accounts", "branches", "history", "tellers")}
OPENED = 3000
"""Rows of a table whose cells are opened; all rows are counted, and their clear columns compared."""


def pgbench(own: Own, *arguments: str) -> subprocess.Popen[str]:
    parts = psycopg2.extensions.parse_dsn(own.admin_dsn)
    return subprocess.Popen(
        [binaries() / "pgbench", *arguments, own.database],
        env={"PGHOST": parts["host"], "PGPORT": parts["port"], "PGUSER": parts["user"], "PGPASSWORD": parts["password"]},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


@pytest.fixture(scope="module")
def bench(stack: Stack) -> Iterator[Own]:
    """The whole run: three bouts of pgbench, over preparation, snapshot and streaming."""
    with own_source(stack) as own:
        made = pgbench(own, "--initialize", "--scale=1", "--quiet")
        assert made.wait(60) == 0, made.stdout.read()
        running = pgbench(own, "--client=3", "--time=600", "--no-vacuum")
        try:
            own.cdc("connectors", "init", own.name, "--apply-sql")
            own.cdc("policy", "init", own.name, "--clear", "pgbench_*.[abt]balance")
            before = own.ask("SELECT count(*) FROM pgbench_history")
            own.cdc("connectors", "apply", own.name)
            worker = own.warehouse.start(own.name)
            assert running.poll() is None, running.stdout.read()
            assert own.ask("SELECT count(*) FROM pgbench_history") > before
        finally:
            running.terminate()
            running.wait(30)
        # Without --no-vacuum a bout begins with TRUNCATE pgbench_history.
        second = pgbench(own, "--client=3", "--transactions=400")
        assert second.wait(120) == 0, second.stdout.read()
        own.wait()
        worker.terminate()
        assert worker.wait(30) == 0, worker.stderr.read()
        own.drain()
        yield own


def test_every_table_equals_its_source_row_by_row(bench: Own, capsys: pytest.CaptureFixture[str]) -> None:
    settings = bench.warehouse.settings
    compared = compare_source(bench.admin_dsn, settings.warehouse_auditor_dsn, bench.name, bench.policy)
    assert [table.difference for table in compared if table.difference] == []
    rows = {table.table: table.rows for table in compared}
    assert rows.keys() == TABLES | {"cdc.heartbeat", "cdc.signal"}
    assert rows["public.pgbench_accounts"] == 100_000
    assert rows["public.pgbench_history"] == 1200
    assert [c for table in compared if table.table == "public.pgbench_accounts" for c in table.columns] == ["aid", "abalance"]
    opened = open_protected(
        bench.admin_dsn, settings.warehouse_auditor_dsn, settings.privacy_admin_dsn, settings.keyring, bench.name,
        bench.policy, OPENED,
    )  # fmt: skip
    assert [table.difference for table in opened if table.difference] == []
    assert {table.table: table.rows for table in opened} == {
        "public.pgbench_accounts": OPENED, "public.pgbench_branches": 1, "public.pgbench_history": 1200, "public.pgbench_tellers": 10,
    }  # fmt: skip
    with capsys.disabled():
        cells = sum(table.cells for table in opened)
        print(f"\npgbench: {sum(rows.values()):,} rows equal in keys and clear columns; {cells:,} cells opened")


def test_the_log_is_whole_and_balanced(bench: Own) -> None:
    rows = bench.warehouse.query(
        "SELECT e.seq, e.entry, b.body, encode(e.leaf, 'hex') FROM audit.entry e LEFT JOIN audit.body b USING (log, seq)"
        " WHERE e.log = %s ORDER BY e.seq",
        (bench.name,),
    )
    ((edge, position, records, skipped, extra),) = bench.warehouse.query(
        "SELECT l.edge, s.next_offset, s.records, s.skipped, s.extra_entries FROM audit.log l JOIN pipeline.stream s"
        " USING (log) WHERE l.log = %s",
        (bench.name,),
    )
    assert verify(rows, edge=[bytes(node).hex() for node in edge]) == []
    topic = read_topic(bench.warehouse.settings.kafka["bootstrap.servers"], bench.name)
    delivered = [record for record in topic if record.offset < position]
    assert records == len(delivered) == len(rows) - extra + sum(skipped.values())


def test_load_ran_through_snapshot_and_stream(bench: Own) -> None:
    """Else the comparison would have shown nothing: rows were read and changed in the same moments."""
    kinds = dict(
        bench.warehouse.query(
            "SELECT operation, count(*) FROM audit.entry WHERE log = %s AND table_name LIKE 'public.%%' GROUP BY 1",
            (bench.name,),
        )
    )
    assert kinds["r"] >= 100_000
    assert kinds["t"] == 1
    assert kinds["u"] > 3000
    assert kinds["c"] > 1000
    ((first,),) = bench.warehouse.query(
        "SELECT min(seq) FROM audit.entry WHERE log = %s AND operation = 'u' AND table_name LIKE 'public.%%'", (bench.name,)
    )
    ((complete,),) = bench.warehouse.query(
        "SELECT max(seq) FROM audit.entry WHERE log = %s AND kind = 'baseline'", (bench.name,)
    )
    ((during,),) = bench.warehouse.query(
        "SELECT count(*) FROM audit.entry u JOIN audit.entry b ON b.log = u.log AND b.seq = %s"
        " WHERE u.log = %s AND u.operation = 'u' AND u.committed_at < (b.entry::jsonb ->> 'captured_at')::bigint",
        (complete, bench.name),
    )
    assert first > complete  # the stream begins at the snapshot's own point
    assert during > 0  # and with what was committed while the snapshot was read


def test_the_table_without_a_key_is_sealed_whole(bench: Own) -> None:
    """None of its columns is part of a key, and nobody asked for one in clear."""
    ((columns,),) = bench.warehouse.query(
        "SELECT columns FROM pipeline.state_table WHERE log = %s AND table_name = 'public.pgbench_history'", (bench.name,)
    )
    assert {column["protect"] for column in columns} == {"seal"}
    assert {column["type"] for column in columns} == {"bytea"}

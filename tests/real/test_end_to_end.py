"""The standard workload of both databases, through real Debezium and Kafka, into the warehouse: complete, exact, protected."""

from __future__ import annotations

import pytest

from cdc import native
from tests.fix_replication import SOURCES, Captured, Warehouse, drop_warehouse, new_warehouse
from tests.independent.reader import verify
from tests.oracle.topic import read_topic


def test_the_log_is_whole_in_the_eyes_of_an_independent_reader(warehouse: Warehouse) -> None:
    warehouse.drain()
    for log in SOURCES:
        rows = warehouse.query(
            "SELECT e.seq, e.entry, b.body, encode(e.leaf, 'hex') FROM audit.entry e LEFT JOIN audit.body b USING (log, seq)"
            " WHERE e.log = %s ORDER BY e.seq",
            (log,),
        )
        edge = [
            bytes(node).hex() for node in warehouse.query("SELECT edge FROM audit.log WHERE log = %s", (log,))[0][0]
        ]
        assert len(rows) > 1000
        assert verify(rows, edge=edge) == []


def test_every_kafka_record_is_an_entry_or_a_counted_skip(captured: Captured, warehouse: Warehouse) -> None:
    warehouse.drain()
    for log in SOURCES:
        position, records, skipped, extra = warehouse.query(
            "SELECT next_offset, records, skipped, extra_entries FROM pipeline.stream WHERE log = %s", (log,)
        )[0]
        offsets = [
            record.offset
            for record in read_topic(warehouse.settings.kafka["bootstrap.servers"], log)
            if record.offset < position
        ]
        stored = warehouse.query(
            "SELECT kafka_offset, count(*) FILTER (WHERE ordinal = 0), count(*) FROM audit.entry WHERE log = %s GROUP BY 1",
            (log,),
        )
        assert records == len(offsets)
        assert {offset for offset, _, _ in stored} <= set(offsets)
        assert all(first == 1 for _, first, _ in stored)
        assert len(offsets) == sum(count for _, _, count in stored) - extra + sum(skipped.values())
        assert len(offsets) - len(stored) == sum(skipped.values())


def test_another_worker_reading_again_writes_byte_identical_leaves(captured: Captured, warehouse: Warehouse) -> None:
    warehouse.drain()
    other = new_warehouse(captured)
    try:
        for log in SOURCES:
            done = other.replicate(log, "--until-caught-up", "--batch-records", "37")
            assert done.returncode == 0, done.stderr
            first, second = warehouse.leaves(log), other.leaves(log)
            shared = min(len(first), len(second))  # the heartbeat goes on meanwhile
            assert shared > 1000
            assert first[:shared] == second[:shared]
    finally:
        drop_warehouse(captured, other)


@pytest.mark.skipif(native.kernel() is None, reason="the native kernel is not built, or CDC_NATIVE=0")
def test_with_the_native_kernel_and_without_it_leaves_and_state_are_the_same(
    captured: Captured, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = new_warehouse(captured)
    try:
        for log in SOURCES:
            by_kernel = warehouse.replicate(log, "--until-caught-up")
            monkeypatch.setenv("CDC_NATIVE", "0")
            by_python = plain.replicate(log, "--until-caught-up")
            monkeypatch.delenv("CDC_NATIVE")
            assert (by_kernel.returncode, by_python.returncode) == (0, 0), by_kernel.stderr + by_python.stderr
            assert "row changes go through the native kernel" in by_kernel.stderr
            assert "row changes go through Python (CDC_NATIVE=0)" in by_python.stderr
            first, second = warehouse.leaves(log), plain.leaves(log)
            shared = min(len(first), len(second))  # the heartbeat goes on meanwhile
            assert shared > 1000
            assert first[:shared] == second[:shared]
            assert _state(warehouse, log) == _state(plain, log)
    finally:
        drop_warehouse(captured, plain)


def _state(warehouse: Warehouse, log: str) -> dict[str, list[str]]:
    """Rows of every table of current state as text, without the heartbeat's."""
    names = [
        name
        for (name,) in warehouse.query(
            "SELECT format('%%I.%%I', state_schema, state_name) FROM pipeline.state_table"
            " WHERE log = %s AND table_name <> 'cdc.heartbeat'",
            (log,),
        )
    ]
    assert names
    return {name: sorted(row for (row,) in warehouse.query(f"SELECT t::text FROM {name} AS t")) for name in names}

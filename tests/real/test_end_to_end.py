"""The standard workload of both databases, through real Debezium and Kafka, into the warehouse: complete, exact, protected."""

from __future__ import annotations

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

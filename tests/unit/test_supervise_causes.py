"""Which failures a restart may mend, by traces of real ones (``tests/golden/traces``) and by the slot."""

from __future__ import annotations

from pathlib import Path

import pytest

from cdc.supervise.causes import data_loss, told_loss
from cdc.supervise.seen import ConnectorSeen, SlotSeen, SourceSeen

TRACES = Path(__file__).parents[1] / "golden" / "traces"
LOST = {
    "slot-recreated": "position-gone",
    "slot-dropped-running": "position-gone",
    "slot-dropped-data": "position-gone",
}
"""Produced with Debezium 3.7.0.Final: the slot dropped and made anew while the connector was stopped; dropped under
it; dropped while it was stopped, with changes between. (Without changes between, Debezium makes a slot and goes on.)"""
MENDED = {"publication-missing", "role-nologin"}
"""A publication renamed; a role that may not log in: both were mended by a statement and a restart."""


def test_every_trace_of_the_corpus_is_judged():
    assert {path.stem for path in TRACES.glob("*.txt")} == LOST.keys() | MENDED


@pytest.mark.parametrize("name", sorted(LOST.keys() | MENDED))
def test_real_traces_are_told_apart(name):
    assert told_loss([(TRACES / f"{name}.txt").read_text()]) == LOST.get(name)


@pytest.mark.parametrize(
    ("said", "code"),
    [
        # PostgreSQL 18, of a slot that was invalidated, and of one that is not there
        ('ERROR: can no longer access replication slot "cdc_trading"\n  Detail: This replication slot has been invalidated due to "wal_removed".', "slot-invalidated"),
        ('ERROR: replication slot "cdc_trading" does not exist', "slot-missing"),
        # PostgreSQL 13 to 17
        ('ERROR: can no longer get changes from replication slot "cdc_trading"', "slot-invalidated"),
        ("ERROR: requested WAL segment 000000010000000000000003 has already been removed", "slot-invalidated"),
        # MariaDB and MySQL, as their servers say it to a replica
        ("Could not find first log file name in binary log index file Error code: 1236; SQLSTATE: HY000.", "binlog-gone"),
        ("the master has purged binary logs containing GTIDs that the slave requires. Error code: 1236", "binlog-gone"),
        # Debezium: MySqlConnectorTask, HistorizedRelationalDatabaseSchema
        ("The connector is trying to read binlog starting at binlog file 'binlog.000602', pos=457, but this is no longer available on the server.", "position-gone"),
        ("The db history topic or its content is fully or partially missing. Please check database schema history topic configuration and re-execute the snapshot.", "schema-history-missing"),
    ],
)  # fmt: skip
def test_what_servers_say_of_a_loss(said, code):
    assert told_loss(["org.apache.kafka.connect.errors.ConnectException: x\nCaused by: " + said]) == code


@pytest.mark.parametrize(
    "said",
    [
        "java.net.ConnectException: Connection refused",
        "org.postgresql.util.PSQLException: FATAL: the database system is shutting down",
        'org.postgresql.util.PSQLException: ERROR: replication slot "cdc_trading" is active for PID 4711',
        "org.postgresql.util.PSQLException: ERROR: permission denied for table orders",
        "org.apache.kafka.common.errors.ProducerFencedException: There is a newer producer",
        "java.lang.OutOfMemoryError: Java heap space",
    ],
)
def test_outages_are_none(said):
    assert told_loss([said]) is None


def test_the_slot_is_asked_before_the_trace():
    failed = ConnectorSeen("trading", "RUNNING", ("FAILED",), ("java.lang.RuntimeException: x",))

    def slot(**more) -> SourceSeen:
        return SourceSeen("trading", SlotSeen("trading", "cdc_trading", **more))

    assert data_loss(failed, None) is None
    assert data_loss(failed, SourceSeen("trading")) is None
    assert data_loss(failed, slot(present=True, wal_status="reserved")) is None
    assert data_loss(failed, slot(present=True, wal_status="lost")) == "slot-invalidated"
    assert (
        data_loss(failed, slot(present=True, wal_status="reserved", invalidation="idle_timeout")) == "slot-invalidated"
    )
    assert data_loss(failed, slot(present=False)) == "slot-missing"

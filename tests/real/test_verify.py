"""Verification of real warehouses that are right: PASS, whatever is in them and while a worker writes."""

from __future__ import annotations

import threading
from random import Random

import psycopg2
import pytest

from cdc.audit.snapshot import open_snapshot
from cdc.errors import ConfigError, NotFound, TransientError, Unreachable
from cdc.event import Record
from cdc.local.addresses import free_port
from governance.plan import ColumnRule, Policy, TableRule
from tests.builders import FILLS, ORDERS, Column, Feed
from tests.fix_stack import FreshDatabase
from tests.golden import records as golden
from tests.history import History
from tests.verified_warehouse import ORDER, fill, said, superuser, verification
from tests.warehouse import WarehouseWorker, query, worker


def test_everything_that_can_occur_passes(warehouse_database: FreshDatabase):
    fill(warehouse_database)
    done = verification(warehouse_database)
    assert said(done) == []
    assert {report.log: report.verdict for report in done.logs} == {"operations": "PASS", "trading": "PASS"}
    counts = {what.partition(":")[0]: count for report in done.logs for what, count in report.checked}
    for what in (
        "bodies of long entries", "table versions described", "changes of rows with a key", "changes of rows without a key",
        "before images equal to the row's after image before", "before images compared column by column",
        "replays, which change nothing", "transactions", "rows of current state", "state tables", "rows of pipeline.stream",
    ):  # fmt: skip
        assert counts[what] > 0, what
    trading = done.logs[1]
    assert any("_copies of 2 rows without a key that a truncate has hidden" in what for what in trading.unchecked)
    assert any("is suspended there" in what for what in trading.unchecked)
    state = query(warehouse_database.auditor_dsn, "SELECT open_transaction, open_count FROM pipeline.stream")
    assert state[0][1] > 0  # the log ends inside a transaction


@pytest.mark.parametrize("seed", range(8))
def test_any_history_in_any_batches_passes_after_each_of_them(warehouse_database: FreshDatabase, seed: int):
    random = Random(seed)
    records = History(random).grow(25).feed.records
    at = 0
    with worker(warehouse_database) as it:
        while at < len(records):
            size = random.choice((7, 50, 400))
            it.bring(records[at : at + size], limit=random.choice((3, 20, 1000)))
            at += size
            done = verification(warehouse_database, "trading")
            assert said(done) == []
            assert done.verdict == ("PASS" if done.entries else "INCOMPLETE")


def test_every_type_of_a_real_source_in_clear_passes(warehouse_database: FreshDatabase):
    """Records of a real Debezium, all columns of theirs in clear: each type's text in the entry against PostgreSQL's own."""
    policy = Policy("trading", "clear", {table: _clear(columns) for table, columns in _golden_tables().items()})
    records = [Record("golden", 0, one.offset, one.key, one.value, one.headers, one.timestamp) for one in golden.records()]
    with worker(warehouse_database, policy) as it:
        it.bring(records)
        suspended = set(it.projections.suspended)
    done = verification(warehouse_database, "trading")
    # heartbeats between the cases are not among the golden records, and that shows
    assert {(one[2], one[3]) for one in said(done)} <= {("continuity", "cdc.heartbeat")}
    assert done.logs[0].incomplete == ()
    types = query(
        warehouse_database.auditor_dsn,
        "SELECT DISTINCT data_type FROM information_schema.columns WHERE table_schema = 'trading_state' AND column_name !~ '^_'",
    )
    assert len(types) >= 18
    assert len(suspended) < 3


def _golden_tables() -> dict[str, set[str]]:
    from cdc.debezium import Decoder
    from cdc.entry import qualified_name
    from cdc.event import ChangeEvent

    decoder, found = Decoder(), {}
    for one in golden.records():
        event = decoder.decode(Record("golden", 0, one.offset, one.key, one.value, one.headers, one.timestamp))
        if isinstance(event, ChangeEvent):
            name = qualified_name(event.table.schema, event.table.name)
            found.setdefault(name, set()).update(column.name for column in event.table.columns)
    found["cdc.heartbeat"].remove("beat_at")  # hidden, so that the worker does not judge the beats that were left out
    return found


def _clear(columns: set[str]) -> TableRule:
    return TableRule(None, "operational", {name: ColumnRule("clear") for name in columns})


def test_a_warehouse_that_is_being_written_passes(warehouse_database: FreshDatabase):
    """A worker commits batches, adds columns and appends operations, all the time; each snapshot in between is whole."""
    history = History(Random(3))
    stop = threading.Event()
    failed: list[BaseException] = []

    def write() -> None:
        try:
            with worker(warehouse_database) as it:
                at = 0
                while not stop.is_set():
                    history.grow(5) if at == 0 else history.go_on(5)
                    it.bring(history.feed.records[at:], limit=50)
                    at = len(history.feed.records)
                    query(warehouse_database.auditor_dsn, "SELECT audit.append_operation('test', '{}')")
        except BaseException as error:  # noqa: BLE001 - a failure of the writer is this test's
            failed.append(error)

    writer = threading.Thread(target=write)
    writer.start()
    sizes = []
    try:
        while len(sizes) < 12 and not failed:
            done = verification(warehouse_database)
            assert said(done) == []
            if done.entries:
                sizes.append(done.entries)
    finally:
        stop.set()
        writer.join()
    assert not failed
    assert sizes == sorted(sizes)
    assert sizes[-1] > sizes[0]


def test_reading_changes_nothing_and_keeps_nobody_from_adding_a_column(warehouse_database: FreshDatabase):
    with worker(warehouse_database) as it:
        feed = Feed()
        feed.begin()
        feed.row(ORDERS, "c", None, ORDER)
        feed.end()
        it.bring(feed.records)
        with open_snapshot(warehouse_database.auditor_dsn) as snapshot:
            for table in snapshot.tables("trading"):
                assert len(list(snapshot.state("trading", table))) == 1
            at = len(feed.records)
            feed.begin()
            feed.row(ORDERS.with_column(Column("extra")), "u", {**ORDER, "extra": None}, {**ORDER, "extra": "x"})
            feed.end()
            it.bring(feed.records[at:])  # ALTER TABLE, while the snapshot is open
            assert len(list(snapshot.entries("trading"))) == 2
            with pytest.raises(TransientError, match="25006"), open_snapshot(warehouse_database.admin_dsn) as other:
                other._all("CREATE TABLE x ()")


def test_an_empty_warehouse_is_incomplete(warehouse_database: FreshDatabase):
    done = verification(warehouse_database)
    assert [(report.log, report.verdict) for report in done.logs] == [("operations", "INCOMPLETE")]
    assert done.verdict == "INCOMPLETE"


def test_one_log_without_entries_makes_it_incomplete(warehouse_database: FreshDatabase):
    query(warehouse_database.replicator_dsn, "SELECT audit.append_operation('test', '{}')")
    assert verification(warehouse_database).verdict == "PASS"
    WarehouseWorker(warehouse_database).close()
    done = verification(warehouse_database)
    assert {report.log: report.verdict for report in done.logs} == {"operations": "PASS", "trading": "INCOMPLETE"}
    assert done.verdict == "INCOMPLETE"


def test_a_column_of_a_type_without_a_rule_makes_it_incomplete(warehouse_database: FreshDatabase):
    fill(warehouse_database)
    with superuser(warehouse_database) as cursor:
        cursor.execute("ALTER TABLE trading_state.fills ADD COLUMN odd money")
    done = verification(warehouse_database, "trading")
    assert done.verdict == "INCOMPLETE"
    assert done.logs[0].incomplete == ("column odd of public.fills: no rule for its type",)


def test_a_log_that_is_not_there_is_not_found(warehouse_database: FreshDatabase):
    with pytest.raises(NotFound, match=r"no log 'portfolio' in the warehouse; there are: operations"):
        verification(warehouse_database, "portfolio")


def test_what_the_server_refuses_is_reported_without_its_text(warehouse_database: FreshDatabase):
    with superuser(warehouse_database) as cursor:
        cursor.execute("REVOKE SELECT ON audit.body FROM cdc_auditor")
    with pytest.raises(ConfigError, match="42501") as caught:
        verification(warehouse_database)
    assert "body" not in str(caught.value)
    with pytest.raises(Unreachable, match="does not answer"):
        verification(FreshDatabase("x", "", "", f"host=127.0.0.1 port={free_port(set())} dbname=x user=x", ""))


def test_hidden_rows_without_a_key_are_counted_once(warehouse_database: FreshDatabase):
    fill_row = {"symbol": "A", "quantity": 1, "secret": None}
    feed = Feed()
    with worker(warehouse_database) as it:
        for step in ("c", "t", "c"):
            at = len(feed.records)
            feed.begin()
            feed.truncate(FILLS) if step == "t" else feed.row(FILLS, "c", None, fill_row)
            feed.end()
            it.bring(feed.records[at:])
            assert said(verification(warehouse_database, "trading")) == []
    assert query(warehouse_database.auditor_dsn, "SELECT _copies FROM trading_state.fills") == [(1,)]


@pytest.mark.parametrize("together", [True, False])
def test_a_table_may_be_truncated_before_the_log_has_a_row_of_it(warehouse_database: FreshDatabase, together: bool):
    """Whether its state table was there to note the truncate depends on how batches were cut."""
    feed = Feed()
    feed.begin()
    feed.truncate(ORDERS)
    feed.end()
    at = len(feed.records)
    feed.begin()
    feed.row(ORDERS, "c", None, ORDER)
    feed.end()
    with worker(warehouse_database) as it:
        for records in [feed.records] if together else [feed.records[:at], feed.records[at:]]:
            it.bring(records)
        expected = 0 if together else -1
        assert query(warehouse_database.auditor_dsn, "SELECT truncated_through FROM pipeline.state_table") == [(expected,)]
        assert said(verification(warehouse_database, "trading")) == []
        at = len(feed.records)
        feed.begin()
        feed.truncate(ORDERS)
        feed.end()
        it.bring(feed.records[at:])
    assert said(verification(warehouse_database, "trading")) == []
    query(warehouse_database.admin_dsn, "UPDATE pipeline.state_table SET truncated_through = -1")
    assert [one[2:4] for one in said(verification(warehouse_database, "trading"))] == [("state", "public.orders")]


def test_a_snapshot_ends_when_the_connection_does(warehouse_database: FreshDatabase):
    with open_snapshot(warehouse_database.auditor_dsn, name="cdc audit test") as snapshot:
        snapshot.logs()
        assert query(warehouse_database.admin_dsn, "SELECT state FROM pg_stat_activity WHERE application_name = 'cdc audit test'") == [("idle in transaction",)]
    with pytest.raises(psycopg2.InterfaceError):
        snapshot.logs()

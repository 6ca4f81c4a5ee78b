"""A value that PostgreSQL refuses in a typed state column suspends that table's state; history, and every other table, flow on."""

from __future__ import annotations

import pytest

from cdc.errors import LedgerError
from cdc.writer import Writer
from tests.builders import FILLS, ORDERS, Column, Feed, Table
from tests.independent.reader import verify
from tests.warehouse import PRIVACY, edge, log, query, rows, worker

ROW = {"id": 1, "owner": "ann", "price": "1.50", "note": "n", "pin": "1"}
FILL = {"symbol": "A", "quantity": 1, "secret": "s"}
SUSPENDED = "SELECT table_name, suspended_code, suspended_message, suspended_seq FROM pipeline.state_table WHERE suspended_code IS NOT NULL"


def changes(feed: Feed, *made: tuple[Table, str, dict | None, dict | None]) -> list:
    at = len(feed.records)
    feed.begin()
    for change in made:
        feed.row(*change)
    feed.end()
    return feed.records[at:]


class Written:
    """Batches through the writer that a session has."""

    def __init__(self, it) -> None:
        self.it = it
        self.done: list = []
        self.writer = Writer(it.connection, it.fence, lambda _step: None, self.done.append)
        self.writer.start()

    def bring(self, *batches: list) -> None:
        """All are prepared, as a session does, before the first is known to be refused."""
        prepared = [self.it.prepare(records) for records in batches]
        for batch in prepared:
            self.writer.submit(batch, PRIVACY)
        self.writer.drain()


@pytest.mark.parametrize(
    ("price", "sqlstate", "column"),
    [("planted", "22P02", "column price"), ("1e200000", "22003", "column price"), ("\x00", "22021", "a column")],
)
def test_the_table_is_suspended_and_all_else_flows_on(warehouse_database, price, sqlstate, column):
    feed = Feed()
    with worker(warehouse_database) as it:
        written = Written(it)
        first = changes(feed, (ORDERS, "c", None, ROW), (FILLS, "c", None, FILL))
        bad = changes(
            feed,
            (ORDERS, "u", ROW, {**ROW, "note": "m"}), (FILLS, "c", None, FILL), (ORDERS, "c", None, {**ROW, "id": 2, "price": price}),
            (ORDERS, "c", None, {**ROW, "id": 3}),
        )  # fmt: skip
        after = changes(feed, (ORDERS, "u", {**ROW, "id": 3}, {**ROW, "id": 3, "price": "9"}), (FILLS, "c", None, {**FILL, "symbol": "B"}))
        written.bring(first, bad, after)
        assert list(written.writer.refused) == ["public.orders"]
        assert len(written.done) == 3
        ((table, code, message, seq),) = query(warehouse_database.auditor_dsn, SUSPENDED)
        assert (table, code) == ("public.orders", "value-refused")
        assert message == f"{column} cannot hold a value that the source has (SQLSTATE {sqlstate})"
        stored = log(warehouse_database)
        # State stands where it was before the first entry that it misses, whatever of the batch would have fitted.
        seqs = query(warehouse_database.admin_dsn, "SELECT seq FROM audit.entry WHERE log = 'trading' AND table_name = 'public.orders' AND kind = 'change' ORDER BY seq")
        assert seq == seqs[1][0]
        assert rows(warehouse_database, "trading_state.orders", "id", "price", "_version") == {("1", "1.50", "1"): 1}
        assert rows(warehouse_database, "trading.fills", "symbol") == {("A",): 2, ("B",): 1}
        # The log is whole, versions go on from it, and so does a session that begins anew.
        size, nodes = edge(warehouse_database)
        assert len(stored) == size
        assert verify(stored, edge=nodes) == []
        written.writer.stop()
    with worker(warehouse_database) as it:
        assert it.projections.suspended == {"public.orders": (code, message)}
        it.bring(changes(feed, (ORDERS, "u", {**ROW, "id": 3, "price": "9"}, {**ROW, "id": 3})))
        assert query(warehouse_database.admin_dsn, "SELECT max(version) FROM audit.entry WHERE row_key = '[\"3\"]'") == [(3,)]
        assert verify(log(warehouse_database)) == []


def test_a_table_without_a_key_and_one_that_brings_a_column(warehouse_database):
    wider = Table("public", "fills", (*FILLS.columns, Column("extra", "NUMERIC")))
    feed = Feed()
    with worker(warehouse_database) as it:
        written = Written(it)
        written.bring(
            changes(feed, (FILLS, "c", None, FILL)),
            changes(feed, (wider, "c", None, {**FILL, "extra": "planted"}), (ORDERS, "c", None, ROW)),
        )
        ((table, code, message, _),) = query(warehouse_database.auditor_dsn, SUSPENDED)
        assert (table, code) == ("public.fills", "value-refused")
        assert "planted" not in message
        assert rows(warehouse_database, "trading_state.fills", "symbol", "_copies") == {("A", "1"): 1}
        assert rows(warehouse_database, "trading.orders", "id") == {("1",): 1}
        written.writer.stop()


def test_two_tables_in_one_batch(warehouse_database):
    odd = Table("public", "odd", (Column("id", "INT4", "int32", optional=False), Column("v", "DATE")), ("id",))
    from governance.plan import ColumnRule, Policy, TableRule

    clear = {table: TableRule(None, "operational", {c.name: ColumnRule("clear") for c in columns}) for table, columns in (("public.odd", odd.columns), ("public.orders", ORDERS.columns))}
    feed = Feed()
    with worker(warehouse_database, Policy("trading", "seal", clear)) as it:
        written = Written(it)
        written.bring(changes(feed, (odd, "c", None, {"id": 1, "v": "planted"}), (ORDERS, "c", None, {**ROW, "price": "planted"})))
        told = query(warehouse_database.auditor_dsn, SUSPENDED)
        assert {row[0] for row in told} == {"public.odd", "public.orders"}
        assert "planted" not in repr(told)
        written.writer.stop()


def test_what_is_no_fault_of_a_value_still_stops_the_stream(warehouse_database):
    """A state table that somebody dropped is nobody's value."""
    feed = Feed()
    with worker(warehouse_database) as it:
        written = Written(it)
        written.bring(changes(feed, (ORDERS, "c", None, ROW)))
        query(warehouse_database.admin_dsn, "DROP TABLE trading_state.orders CASCADE")
        with pytest.raises(LedgerError, match="42P01"):
            written.bring(changes(feed, (ORDERS, "u", ROW, {**ROW, "price": "2"})))
        written.writer.stop()

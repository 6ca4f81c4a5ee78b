"""``cdc rebuild`` on a real warehouse: the fold is the one that an undisturbed worker makes, and the swap loses nothing."""

from __future__ import annotations

import threading
from random import Random

import psycopg2
import pytest

from cdc.audit import verification
from cdc.audit.snapshot import open_snapshot
from cdc.errors import Conflict, Fenced, NotFound
from cdc.warehouse.rebuild import fold as folding
from cdc.warehouse.rebuild import rebuild
from cdc.warehouse.rebuild import run as running
from governance import policy
from tests.builders import FILLS, ORDERS, Column, Feed, Table
from tests.history import History
from tests.independent.reader import verify
from tests.warehouse import WarehouseWorker, log, query, worker

ROW = {"id": 1, "owner": "ann", "price": "1.5", "note": "hello", "pin": "1234"}
FILL = {"symbol": "A", "quantity": 1, "secret": "s"}
NARROW = Table("public", "orders", ORDERS.columns[:3], ("id",))


def _change(feed: Feed, *rows_: tuple[Table, str, dict | None, dict | None]) -> list:
    at = len(feed.records)
    feed.begin()
    for table, op, before, after in rows_:
        if op == "t":
            feed.truncate(table)
        else:
            feed.row(table, op, before, after)
    feed.end()
    return feed.records[at:]


def _held(database, table="orders", shown="") -> tuple[list, list]:
    """The state table byte for byte: its columns, and its rows as text."""
    columns = query(
        database.admin_dsn,
        "SELECT attname, format_type(atttypid, NULL), attnotnull FROM pg_attribute WHERE attrelid = %s::regclass"
        " AND attnum > 0 AND NOT attisdropped ORDER BY attname",
        f"trading_state.{table}",
    )
    listed = ", ".join('"' + name + '"::text' for name, _, _ in columns)
    return columns, query(database.admin_dsn, f"SELECT {listed} FROM trading_state.{table} t{shown} ORDER BY _key")


def _suspension(database, table="public.orders"):
    return query(database.auditor_dsn, "SELECT suspended_code FROM pipeline.state_table WHERE table_name = %s", table)[0][0]


def _cut(row: dict) -> dict:
    return {name: row[name] for name in ("id", "owner", "price")}


def test_a_rebuild_of_state_that_follows_makes_the_same_state(warehouse_database, monkeypatch):
    monkeypatch.setattr(folding, "STRETCH", 7)
    monkeypatch.setattr(running, "CLOSE", 3)
    feed = Feed()
    with worker(warehouse_database) as it:
        for n in range(1, 30):
            it.bring(_change(feed, (ORDERS, "c", None, {**ROW, "id": n, "note": "tab\t\\N\n" * (n % 3)}), (FILLS, "c", None, {**FILL, "quantity": n % 4})))
        it.bring(_change(feed, (ORDERS, "t", None, None)))
        for n in range(5, 12):
            it.bring(_change(feed, (ORDERS, "c", None, {**ROW, "id": n, "price": None})))
        it.bring(_change(feed, (ORDERS, "d", {**ROW, "id": 6, "price": None}, None), (FILLS, "d", {**FILL, "quantity": 2}, None)))
        it.bring(_change(feed, (FILLS, "u", {**FILL, "quantity": 3}, {**FILL, "secret": "other"})))
        for table in ("orders", "fills"):
            before = _held(warehouse_database, table)
            done = rebuild(warehouse_database.admin_dsn, "trading", f"public.{table}")
            assert _held(warehouse_database, table) == before
            assert (done.code, done.as_text) == (None, ())
    assert query(warehouse_database.admin_dsn, "SELECT count(*) FROM pipeline.rebuild") == [(0,)]
    assert verify(log(warehouse_database)) == []


def test_a_dropped_column_is_gone_after_the_rebuild_and_the_table_follows_again(warehouse_database):
    feed = Feed()
    with worker(warehouse_database) as it:
        it.bring(_change(feed, (ORDERS, "c", None, ROW), (ORDERS, "c", None, {**ROW, "id": 2})))
        it.bring(_change(feed, (NARROW, "u", _cut(ROW), {**_cut(ROW), "price": "7"})))
        assert _suspension(warehouse_database) == "column-gone"
        assert rebuild(warehouse_database.admin_dsn, "trading", "public.orders").code == "column-gone"
        late = _change(feed, (NARROW, "c", None, {**_cut(ROW), "id": 3}))
        with pytest.raises(Fenced):  # a batch made for the old table writes nothing
            it.bring(late)
    with worker(warehouse_database) as it:
        assert it.projections.suspended == {}
        it.bring(late)
    assert query(warehouse_database.auditor_dsn, "SELECT id, price::text FROM trading.orders ORDER BY 1") == [(1, "7"), (2, "1.5"), (3, "1.5")]
    assert [name for name, _, _ in _held(warehouse_database)[0] if name in {"note", "pin"}] == []
    assert verify(log(warehouse_database)) == []


def test_a_column_that_came_back_shows_nothing_of_the_dropped_one(warehouse_database):
    feed = Feed()
    again = NARROW.with_column(Column("note"))
    with worker(warehouse_database) as it:
        it.bring(_change(feed, (ORDERS, "c", None, ROW), (ORDERS, "c", None, {**ROW, "id": 2})))
        it.bring(_change(feed, (NARROW, "c", None, {**_cut(ROW), "id": 3})))
        it.bring(_change(feed, (again, "c", None, {**_cut(ROW), "id": 4, "note": "new"})))
    rebuild(warehouse_database.admin_dsn, "trading", "public.orders")
    assert query(warehouse_database.auditor_dsn, "SELECT id, note IS NULL FROM trading.orders ORDER BY 1") == [(1, True), (2, True), (3, True), (4, False)]


RETYPED = {
    "narrower and they fit": (Column("price", "INT4", "int32"), "5", 6, "integer", ()),
    "narrower and they do not": (Column("price", "INT4", "int32"), "1.5", 6, "text", ("price",)),
    "to text": (Column("price", "TEXT"), "1.50", "x", "text", ()),
    "to a date": (Column("price", "DATE", "io.debezium.time.IsoDate"), "1.5", "2026-01-02Z", "text", ("price",)),
    "to bytes": (Column("price", "BYTEA", "bytes"), "1", "AAE=", "text", ("price",)),
}


@pytest.mark.parametrize("case", RETYPED)
def test_a_retyped_column_holds_its_old_values_or_text(warehouse_database, case):
    column, was, now, kind, as_text = RETYPED[case]
    other = Table("public", "orders", (*ORDERS.columns[:2], column, *ORDERS.columns[3:]), ("id",))
    feed = Feed()
    with worker(warehouse_database) as it:
        it.bring(_change(feed, (ORDERS, "c", None, {**ROW, "price": was})))
        it.bring(_change(feed, (other, "c", None, {**ROW, "id": 2, "price": now})))
        assert _suspension(warehouse_database) == "column-changed"
    assert rebuild(warehouse_database.admin_dsn, "trading", "public.orders").as_text == as_text
    assert ("price", kind, False) in _held(warehouse_database)[0]
    assert query(warehouse_database.auditor_dsn, "SELECT price::text FROM trading.orders WHERE id = 1") == [(was,)]
    with worker(warehouse_database) as it:  # and it follows, whatever the column is
        it.bring(_change(feed, (other, "c", None, {**ROW, "id": 3, "price": now})))
        assert it.projections.suspended == {}
    assert query(warehouse_database.auditor_dsn, "SELECT count(*) FROM trading.orders") == [(3,)]


def test_only_what_rows_have_now_must_fit(warehouse_database, monkeypatch):
    monkeypatch.setattr(folding, "STRETCH", 1)
    monkeypatch.setattr(running, "CLOSE", 0)
    other = Table("public", "orders", (*ORDERS.columns[:2], Column("price", "INT4", "int32"), *ORDERS.columns[3:]), ("id",))
    feed = Feed()
    with worker(warehouse_database) as it:
        it.bring(_change(feed, (ORDERS, "c", None, {**ROW, "price": "5000000000.5"})))
        it.bring(_change(feed, (ORDERS, "u", {**ROW, "price": "5000000000.5"}, {**ROW, "price": "5"})))
        it.bring(_change(feed, (other, "c", None, {**ROW, "id": 2, "price": 6})))
    assert rebuild(warehouse_database.admin_dsn, "trading", "public.orders").as_text == ()
    assert ("price", "integer", False) in _held(warehouse_database)[0]
    assert query(warehouse_database.auditor_dsn, "SELECT price FROM trading.orders ORDER BY 1") == [(5,), (6,)]


WIDENED = [("INT4", "int32", "INT8", "int64", "bigint"), ("INT2", "int16", "NUMERIC", "string", "numeric"), ("INT8", "int64", "NUMERIC", "string", "numeric")]


@pytest.mark.parametrize(("was", "was_wire", "now", "now_wire", "kind"), WIDENED)
def test_a_number_that_becomes_a_wider_one_is_followed(warehouse_database, was, was_wire, now, now_wire, kind):
    narrow, wide = (
        Table("public", "orders", (*ORDERS.columns[:2], Column("price", name, wire), *ORDERS.columns[3:]), ("id",))
        for name, wire in ((was, was_wire), (now, now_wire))
    )
    large = 2**40 if now == "INT8" else "123456789012345678901234567890.5"
    feed = Feed()
    with worker(warehouse_database) as it:
        it.bring(_change(feed, (narrow, "c", None, {**ROW, "price": 5})))
        it.bring(_change(feed, (wide, "c", None, {**ROW, "id": 2, "price": large})))
        assert it.projections.suspended == {}
        it.bring(_change(feed, (wide, "c", None, {**ROW, "id": 3, "price": large})))
    assert ("price", kind, False) in _held(warehouse_database)[0]
    assert query(warehouse_database.auditor_dsn, "SELECT price::text FROM trading.orders ORDER BY id") == [("5",), (str(large),), (str(large),)]
    before = _held(warehouse_database)
    rebuild(warehouse_database.admin_dsn, "trading", "public.orders")
    assert _held(warehouse_database) == before


def test_a_view_of_somebodys_on_a_column_that_is_widened_suspends_instead_of_stopping(warehouse_database):
    narrow, wide = (
        Table("public", "orders", (*ORDERS.columns[:2], Column("price", *kind), *ORDERS.columns[3:]), ("id",))
        for kind in (("INT4", "int32"), ("INT8", "int64"))
    )
    feed = Feed()
    with worker(warehouse_database) as it:
        it.bring(_change(feed, (narrow, "c", None, {**ROW, "price": 5})))
        query(warehouse_database.admin_dsn, "CREATE VIEW public.mine AS SELECT price FROM trading.orders")
        it.bring(_change(feed, (wide, "c", None, {**ROW, "id": 2, "price": 6})))
    assert _suspension(warehouse_database) == "column-changed"
    with pytest.raises(Conflict, match="view of yours"):
        rebuild(warehouse_database.admin_dsn, "trading", "public.orders")
    query(warehouse_database.admin_dsn, "DROP VIEW public.mine")
    rebuild(warehouse_database.admin_dsn, "trading", "public.orders")
    assert query(warehouse_database.auditor_dsn, "SELECT price FROM trading.orders ORDER BY 1") == [(5,), (6,)]


def _plan(protect: str) -> policy.Policy:
    return policy.parse(f"source: trading\ntables:\n  public.orders:\n    columns: {{id: clear, owner: clear, price: {protect}, note: clear, pin: clear}}\n")


def test_a_column_that_is_protected_otherwise_keeps_what_history_has(warehouse_database):
    feed = Feed()
    with worker(warehouse_database, _plan("clear")) as it:
        it.bring(_change(feed, (ORDERS, "c", None, ROW)))
    with worker(warehouse_database, _plan("seal")) as it:
        it.bring(_change(feed, (ORDERS, "c", None, {**ROW, "id": 2})))
        assert _suspension(warehouse_database) == "column-changed"
    assert rebuild(warehouse_database.admin_dsn, "trading", "public.orders").as_text == ("price",)
    (first,), (second,) = query(warehouse_database.auditor_dsn, "SELECT price FROM trading.orders ORDER BY id")
    assert first == "1.5"
    assert second.startswith("\\x01")


def test_a_protection_that_changes_after_a_failed_first_batch_decides_the_type(warehouse_database):
    feed = Feed()
    records = _change(feed, (ORDERS, "c", None, ROW))
    with worker(warehouse_database, _plan("seal")) as it:
        it.prepare(records)  # its state table is made; the batch never commits
    with worker(warehouse_database, _plan("clear")) as it:
        it.bring(records)
        assert it.projections.suspended == {}
    assert query(warehouse_database.auditor_dsn, "SELECT price::text FROM trading.orders") == [("1.5",)]
    assert ("price", "numeric", False) in _held(warehouse_database)[0]


class _KilledError(Exception):
    pass


@pytest.mark.parametrize("place", ["fold", "swap", "commit"])
def test_a_rebuild_that_dies_goes_on_where_it_was(warehouse_database, monkeypatch, place):
    monkeypatch.setattr(folding, "STRETCH", 5)
    monkeypatch.setattr(running, "CLOSE", 0)
    feed = Feed()
    with worker(warehouse_database) as it:
        for n in range(1, 20):
            it.bring(_change(feed, (ORDERS, "c", None, {**ROW, "id": n})))
        it.bring(_change(feed, (NARROW, "c", None, {**_cut(ROW), "id": 30})))
    seen: list[str] = []

    def die(step: str) -> None:
        seen.append(step)
        if step == place and seen.count(step) == (3 if place == "fold" else 1):
            raise _KilledError

    before = _held(warehouse_database)
    with pytest.raises(_KilledError):
        rebuild(warehouse_database.admin_dsn, "trading", "public.orders", observe=die)
    assert _held(warehouse_database) == before
    assert _suspension(warehouse_database) == "column-gone"
    ((through,),) = query(warehouse_database.admin_dsn, "SELECT through FROM pipeline.rebuild")
    assert through >= 9
    told: list[int] = []
    rebuild(warehouse_database.admin_dsn, "trading", "public.orders", told=lambda done, _: told.append(done))
    assert all(done > through for done in told)
    assert query(warehouse_database.auditor_dsn, "SELECT count(*) FROM trading.orders") == [(20,)]
    assert query(warehouse_database.admin_dsn, "SELECT count(*) FROM pg_tables WHERE tablename LIKE 'rebuild%'") == [(1,)]


def test_changes_that_arrive_while_it_folds_are_in_it(warehouse_database, monkeypatch):
    """A worker goes on between any two steps; what it commits is in the new table once."""
    monkeypatch.setattr(folding, "STRETCH", 3)
    monkeypatch.setattr(running, "CLOSE", 2)
    feed = Feed()
    it = WarehouseWorker(warehouse_database)
    for n in range(1, 10):
        it.bring(_change(feed, (ORDERS, "c", None, {**ROW, "id": n})))
    it.bring(_change(feed, (NARROW, "c", None, {**_cut(ROW), "id": 30})))
    left = list(range(31, 45))
    now = [_cut(ROW)]

    def more(step: str) -> None:
        if step in {"fold", "swap"} and left:
            now.append({**_cut(ROW), "price": str(len(left))})
            it.bring(_change(feed, (NARROW, "c", None, {**_cut(ROW), "id": left.pop(0)}), (NARROW, "u", now[-2], now[-1])))

    rebuild(warehouse_database.admin_dsn, "trading", "public.orders", observe=more)
    it.close()
    newest = query(warehouse_database.admin_dsn, "SELECT DISTINCT ON (row_key) row_key, version, seq FROM audit.entry WHERE table_name = 'public.orders' AND kind = 'change' ORDER BY row_key, seq DESC")
    assert query(warehouse_database.admin_dsn, "SELECT _key, _version, _seq FROM trading_state.orders ORDER BY _key") == sorted(newest)
    assert len(newest) > 11
    assert verify(log(warehouse_database)) == []


def test_a_version_that_arrives_while_it_folds_begins_it_anew(warehouse_database):
    feed = Feed()
    with worker(warehouse_database) as it:
        it.bring(_change(feed, (ORDERS, "c", None, ROW)))
        it.bring(_change(feed, (NARROW, "c", None, {**_cut(ROW), "id": 2})))
        wider = NARROW.with_column(Column("extra"))
        pending = [_change(feed, (wider, "c", None, {**_cut(ROW), "id": 3, "extra": "x"}))]

        def more(step: str) -> None:
            if step == "swap" and pending:
                it.bring(pending.pop())

        rebuild(warehouse_database.admin_dsn, "trading", "public.orders", observe=more)
    assert query(warehouse_database.auditor_dsn, "SELECT id, extra FROM trading.orders ORDER BY 1") == [(1, None), (2, None), (3, "x")]


def test_a_reader_of_the_old_state_is_waited_for(warehouse_database):
    feed = Feed()
    with worker(warehouse_database) as it:
        it.bring(_change(feed, (ORDERS, "c", None, ROW)))
        it.bring(_change(feed, (NARROW, "c", None, {**_cut(ROW), "id": 2})))
    reader = psycopg2.connect(warehouse_database.auditor_dsn)
    reader.cursor().execute("SELECT * FROM trading.orders")
    tried = threading.Event()
    swaps: list[str] = []

    def seen(step: str) -> None:
        if step == "swap":
            swaps.append(step)
            if len(swaps) == 2:
                reader.rollback()
                tried.set()

    rebuild(warehouse_database.admin_dsn, "trading", "public.orders", observe=seen)
    assert tried.is_set()
    reader.close()


def test_two_rebuilds_of_one_table_exclude_each_other(warehouse_database):
    feed = Feed()
    with worker(warehouse_database) as it:
        it.bring(_change(feed, (ORDERS, "c", None, ROW)))

    def second(step: str) -> None:
        if step == "begin":
            with pytest.raises(Conflict, match="somebody else"):
                rebuild(warehouse_database.admin_dsn, "trading", "public.orders")

    rebuild(warehouse_database.admin_dsn, "trading", "public.orders", observe=second)
    with pytest.raises(NotFound):
        rebuild(warehouse_database.admin_dsn, "trading", "public.nothing")


def test_a_rebuild_is_in_the_operations_log(warehouse_database):
    feed = Feed()
    with worker(warehouse_database) as it:
        it.bring(_change(feed, (ORDERS, "c", None, ROW)))
    rebuild(warehouse_database.admin_dsn, "trading", "public.orders")
    ((entry,),) = query(warehouse_database.auditor_dsn, "SELECT entry FROM audit.entry WHERE log = 'operations' AND entry LIKE '%state-rebuilt%'")
    assert '"table":"public.orders"' in entry
    assert '"through":"1"' in entry


def _verified(database):
    with open_snapshot(database.auditor_dsn) as snapshot:
        reports = verification.verify(snapshot, ["trading"], [], 50, lambda _log, _entries: None).logs
    return [finding for report in reports for finding in report.findings]


@pytest.mark.parametrize("table", ["orders", "fills"], ids=["key", "no key"])
def test_verification_holds_for_a_rebuilt_table_and_sees_a_forged_one(warehouse_database, table):
    source = ORDERS if table == "orders" else FILLS
    first = ROW if table == "orders" else FILL
    kept = [column.name for column in source.columns if column.name not in {"note", "secret"}]
    fewer = Table("public", table, tuple(column for column in source.columns if column.name in kept), source.key)
    cut = {name: first[name] for name in kept}
    number = "id" if table == "orders" else "quantity"
    feed = Feed()
    with worker(warehouse_database) as it:
        it.bring(_change(feed, (source, "c", None, first), (source, "c", None, {**first, number: 2}), (source, "c", None, {**first, number: 3})))
        it.bring(_change(feed, (fewer, "c", None, {**cut, number: 4})))
    assert _suspension(warehouse_database, f"public.{table}") == "column-gone"
    assert _verified(warehouse_database) == []
    rebuild(warehouse_database.admin_dsn, "trading", f"public.{table}")
    with worker(warehouse_database) as it:  # rows from before the change are found again under their columns of today
        it.bring(_change(feed, (fewer, "d", {**cut, number: 2}, None), (fewer, "u", {**cut, number: 3}, {**cut, number: 3, kept[2 if table == "orders" else 0]: "9"})))
    assert query(warehouse_database.auditor_dsn, f"SELECT {number} FROM trading.{table} ORDER BY 1") == [(1,), (3,), (4,)]
    assert _verified(warehouse_database) == []
    query(warehouse_database.admin_dsn, f"UPDATE trading_state.{table} SET {number} = 77 WHERE _seq = (SELECT min(_seq) FROM trading_state.{table})")
    assert [finding.check for finding in _verified(warehouse_database)] == ["state"]


def test_verification_knows_a_column_that_came_back(warehouse_database):
    test_a_column_that_came_back_shows_nothing_of_the_dropped_one(warehouse_database)
    assert _verified(warehouse_database) == []


def test_rows_without_a_key_that_got_a_default_are_not_shown_twice(warehouse_database):
    """The default is in no row change: the row as it was before is never taken away."""
    wider = FILLS.with_column(Column("d"))
    now = {**FILL, "quantity": 2, "d": "x"}
    feed = Feed()
    feed.notify("STARTED")
    feed.snapshot(FILLS, [FILL, {**FILL, "symbol": "B"}])
    feed.notify("COMPLETED")
    with worker(warehouse_database) as it:
        it.bring(feed.records)
        it.projections.suspended["public.fills"] = ("state-diverged", "as the writer does")
        it.bring(_change(feed, (wider, "u", {**FILL, "d": "x"}, now)))
        with pytest.raises(Conflict, match=r"1 rows of public\.fills, which has no key, would show twice") as refused:
            rebuild(warehouse_database.admin_dsn, "trading", "public.fills")
        assert "cdc stream rebaseline trading public.fills" in str(refused.value.hint)
        read = len(feed.records)
        feed.notify("STARTED")
        feed.snapshot(wider, [now, {**FILL, "symbol": "B", "d": "x"}])
        feed.notify("COMPLETED")
        it.bring(feed.records[read:])
    rebuild(warehouse_database.admin_dsn, "trading", "public.fills")
    assert _suspension(warehouse_database, "public.fills") is None
    assert query(warehouse_database.auditor_dsn, "SELECT symbol, quantity FROM trading.fills ORDER BY 1") == [("A", 2), ("B", 1)]


def test_a_column_that_came_back_to_a_table_without_a_key_is_refused(warehouse_database):
    fewer = Table("public", "fills", FILLS.columns[:2])
    feed = Feed()
    with worker(warehouse_database) as it:
        it.bring(_change(feed, (FILLS, "c", None, FILL)))
        it.bring(_change(feed, (fewer, "c", None, {"symbol": "B", "quantity": 1})))
        it.bring(_change(feed, (FILLS, "c", None, {**FILL, "symbol": "C"})))
    with pytest.raises(Conflict, match="came back"):
        rebuild(warehouse_database.admin_dsn, "trading", "public.fills")


@pytest.mark.parametrize("seed", range(3))
def test_the_fold_of_any_life_is_what_the_worker_made_of_it(warehouse_database, monkeypatch, seed):
    """Rows that a truncate hid count copies by how batches were cut, so those are left out (docs/auditors.md)."""
    monkeypatch.setattr(folding, "STRETCH", 11)
    monkeypatch.setattr(running, "CLOSE", 0)
    random = Random(seed)
    with worker(warehouse_database) as it:
        it.bring(History(random).grow(40).feed.records, limit=random.choice((7, 1000)))
        assert it.projections.suspended == {}
    tables = query(warehouse_database.admin_dsn, "SELECT table_name, state_name, truncated_through FROM pipeline.state_table")
    assert len(tables) > 2
    for table, name, truncated in tables:
        quoted = '"' + name.replace('"', '""') + '"'
        shown = f" WHERE _seq > {truncated} OR to_jsonb(t) ? '_deleted'"
        before = _held(warehouse_database, quoted, shown)
        rebuild(warehouse_database.admin_dsn, "trading", table)
        assert _held(warehouse_database, quoted, shown) == before
        assert query(warehouse_database.admin_dsn, "SELECT truncated_through FROM pipeline.state_table WHERE table_name = %s", table) == [(truncated,)]
    assert _verified(warehouse_database) == []

"""One row waits for a record in quarantine; the other rows of its table go on, and it goes on itself when that is resolved."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from cdc.errors import Conflict
from cdc.warehouse.commit import commit
from cdc.warehouse.rebuild import rebuild
from tests.builders import FILLS, HOLDERS, ORDERS, Column, Table
from tests.fix_stack import FreshDatabase
from tests.waiting import HOLDERS_STATE, NAME, STATE, Life, life, row, updated
from tests.warehouse import PRIVACY, everything, rebuilt_alike, verified


@pytest.fixture
def trading(warehouse_database: FreshDatabase) -> Iterator[Life]:
    with life(warehouse_database) as it:
        yield it


def test_the_other_rows_go_on_and_a_replay_with_a_later_change(trading: Life) -> None:
    trading.begin(1, 2, 3)
    trading.does(updated(1, "1.50", "2"), updated(2, "1.50", "2"))
    trading.does(updated(1, "2", "3"), updated(2, "2", "3"), unread=(0,))
    trading.bring()
    ((name, key, since, unread),) = trading.waits()
    assert (name, key, unread) == (NAME, '["1"]', [since])
    trading.whole()
    trading.take_over()  # a new owner knows it, too
    trading.does(updated(1, "3", "4"), updated(2, "3", "4"), updated(3, "1.50", "9"))
    trading.bring()
    assert (trading.state(1), trading.state(2)) == (("2", "2", "False"), ("4", "4", "False"))
    assert trading.shown() == [(1, "2"), (2, "4"), (3, "9")]
    assert trading.suspended() == []
    trading.whole()
    assert trading.resolve("replayed", *trading.open()) == [None]
    assert trading.waits() == []
    assert trading.state(1) == ("3", "4", "False")  # the later change; the replay is recorded, and not applied
    trading.does(updated(1, "4", "5"))
    trading.bring()
    assert trading.state(1) == ("4", "5", "False")
    trading.whole()


def test_a_replay_without_a_later_change_and_a_dismissal(trading: Life) -> None:
    trading.begin(1, 2, 3)
    trading.does(updated(1, "1.50", "2"), updated(2, "1.50", "2"), updated(3, "1.50", "2"), unread=(0, 1, 2))
    trading.bring()
    first, second, third = trading.open()
    assert trading.resolve("replayed", first) == [None]
    assert trading.resolve("dismissed", second) == [None]
    assert trading.shown() == [(1, "2"), (2, "1.50"), (3, "1.50")]
    assert [wait[1] for wait in trading.waits()] == ['["3"]']
    trading.does(updated(2, "2", "7"), updated(1, "2", "8"), updated(3, "2", "9"))
    trading.bring()
    assert trading.shown() == [(1, "8"), (2, "7"), (3, "1.50")]
    trading.whole()
    assert trading.resolve("dismissed", third) == [None]
    assert trading.shown() == [(1, "8"), (2, "7"), (3, "9")]
    trading.whole()
    rebuilt_alike(trading.database, NAME, STATE)


def test_several_records_of_one_row(trading: Life) -> None:
    """It waits until nothing of it is in quarantine, in whatever order that comes about."""
    trading.begin(1, 2)
    trading.does(updated(1, "1.50", "2"), unread=(0,))
    trading.does(updated(1, "2", "3"))
    trading.does(updated(1, "3", "4"), unread=(0,))
    trading.bring()
    first, second = trading.open()
    ((_, _, since, unread),) = trading.waits()
    assert (since, unread) == (first, [first, second])
    assert trading.resolve("replayed", second) == [None]
    assert trading.state(1) == ("1", "1.50", "False")
    trading.whole()
    trading.does(updated(2, "1.50", "6"))
    trading.bring()
    assert trading.resolve("replayed", first) == [None]
    assert trading.state(1) == ("3", "4", "False")
    trading.whole()


def test_an_insert_and_a_delete_with_its_tombstone(trading: Life) -> None:
    trading.begin(1, 2)
    trading.does((ORDERS, "c", None, row(5)), (ORDERS, "d", row(1), None), unread=(0, 1))
    trading.does((ORDERS, "u", row(5), row(5, price="6")))
    trading.bring()
    inserted, deleted, tombstone = trading.open()
    assert trading.state(5) is None
    assert trading.shown() == [(1, "1.50"), (2, "1.50")]
    assert [(wait[1], wait[3]) for wait in trading.waits()] == [('["5"]', [inserted]), ('["1"]', [deleted, tombstone])]
    trading.whole()
    assert trading.resolve("dismissed", tombstone) == [None]
    assert trading.resolve("replayed", deleted) == [None]
    assert trading.resolve("replayed", inserted) == [None]
    assert trading.state(1) == ("2", "None", "True")
    assert trading.shown() == [(2, "1.50"), (5, "6")]
    assert trading.waits() == []
    trading.whole()


def test_a_truncate_ends_it(trading: Life) -> None:
    trading.begin(1, 2)
    trading.does(updated(1, "1.50", "2"), unread=(0,))
    trading.does(updated(1, "2", "3"))
    trading.bring()
    trading.feed.begin()
    trading.feed.truncate(ORDERS)
    trading.feed.end()
    trading.does((ORDERS, "c", None, row(1, price="8")), (ORDERS, "c", None, row(4)))
    trading.bring()
    assert trading.waits() == []
    assert trading.shown() == [(1, "8"), (4, "1.50")]
    trading.whole()
    rebuilt_alike(trading.database, NAME, STATE)  # nothing of state hangs on the record any more
    trading.take_over()
    # Within one batch, and again behind it.
    trading.does(updated(1, "8", "9"), unread=(0,))
    trading.does(updated(1, "9", "10"))
    trading.feed.begin()
    trading.feed.truncate(ORDERS)
    trading.feed.end()
    trading.does((ORDERS, "c", None, row(1, price="20")))
    trading.does(updated(1, "20", "21"), unread=(0,))
    trading.does(updated(1, "21", "22"), (ORDERS, "c", None, row(9)))
    trading.bring()
    assert trading.shown() == [(1, "20"), (9, "1.50")]
    assert len(trading.waits()) == 1
    trading.whole()
    assert trading.resolve("replayed", *trading.open()) == [None] * 3
    assert trading.shown() == [(1, "22"), (9, "1.50")]
    assert trading.waits() == []
    trading.whole()


def test_a_truncated_row_that_is_never_written_again(trading: Life) -> None:
    """Its versions go on from where the log has them."""
    trading.begin(1, 2)
    trading.does(updated(1, "1.50", "2"), unread=(0,))
    trading.does(updated(1, "2", "3"))
    trading.bring()
    trading.feed.begin()
    trading.feed.truncate(ORDERS)
    trading.feed.end()
    trading.bring()
    trading.whole()
    trading.take_over()
    trading.does((ORDERS, "c", None, row(1)))
    trading.bring()
    assert trading.state(1) == ("3", "1.50", "False")
    trading.whole()


def test_a_key_change_of_a_row_that_waits(trading: Life) -> None:
    """With a token in the key: the row of the old key waits, that of the new one does not."""
    ann, bo = ({"email": name, "no": 1, "v": "x"} for name in ("ann@example.com", "bo@example.com"))
    trading.begin(table=HOLDERS, rows=[ann])
    trading.does((HOLDERS, "u", ann, {**ann, "v": "y"}), unread=(0,))
    trading.feed.begin()
    trading.feed.change_key(HOLDERS, {**ann, "v": "y"}, bo)
    trading.feed.end()
    trading.bring()
    shown = f"SELECT v, _deleted, _version FROM {HOLDERS_STATE} ORDER BY _seq"
    assert trading.query(shown) == [("x", False, 1), ("x", False, 1)]
    ((_, key, _, _),) = trading.waits()
    assert "tok_" in key
    trading.whole()
    assert trading.resolve("replayed", *trading.open()) == [None]
    assert trading.query(shown) == [(None, True, 2), ("x", False, 1)]
    trading.whole()
    # The halves themselves.
    at = len(trading.feed.records)
    trading.feed.begin()
    trading.feed.change_key(HOLDERS, bo, {**ann, "v": "z"})
    trading.feed.end()
    trading.unreadable.update(record.offset for record in trading.feed.records[at:] if record.headers)
    trading.bring()
    assert len(trading.waits()) == 2
    trading.whole()
    unread = trading.open()
    assert trading.resolve("dismissed", unread[1]) == [None]  # the tombstone
    assert trading.resolve("replayed", unread[0], unread[2]) == [None, None]
    assert trading.query(f"SELECT v, _deleted FROM {HOLDERS_STATE} ORDER BY _key, _seq").count(("z", False)) == 1
    assert trading.waits() == []
    trading.whole()


def test_a_rebuild_while_rows_wait(trading: Life) -> None:
    trading.begin(1, 2, 3)
    trading.does(updated(1, "1.50", "2"), (ORDERS, "c", None, row(7)), unread=(0, 1))
    trading.does(updated(1, "2", "3"), updated(2, "1.50", "4"), (ORDERS, "u", row(7), row(7, price="6")))
    trading.bring()
    before = trading.shown()
    assert before == [(1, "1.50"), (2, "4"), (3, "1.50")]
    rebuild(trading.database.admin_dsn, "trading", NAME)
    assert trading.shown() == before
    assert len(trading.waits()) == 2
    trading.whole()
    trading.take_over()
    # The table is suspended while they wait, and what they wait for is resolved then.
    narrower = Table(ORDERS.schema, ORDERS.name, ORDERS.columns[:3], ORDERS.key)
    was = {"id": 3, "owner": "o", "price": "1.50"}
    trading.does((narrower, "u", was, {**was, "price": "5"}))
    trading.bring()
    assert trading.suspended() == [NAME]
    first, second = trading.open()
    trading.whole()
    assert trading.resolve("replayed", first) == [None]
    assert [wait[3] for wait in trading.waits()] == [[], [second]]
    assert trading.state(1) == ("1", "1.50", "False")
    trading.whole()
    rebuild(trading.database.admin_dsn, "trading", NAME)
    assert trading.shown() == [(1, "3"), (2, "4"), (3, "5")]
    trading.whole()
    trading.take_over()
    assert trading.resolve("dismissed", second) == [None]
    assert trading.shown() == [(1, "3"), (2, "4"), (3, "5"), (7, "6")]
    assert trading.waits() == []
    trading.whole()


def test_a_truncate_while_its_table_is_suspended(trading: Life) -> None:
    """The rebuild ends what waited before it, and nothing else."""
    trading.begin(1, 2)
    trading.does(updated(1, "1.50", "2"), updated(2, "1.50", "2"), unread=(0, 1))
    narrower = Table(ORDERS.schema, ORDERS.name, ORDERS.columns[:3], ORDERS.key)
    trading.does((narrower, "c", None, {"id": 3, "owner": "o", "price": "1"}))
    trading.feed.begin()
    trading.feed.truncate(narrower)
    trading.feed.end()
    first = {"id": 1, "owner": "o", "price": "7"}
    trading.does((narrower, "c", None, first), (narrower, "c", None, {**first, "id": 2}))
    trading.does((narrower, "u", first, {**first, "price": "8"}), unread=(0,))
    trading.does((narrower, "u", {**first, "price": "8"}, {**first, "price": "9"}))
    trading.bring()
    trading.whole()
    unread = trading.open()
    assert [wait[3] for wait in trading.waits()] == [[unread[0], unread[2]], [unread[1]]]
    rebuild(trading.database.admin_dsn, "trading", NAME)
    assert [wait[1:] for wait in trading.waits()] == [('["1"]', unread[2], [unread[2]])]
    assert trading.shown() == [(1, "7"), (2, "7")]
    trading.whole()
    trading.take_over()
    assert trading.resolve("replayed", *unread) == [None] * 3
    assert trading.shown() == [(1, "9"), (2, "7")]
    assert trading.waits() == []
    trading.whole()


def test_a_record_of_an_older_version_of_its_table(trading: Life) -> None:
    """Columns that came since do not matter to it; a column that it brings itself is made."""
    wider = ORDERS.with_column(Column("extra"))
    trading.begin(1, 2)
    trading.does(updated(1, "1.50", "2"), unread=(0,))
    trading.does((wider, "u", row(2, extra=None), row(2, price="3", extra="e")))
    trading.bring()
    assert trading.resolve("replayed", *trading.open()) == [None]
    assert trading.state(1, "_version", "price", "extra") == ("2", "2", "None")
    assert trading.suspended() == []
    trading.whole()
    widest = wider.with_column(Column("later"))
    trading.does((widest, "u", row(1, price="2", extra=None, later=None), row(1, price="4", extra="f", later="l")), unread=(0,))
    trading.does((wider, "u", row(2, price="3", extra="e"), row(2, price="5", extra="e")))
    trading.bring()
    assert trading.resolve("replayed", *trading.open()) == [None]
    assert trading.state(1, "_version", "price", "extra", "later is not null") == ("3", "4", "f", "True")
    trading.whole()


def test_what_the_source_did_not_send(trading: Life) -> None:
    """A row that goes on shows of such a column what its newest version before has."""
    trading.begin(1)
    unsent = "__debezium_unavailable_value"
    trading.does((ORDERS, "u", None, row(1, price="2", owner="p")))
    trading.does(updated(1, "2", "3"), unread=(0,))
    trading.does((ORDERS, "u", None, row(1, price=unsent, owner="q")), (ORDERS, "u", None, row(1, price=unsent, owner="r")))
    trading.bring()
    assert trading.state(1) == ("2", "2", "False")
    assert trading.resolve("dismissed", *trading.open()) == [None]
    assert trading.state(1) == ("4", "2", "False")
    trading.whole()


def test_a_value_that_its_column_cannot_hold_when_it_goes_on(trading: Life) -> None:
    """Then the whole table is suspended, as ever, and the stream goes on."""
    trading.begin(1, 2)
    trading.does(updated(1, "1.50", "2"), unread=(0,))
    trading.does(updated(1, "2", "1e200000"))
    trading.bring()
    trading.whole()
    assert trading.resolve("dismissed", *trading.open()) == [None]
    assert trading.suspended() == [NAME]
    assert trading.state(1) == ("1", "1.50", "False")
    trading.whole()
    rebuild(trading.database.admin_dsn, "trading", NAME)
    assert trading.state(1) == ("2", "1e200000", "False")
    assert trading.waits() == []
    assert verified(trading.database) == [f"column price of {NAME}: no rule for its type"]


def test_a_resnapshot_does_not_touch_it(trading: Life) -> None:
    trading.begin(1, 2, 3)
    trading.does(updated(1, "1.50", "2"), (ORDERS, "d", row(2), None), unread=(0, 1))
    trading.bring()
    trading.feed.notify("STARTED")
    trading.feed.snapshot(ORDERS, [row(1, price="2"), row(3)])
    trading.feed.notify("COMPLETED")
    trading.bring()
    assert trading.shown() == [(1, "1.50"), (2, "1.50"), (3, "1.50")]
    trading.whole()
    for seq in trading.open():
        assert trading.resolve("dismissed", seq) == [None]
    assert trading.shown() == [(1, "2"), (3, "1.50")]
    trading.whole()
    rebuilt_alike(trading.database, NAME, STATE)


TICKS = Table("public", "ticks", (Column("day", "DATE", semantic="io.debezium.time.IsoDate", optional=False), Column("v")), ("day",))
CODES = Table("public", "codes", (Column("code"), Column("v")), ("code",))
OWNED = Table("public", "orders", ORDERS.columns, ("owner",))


WIDER = Table("public", "orders", (Column("id", "NUMERIC", optional=False), *ORDERS.columns[1:]), ("id",))


def cut_off(trading: Life, table: Table, image: dict) -> None:
    """A transaction of one row, of whose record the end is missing; its Kafka key is whole."""
    trading.does((table, "c", None, image))
    trading.feed.records[-2] = replace(trading.feed.records[-2], value=trading.feed.records[-2].value[:-40])


@pytest.mark.parametrize(
    ("table", "good", "bad"),
    [
        (TICKS, {"day": "2024-01-01Z", "v": "x"}, {"day": "2024-01-02Z", "v": "x"}),
        (CODES, {"code": "a", "v": "x"}, {"code": "b", "v": "x"}),
        (FILLS, {"symbol": "A", "quantity": 1, "secret": "s"}, {"symbol": "B", "quantity": 1, "secret": "s"}),
    ],
    ids=["a date in the key", "an optional key column", "no key"],
)
@pytest.mark.parametrize("owner", ["the same", "another"])
def test_the_whole_table_waits_where_the_row_cannot_be_told(trading: Life, table: Table, good: dict, bad: dict, owner: str) -> None:
    trading.begin(table=table, rows=[good])
    if owner == "another":
        trading.take_over()
    cut_off(trading, table, bad)
    trading.does((table, "c", None, bad))
    trading.bring()
    name = f"public.{table.name}"
    assert trading.waits() == []
    assert trading.suspended() == [name]
    trading.whole()
    with pytest.raises(Conflict, match="are in quarantine"):
        rebuild(trading.database.admin_dsn, "trading", name)


def test_a_new_owner_that_meets_the_bad_record_first(trading: Life) -> None:
    """It has seen no record of the table, but what the key of its rows is stands in the warehouse: the row waits alone."""
    ann, bo = ({"email": name, "no": 1, "v": "x"} for name in ("ann@example.com", "bo@example.com"))
    trading.begin(1, 2, 3)
    trading.feed.snapshot(HOLDERS, [ann, bo])
    trading.bring()
    trading.take_over()
    cut_off(trading, ORDERS, row(1))
    trading.does((HOLDERS, "u", ann, {**ann, "v": "y"}), unread=(0,))
    trading.does(updated(2, "1.50", "2"), (HOLDERS, "u", bo, {**bo, "v": "z"}))
    trading.does(updated(1, "1.50", "7"), (ORDERS, "c", None, row(4)))
    trading.bring()
    assert [wait[0] for wait in trading.waits()] == [NAME, '"Back Office"."Hold""ers"']
    assert trading.suspended() == []
    assert trading.shown() == [(1, "1.50"), (2, "2"), (3, "1.50"), (4, "1.50")]
    assert sorted(trading.query(f"SELECT v FROM {HOLDERS_STATE}")) == [("x",), ("z",)]
    trading.whole()
    cut, holder = trading.open()
    assert trading.resolve("dismissed", cut) == [None]
    assert trading.resolve("replayed", holder) == [None]
    assert trading.shown() == [(1, "7"), (2, "2"), (3, "1.50"), (4, "1.50")]
    assert sorted(trading.query(f"SELECT v FROM {HOLDERS_STATE}")) == [("y",), ("z",)]
    assert trading.waits() == []
    trading.whole()


@pytest.mark.parametrize("table", [WIDER, OWNED, Table("public", "orders2", ORDERS.columns, ("id",))], ids=["another type", "another key", "no state yet"])
def test_a_new_owner_that_meets_another_key_than_state_has(trading: Life, table: Table) -> None:
    trading.begin(1, 2)
    trading.take_over()
    cut_off(trading, table, row(1))
    trading.does(updated(2, "1.50", "2"))
    trading.bring()
    assert trading.waits() == []
    assert trading.suspended() == ([NAME] if table.name == "orders" else [])  # which shows where there is a state table
    assert trading.shown() == [(1, "1.50"), (2, "1.50" if table.name == "orders" else "2")]
    trading.whole()


def test_bytes_that_are_no_row(trading: Life) -> None:
    """What was cut off in its value, with its Kafka key whole."""
    trading.begin(1, 2)
    trading.does(updated(1, "1.50", "2"), updated(2, "1.50", "2"))
    cut = trading.feed.records[-3]
    trading.feed.records[-3] = replace(cut, value=cut.value[:-40])
    trading.bring()
    assert [wait[1] for wait in trading.waits()] == ['["1"]']
    trading.whole()
    (refused,) = trading.resolve("replayed", *trading.open())
    assert "still cannot be decoded" in refused
    assert len(trading.waits()) == 1
    trading.whole()


@pytest.mark.parametrize("step", ["begin", "fence", "entries", "state", "commit"])
def test_a_commit_that_dies_leaves_nothing(trading: Life, step: str) -> None:
    trading.begin(1, 2)
    trading.does(updated(1, "1.50", "2"), updated(2, "1.50", "2"), unread=(0,))
    trading.does(updated(1, "2", "3"))
    records = trading.unsaid()
    before = everything(trading.database)

    def dies(now: str) -> None:
        if now == step:
            trading.it.connection.close()
            raise KeyboardInterrupt

    batch = trading.it.prepare(records)
    assert batch is not None
    with pytest.raises(KeyboardInterrupt):
        commit(trading.it.connection, trading.it.fence, batch, PRIVACY, dies)
    assert everything(trading.database).keys() == before.keys()
    assert trading.waits() == []
    trading.take_over()
    trading.it.worker._decoder.decode(trading.feed.records[0])  # the key's schema again
    trading.it.bring(records)
    assert [wait[1] for wait in trading.waits()] == ['["1"]']
    assert trading.shown() == [(1, "1.50"), (2, "2")]
    trading.whole()

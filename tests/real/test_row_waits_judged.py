"""Rows that wait: what verification says of lies about them, and what they come to after a life of random ones."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest

from cdc.event import Record
from cdc.warehouse.rebuild import rebuild
from tests.builders import ORDERS
from tests.fix_stack import FreshDatabase, WarehouseCluster
from tests.history import History
from tests.verified_warehouse import superuser
from tests.waiting import Life, life, row, updated
from tests.warehouse import query, verified, worker


@pytest.fixture
def trading(warehouse_database: FreshDatabase) -> Iterator[Life]:
    with life(warehouse_database) as it:
        yield it


def row_of_a_key(record: Record) -> bool:
    return record.key is not None and record.value is not None and b'.Envelope"' in record.value and b"cdc.heartbeat" not in record.value


def unread(records: list[Record], random: Random) -> Iterator[int]:
    """Offsets: what cannot be read is unreadable each time it is sent; and some copies are that could be read before."""
    seen: dict[bytes, bool] = {}
    for record in filter(row_of_a_key, records):
        value = record.value or b""
        bad = random.random() < 0.12
        if seen.setdefault(value, bad) or bad:
            yield record.offset


@pytest.mark.parametrize("seed", range(3))
def test_a_random_life(trading: Life, warehouse_cluster: WarehouseCluster, seed: int) -> None:
    """Whatever could not be read, and whenever it is replayed: in the end the rows are those of a worker that could read all."""
    random = Random(f"waiting {seed}")
    records = life = History(random).grow(25).feed.records
    trading.unreadable.update(unread(records, random))
    waited = 0
    while records:
        count = random.randrange(1, 80)
        trading.it.bring(records[:count], limit=random.choice((5, 1000)))
        records = records[count:]
        waited += len(trading.waits())
        if random.random() < 0.5 and trading.it.worker.standing.open_transaction is None:
            trading.resolve("replayed", *(seq for seq in trading.open() if random.random() < 0.4))
        if random.random() < 0.3:
            trading.take_over()
            records = [record for record in life if record.offset >= trading.it.owned.standing.next_offset]
        trading.whole()
    assert waited
    trading.resolve("replayed", *trading.open())
    for seq in trading.open():
        assert trading.resolve("dismissed", seq) == [None]  # the tombstone of a delete that could not be read
    for name in trading.suspended():
        rebuild(trading.database.admin_dsn, "trading", name)
    assert trading.waits() == []
    trading.whole()
    undisturbed = warehouse_cluster.fresh_database("undisturbed", template="warehouse")
    with worker(undisturbed) as it:
        it.bring(History(Random(f"waiting {seed}")).grow(25).feed.records)
    for view in ("orders", "fills", '"Back Office.Hold""ers"'):
        ((listed,),) = query(undisturbed.admin_dsn, "SELECT string_agg(quote_ident(attname), ', ' ORDER BY attname) FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0", f"trading.{view}")
        shown = f"SELECT ROW({listed})::text FROM trading.{view} ORDER BY 1".replace("%", "%%")
        assert query(trading.database.admin_dsn, shown) == query(undisturbed.admin_dsn, shown)
    warehouse_cluster.drop(undisturbed)


MUTATIONS = [
    ("a cell", "UPDATE trading_state.orders SET price = 77 WHERE id = 1", '["1"]', "columns that do not show"),
    ("its version", "UPDATE trading_state.orders SET _version = 2 WHERE id = 1", '["1"]', "for which it waits"),
    ("the row deleted", "DELETE FROM trading_state.orders WHERE id = 1", '["1"]', "missing from current state"),
    ("a row too early", "INSERT INTO trading_state.orders (_key, _version, _seq, _deleted, id) SELECT '[\"5\"]', 1, max(_seq), false, 5 FROM trading_state.orders", '["5"]', "no such row"),
    ("the waiting forgotten", "DELETE FROM pipeline.row_wait WHERE row_key = '[\"1\"]'", None, "neither a row nor the table waits"),
    ("another row said to wait", "UPDATE pipeline.row_wait SET row_key = '[\"2\"]' WHERE row_key = '[\"1\"]'", '["2"]', "newest entry before entry"),
    ("since another entry", "UPDATE pipeline.row_wait SET since = since + 1 WHERE row_key = '[\"1\"]'", '["1"]', "no quarantined record of its table"),
    ("for another entry", "UPDATE pipeline.row_wait SET open = ARRAY[since - 1] WHERE row_key = '[\"1\"]'", '["1"]', "not in quarantine"),
    ("for nothing", "UPDATE pipeline.row_wait SET open = '{}' WHERE row_key = '[\"1\"]'", '["1"]', "nothing of it is in quarantine"),
]  # fmt: skip


@pytest.fixture(scope="module")
def waiting(warehouse_cluster) -> Iterator[Life]:
    database = warehouse_cluster.fresh_database("waiting", template="warehouse")
    with life(database) as it:
        it.begin(1, 2, 3)
        it.does(updated(1, "1.50", "2"), updated(2, "1.50", "2"), (ORDERS, "c", None, row(5)), unread=(0, 2))
        it.does(updated(1, "2", "3"), updated(2, "2", "3"), (ORDERS, "u", row(5), row(5, price="6")))
        it.bring()
        it.whole()
        yield it
    warehouse_cluster.drop(database)


@pytest.mark.parametrize(("name", "statement", "key", "cause"), MUTATIONS, ids=[each[0] for each in MUTATIONS])
def test_a_mutation_is_named(waiting: Life, name: str, statement: str, key: str | None, cause: str) -> None:
    tables = ("trading_state.orders", "pipeline.row_wait")
    with superuser(waiting.database) as cursor:
        for number, table in enumerate(tables):
            cursor.execute(f"CREATE TABLE public.kept_{number} AS TABLE {table}")
        cursor.execute(statement)
        assert cursor.rowcount == 1
    try:
        found = verified(waiting.database)
        assert any(cause in each for each in found), found
    finally:
        with superuser(waiting.database) as cursor:
            for number, table in enumerate(tables):
                cursor.execute(f"DELETE FROM {table}; INSERT INTO {table} TABLE public.kept_{number}; DROP TABLE public.kept_{number}")
    waiting.whole()

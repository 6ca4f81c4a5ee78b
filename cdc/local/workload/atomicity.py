"""Transactions: many rows in one statement, interleaved, rolled back, empty, huge; and logical messages."""

from __future__ import annotations

from cdc.local.workload.business import book_movements, place_order
from cdc.local.workload.session import Row
from cdc.local.workload.world import SYMBOLS, Activity, World

ACTIVITIES: dict[str, Activity] = {"trading": place_order, "portfolio": book_movements}


def statements(world: World) -> None:
    """Many rows in one statement: they share a log sequence number, so a position in the WAL cannot tell them apart."""
    for _ in range(world.many(10)):
        with world.session.transaction() as tx:
            if world.database == "trading":
                rows = _ticks(world, 200)
                tx.copy("market_ticks", rows)
                tx.insert("market_ticks", _ticks(world, 20))
                tx.update(
                    "market_ticks", "SET size = -size WHERE tick_id = ANY(%s)", ([row["tick_id"] for row in rows[:30]],)
                )
            else:
                tx.copy("prices", _prices(world, 120))
                tx.insert("prices", _prices(world, 20))


def interleaved(world: World) -> None:
    """Two transactions at once, statement by statement; now the first to begin commits first, now last."""
    activity = ACTIVITIES[world.database]
    for number in range(world.many(20)):
        mine, yours = world.rng.sample(world.accounts, 2)
        first, second = world.session.transaction(0), world.session.transaction(1)
        with first, second:
            activity(world, first, mine)
            activity(world, second, yours)
            activity(world, first, mine)
            if number % 3 == 0:
                second.rollback()
            elif number % 3 == 1:
                second.commit()
                activity(world, first, yours)  # the same rows, written by both, committed in the other order
            else:
                first.commit()
                activity(world, second, mine)


def rolled_back(world: World) -> None:
    """Nothing of a rolled-back transaction or savepoint may ever be seen."""
    activity = ACTIVITIES[world.database]
    for number in range(world.many(15)):
        account = world.rng.choice(world.accounts)
        tx = world.session.transaction()
        activity(world, tx, account)
        tx.rollback()
        with world.session.transaction() as tx:
            activity(world, tx, account)
            with tx.rolled_back_savepoint():
                activity(world, tx, account)
                if number % 2:
                    with tx.rolled_back_savepoint():
                        activity(world, tx, account)
            if number % 3:
                activity(world, tx, account)
        with world.session.transaction() as tx, tx.rolled_back_savepoint():  # nothing is left of it
            activity(world, tx, account)


def huge(world: World) -> None:
    """One transaction of 20,000 row changes (trading) or 2,000 (portfolio) at scale 1."""
    with world.session.transaction() as tx:
        if world.database == "trading":
            count = world.many(15_000, 300)
            rows = _ticks(world, count)
            tx.copy("market_ticks", rows)
            first = rows[0]["tick_id"]
            tx.update(
                "market_ticks",
                "SET ask = ask + 0.00000001 WHERE tick_id BETWEEN %s AND %s",
                (first, first + count // 4 - 1),
            )
            tx.delete(
                "market_ticks", "tick_id BETWEEN %s AND %s", (first + count // 2, first + count // 2 + count // 12 - 1)
            )
        else:
            tx.copy("prices", _prices(world, world.many(2_000, 100)))


def messages(world: World) -> None:
    """Logical messages inside, outside and alone in a transaction; transactions that change nothing."""
    activity = ACTIVITIES[world.database]
    for number in range(world.many(10)):
        with world.session.transaction() as tx:
            tx.message("cdc.actor", f'{{"application": "workload", "request": "{world.uuid()}"}}')
            activity(world, tx, world.rng.choice(world.accounts))
            tx.message("cdc.note", f"within {number} ünïcode")
        with world.session.transaction() as tx:
            tx.message("cdc.alone", f"the only content of its transaction {number}")
        with world.session.transaction() as tx:
            tx.message("cdc.aside", f"outside every transaction {number}", transactional=False)
        with world.session.transaction() as tx:
            tx.query("SELECT pg_current_xact_id()")  # has an id, changes nothing
        with world.session.transaction() as tx:
            tx.query("SELECT 1")


def _ticks(world: World, count: int) -> list[Row]:
    random = world.rng
    return [
        {
            "tick_id": tick,
            "symbol": random.choice(SYMBOLS),
            "bid": f"{random.randrange(4000)}.{random.randrange(10**8):08d}",
            "ask": f"{random.randrange(4000)}.{random.randrange(10**8):08d}",
            "size": random.randrange(1, 10_000),
            "quoted_at": world.instant(),
        }
        for tick in world.session.identifiers("market_ticks", "tick_id", count)
    ]


def _prices(world: World, count: int) -> list[Row]:
    return [
        {
            "symbol": world.rng.choice(SYMBOLS),
            "priced_at": world.instant(),
            "price": world.amount(world.rng.randint(1, 30), 10**10),
            "vendor": "consolidated",
            "confidence": world.rng.random(),
        }
        for _ in range(count)
    ]

"""What happens to whole tables: TRUNCATE, and a column added while rows keep coming."""

from __future__ import annotations

from cdc.local.workload.extremes import STRINGS
from cdc.local.workload.foundation import client_row, customer_row
from cdc.local.workload.people import person
from cdc.local.workload.session import Row
from cdc.local.workload.world import SYMBOLS, World


def truncate_trading(world: World) -> None:
    """Truncate a keyed and a keyless table: alone, together, between inserts of one transaction, rolled back."""
    margins = [_margin(world, account) for account, _ in world.accounts[: world.many(150, 10)]]
    prints = [_print(world) for _ in range(world.many(150, 10))]
    with world.session.transaction() as tx:
        tx.insert("intraday_margin", margins)
        tx.copy("tape_staging", prints)
    with world.session.transaction() as tx:
        tx.truncate("intraday_margin")
    with world.session.transaction() as tx:  # the same keys again, before and after another truncate
        tx.insert("intraday_margin", margins)
        tx.truncate("intraday_margin", "tape_staging")
        tx.insert("intraday_margin", margins[::2])
        tx.insert("tape_staging", prints[::2])
        tx.update("intraday_margin", "SET available = available - 1.0")
    with world.session.transaction() as tx:
        tx.copy("tape_staging", prints)
        with tx.rolled_back_savepoint():
            tx.truncate("tape_staging")
        tx.insert("tape_staging", prints[:3])
    tx = world.session.transaction()
    tx.truncate("intraday_margin")
    tx.rollback()


def truncate_portfolio(world: World) -> None:
    """Truncate the accruals at the end of the day and let the next day begin in the same transaction."""
    rows = [_accrual(world, number, "2026-01-05") for number, _ in world.accounts[: world.many(200, 10)]]
    with world.session.transaction() as tx:
        tx.insert("daily_accruals", rows)
        tx.update("daily_accruals", "SET amount = amount * 1.0000")
    with world.session.transaction() as tx:
        tx.insert("daily_accruals", [_accrual(world, 0, "2026-01-05")])
        tx.truncate("daily_accruals")
        tx.insert("daily_accruals", [dict(row) | {"accrual_date": "2026-01-06"} for row in rows])
    with world.session.transaction() as tx:
        tx.delete("daily_accruals", "portfolio_id %% 3 = 0")
        tx.insert("daily_accruals", rows[:5])


def add_column_trading(world: World) -> None:
    """Nullable columns that no policy knows appear on a keyed and on a keyless table; old and new rows use them."""
    for number in range(world.many(10)):
        with world.session.transaction() as tx:
            if number == 1:
                tx.define("ALTER TABLE customers ADD COLUMN IF NOT EXISTS maiden_name text")
                tx.define("ALTER TABLE order_events ADD COLUMN IF NOT EXISTS session_no integer")
            (customer,) = world.session.identifiers("customers", "customer_id", 1)
            row = dict(customer_row(world, customer, person(world.seed, 600_000 + number)))
            tx.insert("customers", [row | ({"maiden_name": world.rng.choice(STRINGS)} if number else {})])
            event = {"order_id": -number, "event": "resumed", "occurred_at": world.instant()}
            tx.insert("order_events", [event | ({"session_no": number} if number % 2 else {})])
        if number:
            with world.session.transaction() as tx:
                old = world.rng.choice(world.people)
                tx.update("customers", "SET maiden_name = %s WHERE customer_id = %s", ("Müller-Żółć", old))
                tx.update("customers", "SET risk_class = 5 WHERE customer_id = %s", (customer,))


def add_column_portfolio(world: World) -> None:
    """The same, on a table with a person and on one without."""
    with world.session.transaction() as tx:
        tx.define("ALTER TABLE clients ADD COLUMN IF NOT EXISTS passport_no text")
    with world.session.transaction() as tx:
        tx.define("ALTER TABLE prices ADD COLUMN IF NOT EXISTS haircut " + world.session.number)
    for number in range(world.many(10)):
        with world.session.transaction() as tx:
            (client,) = world.session.identifiers("clients", "client_id", 1)
            row = dict(client_row(world, client, person(world.seed, 700_000 + number)))
            tx.insert("clients", [row | ({"passport_no": f"C{client:08d}"} if number % 2 else {})])
            price = {"symbol": "NEW", "priced_at": world.instant(), "price": "1.0", "vendor": "ICE"}
            tx.insert("prices", [price | ({"haircut": "0.150"} if number % 2 else {})])
            tx.update("prices", "SET haircut = haircut + 1 WHERE symbol = 'NEW' AND priced_at = %s", (world.now,))


def _margin(world: World, account: int) -> Row:
    return {
        "account_id": account,
        "required": world.amount(9),
        "available": world.amount(3),
        "computed_at": world.instant(),
    }


def _print(world: World) -> Row:
    return {
        "symbol": world.rng.choice(SYMBOLS),
        "price": world.amount(6, 900),
        "size": 100,
        "printed_at": world.instant(),
    }


def _accrual(world: World, portfolio: int, day: str) -> Row:
    return {
        "portfolio_id": portfolio,
        "accrual_date": day,
        "amount": world.amount(15, 90),
        "accrued_at": world.instant(),
    }

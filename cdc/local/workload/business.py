"""Ordinary business: small transactions over several tables, about ten rows each."""

from __future__ import annotations

import json

from cdc.local.workload.extremes import STRINGS
from cdc.local.workload.session import Row, Transaction
from cdc.local.workload.world import SYMBOLS, World


def trading(world: World) -> None:
    """Orders are placed, executed in part or in full, allocated or cancelled; balances move."""
    for _ in range(world.many(350, 5)):
        with world.session.transaction() as tx:
            order = place_order(world, tx, world.rng.choice(world.accounts))
        world.orders.append(order)
        if world.rng.random() < 0.3:
            with world.session.transaction() as tx:
                _follow_up(world, tx, world.rng.choice(world.orders))


def portfolio(world: World) -> None:
    """Cash moves, positions change, prices arrive."""
    for _ in range(world.many(350, 5)):
        with world.session.transaction() as tx:
            book_movements(world, tx, world.rng.choice(world.accounts))


def order_row(world: World, order: int, account: tuple[int, int]) -> Row:
    """Return a row of ``trading.orders`` for (account, customer)."""
    return {
        "order_id": order,
        "customer_id": account[1],
        "account_id": account[0],
        "symbol": world.rng.choice(SYMBOLS),
        "side": world.rng.choice(("buy", "sell", "sell short")),
        "quantity": world.amount(10, 10_000),
        "limit_price": world.rng.choice((None, world.amount(world.rng.randint(1, 12), 5000))),
        "status": "new",
        "placed_at": world.instant(),
        "good_till": world.rng.choice((None, "infinity", world.now)),
        "client_note": world.rng.choice((None, "as discussed by phone", *STRINGS)),
    }


def place_order(world: World, tx: Transaction, account: tuple[int, int]) -> int:
    """One order's first day: order, events, executions, status, allocation, balance. Return the order's id."""
    (order,) = world.session.identifiers("orders", "order_id", 1)
    row = order_row(world, order, account)
    tx.insert("orders", [row])
    tx.insert("order_events", [_event(world, order, event) for event in ("received", "accepted", "routed")])
    fills = [_fill(world, order, number) for number in range(1, world.rng.randint(2, 5))]
    tx.insert("executions", fills)
    status = "filled" if len(fills) > 2 else "partially filled"
    tx.update("orders", "SET status = %s WHERE order_id = %s", (status, order))
    if status == "filled":
        allocation = {
            "order_id": order,
            "account_id": account[0],
            "customer_id": account[1],
            "quantity": row["quantity"],
            "average_price": fills[0]["price"],
            "allocated_at": world.instant(),
        }
        tx.insert("allocations", [allocation])
    balance = "SET balance = balance - %s, updated_at = %s WHERE account_id = %s"
    tx.update("accounts", balance, (world.amount(4, 900), world.instant(), account[0]))
    return order


def book_movements(world: World, tx: Transaction, account: tuple[int, int]) -> None:
    """Cash movements of one portfolio, two positions inserted or updated, prices, a valuation."""
    tx.insert("cash_movements", [movement_row(world, account) for _ in range(world.rng.randint(1, 3))])
    for symbol in world.rng.sample(SYMBOLS, 2):
        quantity, basis = world.amount(18, 100_000), world.amount(world.rng.randint(2, 20))
        change = "SET quantity = quantity + %s, cost_basis = %s, as_of = %s WHERE portfolio_id = %s AND symbol = %s"
        if not tx.update("positions", change, (quantity, basis, world.instant(), account[0], symbol)):
            lots = json.dumps([{"q": quantity, "cost": basis}])
            held = {"portfolio_id": account[0], "symbol": symbol, "quantity": quantity, "cost_basis": basis}
            tx.insert("positions", [held | {"lots": lots, "as_of": world.now}])
    prices = [
        {
            "symbol": symbol,
            "priced_at": world.instant(),
            "price": world.amount(world.rng.randint(0, 30) or 1),
            "vendor": "ICE",
        }
        for symbol in world.rng.sample(SYMBOLS, 3)
    ]
    tx.insert("prices", prices)
    value = {
        "portfolio_id": account[0],
        "method": "mark to market",
        "net_asset_value": world.amount(12),
        "duration_ms": world.rng.random(),
    }
    tx.insert("valuation_log", [value | {"valued_at": world.instant()}])


def movement_row(world: World, account: tuple[int, int]) -> Row:
    """Return a row of ``portfolio.cash_movements`` for (portfolio, client)."""
    return {
        "movement_id": world.uuid(),
        "portfolio_id": account[0],
        "client_id": account[1],
        "amount": world.rng.choice(("", "-")) + world.amount(),
        "currency": world.rng.choice(("USD", "EUR", "CHF", "JPY")),
        "iban": f"DE{world.rng.randrange(10**20):020d}",
        "reference": world.rng.choice(("dividend", "Miete Januar", *STRINGS)),
        "value_date": world.now.date(),
        "booked_at": world.instant(),
    }


def _follow_up(world: World, tx: Transaction, order: int) -> None:
    """Cancel or amend one order the day after."""
    if world.rng.random() < 0.5:
        tx.update("orders", "SET status = 'cancelled', client_note = NULL WHERE order_id = %s", (order,))
    else:
        tx.update("orders", "SET limit_price = %s WHERE order_id = %s", (world.amount(8, 5000), order))
    tx.insert("order_events", [_event(world, order, "amended")])


def _fill(world: World, order: int, number: int) -> Row:
    return {
        "order_id": order,
        "execution_no": number,
        "price": world.amount(world.rng.randint(1, 12), 5000),
        "quantity": world.amount(10, 5000),
        "venue": world.rng.choice(("XNYS", "XNAS", "dark pool “Σ”")),
        "liquidity": world.rng.choice(("A", "R", None)),
        "executed_at": world.instant(),
    }


def _event(world: World, order: int, event: str) -> Row:
    detail = json.dumps({"router": world.rng.randint(1, 4), "event": event, "latency": world.rng.random()})
    return {"order_id": order, "event": event, "detail": detail, "occurred_at": world.instant()}

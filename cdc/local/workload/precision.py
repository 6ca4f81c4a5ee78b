"""Values that do not survive a careless hop: every digit, every microsecond, infinities, NaN, odd text."""

from __future__ import annotations

from cdc.local.workload import extremes
from cdc.local.workload.business import movement_row, order_row
from cdc.local.workload.session import Row
from cdc.local.workload.world import SYMBOLS, World


def _nth(values: tuple[str, ...], number: int) -> str:
    return values[number % len(values)]


def trading(world: World) -> None:
    """Write every extreme into ``risk_snapshots``, orders, executions and accounts, then change one into the next."""
    rows = [_snapshot(world, number) for number in range(world.many(60, 25))]
    with world.session.transaction() as tx:
        tx.insert("risk_snapshots", rows)
    for number, row in enumerate(rows):
        key = (row["snapshot_id"],)
        after = _snapshot(world, number + 1)
        changed = {column: value for column, value in after.items() if column != "snapshot_id"}
        change = ", ".join(f"{column} = %s" for column in changed)
        with world.session.transaction() as tx:
            tx.update("risk_snapshots", f"SET {change} WHERE snapshot_id = %s", (*changed.values(), *key))
            if number % 5 == 0:
                nulls = ", ".join(f"{column} = NULL" for column in ("breached", "factors", "exposure", "model_state"))
                tx.update("risk_snapshots", f"SET {nulls} WHERE snapshot_id = %s", key)
    for number, price in enumerate(extremes.NUMERICS):
        account = world.rng.choice(world.accounts)
        (order,) = world.session.identifiers("orders", "order_id", 1)
        row = dict(order_row(world, order, account)) | {
            "limit_price": price,
            "quantity": _nth(extremes.QUANTITIES, number),
        }
        with world.session.transaction() as tx:
            tx.insert(
                "orders",
                [row | {"good_till": _nth(extremes.INSTANTS, number), "client_note": _nth(extremes.STRINGS, number)}],
            )
            tx.update("orders", "SET limit_price = limit_price * 1.00 WHERE order_id = %s", (order,))
        with world.session.transaction() as tx:
            ratio = "SET margin_ratio = %s, closed_on = %s WHERE account_id = %s"
            tx.update("accounts", ratio, (price, _nth(extremes.DATES, number), account[0]))


def portfolio(world: World) -> None:
    """Write every extreme into prices, positions and references; on MariaDB those that it can hold."""
    everywhere = world.session.number == "numeric"
    numerics, dates, reals = (
        tuple(value for value in values if everywhere or value not in extremes.NOT_IN_MARIADB)
        for values in (extremes.NUMERICS, extremes.DATES, extremes.REALS)
    )
    for number, price in enumerate(numerics):
        account = world.rng.choice(world.accounts)
        at = world.instant()
        with world.session.transaction() as tx:
            confidence = _nth(reals, number)
            tx.insert(
                "prices",
                [
                    {
                        "symbol": "X",
                        "priced_at": at,
                        "price": price,
                        "vendor": _nth(extremes.STRINGS, number),
                        "confidence": confidence,
                    }
                ],
            )
            tx.update("prices", "SET price = price + 0.0 WHERE priced_at = %s AND symbol = 'X'", (at,))
            movement = dict(movement_row(world, account)) | {"reference": _nth(extremes.STRINGS, number)}
            tx.insert("cash_movements", [movement | {"value_date": _nth(dates, number)}])
        if number < len(SYMBOLS) and price != "NaN":
            with world.session.transaction() as tx:
                basis = "SET cost_basis = %s, lots = %s WHERE portfolio_id = %s"
                tx.update("positions", basis, (price, _nth(extremes.JSON_DOCUMENTS, number), account[0]))


def _snapshot(world: World, number: int) -> Row:
    return {
        "snapshot_id": world.uuid(),
        "account_id": world.accounts[number % len(world.accounts)][0],
        "taken_on": _nth(extremes.DATES, number),
        "taken_at": _nth(extremes.INSTANTS, number).removesuffix("+00"),
        "session_time": _nth(extremes.TIMES, number),
        "valid_until": _nth(extremes.INSTANTS, number + 3),
        "breached": (True, False, None)[number % 3],
        "severity": (-32768, 32767, 0, None)[number % 4],
        "horizon_days": (-2147483648, 2147483647, 10)[number % 3],
        "leverage": _nth(extremes.REALS, number),
        "exposure": _nth(extremes.DOUBLES, number),
        "value_at_risk": _nth(extremes.NUMERICS, number),
        "factors": _nth(extremes.JSON_DOCUMENTS, number),
        "model_state": extremes.BYTES[number % len(extremes.BYTES)],
    }

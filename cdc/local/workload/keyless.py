"""Tables without a primary key: identical rows, and changes to one of several of them."""

from __future__ import annotations

from cdc.local.workload.extremes import STRINGS
from cdc.local.workload.session import Row
from cdc.local.workload.world import World


def trading(world: World) -> None:
    """Play duplicates on ``order_events`` and remarks with changing persons on ``audit_notes``."""
    for number in range(world.many(25)):
        order = 10**12 + world.seed * 10**6 + number
        row = {"order_id": order, "event": "heartbeat", "detail": '{"n": 1.0}', "occurred_at": world.instant()}
        _duplicates(world, "order_events", row, f"order_id = {order}", "event = 'resent'")
        _remarks(world)
    empty = {"order_id": None, "event": None, "detail": None, "occurred_at": None}
    with world.session.transaction() as tx:  # a row of nothing but nulls, twice
        tx.insert("order_events", [empty, empty])
    with world.session.transaction() as tx:
        one = world.session.one("order_events", "order_id IS NULL AND event IS NULL")
        tx.delete("order_events", one)


def portfolio(world: World) -> None:
    """Play duplicates on ``valuation_log``, where numbers are equal but not identical."""
    for number in range(world.many(25)):
        key = 10**12 + world.seed * 10**6 + number
        row = {"portfolio_id": key, "method": "model", "net_asset_value": "100.50", "duration_ms": 0.1}
        row |= {"valued_at": world.instant()}
        if world.session.number != "numeric":  # a decimal of a fixed scale has one way to write a number
            _duplicates(world, "valuation_log", row, f"portfolio_id = {key}", "net_asset_value = net_asset_value + 1")
            continue
        _duplicates(world, "valuation_log", row, f"portfolio_id = {key}", "net_asset_value = 100.5")
        with world.session.transaction() as tx:  # 100.50 and 100.5 are equal, and two different records
            tx.insert("valuation_log", [row, row | {"net_asset_value": "100.500"}])
            tx.delete("valuation_log", f"portfolio_id = {key} AND scale(net_asset_value) = 1")


def _duplicates(world: World, table: str, row: Row, match: str, change: str) -> None:
    """Insert identical rows in every way, then change one, delete one, change all, delete all, begin again."""
    one = world.session.one(table, match)
    with world.session.transaction() as tx:
        tx.insert(table, [row] * 3)
        tx.copy(table, [row] * 3)
    with world.session.transaction() as tx:
        tx.insert(table, [row])
    with world.session.transaction() as tx:
        tx.update(table, f"SET {change} WHERE {one}")
        tx.delete(table, one)
    with world.session.transaction() as tx:
        tx.insert(table, [row])
        tx.delete(table, one)
        tx.update(table, f"SET {change} WHERE {match}")
    with world.session.transaction() as tx:
        tx.delete(table, match)
        tx.insert(table, [row] * world.rng.randint(1, 4))


def _remarks(world: World) -> None:
    """Write remarks on persons and on nobody, move one from a person to another, repeat one word for word."""
    about, other = world.rng.sample(world.people, 2)
    remark = {
        "customer_id": about,
        "author": "compliance",
        "note": world.rng.choice(STRINGS),
        "noted_at": world.instant(),
    }
    nobody = remark | {"customer_id": None, "author": world.rng.choice(STRINGS)}
    one = world.session.one("audit_notes", "noted_at = %s")
    with world.session.transaction() as tx:
        tx.insert("audit_notes", [remark, remark, nobody])
    with world.session.transaction() as tx:
        tx.update("audit_notes", f"SET customer_id = %s WHERE {one}", (other, remark["noted_at"]))
        tx.update("audit_notes", f"SET note = NULL WHERE {one}", (remark["noted_at"],))

"""Keys: composite ones, personal ones, keys that change, swap, vanish and come back."""

from __future__ import annotations

from cdc.local.workload.business import movement_row, order_row
from cdc.local.workload.extremes import STRINGS
from cdc.local.workload.foundation import beneficiary_row, customer_row
from cdc.local.workload.people import person
from cdc.local.workload.session import Row, Transaction
from cdc.local.workload.world import World


def trading(world: World) -> None:
    """Play every key shape on the trading database."""
    _composite(world)
    _personal_key(world)
    for _ in range(world.many(10)):
        _customer_rekeyed(world)
        _order_rekeyed(world)
        _ticker_change(world)
        _reinserted(world)


def portfolio(world: World) -> None:
    """The same with a personal column inside a composite key, and with a UUID key."""
    for number in range(world.many(20)):
        portfolio_id, client = world.rng.choice(world.accounts)
        who = [person(world.seed, 200_000 + 3 * number + i) for i in range(3)]
        rows = [beneficiary_row(world, portfolio_id, client, w) for w in who]
        key = "WHERE portfolio_id = %s AND email = %s"
        with world.session.transaction() as tx:
            tx.insert("beneficiaries", rows)
        with world.session.transaction() as tx:  # two heirs swap their addresses
            rename = f"SET email = %s {key}"
            tx.rekey("beneficiaries", rename, ("swap@example.org", portfolio_id, who[0].email))
            tx.rekey("beneficiaries", rename, (who[0].email, portfolio_id, who[1].email))
            tx.rekey("beneficiaries", rename, (who[1].email, portfolio_id, "swap@example.org"))
        with world.session.transaction() as tx:
            tx.delete("beneficiaries", "portfolio_id = %s AND email = %s", (portfolio_id, who[2].email))
            tx.insert("beneficiaries", [rows[2]])
        movement = dict(movement_row(world, (portfolio_id, client)))
        with world.session.transaction() as tx:
            tx.insert("cash_movements", [movement])
            tx.rekey(
                "cash_movements", "SET movement_id = %s WHERE movement_id = %s", (world.uuid(), movement["movement_id"])
            )
            tx.insert("cash_movements", [movement | {"amount": "0.0001"}])


def _composite(world: World) -> None:
    """Change a part of a composite key, one row and many rows in one statement."""
    account = world.rng.choice(world.accounts)
    (order,) = world.session.identifiers("orders", "order_id", 1)
    with world.session.transaction() as tx:
        tx.insert("orders", [order_row(world, order, account)])
        tx.insert("executions", [_execution(world, order, number) for number in range(1, 9)])
        tx.update("executions", "SET venue = 'XCBO' WHERE order_id = %s AND execution_no <= 4", (order,))
        tx.rekey("executions", "SET execution_no = 0 WHERE order_id = %s AND execution_no = 1", (order,))
    with world.session.transaction() as tx:
        tx.rekey("executions", "SET execution_no = execution_no + 1000 WHERE order_id = %s", (order,))
        tx.delete("executions", "order_id = %s AND execution_no > 1005", (order,))


def _personal_key(world: World) -> None:
    """Contact points: e-mail addresses change, swap, rotate, go from prospect to customer, disappear."""
    for number in range(world.many(40)):
        a, b, c = (person(world.seed, 300_000 + 3 * number + i).email for i in range(3))
        customer = world.rng.choice(world.people)
        rows = [_contact(world, a, None), _contact(world, b, customer), _contact(world, c, customer)]
        rename = "SET email = %s WHERE email = %s AND kind = 'prospect'"
        with world.session.transaction() as tx:
            tx.insert("contact_points", rows)
        with world.session.transaction() as tx:  # swap a and b; then c takes a key that b has just left
            for new, old in (("swap@example.org", a), (a, b), (b, "swap@example.org"), (f"x.{a}", a), (a, c)):
                tx.rekey("contact_points", rename, (new, old))
        with world.session.transaction() as tx:  # the person behind the row changes, the key does not
            tx.update("contact_points", "SET customer_id = %s WHERE email = %s", (customer, b))
            tx.update("contact_points", "SET customer_id = %s, label = NULL WHERE email = %s", (world.people[0], a))
        with world.session.transaction() as tx:
            tx.delete("contact_points", "email = %s", (f"x.{a}",))


def _customer_rekeyed(world: World) -> None:
    """A customer gets another id: accounts, orders and the rest follow by foreign key, and so do the subjects."""
    at = world.rng.randrange(len(world.people))
    old, (new,) = world.people[at], world.session.identifiers("customers", "customer_id", 1)
    with world.session.transaction() as tx:
        for table in ("accounts", "contact_points", "orders", "allocations", "documents"):
            ((rows,),) = tx.query(f"SELECT count(*) FROM {table} WHERE customer_id = %s", (old,))
            tx.cascaded(table, "updated", rows)
        tx.rekey(
            "customers", "SET customer_id = %s, updated_at = %s WHERE customer_id = %s", (new, world.instant(), old)
        )
    world.people[at] = new
    world.accounts = [(account, new if customer == old else customer) for account, customer in world.accounts]


def _order_rekeyed(world: World) -> None:
    """An order gets another id: the keys of its executions and allocations change with it."""
    account = world.rng.choice(world.accounts)
    old, new = world.session.identifiers("orders", "order_id", 2)
    with world.session.transaction() as tx:
        tx.insert("orders", [order_row(world, old, account)])
        tx.insert("executions", [_execution(world, old, number) for number in (1, 2, 3)])
    with world.session.transaction() as tx:
        tx.rekey("orders", "SET order_id = %s WHERE order_id = %s", (new, old))
        tx.cascaded("executions", "rekeyed", 3)


def _ticker_change(world: World) -> None:
    """A listed company changes its symbol; another one takes the old symbol in the same transaction."""
    old, new = f"Z{world.rng.getrandbits(40):X}", f"Y{world.rng.getrandbits(40):X}"
    (order,) = world.session.identifiers("orders", "order_id", 1)
    listed: Row = {
        "symbol": old,
        "isin": "US0000000000",
        "name": "Old Co",
        "tick_size": "0.010",
        "listed_on": world.now.date(),
    }
    with world.session.transaction() as tx:
        tx.insert("instruments", [listed])
        tx.insert("orders", [dict(order_row(world, order, world.rng.choice(world.accounts))) | {"symbol": old}])
    with world.session.transaction() as tx:
        tx.rekey("instruments", "SET symbol = %s, name = 'New Co' WHERE symbol = %s", (new, old))
        tx.cascaded("orders", "updated", 1)
        tx.insert("instruments", [dict(listed) | {"name": "Other Co"}])


def _reinserted(world: World) -> None:
    """Delete a key and insert it again: in another transaction, in the same one, twice, and with equal values."""
    (customer,) = world.session.identifiers("customers", "customer_id", 1)
    first = customer_row(world, customer, person(world.seed, 400_000 + customer))
    second = customer_row(world, customer, person(world.seed, 500_000 + customer))

    def gone(tx: Transaction) -> None:
        tx.delete("customers", "customer_id = %s", (customer,))

    with world.session.transaction() as tx:
        tx.insert("customers", [first])
    with world.session.transaction() as tx:
        gone(tx)
    with world.session.transaction() as tx:  # another person under the same key
        tx.insert("customers", [second])
    with world.session.transaction() as tx:
        gone(tx)
        tx.insert("customers", [second])
        gone(tx)
        tx.insert("customers", [first])
        tx.update("customers", "SET risk_class = 9 WHERE customer_id = %s", (customer,))
    if world.rng.random() < 0.5:
        with world.session.transaction() as tx:  # here and gone within one transaction
            gone(tx)
            tx.insert("customers", [second])
            gone(tx)


def _contact(world: World, email: str, customer: int | None) -> Row:
    label = world.rng.choice(STRINGS)
    return {"email": email, "kind": "prospect", "customer_id": customer, "label": label, "added_at": world.instant()}


def _execution(world: World, order: int, number: int) -> Row:
    row = {"order_id": order, "execution_no": number, "price": world.amount(6, 900), "quantity": world.amount(10, 500)}
    return row | {"venue": "XNYS", "executed_at": world.instant()}

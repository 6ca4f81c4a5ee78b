"""A continuous OLTP mix on the trading database, for load and fault tests."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import psycopg2

from cdc.errors import CdcError
from cdc.local.workload import foundation
from cdc.local.workload.business import order_row
from cdc.local.workload.run import WorkloadSummary, summarize
from cdc.local.workload.session import Report, Session
from cdc.local.workload.world import World


def loop(
    dsn: str,
    seconds: float,
    rate: float | None = None,
    seed: int = 7,
    *,
    report: Report | None = None,
    stop: Callable[[], bool] | None = None,
) -> WorkloadSummary:
    """Write transactions of ten rows (orders, executions, updates in random key order) for ``seconds``.

    ``rate`` is in row changes per second, None as fast as one connection goes; ``stop`` ends the loop early. People and
    accounts are those of the database; on an empty one a few are made first.

    Raises:
        Unreachable: the database does not answer.
        CdcError: a statement failed; the message names the SQLSTATE.
    """
    session = Session(dsn, pace=rate, report=report)
    started = time.monotonic()
    try:
        world = World(session, "trading", seed, 0.05, random.Random(f"loop/{seed}"))  # noqa: S311
        session.phase = "loop"
        world.accounts = [(a, c) for a, c in session.query("SELECT account_id, customer_id FROM accounts ORDER BY 1")]
        if not world.accounts:
            foundation.trading(world)
        world.orders = [order for (order,) in session.query("SELECT order_id FROM orders ORDER BY 1 LIMIT 100000")]
        while time.monotonic() - started < seconds and not (stop is not None and stop()):
            _transaction(world)
    except psycopg2.Error as failure:
        raise CdcError(f"workload loop: SQLSTATE {failure.pgcode}") from None
    finally:
        session.close()
    return summarize(session, "trading", seed, 1.0, time.monotonic() - started)


def _transaction(world: World) -> None:
    """Two new orders, three executions, five updates of orders far apart: ten rows in three statements."""
    made = world.session.identifiers("orders", "order_id", 2)
    with world.session.transaction() as tx:
        tx.insert("orders", [order_row(world, order, world.rng.choice(world.accounts)) for order in made])
        fills = [
            {
                "order_id": order,
                "execution_no": number,
                "price": world.amount(6, 900),
                "quantity": world.amount(10, 500),
                "venue": "XNYS",
                "executed_at": world.instant(),
            }
            for order, number in ((made[0], 1), (made[0], 2), (made[1], 1))
        ]
        tx.insert("executions", fills)
        world.orders.extend(made)
        some = world.rng.sample(world.orders, min(5, len(world.orders)))
        tx.update("orders", "SET status = 'filled', client_note = %s WHERE order_id = ANY(%s)", (world.uuid(), some))

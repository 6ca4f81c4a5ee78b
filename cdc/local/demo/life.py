"""Act 7: an auditor asks for one order's whole life. Act 8: what that order was, at two instants."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from cdc.audit import shown
from cdc.local.demo.claims import ask, claim
from cdc.local.demo.stage import Stage

TITLE = "One order's whole life"
TITLE_AS_OF = "The same order before and after"

_WITH_A_STORY = """
SELECT row_key::jsonb ->> 0, count(*)
  FROM audit.entry e, LATERAL (SELECT entry::jsonb -> 'after') AS image (after)
 WHERE log = 'trading' AND table_name = 'public.orders' AND kind = 'change'
 GROUP BY row_key HAVING count(*) BETWEEN 3 AND 7 AND min(version) = 1 AND bool_and(operation IN ('c', 'u'))
 ORDER BY least(count(DISTINCT after ->> 'status'), 3) + least(count(DISTINCT after ->> 'limit_price'), 2)
          + least(count(DISTINCT transaction_id), 3) DESC, count(*), (row_key::jsonb ->> 0)::bigint LIMIT 1
"""
"""Placed, changed and filled in several transactions, where there is such an order."""


@dataclass(frozen=True, slots=True)
class Order:
    """One order of the workload: its number, and its changes as ``cdc audit history --output json`` gives them."""

    number: str
    changes: tuple[dict[str, Any], ...]

    @property
    def last_transaction(self) -> str:
        """Id of the transaction that changed it last."""
        return str(self.changes[-1]["transaction"])


def play(stage: Stage) -> Order:
    """Choose an order that went through something, and print its life as the command prints it.

    Raises:
        ClaimFailed: the command does not have all versions.
    """
    found = ask(stage.settings.warehouse_auditor_dsn, _WITH_A_STORY)
    claim(found, "no order of the workload went through anything")
    ((number, versions),) = found
    command = ("audit", "history", "orders", str(number))
    stage.say.command(f"cdc {' '.join(command)}")
    stage.say.text(stage.cdc(*command).rstrip())
    changes = json.loads(stage.cdc(*command, "--output", "json"))["changes"]
    claim(len(changes) == versions, f"cdc audit history has {len(changes)} of {versions} versions of order {number}")
    return Order(str(number), tuple(changes))


def play_as_of(stage: Stage, order: Order) -> str:
    """Ask for the order at an instant between two of its changes, and at the end; returns the first instant.

    Raises:
        ClaimFailed: an answer is not the version that its history has there.
    """
    instant, early, late = _turning_point(order)
    first = _asked(stage, order, instant)
    then = _asked(stage, order, "now")
    claim(
        (first["version"], then["version"]) == (early, late),
        f"order {order.number}: versions {first['version']} and {then['version']}, its history says {early} and {late}",
    )
    differing = [name for name, value in then["row"].items() if value != first["row"].get(name)]
    claim(differing, f"order {order.number} is the same before and after")
    for at, row in ((instant, first), ("now", then)):
        stage.say.command(f"cdc audit as-of orders --at {at} --where order_id={order.number} --output json")
        values = ", ".join(f"{name} {shown.value(row['row'].get(name))}" for name in differing)
        stage.say.text(f"{' ' * 12}version {row['version']}: {values}   (what differs)")
    return instant


def _asked(stage: Stage, order: Order, at: str) -> dict[str, Any]:
    """The one row of the answer."""
    said = stage.cdc("audit", "as-of", "orders", "--at", at, "--where", f"order_id={order.number}", "--output", "json")
    rows = json.loads(said)["rows"]
    claim(len(rows) == 1, f"cdc audit as-of --at {at} has {len(rows)} rows of order {order.number}")
    found: dict[str, Any] = rows[0]
    return found


def _turning_point(order: Order) -> tuple[str, int, int]:
    """An instant in the widest gap between two transactions of the order; its version then, and its last."""
    at = [(int(change["committed_at_ns"]), int(change["version"])) for change in order.changes]
    _gap, before, after, version = max((b[0] - a[0], a[0], b[0], a[1]) for a, b in pairwise(at))
    return datetime.fromtimestamp((before + after) / 2e9, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"), version, at[-1][1]

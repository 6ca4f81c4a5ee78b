"""Act 4: a column appears that no policy knows."""

from __future__ import annotations

import hashlib
import secrets
import time
from typing import Any

from cdc.local.demo.claims import ask, claim
from cdc.local.demo.stage import Stage

TITLE = "A column appears that no policy knows"
_ARRIVED = "SELECT pg_typeof(passport)::text, octet_length(passport) FROM trading.customers WHERE customer_id = %s"


def play(stage: Stage) -> str:
    """Add a column to a source table, put a value in it, and watch it arrive sealed; returns the planted value.

    Raises:
        ClaimFailed: it arrives as something else.
    """
    source = stage.settings.sources["trading"]
    passport = f"passport QX{secrets.randbelow(10**10):010d}"
    policy = hashlib.sha256(source.policy.read_bytes()).hexdigest()
    dsn = source.admin_dsn or ""
    ((customer,),) = ask(dsn, "SELECT min(customer_id) FROM customers")
    ask(dsn, "ALTER TABLE customers ADD COLUMN passport text")
    ask(dsn, "UPDATE customers SET passport = %s WHERE customer_id = %s", passport, customer)
    began = time.monotonic()
    stage.say(f"trading: ALTER TABLE customers ADD COLUMN passport text; an UPDATE gives customer {customer} one")
    owner = stage.workers["trading-spare"]
    stage.wait(lambda: owner.says("passport"), "the worker to meet the new column")
    stage.wait(lambda: _arrived(stage, customer), "the new column in the warehouse")
    took = time.monotonic() - began
    ((kind, length),) = _arrived(stage, customer)
    claim(kind == "bytea", f"the new column is {kind} in the warehouse, not a sealed cell")
    claim(hashlib.sha256(source.policy.read_bytes()).hexdigest() == policy, "the policy file was changed")
    stage.say(f"the worker: “{owner.says('passport')}”")
    stage.say(
        f"warehouse, {took:.1f} s later: trading.customers.passport is {kind}, a sealed cell of {length} bytes for"
        f" {len(passport)} characters; the policy file was not touched"
    )
    return passport


def _arrived(stage: Stage, customer: object) -> list[tuple[Any, ...]]:
    """Type and length of the cell; no row while the view lacks the column or the row is still without."""
    known = ask(
        stage.settings.warehouse_auditor_dsn,
        "SELECT true FROM pg_attribute WHERE attrelid = to_regclass('trading.customers') AND attname = 'passport'",
    )
    return [row for row in ask(stage.settings.warehouse_auditor_dsn, _ARRIVED, customer) if row[1]] if known else []

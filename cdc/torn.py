"""Transactions of which events are missing, or come twice: the halt that says so."""

from __future__ import annotations

from cdc.errors import Halted
from cdc.event import Transaction

SHOW = "cdc stream show"
"""The next command where events are missing: it says which, and which command goes on."""


def torn(open_transaction: str | None, has: int, offset: int, event: Transaction) -> Halted:
    """The halt at an event that does not come next in the open transaction, of which the log has ``has`` events."""
    coordinates = {"offset": str(offset), "transaction": event.id, "order": str(event.order)}
    if open_transaction != event.id:
        message = f"the event at offset {offset} belongs to no open transaction"
        return Halted("transaction-without-begin", message, hint=SHOW, coordinates=coordinates)
    return Halted(
        "transaction-incomplete",
        f"the event at offset {offset} is number {event.order} of its transaction, the log has {has} of it",
        hint=SHOW,
        coordinates=coordinates | {"has": str(has)},
    )


def unended(offset: int) -> Halted:
    """The halt at a BEGIN inside a transaction."""
    return Halted(
        "transaction-without-end",
        f"BEGIN at offset {offset} inside a transaction that has not ended",
        hint=SHOW,
        coordinates={"offset": str(offset)},
    )


def begun_again(offset: int) -> Halted:
    """The halt at a second BEGIN of the transaction that is open. Debezium's MariaDB connector (3.5.0.Final, tried)
    writes it when it is restarted inside a transaction: it goes on behind the events that it has sent, and numbers the
    rest of them, and counts it in END, from 1 again.
    """
    return Halted(
        "transaction-begun-again",
        f"BEGIN at offset {offset} of the transaction that is open: the connector was restarted inside it",
        hint=SHOW,
        coordinates={"offset": str(offset)},
    )


def ended(offset: int, counts: int, has: int) -> Halted:
    """The halt at an END that is of another transaction, or counts other events than the ``has`` of the log."""
    return Halted(
        "transaction-incomplete",
        f"END at offset {offset} counts {counts} events, the log has {has}",
        hint=SHOW,
        coordinates={"offset": str(offset), "counts": str(counts)},
    )

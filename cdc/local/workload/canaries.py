"""Planted values: what a plaintext sweep searches for.

One value per way personal data can take through the system. Each is unlike anything else the workload writes, so a hit
outside the sources (and the short-lived Kafka topics) is a leak and never a coincidence.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Fate = Literal["kept", "deleted", "message", "rolled back"]
"""``kept``: a row of the source holds it at the end. ``deleted``: only a deleted row held it (the source's WAL still
does). ``message``: only a logical message held it. ``rolled back``: never committed, so not even Kafka may hold it."""


@dataclass(frozen=True, slots=True)
class Canary:
    """One planted value. ``family`` says what it is, ``fate`` what became of it."""

    family: str
    database: str
    table: str
    value: str = field(repr=False)
    fate: Fate = "kept"


def canaries(seed: int) -> tuple[Canary, ...]:
    """Return the values that a run with ``seed`` plants in both databases (``0 <= seed < 10_000``)."""
    n = f"{seed:04d}"
    return (
        Canary("name", "trading", "customers", f"Quetzalia Wimplethorpe-{n}"),
        Canary("email", "trading", "customers", f"Quetzalia.Wimplethorpe.{n}@Canary.example"),
        Canary("phone", "trading", "customers", f"+1 (917) 555-0142 x{n}93"),
        Canary("ssn", "trading", "customers", f"987-65-{n}"),
        Canary("address", "trading", "customers", f"{n} Zyzzyva Crescent, Nowhere-on-Sea"),
        Canary("non-ascii name", "trading", "customers", f"Šárka Ďábelská-Grünspan 彩雲 {n}"),
        Canary("account number", "trading", "accounts", f"CNRY-{n}-7719-3351"),
        Canary("note", "trading", "orders", f'client says "sell the vicarage" 🐤 {n}'),
        Canary("keyless note", "trading", "audit_notes", f"overheard at the Fizzgig bar {n}"),
        Canary("key e-mail", "trading", "contact_points", f"in.the.key.{n}@canary.example"),
        Canary("document", "trading", "documents", f"affidavit of Ebenezer Quackenbush {n}"),
        Canary("unknown column", "trading", "customers", f"maiden name Featherstonehaugh {n}"),
        Canary("deleted row", "trading", "customers", f"Thaddeus Vanishington {n}", "deleted"),
        Canary("message", "trading", "", f"case opened for Wilhelmina Snodgrass {n}", "message"),
        Canary("rolled back", "trading", "customers", f"Nevermore Abortson {n}", "rolled back"),
        Canary("savepoint", "trading", "customers", f"Halfway Backtrack {n}", "rolled back"),
        Canary("client name", "portfolio", "clients", f"Ignatius Plumbottom-{n}"),
        Canary("client tax id", "portfolio", "clients", f"989-73-{n}"),
        Canary("key beneficiary", "portfolio", "beneficiaries", f"heir.presumptive.{n}@canary.example"),
        Canary("iban", "portfolio", "cash_movements", f"XX{n}CANARYBANK00420042"),
        Canary("reference", "portfolio", "cash_movements", f"für Tante Käthe, Grüße {n}"),
        Canary("statement", "portfolio", "statements", f"prepared for the Dowager Marchioness {n}"),
        Canary("client unknown column", "portfolio", "clients", f"passport PZ{n}77310"),
        Canary("client message", "portfolio", "", f"escalated by Barnaby Crumpwhistle {n}", "message"),
        Canary("client rolled back", "portfolio", "clients", f"Phantasm Unbooked {n}", "rolled back"),
    )


def canary(seed: int, family: str) -> str:
    """Return the planted value of one family."""
    return next(c.value for c in canaries(seed) if c.family == family)


CANARIES = canaries(7)
"""What the default seed plants."""

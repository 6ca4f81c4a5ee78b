"""What the phases of one workload know: where they write, whom they have made so far, and what time it is."""

from __future__ import annotations

import datetime as dt
import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

from cdc.local.workload.session import Session, Transaction

SYMBOLS = (
    "AAPL", "MSFT", "NVDA", "AMZN", "META", "BRK.B", "JPM", "XOM", "UNH", "KO",
    "PG", "VZ", "GE", "F", "T", "IBM", "CAT", "MMM", "DIS", "NKE",
)  # fmt: skip
_OPENING = dt.datetime(2026, 1, 5, 14, 30, tzinfo=dt.UTC)

Phase = Callable[["World"], None]
"""One family of shapes, played on one database."""


@dataclass(slots=True)
class World:
    """State of one run. Mutable: phases add what they create. Time is the workload's own, so runs are repeatable."""

    session: Session
    database: str
    seed: int
    scale: float
    rng: random.Random
    now: dt.datetime = _OPENING
    people: list[int] = field(default_factory=list)
    """Customer or client ids."""
    accounts: list[tuple[int, int]] = field(default_factory=list)
    """(account id, customer id), or (portfolio id, client id)."""
    orders: list[int] = field(default_factory=list)

    def many(self, count: int, at_least: int = 2) -> int:
        """Return how many of something to make: ``count`` at scale 1."""
        return max(at_least, round(count * self.scale))

    def instant(self) -> dt.datetime:
        """Return the next instant, some microseconds to milliseconds after the last."""
        self.now += dt.timedelta(microseconds=self.rng.randint(1, 250_000))
        return self.now

    def amount(self, digits: int = 4, most: int = 1_000_000) -> str:
        """Return a positive decimal number as text, with exactly ``digits`` decimals."""
        return f"{self.rng.randrange(most)}.{self.rng.randrange(10**digits):0{digits}d}"

    def uuid(self) -> str:
        """Return a random UUID of this run."""
        return str(uuid.UUID(int=self.rng.getrandbits(128), version=4))

    def words(self, size: int) -> str:
        """Return about ``size`` characters of text, some of them outside ASCII."""
        return " ".join(self.rng.choices(_WORDS, k=max(1, size // 8)))


_WORDS = (
    "whereas", "client", "acknowledges", "the", "undersigned", "fiduciary", "Vermögen", "société", "disclosure",
    "margin", "and", "risk", "約款", "settlement", "of", "custody", "hereinafter", "señor", "beneficial", "owner",
    "statement\n", "2.50%", "“quoted”", "thereof", "§ 17a-4", "record", "điều khoản", "equity", "€", "shall", "not",
)  # fmt: skip

Activity = Callable[[World, Transaction, tuple[int, int]], object]
"""A small business transaction's writes on behalf of one account."""

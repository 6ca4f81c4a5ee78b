"""A source whose changes are fed record by record, some of which cannot be read, and the warehouse that gets them.

A worker with a real warehouse and without Kafka. ``unreadable`` offsets are those that an older version could not
decode; a replay reads them as what they are.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager

from cdc.resolving import Parts, Resolver
from cdc.telemetry import Progress
from cdc.warehouse import requests
from cdc.writer import Writer
from governance.store import StoreMark
from tests.builders import ORDERS, Feed, Table
from tests.fix_stack import FreshDatabase
from tests.independent.reader import verify
from tests.warehouse import PRIVACY, WarehouseWorker, edge, log, query, verified

NAME, STATE = "public.orders", "trading_state.orders"
HOLDERS_STATE = 'trading_state."Back Office.Hold""ers"'
WAITS = "SELECT table_name, row_key, since, open FROM pipeline.row_wait ORDER BY since"


def row(number: int, note: str = "n", **more: object) -> dict:
    return {"id": number, "owner": "o", "price": "1.50", "note": note, "pin": None, **more}


class Life:
    """A source whose changes are fed, with records that cannot be read; and the warehouse that gets them."""

    def __init__(self, database: FreshDatabase) -> None:
        self.database = database
        self.feed = Feed()
        self.at = 0
        self.unreadable: set[int] = set()
        self.take_over()

    def take_over(self) -> None:
        """Another worker."""
        self.close()
        self.it = WarehouseWorker(self.database)
        self.it.worker.unreadable = self.unreadable

    def close(self) -> None:
        """The worker is gone, and its connections with it."""
        if (it := getattr(self, "it", None)) is not None:
            it.close()
            ends = time.monotonic() + 30
            while query(self.database.admin_dsn, "SELECT FROM pg_stat_activity WHERE application_name = 'test writer' AND datname = current_database()"):
                assert time.monotonic() < ends
                time.sleep(0.01)

    def does(self, *changes: tuple[Table, str, dict | None, dict | None], unread: tuple[int, ...] = ()) -> list[int]:
        """One transaction. ``unread``: the changes whose records cannot be read; their offsets."""
        feed, offsets = self.feed, []
        feed.begin()
        for n, change in enumerate(changes):
            offset = feed.row(*change).offset
            if n in unread:
                offsets.append(offset)
        feed.end()
        self.unreadable.update(offsets)
        return offsets

    def unsaid(self) -> list:
        """The records that no worker was given yet."""
        found = self.feed.records[self.at :]
        self.at = len(self.feed.records)
        return found

    def bring(self) -> None:
        self.it.bring(self.unsaid())

    def begin(self, *numbers: int, table: Table = ORDERS, rows: list[dict] | None = None) -> None:
        """The snapshot."""
        self.feed.snapshot(table, rows or [row(number) for number in numbers])
        self.feed.notify("COMPLETED")
        self.bring()

    def resolve(self, how: requests.How, *seqs: int) -> list[str | None]:
        """What a person asks, carried out by the owner; why it was refused."""
        it = self.it
        asked = [requests.ask(it.connection, "trading", seq, how, "because") for seq in seqs]
        protector = it.worker._protector
        protector._keys.mark = mark = StoreMark(PRIVACY.identity, PRIVACY.high_water)
        writer = Writer(it.connection, it.fence, lambda _step: None, lambda _batch: None)
        writer.start()
        parts = Parts(
            "trading", "trading", it.reader, protector._keys, lambda events: (protector.protect(events), mark),
            it.worker._sequencer, it.heads, it.projections, writer, Progress("trading"),
        )  # fmt: skip
        Resolver(parts).look(at_once=True)
        writer.stop()
        return [requests.outcome(it.connection, request).refused for request in asked]

    # What is there.

    def query(self, statement: str, *parameters: object) -> list[tuple]:
        return query(self.database.admin_dsn, statement, *parameters)

    def open(self) -> list[int]:
        return [seq for (seq,) in self.query("SELECT seq FROM audit.open_quarantine('trading')")]

    def state(self, number: int, *columns: str) -> tuple | None:
        listed = ", ".join(columns or ("_version", "price", "_deleted"))
        found = self.query(f"SELECT {listed} FROM {STATE} WHERE _key = %s", json.dumps([str(number)]))
        return tuple(map(str, found[0])) if found else None

    def shown(self) -> list[tuple[int, str]]:
        return self.query("SELECT id, price::text FROM trading.orders ORDER BY 1")

    def waits(self) -> list[tuple]:
        return self.query(WAITS)

    def suspended(self) -> list[str]:
        return [name for (name,) in self.query("SELECT table_name FROM pipeline.state_table WHERE suspended_code IS NOT NULL")]

    def whole(self) -> None:
        """Both readers find nothing wrong."""
        assert verified(self.database) == []
        size, nodes = edge(self.database)
        stored = log(self.database)
        assert len(stored) == size
        assert verify(stored, edge=nodes) == []


@contextmanager
def life(database: FreshDatabase) -> Iterator[Life]:
    it = Life(database)
    try:
        yield it
    finally:
        it.close()


def updated(number: int, was: str, now: str) -> tuple:
    return ORDERS, "u", row(number, price=was), row(number, price=now)

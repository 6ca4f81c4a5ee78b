"""Records that cannot be decoded: their place in the log, judged by both readers, and what waits behind them."""

from __future__ import annotations

import base64
import json
import time

import pytest
from msgspec.structs import replace

from cdc.batch import Batch
from cdc.debezium import Decoder
from cdc.errors import Halted, RecordError
from cdc.event import Record
from cdc.quarantine import Rate, quarantined, table_of
from governance.seal import STRUCTURE, associated_tail
from tests.builders import FILLS, HOLDERS, ORDERS, Feed, Worker, entries
from tests.independent import reader
from tests.memory_keys import MemoryKeys

PLANTED = b"planted-value-4711"


def row(number: int, note: str = "n") -> dict:
    return {"id": number, "owner": "o", "price": "1.50", "note": note, "pin": None}


class Reading(Worker):
    """Quarantines what it cannot decode, as the session does."""

    def read(self, records: list[Record]) -> None:
        for record in records:
            try:
                self._events.append(self._decoder.decode(record))
            except RecordError as error:
                event = quarantined(record, error.reason)
                self._events.append(event)
                if event.table is not None:
                    self.suspended.setdefault(event.table, ("quarantine", ""))
            self._offsets.append(record.offset)


def spoil(feed: Feed, number: int, value: bytes | None = PLANTED, key: bytes | None = None) -> None:
    record = feed.records[number]
    feed.records[number] = replace(record, value=value, key=record.key if key is None else key)


def of(batches: list[Batch], kind: str) -> list[dict]:
    return [entry for entry in (json.loads(text) for _, text, _, _ in entries(batches)) if entry["kind"] == kind]


def whole(batches: list[Batch]) -> None:
    assert reader.verify(entries(batches)) == []


def updates(count: int = 3) -> Feed:
    """BEGIN, an insert, ``count`` - 1 updates of one row, END; and once more."""
    feed = Feed()
    for turn in range(2):
        feed.begin()
        for n in range(count):
            before = row(1, f"{turn}{n - 1}") if n else (row(1, f"0{count - 1}") if turn else None)
            feed.row(ORDERS, "u" if before else "c", before, row(1, f"{turn}{n}"))
        feed.end()
    return feed


@pytest.mark.parametrize("at", [1, 2, 3])
@pytest.mark.parametrize("limit", [2, 100])
def test_a_record_of_a_transaction(at: int, limit: int) -> None:
    """END counts it, the versions go on, and how batches are cut does not show."""
    feed = updates()
    spoil(feed, at)
    worker = Reading()
    batches = []
    for record in feed.records:
        worker.read([record])
        if (batch := worker.batch(limit)) is not None:
            batches.append(batch)
    (entry,) = of(batches, "quarantined")
    assert entry["offset"] == str(at)
    assert entry["table"] == "public.orders"
    assert entry["transaction"] == {"id": "701"} | ({"end": entry["transaction"].get("end")} if at == 3 else {})
    assert entry["content"]["reason"] == "not-connect-json"
    assert [e["version"] for e in of(batches, "change")] == ["1", "2", "3", "4", "5"]
    whole(batches)
    assert worker.standing.records == len(feed.records)
    again = Reading()
    again.read(feed.records)
    one = again.batch()
    assert one is not None
    assert [r.leaf for r in one.rows] == [r.leaf for batch in batches for r in batch.rows]


def test_a_foreign_record_in_between_is_not_counted() -> None:
    feed = updates()
    foreign = feed.records[2]
    feed.records.insert(2, replace(foreign, key=None, value=PLANTED))
    feed.records = [replace(record, offset=n) for n, record in enumerate(feed.records)]
    worker = Reading()
    worker.read(feed.records)
    batch = worker.batch()
    assert batch is not None
    (entry,) = of([batch], "quarantined")
    assert "table" not in entry
    assert len(of([batch], "change")) == 6
    whole([batch])


def test_more_missing_than_quarantined_halts() -> None:
    feed = updates()
    spoil(feed, 1)
    del feed.records[2]
    worker = Reading()
    worker.read(feed.records)
    with pytest.raises(Halted, match="transaction-incomplete"):
        worker.batch()


def test_what_is_sealed_opens_to_the_bytes() -> None:
    feed = updates()
    spoil(feed, 2)
    worker = Reading()
    worker.read(feed.records)
    batch = worker.batch()
    assert batch is not None
    assert PLANTED not in b"".join(r.line for r in batch.rows)
    assert base64.b64encode(PLANTED) not in b"".join(r.line for r in batch.rows)
    (entry,) = of([batch], "quarantined")
    cell = base64.b64decode(entry["content"]["sealed"]["seal"])
    keys = MemoryKeys()
    keys.ensure_subjects({"source": {"trading"}})
    cipher = keys.cipher(keys.subject("source", "trading"), 0)
    plain = cipher.open(cell, associated_tail("trading", "", "quarantined", b'["2"]'))
    assert plain[:1] == STRUCTURE
    held = json.loads(plain[1:])
    assert base64.b64decode(held["value"]) == PLANTED
    assert base64.b64decode(held["key"]) == feed.records[2].key


def test_state_of_its_table_waits_and_that_of_others_goes_on() -> None:
    feed = Feed()
    feed.begin()
    feed.row(ORDERS, "c", None, row(1))
    feed.row(FILLS, "c", None, {"symbol": "A", "quantity": 1, "secret": "s"})
    feed.end()
    spoil(feed, 1)
    worker = Reading()
    worker.read(feed.records)
    batch = worker.batch()
    assert batch is not None
    assert batch.suspended == {"public.orders": ("quarantine", "", 0)}
    assert {table.table for table in batch.changes} == {"public.fills"}


def test_the_table_is_told_from_key_or_value() -> None:
    feed = Feed()
    feed.begin()
    orders = feed.row(ORDERS, "c", None, row(1))
    fills = feed.row(FILLS, "c", None, {"symbol": "A", "quantity": 1, "secret": "s"})
    odd = feed.row(HOLDERS, "c", None, {"email": "e", "no": 1, "v": "v"})
    assert table_of(orders) == "public.orders"
    assert table_of(replace(orders, value=b"{")) == "public.orders"
    assert table_of(replace(orders, key=b"\xff\xfe")) == "public.orders"
    assert table_of(fills) == "public.fills"
    assert table_of(odd) == '"Back Office"."Hold""ers"'
    assert table_of(replace(orders, value=fills.value)) is None  # they disagree
    assert table_of(replace(orders, key=None, value=None)) is None
    assert table_of(replace(orders, key=None, value=b'{"schema":' + b"[" * 100_000 + b',"payload":1}')) is None


def test_too_many_in_a_window() -> None:
    rate = Rate(2)
    rate.count(1)
    rate.count(2)
    with pytest.raises(Halted, match="quarantine-rate"):
        rate.count(3)
    patient = Rate(1, window_s=0.0)
    for offset in range(5):
        patient.count(offset)
        began = time.monotonic()
        while time.monotonic() == began:  # a tick of the clock
            pass


@pytest.mark.parametrize(
    "value",
    [
        b"\xff\xfe{", b'{"schema":{"type":"struct","name":"x"},"payload":' + b"[" * 200_000 + b"}",
        b'{"schema":null,"payload":null}', b'{"schema":{"type":"struct","name":"trading.public.orders.Envelope"},"payload":{}}',
        b"{}", b"null}", b'{"schema":{"type":"struct","name":"\xc3"},"payload":{}}',
    ],
)  # fmt: skip
def test_whatever_it_holds_it_is_kept(value: bytes) -> None:
    record = Record("trading", 0, 7, None, value, (), 1)
    with pytest.raises(RecordError) as caught:
        Decoder().decode(record)
    worker = Reading()
    worker.read([record])
    batch = worker.batch()
    assert batch is not None
    (seq, text, body, _) = entries([batch])[0]
    assert seq == 0
    assert (json.loads(body) if body else json.loads(text))["content"]["reason"] == caught.value.reason
    whole([batch])

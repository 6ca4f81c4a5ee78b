"""Stored positions, what others mean, slots, binary logs, and lines of a worker's log: what is decided without a server."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cdc.cli.connectors.logs import about
from connectors.binary_log import BinaryLog
from connectors.errors import Rejected
from connectors.offsets import InFlight, Stored, at_lsn, in_flight, lsn_number, lsn_text, parse
from connectors.position_change import of_reset, of_set
from connectors.slots import Slot

READING = {
    "incremental_snapshot_collections": '[{"incremental_snapshot_collections_id":"public.a","incremental_snapshot_collections_additional_condition":"n = 4711"}]',
    "incremental_snapshot_correlation_id": "snapshot-1-abcdef",
    "incremental_snapshot_primary_key": "ACED4711",
    "incremental_snapshot_maximum_key": "ACED4712",
}  # fmt: skip
SLOT = Slot("cdc_shop", "shop", "pgoutput", True, True, "reserved", "0/100", "0/200", 10, 5, None, None, None, None, None)


def at(lsn: int, **more: object) -> Stored:
    return Stored({"server": "shop"}, {"lsn": lsn, **more})


def test_an_lsn_is_read_and_written_as_postgresql_does():
    for text in ("0/0", "16/B374D848", "FFFFFFFF/FFFFFFFF"):
        assert lsn_text(lsn_number(text)) == text
    for wrong in ("", "0", "0/", "/0", "x/1", "0/123456789"):
        with pytest.raises(ValueError, match=r".*"):
            lsn_number(wrong)


def test_keys_and_conditions_of_a_snapshot_in_flight_are_not_shown():
    stored = at(5, **READING)
    shown = str(stored.shown()) + repr(stored)
    assert "public.a" in shown
    assert "4711" not in shown
    assert "4712" not in shown
    assert in_flight([stored]) == InFlight("snapshot-1-abcdef", ("public.a",))
    assert in_flight([at(5), at(6, incremental_snapshot_collections="[]")]) is None


def test_what_is_shown_is_not_taken_back_for_the_whole_and_what_is_no_document_is_refused():
    with pytest.raises(Rejected, match="as it was shown"):
        parse({"offsets": [{"partition": {}, "offset": at(5, **READING).shown()}]})
    for wrong in (None, [], {}, {"offsets": []}, {"offsets": [{"partition": {}}]}, {"offsets": [{"partition": 1, "offset": 2}]}):
        with pytest.raises(Rejected, match="not a document"):
            parse(wrong)
    assert parse({"offsets": [{"partition": {"server": "shop"}, "offset": {"lsn": 7}, "position": "0/7"}]}) == (at(7),)


def test_another_place_in_the_wal_forgets_what_belonged_to_the_first():
    before = at(5, lsn_proc=5, lsn_commit=4, txId=9, transaction_id="9:5", ts_usec=1, kept="yes", **READING)
    assert at_lsn(before, 77).offset == {"kept": "yes", "lsn": 77, "lsn_proc": 77, "lsn_commit": 77}


@pytest.mark.parametrize(
    ("new", "effect"),
    [(0x400, "loses"), (0x300, "none"), (0x200, "repeats"), (0x1FF, "fails")],
)
def test_what_another_lsn_means_is_told_by_where_the_slot_is(new: int, effect: str):
    assert of_set(at(0x300), at(new), SLOT).effect == effect


def test_what_other_positions_mean():
    assert of_set(at(0x300), at(0x100), None).effect == "repeats"
    assert of_set(at(0x300), at(0x100), replace(SLOT, confirmed_flush_lsn=None)).effect == "repeats"
    file = Stored({}, {"file": "log.000009", "pos": 900})
    assert of_set(file, Stored({}, {"file": "log.000010", "pos": 4}), None).effect == "loses"
    assert of_set(file, Stored({}, {"file": "log.000009", "pos": 4}), None).effect == "repeats"
    assert (of_set(None, file, None).effect, of_set(at(1), file, None).effect) == ("unknown", "unknown")
    assert (of_reset(file).effect, of_reset(None).effect) == ("anew", "none")
    assert "log.000009 900" in of_reset(file).text


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({}, None),
        ({"active": False}, "nobody reads it"),
        ({"wal_status": "unreserved"}, "in danger"),
        ({"wal_status": "lost", "active": False}, "lost"),
        ({"invalidation_reason": "idle_timeout"}, "idle_timeout"),
    ],
)
def test_a_slot_says_what_is_the_matter(changed: dict, says: str | None):
    problem = replace(SLOT, **changed).problem
    assert problem is None if says is None else says in (problem or "")


def test_how_far_a_reader_of_a_binary_log_is_behind():
    log = BinaryLog((("log.000009", 1000), ("log.000010", 500)), "log.000010", 500, "0-1-7", 0)
    assert (log.behind("log.000009", 900), log.behind("log.000010", 500), log.behind("log.000008", 4)) == (600, 0, None)
    assert log.bytes == 1500


LOG = """2026-11-29T11:32:57,147 INFO [shop|task-0] Removed 'Struct{id=4711}' from window (Source)
2026-11-29T11:32:57,148 INFO [other|task-0] not ours (Source)
2026-11-29T11:32:57,149 INFO [shop|task-0] Incremental snapshot for table 'public.a' will end at position [4711] (Source)
2026-11-29T11:32:57,150 ERROR [shop|task-0] refused "4711" (Task)
org.apache.kafka.connect.errors.ConnectException: it failed
\tat io.debezium.Something
Caused by: org.postgresql.util.PSQLException: duplicate
  Detail: Key (id)=(4711) exists
""".splitlines()


def test_lines_of_a_log_are_of_one_connector_and_without_values():
    lines = list(about(LOG, "shop", problems=False))
    assert len(lines) == 3
    assert "4711" not in "".join(lines)
    assert "public.a" in lines[1]
    assert lines[2].endswith("← ConnectException: it failed ← PSQLException: duplicate")
    assert list(about(LOG, "shop", problems=True)) == lines[2:]

"""What Debezium says of an incremental snapshot, folded."""

from __future__ import annotations

import json

import pytest

from cdc.errors import Conflict
from cdc.notification import INCREMENTAL, INITIAL, Notification, Snapshot, fold, notification
from cdc.signals import data, last_begun, pause, resume, start, stop


def said(type_: str, at: int = 0, id_: str = "s", aggregate: str = INCREMENTAL, **detail: str) -> Notification:
    return Notification(id_, aggregate, type_, at, detail)


def chunk(last: str, most: str = "100", table: str = "public.a", at: int = 0) -> Notification:
    return said("IN_PROGRESS", at, current_collection_in_progress=table, last_processed_key=last, maximum_key=most)


def folded(*given: Notification) -> Snapshot:
    snapshot = Snapshot("s")
    for each in given:
        snapshot = fold(snapshot, each)
    return snapshot


STARTED = said("STARTED", 1_000, data_collections="public.a,public.b")


def test_a_snapshot_runs_through_its_tables_to_its_end():
    read = said("TABLE_SCAN_COMPLETED", 3_000, scanned_collection="public.a", status="SUCCEEDED", total_rows_scanned="7")
    running = folded(STARTED, chunk("10"), chunk("55"))
    assert (running.state, running.current, running.chunks, running.read) == ("running", "public.a", 2, 0.5)
    done = folded(STARTED, chunk("10"), read, said("TABLE_SCAN_COMPLETED", 4_000, scanned_collection="public.b", status="EMPTY"), said("COMPLETED", 5_000))
    assert (done.state, done.seconds, done.current) == ("complete", 4.0, None)
    assert done.whole
    stopped = folded(STARTED, read, said("ABORTED"), said("COMPLETED"))
    assert (stopped.state, stopped.unread, stopped.whole) == ("stopped", ("public.b",), False)
    assert [(scan.table, scan.whole, scan.rows) for scan in done.scans] == [("public.a", True, 7), ("public.b", True, 0)]


def test_one_chunk_may_follow_a_pause_and_a_second_means_that_it_goes_on():
    assert folded(STARTED, chunk("1"), said("PAUSED"), chunk("2")).state == "paused"
    assert folded(STARTED, chunk("1"), said("PAUSED"), chunk("2"), chunk("3")).state == "running"
    assert folded(STARTED, said("PAUSED"), said("RESUMED")).state == "running"
    paused = (STARTED, said("PAUSED", 3_000), chunk("2", at=3_500))
    assert folded(*paused).seconds == 2.0
    assert folded(*paused, said("RESUMED", 9_000), chunk("3", at=10_000)).seconds == 3.0
    assert folded(STARTED, said("PAUSED"), said("ABORTED")).state == "stopped"


def test_what_others_say_changes_nothing():
    assert folded(said("STARTED", id_="other"), said("COMPLETED", aggregate=INITIAL)) == Snapshot("s")


@pytest.mark.parametrize("last", ["a,b", "", "12.5", "<null>"])
def test_a_key_that_is_not_one_integer_has_no_share_and_no_key_is_shown(last: str):
    snapshot = folded(STARTED, chunk(last, "zzz"))
    assert snapshot.read is None
    assert "zzz" not in repr(snapshot) + repr(chunk(last, "zzz"))
    assert "77" not in repr(folded(STARTED, chunk("77", "99")))


def test_only_a_notification_is_one():
    schema = {"name": "io.debezium.connector.common.Notification"}
    payload = {"id": "s", "aggregate_type": INCREMENTAL, "type": "PAUSED", "timestamp": 5, "additional_data": None}
    assert notification(json.dumps({"schema": schema, "payload": payload}).encode()) == said("PAUSED", 5)
    assert notification(None) is None
    row = {"schema": {"name": "x.Envelope"}, "payload": {"after": {"v": "io.debezium.connector.common.Notification"}}}
    assert notification(json.dumps(row).encode()) is None


def test_a_signal_names_tables_as_debezium_does_and_a_condition_without_the_word_that_means_a_part():
    signal = start(12, ['"Odd One"."Order.Details"'], "n = 'ü%'")
    assert "additional-condition" not in signal.data
    read = json.loads(signal.data)
    assert read["type"] == "incremental"
    (condition,) = read["additional-conditions"]
    assert condition == {"data-collection": read["data-collections"][0], "filter": "n = 'ü%'"}
    assert read["data-collections"] == [r"Odd\ One\.Order\.Details"]
    assert "filter" not in repr(signal)
    assert json.loads(data("blocking", ["public.a"])) == {"type": "blocking", "data-collections": [r"public\.a"]}
    with pytest.raises(Conflict, match="too long"):
        start(12, ["public.a"], "n = 1" * 1000)
    with pytest.raises(Conflict, match="names are too long"):
        start(12, [f"public.table_{n}" for n in range(400)])


def test_the_last_snapshot_is_known_by_its_signal():
    first, second = start(9, ["public.a"]), start(10, ["public.a"])
    others = [pause(11).id, resume(11).id, stop(11, ["public.a b"]).id]
    assert json.loads(stop(11, ["public.a b"]).data) == {"type": "incremental", "data-collections": [r"public\.a\ b"]}
    assert max(len(each) for each in (start(10**18, ["public.a"]).id, resume(10**18).id)) <= 42
    found = last_begun([second.id, first.id, *others, "snapshot-of-somebody", "7c1-open"])
    assert found is not None
    assert (found.id, found.offset) == (second.id, 10)
    assert last_begun(others) is None

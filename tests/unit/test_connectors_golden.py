"""Facts about Debezium's records that the decoder and the ledger rely on, asserted on what a real Debezium wrote."""

from __future__ import annotations

import json
from collections import defaultdict

import pytest

from tests.golden.records import VERSION, Golden, records

ROW = ["before", "after", "source", "transaction", "op", "ts_ms", "ts_us", "ts_ns"]
MESSAGE = ["op", "ts_ms", "source", "transaction", "message"]
HASHED = "io.debezium.connector.postgresql.LogicalDecodingMessageMonitor$LogicalDecodingMessageId@"


def payload(record: Golden) -> dict:
    return json.loads(record.value)["payload"] if record.value else {}


def changes(*wanted: str) -> list[dict]:
    """Payloads of rows, truncates and messages, in order."""
    return [p for p in map(payload, records(*wanted)) if "op" in p]


def after(case: str) -> list[dict]:
    return [p["after"] for p in changes(case) if p["op"] == "c"]


def test_every_value_is_compact_json_of_a_schema_and_a_payload():
    for record in records():
        if record.value is None:
            continue
        text = record.value.decode()
        schema, end = json.JSONDecoder().raw_decode(text, len('{"schema":'))
        assert text.startswith('{"schema":{"type":"struct"')
        assert text[end:].startswith(',"payload":{')
        assert text.endswith("}}")
        keys = list(payload(record))
        if schema["name"].endswith(".Envelope"):
            assert keys == ROW
        elif schema["name"].endswith(".MessageValue"):
            assert keys == MESSAGE


def test_all_kinds_of_records_are_there():
    names = {json.loads(r.value)["schema"]["name"].rpartition(".")[2] for r in records() if r.value}
    assert names == {"Envelope", "MessageValue", "TransactionMetadataValue", "Heartbeat", "Notification"}
    assert {p["op"] for p in changes()} == {"c", "u", "d", "r", "t", "m"}
    assert {p["source"]["version"] for p in changes()} == {VERSION}


def test_positions_rise_strictly_with_the_offset_though_lsns_do_not():
    last, lsns = (-1, -1), []
    for p in changes():
        if p["source"]["snapshot"] != "false":
            continue
        commit, _ = json.loads(p["source"]["sequence"])
        position = (int(commit or 0), (p["transaction"] or {}).get("total_order", 0))
        assert position > last
        last = position
        lsns.append(p["source"]["lsn"])
    assert lsns != sorted(lsns)
    assert len(set(lsns)) < len(lsns)


def test_only_the_first_transaction_after_the_snapshot_lacks_the_commit_before():
    lacking = {
        p["source"]["txId"] for p in changes() if p["op"] != "r" and json.loads(p["source"]["sequence"])[0] is None
    }
    first = next(p["source"]["txId"] for p in changes() if p["op"] != "r")
    assert lacking == {first}


def test_a_transaction_is_whole_and_its_end_counts_its_events():
    ids, counted, xid = [], 0, None
    for p in map(payload, records()):
        if p.get("status") == "BEGIN":
            assert xid is None
            xid, counted, ids = p["id"].partition(":")[0], 0, [p["id"]]
        elif p.get("status") == "END":
            assert p["id"].partition(":")[0] == xid
            assert p["id"] not in ids
            assert p["event_count"] == counted == sum(c["event_count"] for c in p["data_collections"])
            xid = None
        elif p.get("transaction"):
            counted += 1
            assert p["transaction"]["total_order"] == counted
            assert p["transaction"]["id"] == f"{xid}:{p['source']['lsn']}"
            ids.append(p["transaction"]["id"])
        elif "op" in p:
            assert p["source"]["txId"] is None or p["op"] == "r"
    assert xid is None


def test_strangers_stand_inside_transactions():
    inside, seen = False, set()
    for record in records():
        p = payload(record)
        if "status" in p:
            inside = p["status"] == "BEGIN"
        elif inside and record.value and not p.get("transaction"):
            seen.add(json.loads(record.value)["schema"]["name"].rpartition(".")[2])
    assert {"Notification", "Envelope"} <= seen


def test_ends_name_messages_by_a_java_hash():
    collections = [
        c["data_collection"] for p in map(payload, records("messages")) for c in p.get("data_collections") or ()
    ]
    assert sum(name.startswith(HASHED) for name in collections) == 4


def test_what_leaves_nothing_in_the_log_leaves_no_record():
    cases = {record.case for record in records("transactions", "messages")}
    assert "rolled_back" not in cases
    assert "empty" not in cases
    (survivor,) = changes("messages/not_transactional_survives_rollback")
    assert survivor["source"]["txId"] is None
    assert survivor["transaction"] is None


def test_a_message_outside_a_transaction_comes_before_the_one_around_it():
    assert [p["op"] for p in changes("messages/not_transactional_inside")] == ["m", "c", "c"]


def test_a_key_change_is_a_delete_its_tombstone_and_a_create_that_point_at_each_other():
    begin, delete, tombstone, create, end = records("changes/key_change")
    assert payload(delete)["op"] == "d"
    assert payload(create)["op"] == "c"
    assert dict(delete.headers)["__debezium.newkey"] == b'{"id":11}'
    assert tombstone.value is None
    assert tombstone.key == delete.key
    assert dict(tombstone.headers)["__debezium.newkey"] == b'{"id":11}'
    assert dict(create.headers)["__debezium.oldkey"] == b'{"id":10}'
    assert [payload(r)["status"] for r in (begin, end)] == ["BEGIN", "END"]


def test_keys_have_the_columns_of_the_key_in_its_order_and_keyless_rows_none():
    row = next(r for r in records("changes/composite_key") if "op" in payload(r))
    assert list(json.loads(row.key)["payload"]) == ["id", "region"]
    assert list(payload(row)["after"]) == ["region", "id", "v"]
    assert {r.key for r in records("changes/keyless") if "status" not in payload(r)} == {None}
    assert [r.value is None for r in records("changes/keyless")].count(True) == 3
    assert [p["op"] for p in changes("transactions/truncate")] == ["t"]


def test_before_images_are_whole():
    (toasted,) = changes("changes/large_value_untouched")
    assert toasted["before"]["big"] == toasted["after"]["big"] == "0123456789" * 220
    for p in changes():
        assert (p["op"] in "ud") == bool(p.get("before"))


def test_the_heartbeat_table_is_first_in_the_snapshot_and_names_the_cluster():
    first = next(p for p in changes("snapshot") if p["op"] == "r")
    assert (first["source"]["schema"], first["source"]["table"]) == ("cdc", "heartbeat")
    assert first["after"]["system_identifier"].isdigit()
    assert first["source"]["snapshot"] == "first"
    assert "signal" not in {p["source"]["table"] for p in changes("snapshot")}


def test_partitions_go_by_their_tables_name():
    assert {p["source"]["table"] for p in changes("changes/partitions")} == {"parted"}
    assert not {p["source"]["table"] for p in changes("snapshot")} & {"parted_2025", "parted_2026"}


def test_incremental_snapshot_rows_have_no_position_of_their_own():
    rows = [p for p in changes("signals") if p["op"] == "r"]
    assert len(rows) == 5
    for p in rows:
        assert p["source"]["snapshot"] == "incremental"
        assert p["source"]["lsn"] is p["source"]["txId"] is p["transaction"] is None


def test_each_column_names_its_source_type():
    row = next(r for r in records("types/numbers") if "op" in payload(r))
    fields = {f["field"]: f for f in json.loads(row.value)["schema"]["fields"][0]["fields"]}
    prefix = "__debezium.source.column."
    types = {
        name: [f["parameters"][prefix + part] for part in ("type", "length", "scale")] for name, f in fields.items()
    }
    assert types["c_scaled"] == ["NUMERIC", "20", "8"]
    assert types["c_amount"] == ["AMOUNT", "18", "2"]
    assert types["c_bigint"][0] == "INT8"
    assert types["c_generated"][0] == "INT4"


@pytest.mark.parametrize(
    ("case", "column", "wire"),
    [
        ("numbers", "c_numeric", ["12345678901234567890.1234567890123456789012345678900", "NAN", "POSITIVE_INFINITY",
                                  "NEGATIVE_INFINITY", "0.0000000000000000000000000000000000000001"]),
        ("numbers", "c_double", [1.7976931348623157e308, "Infinity", "-Infinity", -0.0, 5e-324]),
        ("times", "c_timestamptz", ["2025-06-02T10:34:56.789012Z", "infinity", "-infinity", "-4712-01-01T00:00:00.000000Z",
                                    "+294276-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.900000Z", None]),
        ("times", "c_date", ["2025-06-02Z", "+5877611-06-21Z", "-5877611-06-22Z", "-0043-03-15Z", "+5874897-12-31Z",
                             "1969-12-31Z", None]),
        ("times", "c_interval", ["P1Y2M3DT4H5M6.789012S", "P0Y-1M2DT0H0M-0.000001S", "P0Y0M0DT0H0M0S",
                                 "P178000000Y0M0DT0H0M0S", "P0Y0M0DT0H0M-1S", "P0Y0M1DT-1H0M0S", None]),
        ("texts", "c_bytea", ["AP8Q", "", None]),
        ("arrays", "c_ints", [[1, None, 3], [], [None, None]]),
    ],
)  # fmt: skip
def test_values_on_the_wire(case: str, column: str, wire: list):
    assert [row[column] for row in after(f"types/{case}")] == wire


def test_text_is_the_text_whatever_it_says():
    assert after("types/texts")[0]["c_text"] == 'tab\t "q" \\ / \r\n \x01 é 😀 \u2028'
    (genuine,) = changes("changes/placeholder_as_genuine_text")
    assert genuine["after"]["owner"] == "__debezium_unavailable_value"


def test_source_clock_has_microseconds_and_is_one_per_transaction():
    clocks = defaultdict(set)
    for p in changes("changes", "transactions"):
        assert p["source"]["ts_ns"] == p["source"]["ts_us"] * 1000
        assert p["source"]["ts_us"] // 1000 == p["source"]["ts_ms"]
        clocks[p["source"]["txId"]].add(p["source"]["ts_us"])
    assert all(len(found) == 1 for found in clocks.values())

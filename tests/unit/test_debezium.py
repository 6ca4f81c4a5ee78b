"""Bytes to events: what Debezium wrote is understood, anything else is refused by its coordinates and never quoted."""

from __future__ import annotations

import json
import traceback

import pytest
from msgspec.structs import replace

from cdc.debezium import Decoder
from cdc.errors import Halted, RecordError
from cdc.event import Baseline, Begin, ChangeEvent, End, LogicalMessage, Record, Skipped, Truncate
from tests.builders import FILLS, ORDERS, Column, Feed, Table, Worker, connect, envelope_schema, key_schema
from tests.golden import records as golden

PLANTED = "planted-value-4711"
ROW = {"id": 1, "owner": PLANTED, "price": "1.50", "note": None, "pin": None}


def record(value: bytes | None, key: bytes | None = None, offset: int = 17) -> Record:
    return Record("trading", 0, offset, key, value, (), 1_700_000_000_000)


def insert() -> Record:
    return Feed().row(ORDERS, "c", None, ROW)


def with_payload(change) -> bytes:
    """The value of an insert, its payload changed."""
    whole = json.loads(insert().value)
    change(whole["payload"])
    return connect(whole["schema"], whole["payload"])


def with_schema(change) -> bytes:
    whole = json.loads(insert().value)
    change(whole["schema"])
    return connect(whole["schema"], whole["payload"])


def refused(bad: Record, decoder: Decoder | None = None) -> str:
    """The one line that says why; nothing of the record is in anything that would be printed."""
    with pytest.raises(RecordError) as caught:
        (decoder or Decoder()).decode(bad)
    printed = "".join(traceback.format_exception(caught.value)) + repr(caught.value) + str(caught.value.hint)
    assert PLANTED not in printed
    assert f"record trading/0 offset {bad.offset} cannot be decoded" in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# What Debezium writes.


def _as_record(wrote: golden.Golden) -> Record:
    return Record("golden", 0, wrote.offset, wrote.key, wrote.value, wrote.headers, wrote.timestamp)


def _expected(wrote: golden.Golden) -> type:
    if wrote.value is None:
        return Skipped
    whole = json.loads(wrote.value)
    name, payload = whole["schema"]["name"], whole["payload"]
    if name.endswith(".Envelope"):
        return Truncate if payload["op"] == "t" else ChangeEvent
    if name.endswith("TransactionMetadataValue"):
        return {"BEGIN": Begin, "END": End}[payload["status"]]
    if name.endswith("Notification") and payload["aggregate_type"] == "Initial Snapshot":
        return Baseline if payload["type"] in ("STARTED", "TABLE_SCAN_COMPLETED", "COMPLETED") else Skipped
    return LogicalMessage if name.endswith("MessageValue") else Skipped


def test_every_golden_record_is_understood():
    decoder, seen = Decoder(), set()
    for wrote in golden.records():
        event = decoder.decode(_as_record(wrote))
        assert type(event) is _expected(wrote), (wrote.file, wrote.case, wrote.offset)
        assert event.origin.offset == wrote.offset
        assert event.origin.produced_at == wrote.timestamp * 1_000_000
        seen.add(type(event))
        if type(event) is ChangeEvent:
            _compare(event, json.loads(wrote.value)["payload"])
    assert seen == {ChangeEvent, Truncate, Begin, End, Baseline, LogicalMessage, Skipped}


_INFINITE = {"+5877611-06-21Z": "infinity", "-5877611-06-22Z": "-infinity"}
"""Dates beyond PostgreSQL's calendar, which entries have a word for."""


def _compare(event: ChangeEvent, payload: dict) -> None:
    assert event.operation == payload["op"]
    source = payload["source"]
    assert (event.table.schema, event.table.name) == (source["schema"], source["table"])
    assert event.origin.captured_at == payload["ts_ns"]
    assert event.origin.committed_at == source["ts_ns"]
    assert event.origin.position == tuple(json.loads(source["sequence"]))
    block = payload["transaction"]
    assert (event.origin.transaction is None) == (block is None)
    if block is not None:
        assert event.origin.transaction.id == block["id"].split(":")[0]
        assert event.origin.transaction.order == block["total_order"]
    for side in ("before", "after"):
        image = getattr(event, side)
        assert (image is None) == (payload[side] is None)
        if image is not None:
            assert [column.name for column in event.table.columns] == list(payload[side])
            for value, wire in zip(image, payload[side].values(), strict=True):
                if wire is None or isinstance(wire, str):
                    assert value == _INFINITE.get(wire, wire)
                elif isinstance(wire, bool):
                    assert value == str(wire).lower()
                elif isinstance(wire, int):
                    assert value == str(wire)
                elif isinstance(wire, float):
                    assert isinstance(value, str)
                    assert float(value) == wire


def _golden(case: str) -> list:
    decoder = Decoder()
    return [decoder.decode(_as_record(wrote)) for wrote in golden.records(case)]


def test_rows_of_a_connector_that_is_not_read_halt_the_stream():
    wrote = next(each for each in golden.records("changes") if each.value and b'"op":"u"' in each.value)
    value = wrote.value.replace(b"connector.postgresql.Source", b"connector.mysql.Source").replace(b'"connector":"postgresql"', b'"connector":"mysql"')
    record = _as_record(wrote)
    with pytest.raises(Halted, match="source-kind: the topic is written by Debezium's connector 'mysql'"):
        Decoder().decode(Record(record.topic, record.partition, record.offset, record.key, value, record.headers, record.timestamp_ms))


def test_ddl_of_a_connector_that_is_not_read_halts_the_stream():
    value = b'{"schema":{"type":"struct","name":"io.debezium.connector.sqlserver.SchemaChangeValue"},"payload":{}}'
    with pytest.raises(Halted, match="source-kind: the topic is written by Debezium's connector 'sqlserver'"):
        Decoder().decode(Record("golden", 0, 7, None, value, (), 1))


def test_golden_key_change_links_both_halves():
    gone, tombstone, made = [event for event in _golden("changes/key_change") if not isinstance(event, Begin | End)]
    assert (gone.operation, gone.other_key, made.operation, made.other_key) == ("d", ("11",), "c", ("10",))
    assert tombstone.reason == "tombstone"


def test_golden_messages_count_under_the_empty_name():
    (end,) = [event for event in _golden("messages/transactional") if isinstance(event, End)]
    assert dict(end.tables) == {"": 2, "golden.account": 1}
    assert end.count == 3


def test_golden_placeholder_beside_a_before_image_or_in_an_insert_is_what_somebody_wrote():
    (change,) = [event for event in _golden("changes/placeholder_as_genuine_text") if isinstance(event, ChangeEvent)]
    assert "__debezium_unavailable_value" in change.after


def test_golden_rows_become_a_sound_log():
    from tests.builders import entries
    from tests.independent.reader import verify

    worker = Worker()
    worker.read([_as_record(wrote) for wrote in golden.records()])
    batch = worker.batch()
    assert batch is not None
    problems = verify(entries([batch]), edge=[node.hex() for node in batch.end.edge.hashes])
    # heartbeats between the cases were left out of the capture, so rows of their table skip a beat
    kept = [problem for problem in problems if '"table":"cdc.heartbeat"' not in entries([batch])[problem.seq][1]]
    assert kept == []


def test_schemas_are_remembered_and_told_apart():
    feed, decoder = Feed(), Decoder()
    wider = ORDERS.with_column(Column("extra"))
    events = [decoder.decode(feed.row(table, "c", None, row)) for table, row in [(ORDERS, ROW), (wider, {**ROW, "extra": "x"}), (ORDERS, ROW), (wider, {**ROW, "extra": "y"})]]
    assert events[0].table is events[2].table
    assert events[1].table is events[3].table
    assert events[1].table is not events[0].table
    assert [len(event.after) for event in events] == [5, 6, 5, 6]


@pytest.mark.parametrize("name", ["a.b", 'quo"te', "back\\slash", "new\nline", "é😀", "%s", "{0}", "c0", "select", " ", "n" * 63, "lambda r: 1"])
def test_column_names_never_become_code(name):
    table = Table("public", name, (Column(name, optional=False), Column("n", "INT8", "int64"), Column("f", "FLOAT8", "double")), (name,))
    (event,) = [Decoder().decode(Feed().row(table, "c", None, {name: "k", "n": -7, "f": 1.5}))]
    assert event.after == ("k", "-7", "1.5")
    assert [column.name for column in event.table.columns] == [name, "n", "f"]
    assert event.table.key == (name,)


# Tombstones.


def test_a_tombstone_is_legal_right_after_its_own_delete():
    feed, decoder = Feed(), Decoder()
    feed.row(ORDERS, "d", ROW, None)
    feed.row(FILLS, "d", {"symbol": "A", "quantity": 1, "secret": None}, None)  # without a key: null key and null value
    events = [decoder.decode(record) for record in feed.records]
    assert [getattr(event, "reason", None) for event in events] == [None, "tombstone", None, "tombstone"]


def test_a_tombstone_anywhere_else_is_refused():
    feed = Feed()
    feed.row(ORDERS, "d", ROW, None)
    delete, tombstone = feed.records
    other = replace(tombstone, key=connect(key_schema(ORDERS), {"id": 2}))
    for lead in ([], [delete, tombstone], [insert()]):
        decoder = Decoder()
        for before in lead:
            decoder.decode(before)
        assert "tombstone-without-delete" in refused(tombstone, decoder)
    for bad in (other, replace(tombstone, key=None)):
        decoder = Decoder()
        decoder.decode(delete)
        refused(bad, decoder)
    feed.begin()
    decoder = Decoder()
    for before in (delete, feed.records[-1]):
        decoder.decode(before)
    refused(tombstone, decoder)
    feed.heartbeat()  # that alone may come between
    decoder = Decoder()
    for before in (delete, feed.records[-1]):
        decoder.decode(before)
    assert decoder.decode(tombstone).reason == "tombstone"
    refused(tombstone, decoder)


# Anything else.


def _set(**members: object):
    return lambda payload: payload.update(members)


def _drop(*names: str):
    return lambda payload: [payload.pop(name) for name in names]


def _source(**members: object):
    return lambda payload: payload["source"].update(members)


@pytest.mark.parametrize(
    "change",
    [
        _set(op="x"), _set(op=None), _set(op=1), _set(op="u", after=None), _set(op="d"), _set(after=None), _set(after=[PLANTED]), _set(after=PLANTED),
        _set(after={"id": 1}), _set(after={**ROW, "more": PLANTED}), _set(after={**ROW, "id": PLANTED}), _set(after={**ROW, "id": 1.5}), _set(after={**ROW, "id": True}),
        _set(after={**ROW, "owner": 1}), _set(after={**ROW, "owner": [PLANTED]}), _set(source=None), _set(source=PLANTED), _set(ts_ms=None), _set(ts_ms=PLANTED),
        _set(transaction=PLANTED), _set(transaction={"id": PLANTED}), _set(transaction={"id": 1, "total_order": 1}), _set(transaction={"id": "1", "total_order": PLANTED}),
        _drop("op"), _drop("source"), _drop("after"), _drop("before"), _drop("ts_ms"), _source(ts_ms=PLANTED), _source(sequence=PLANTED), _source(sequence="[" * 100_000),
        _source(sequence='["planted-value-4711","1"]'), _source(sequence="1"), _source(sequence='{"planted-value-4711":1}'), _source(sequence='[["planted-value-4711"]]'), _source(sequence="[1,2]"), _source(sequence="[]"), _source(schema=None), _source(table=1),
    ],
)  # fmt: skip
def test_malformed_payloads(change):
    known = Decoder()
    known.decode(insert())
    bad = replace(insert(), value=with_payload(change), offset=4711)
    for decoder in (Decoder(), known):
        refused(bad, decoder)


@pytest.mark.parametrize(
    "change",
    [
        _set(type="string"), _set(name=None), _set(name=PLANTED), _set(name=7), _set(name={PLANTED: 1}), _set(fields=None), _set(fields=7), _set(fields=PLANTED), _set(fields=[]), _set(fields=[PLANTED]),
        _set(fields=[{"field": "after", "fields": [PLANTED]}]), _set(fields=[{"field": "after", "fields": [{"field": "id", "type": PLANTED}]}]),
        _set(fields=[{"field": "after", "fields": [{"field": "id", "type": "int64", "optional": True, "parameters": PLANTED}]}]),
        _set(fields=[{"field": "after", "fields": [{"field": ["id"], "type": "int64", "optional": True}]}]),
        _set(fields=[{"field": "after", "fields": [{"field": "id", "type": 9, "optional": True}]}]),
        _set(fields=[{"field": "after", "fields": [{"field": "id", "type": "int64", "optional": True, "parameters": {"__debezium.source.column.length": 7}}]}]),
        _set(fields=[{"field": "after", "fields": [{"field": "id", "type": "int64", "optional": True}] * 2}]),
    ],
)  # fmt: skip
def test_malformed_schemas(change):
    refused(replace(insert(), value=with_schema(change)))


@pytest.mark.parametrize(
    "value",
    [
        b"", b"{", b"}", b"null", b"[]", b"{}", b'{"schema":null,"payload":null}', b'{"schema":{},"payload":{}}', b'{"schema":[],"payload":{}}', b'{"payload":{}}', b'{"schema":{"type":"struct"}}',
        b"\xff\xfe", b'{"schema":\xff,"payload":{}}', PLANTED.encode(), b'"planted-value-4711"', b'{"schema":{"type":"struct","name":"planted-value-4711"},"payload":{}}', b'{"schema":' + b"[" * 200_000 + b',"payload":1}', b"\x00",
    ],
)  # fmt: skip
def test_what_is_no_connect_json(value):
    refused(record(value))


def test_truncated_and_damaged_bytes():
    whole = insert()
    known = Decoder()
    known.decode(whole)
    assert whole.value is not None
    for length in [*range(0, len(whole.value), 97), len(whole.value) - 1, len(whole.value) - 2]:
        refused(replace(whole, value=whole.value[:length]), Decoder())
        refused(replace(whole, value=whole.value[:length]), known)
    for bad in (whole.value + b"}", whole.value + b"\n", b" " + whole.value):
        refused(replace(whole, value=bad), known)
    at = whole.value.index(PLANTED.encode())
    for damage in (b"\xff", b"\x00", b'"', b"\\", b"\xed\xa0\x80"):
        refused(replace(whole, value=whole.value[:at] + damage + whole.value[at + len(damage) :]), known)


@pytest.mark.parametrize("escape", [rb"\ud800", rb"\udc00", rb"\ud83dx", rb"\ude00\ud83d"])
@pytest.mark.parametrize("column", [Column("v"), Column("v", "_TEXT", "array"), Column("v", "POINT", "struct"), Column('v"')])
def test_lone_surrogates(escape, column):
    """Text without bytes: it could not be hashed, sealed or stored."""
    table = Table("public", "t", (column,))
    value = {"array": ["MARK"], "struct": {"MARK": "MARK"}}.get(column.wire, "MARK")
    whole = Feed().row(table, "c", None, {column.name: value})
    refused(replace(whole, value=whole.value.replace(b"MARK", escape)))


@pytest.mark.parametrize("wire", ["array", "struct", "double"])
def test_deep_nesting(wire):
    table = Table("public", "t", (Column("v", "_TEXT", wire),))
    whole = Feed().row(table, "c", None, {"v": "MARK"})
    for depth in (1_000, 100_000):
        refused(replace(whole, value=whole.value.replace(b'"MARK"', b"[" * depth + b"]" * depth)))
        refused(replace(whole, value=whole.value.replace(b'"MARK"', b'{"a":' * depth + b"1" + b"}" * depth)))


@pytest.mark.parametrize("operation", ["c", "t"])
def test_a_payload_of_another_table_under_a_remembered_schema(operation):
    decoder = Decoder()
    decoder.decode(insert())
    images = {} if operation == "c" else {"after": None}
    bad = with_payload(lambda p: p.update(source=p["source"] | {"table": "accounts"}, op=operation, **images))
    assert "schema-of-another-table" in refused(replace(insert(), value=bad, key=insert().key), decoder)


def test_keys():
    good = insert()
    decoder = Decoder()
    decoder.decode(good)
    schema = key_schema(ORDERS)
    foreign = schema | {"fields": [schema["fields"][0] | {"field": PLANTED}]}
    for key in (b"{", b"\xff", PLANTED.encode(), b'{"schema":7,"payload":{}}', connect(foreign, {PLANTED: 1}), connect(schema | {"fields": [PLANTED]}, {})):
        refused(replace(good, key=key), decoder)
        refused(replace(good, key=key))


@pytest.mark.parametrize("header", [b"", b"{", b"[]", b"{}", b'{"no":1}', b'{"id":', b"\xff", b'"planted-value-4711"', rb'{"id":"\ud800"}'])
def test_malformed_key_change_headers(header):
    refused(replace(insert(), headers=(("__debezium.oldkey", header),)))


@pytest.mark.parametrize(
    "payload",
    [
        {"status": PLANTED, "id": "1:2", "event_count": None, "data_collections": None, "ts_ms": 1},
        {"status": "END", "id": "1:2", "event_count": None, "data_collections": None, "ts_ms": 1},
        {"status": "END", "id": "1:2", "event_count": PLANTED, "data_collections": [], "ts_ms": 1},
        {"status": "END", "id": "1:2", "event_count": 1, "data_collections": [{"data_collection": 1, "event_count": 1}], "ts_ms": 1},
        {"status": "BEGIN", "id": None, "event_count": None, "data_collections": None, "ts_ms": 1},
        {"status": "BEGIN"},
    ],
)
def test_malformed_boundaries(payload):
    from tests.builders import BOUNDARY

    refused(record(connect(BOUNDARY, payload)))


def test_schema_of_an_envelope_without_rows_or_source():
    schema = envelope_schema(ORDERS)
    refused(record(connect(schema, {})))
    refused(record(connect(schema, None)))
    refused(record(connect(schema, [PLANTED])))


def test_no_repr_shows_a_value():
    feed = Feed()
    feed.row(ORDERS, "u", ROW, ROW)
    feed.message("p", PLANTED)
    for wrote in feed.records:
        event = Decoder().decode(wrote)
        assert PLANTED not in repr(wrote) + repr(event)
        assert "cGxhbnRlZC" not in repr(event)


def test_tables_whose_joined_names_are_one_are_told_apart():
    tables = [Table(schema, name, (Column("id", optional=False), Column("v")), ("id",)) for schema, name in (("a.b", "c"), ("a", "b.c"))]
    feed = Feed()
    feed.begin()
    for n in range(3):
        for table in tables:
            feed.row(table, "c", None, {"id": str(n), "v": table.schema})
    feed.end()
    decoder = Decoder()
    events = [event for event in map(decoder.decode, feed.records) if isinstance(event, ChangeEvent)]
    assert [(event.table.schema, event.table.name, event.after) for event in events] == [
        (table.schema, table.name, (str(n), table.schema)) for n in range(3) for table in tables
    ]
    assert len({id(event.table) for event in events}) == 2

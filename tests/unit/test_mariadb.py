"""MariaDB's records: DDLs that have no END, another server's transactions, values that the wire has as numbers."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from cdc.accepting import Place, gap_of
from cdc.audit.drift import _retyped
from cdc.batch import Standing
from cdc.debezium import Decoder
from cdc.entry import state_column
from cdc.errors import Halted
from cdc.event import Begin, Column, End, Origin, Record, Transaction, Truncate
from cdc.gap import batch
from cdc.identity import Identity
from cdc.ledger.merkle import Edge
from cdc.rows import table_version
from cdc.sequencer import Sequencer
from cdc.values import rendering_of, typing_of
from cdc.values.mariadb_catalog import state_type
from cdc.warehouse.halts import Halt


def sequencer(**standing: object) -> Sequencer:
    start = Standing(0, Edge(0, ()), **standing)  # type: ignore[arg-type]
    return Sequencer(Identity("shop", "shop/1", "A" * 22, 0), start, b"k" * 32, set())


def begin(offset: int, name: str) -> Begin:
    return Begin(Origin(offset, 1, committed_at=offset), name)


def truncate(offset: int, name: str) -> Truncate:
    commit = int(name.split("-")[2])
    origin = Origin(offset, 1, 5, 5, (name, "b.1", "4", "0"), commit, Transaction(name, 1))
    return Truncate(origin, "shop", "orders")


def entries(batch) -> list[dict]:
    lines = [row.line.decode().split("\t") for row in batch.rows]
    return [json.loads(next(part for part in line if part.startswith("{")).replace("\\\\", "\\")) for line in lines]


def test_the_next_begin_closes_a_ddl():
    end = End(Origin(4, 1, committed_at=9), "0-7-3", 0, ())
    events = [begin(0, "0-7-1"), begin(1, "0-7-2"), truncate(2, "0-7-2"), begin(3, "0-7-3"), end]
    batch = sequencer().assemble(events, lambda *_: None, {}, 5, 5)
    kinds = [(entry["kind"], entry["offset"], entry["transaction"]) for entry in entries(batch)]
    assert kinds == [
        ("end", "1", {"end": {"count": None, "offset": "1", "tables": {}}, "id": "0-7-1"}),
        ("truncate", "2", {"id": "0-7-2", "order": "1"}),
        ("end", "3", {"end": {"count": None, "offset": "3", "tables": {}}, "id": "0-7-2"}),
        ("end", "4", {"end": {"count": "0", "offset": "4", "tables": {}}, "id": "0-7-3"}),
    ]
    assert dict(batch.end.skipped) == {"begin": 1}


def test_where_the_batch_was_cut_does_not_show():
    events = [
        begin(0, "0-7-1"),
        truncate(1, "0-7-1"),
        begin(2, "0-7-2"),
        End(Origin(3, 1, committed_at=9), "0-7-2", 0, ()),
    ]
    whole = sequencer().assemble(events, lambda *_: None, {}, 4, 4)
    for at in (1, 2, 3):
        parts = sequencer()
        first = parts.assemble(events[:at], lambda *_: None, {}, at, at)
        second = parts.assemble(events[at:], lambda *_: None, {}, 4, 4 - at)
        assert [*entries(first), *entries(second)] == entries(whole)


@pytest.mark.parametrize(("name", "count"), [("745", 0), ("0-7-1", 1)])
def test_a_lost_end_halts(name, count):
    """PostgreSQL's always; MariaDB's where the transaction has rows."""
    after = sequencer(open_transaction=name, open_count=count)
    with pytest.raises(Halted) as halted:
        after.assemble([begin(0, "0-7-2" if count else "746")], lambda *_: None, {}, 1, 1)
    assert halted.value.code == "transaction-without-end"


def test_a_second_begin_halts_and_the_rest_of_its_transaction_is_judged_anew():
    """PostgreSQL's ids say nothing of the kind."""
    open_one = {"open_transaction": "0-7-5", "open_count": 3, "high": (5, 3)}
    with pytest.raises(Halted) as halted:
        sequencer(**open_one).assemble([begin(4, "0-7-5")], lambda *_: None, {}, 5, 1)
    assert halted.value.code == "transaction-begun-again"
    with pytest.raises(Halted, match="inside a transaction that has not ended"):
        sequencer(**open_one | {"open_transaction": "745"}).assemble([begin(4, "745")], lambda *_: None, {}, 5, 1)
    halt = Halt("shop", "transaction-begun-again", "", datetime.now(UTC), {"offset": "4"}, "shop", "A" * 22, 4, None, "0-7-5", 0)
    accepted = gap_of(halt, Place({}, "shop"))
    assert (accepted.lost, accepted.going.skips, accepted.going.position) == (0, 1, 5)
    said = {"at": "2026-11-29T12:00:00Z", "by": "x", "reason": "y"}
    behind = batch(Standing(4, Edge(0, ()), **open_one), "shop/1", accepted, said, "0" * 32).end
    assert (behind.open_transaction, behind.open_count, behind.high) == ("0-7-5", 0, (5, 0))
    event_less = batch(Standing(4, Edge(0, ()), **open_one), "shop/1", replace(accepted, going=replace(accepted.going, skips=0)), said, "0" * 32)
    assert event_less.end.high == (5, 3)  # events of the transaction that stand twice are replays


@pytest.mark.parametrize("name", ["0-8-2", "1-7-2", "0-77-2"])
def test_a_transaction_of_another_server_or_domain_halts(name):
    with pytest.raises(Halted) as halted:
        sequencer(source_epoch="uuid/0-7").assemble([begin(0, name)], lambda *_: None, {}, 1, 1)
    assert halted.value.code == "source-epoch"


def column(kind: str, semantic: str = "", wire: str = "int64", length: str | None = None) -> Column:
    return Column("c", kind, length, None, wire, True, semantic, "mariadb")


@pytest.mark.parametrize(
    ("semantic", "wire", "entry"),
    [
        ("io.debezium.time.Date", "-354285", "1000-01-01Z"),
        ("io.debezium.time.Date", "2932896", "9999-12-31Z"),
        ("io.debezium.time.Timestamp", "253402300799000", "9999-12-31T23:59:59Z"),
        ("io.debezium.time.Timestamp", "0", "1970-01-01T00:00:00Z"),
        ("io.debezium.time.MicroTimestamp", "-1", "1969-12-31T23:59:59.999999Z"),
        ("io.debezium.time.MicroTime", "-3020399999999", "P0Y0M0DT-838H-59M-59.999999S"),
        ("io.debezium.time.MicroTime", "86400000000", "P0Y0M0DT24H0M0S"),
        ("io.debezium.time.Year", "1900", "0"),
        ("io.debezium.data.Enum", "d\\,e", "d,e"),
        ("io.debezium.time.ZonedTimestamp", "2025-06-02T10:00:00.12Z", "2025-06-02T10:00:00.120000Z"),
        ("io.debezium.time.ZonedTimestamp", "2025-06-02T10:00:00.120000Z", "2025-06-02T10:00:00.120000Z"),
        ("io.debezium.time.ZonedTimestamp", "2025-06-02T10:00:00.000000Z", "2025-06-02T10:00:00Z"),
        ("io.debezium.time.ZonedTimestamp", "2025-06-02T10:00:00Z", "2025-06-02T10:00:00Z"),
    ],
)
def test_numbers_of_the_wire_become_iso(semantic, wire, entry):
    render = rendering_of(column("X", semantic))
    assert render is not None
    assert render(wire) == entry


def test_bits_have_their_length():
    render = rendering_of(column("BIT", "io.debezium.data.Bits", "bytes", "9"))
    assert render is not None
    assert render("VQE=") == "101010101"
    assert render("AA==") == "000000000"


@pytest.mark.parametrize("semantic", ["io.debezium.time.Date", "io.debezium.data.Bits"])
def test_what_is_no_date_is_refused_without_content(semantic):
    render = rendering_of(column("X", semantic, length="3"))
    assert render is not None
    with pytest.raises(ValueError, match="no date or time") as refused:
        render("99999999999999999999" if "Date" in semantic else "planted!")
    assert "planted" not in str(refused.value)


def test_other_databases_are_left_alone():
    assert rendering_of(Column("c", "DATE", None, None, "int32", True, "io.debezium.time.Date", "postgresql")) is None


@pytest.mark.parametrize(
    ("kind", "state", "fidelity"),
    [("BIGINT UNSIGNED", "numeric", "exact"), ("INT UNSIGNED ZEROFILL", "bigint", "exact"), ("DATE", "date", "limit"), ("INET9", "text", "text")],
)  # fmt: skip
def test_state_types(kind, state, fidelity):
    typing = typing_of(column(kind))
    assert (typing.state, typing.fidelity) == (state, fidelity)
    assert fidelity == "exact" or typing.note


@pytest.mark.parametrize(
    ("declared", "state"),
    [
        ("tinyint(1)", "smallint"), ("int(10) unsigned", "bigint"), ("int(8) unsigned zerofill", "bigint"), ("bigint(20) unsigned", "numeric"), ("bit(1)", "boolean"),
        ("bit(9)", "text"), ("decimal(65,30)", "numeric"), ("enum('a) unsigned','b')", "text"), ("varbinary(9)", "bytea"), ("timestamp(6)", "timestamptz"), ("point", "text"), ("", "text"),
    ],
)  # fmt: skip
def test_state_types_by_the_catalog(declared, state):
    assert state_type(declared) == state


@pytest.mark.parametrize(
    ("was", "now", "retyped"),
    [
        ("INT", "BIGINT", False), ("BIGINT", "INT", True), ("INT UNSIGNED", "BIGINT", False), ("INT UNSIGNED", "INT", True), ("INT", "BIGINT UNSIGNED", True),
        ("INT UNSIGNED ZEROFILL", "BIGINT UNSIGNED", False), ("VARCHAR", "LONGTEXT", False), ("VARCHAR", "INT", True), ("FLOAT", "DOUBLE", True), ("DATE", "DATETIME", True),
    ],
)  # fmt: skip
def test_which_changes_of_a_type_keep_every_value(was, now, retyped):
    described = [{"type": kind, "scale": None, "connector": "mariadb"} for kind in (was, now)]
    assert _retyped(*described) is retyped


def test_a_schema_change_is_a_counted_skip_without_its_text():
    value = b'{"schema":{"type":"struct","name":"io.debezium.connector.mariadb.SchemaChangeValue"},"payload":{"ddl":"planted"}}'
    event = Decoder().decode(Record("shop", 0, 3, None, value, (), 1))
    assert event.reason == "schema-change"
    assert "planted" not in repr(event)


def test_a_column_name_beyond_63_bytes_ends_in_a_digest_in_state():
    """MariaDB's names have up to 64 characters; PostgreSQL would cut two such columns to one name."""
    one, other = "ё" * 63 + "a", "ё" * 63 + "b"
    assert state_column(one) != state_column(other)
    assert {len(state_column(name).encode()) for name in (one, other)} == {63}
    assert state_column("ё" * 31 + "a") == "ё" * 31 + "a"
    assert state_column("a" * 63) == "a" * 63
    assert state_column("a" * 64).startswith("a" * 52 + "~")


@pytest.mark.parametrize(("optional", "connector", "key"), [(True, "mariadb", ()), (False, "mariadb", ("a",)), (True, "postgresql", ("a",))])
def test_a_unique_column_that_may_be_null_is_no_key(optional: bool, connector: str, key: tuple[str, ...]):
    """MariaDB's connector takes `a int UNIQUE` of a CREATE TABLE in its stream for a key: all rows with null would share it."""
    row = {"field": "after", "type": "struct", "fields": [{"field": "a", "type": "int32", "optional": True}]}
    version = table_version({"fields": [row]}, {"fields": [{"field": "a", "type": "int32", "optional": optional}]}, ("s", "t"), connector)
    assert version.key == key

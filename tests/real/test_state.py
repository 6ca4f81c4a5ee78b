"""Typed current state is the fold of history, whatever is in it and wherever batches are cut; and it reads as the source's columns do."""

from __future__ import annotations

import base64
import json
from collections import Counter
from decimal import Decimal
from random import Random

import psycopg2
import pytest

from cdc.errors import Halted
from cdc.values import typing_of
from governance import policy
from tests.builders import FILLS, HOLDERS, ORDERS, Column, Feed, Table
from tests.golden import records as golden
from tests.history import TEXTS, History
from tests.independent.reader import verify
from tests.memory_keys import MemoryKeys
from tests.warehouse import edge, everything, folded, log, query, rebuilt_alike, rows, verified, worker

OPEN_POLICY = policy.parse("""
source: trading
tables:
  public.single: {columns: {note: clear}}
  public.odd: {columns: {_key: clear, _version: clear, _version_: clear, _seq: clear, _deleted: clear, _copies: clear, _committed_at: clear}}
  public.plain: {columns: {_key: clear, _version: clear, _version_: clear, _seq: clear, _deleted: clear, _copies: clear, _committed_at: clear, id: clear, note: clear}}
""")
ROW = {"id": 1, "owner": "ann", "price": "1.50", "note": "n", "pin": "1"}


def state_images(database) -> dict[str, Counter[str]]:
    """Every view, in the form of ``folded``: sealed cells and tokens as their entries have them, dropped columns left out."""
    found: dict[str, Counter[str]] = {}
    tables = query(database.auditor_dsn, "SELECT table_name, state_name, columns FROM pipeline.state_table WHERE log = 'trading' AND suspended_code IS NULL")
    for table, name, columns in tables:
        listed = ", ".join('"' + column["name"].replace('"', '""') + '"' + ("" if column["protect"] == "seal" else "::text") for column in columns)
        relation = '"trading"."' + name.replace('"', '""') + '"'
        images: Counter[str] = Counter()
        for row in query(database.auditor_dsn, f"SELECT {listed} FROM {relation}"):
            image: dict[str, object] = {}
            for column, value in zip(columns, row, strict=True):
                if value is None:
                    continue
                if column["protect"] == "seal":
                    image[column["name"]] = {"seal": base64.b64encode(bytes(value)).decode()}
                elif column["protect"] == "token":
                    image[column["name"]] = {"token": value}
                else:
                    image[column["name"]] = value
            images[json.dumps(image, sort_keys=True)] += 1
        if images:
            found[table] = images
    return found


def without_dropped(state: dict[str, Counter[str]]) -> dict[str, Counter[str]]:
    import json

    words = {"NAN": "NaN", "POSITIVE_INFINITY": "Infinity"}
    found: dict[str, Counter[str]] = {}
    for table, images in state.items():
        count: Counter[str] = Counter()
        for text, n in images.items():
            image = {name: value for name, value in json.loads(text).items() if value != {"dropped": ""}}
            if isinstance(image.get("price"), str):
                image["price"] = words.get(image["price"], image["price"])
            count[json.dumps(image, sort_keys=True)] += n
        found[table] = count
    return found


@pytest.mark.parametrize("seed", range(12))
def test_state_is_the_fold_of_history(warehouse_database, seed):
    random = Random(seed)
    history = History(random).grow(25)
    records = history.feed.records
    at = 0
    while at < len(records):  # several owners, batches of all sizes
        with worker(warehouse_database) as it:
            at = next((n for n, record in enumerate(records) if record.offset >= it.owned.standing.next_offset), len(records))
            through = min(len(records), at + random.choice((5, 60, 400))) if it.owned.epoch < 8 else len(records)
            while at < through:
                size = random.choice((1, 7, 50, 200))
                it.bring(records[at : at + size], limit=random.choice((3, 20, 1000)))
                at += size
    size, nodes = edge(warehouse_database)
    stored = log(warehouse_database)
    assert len(stored) == size
    assert verify(stored, edge=nodes) == []
    state = state_images(warehouse_database)
    assert state == without_dropped(folded(stored))
    # and the source itself says the same of what stayed in clear
    names = ("symbol", "quantity", *(("extra",) if "extra" in [c.name for c in history.tables["fills"].columns] else ()))
    expected = Counter({tuple(None if row[n] is None else str(row[n]) for n in range(len(row)) if n != 2): 0 for row in history.keyless_rows()})
    for row, n in history.keyless_rows().items():
        expected[tuple(None if value is None else str(value) for at, value in enumerate(row) if at != 2)] += n
    if "public.fills" in state or expected:
        assert rows(warehouse_database, "trading.fills", *names) == expected
    assert sum(state.get("public.orders", Counter()).values()) == len(history.keyed["orders"])


def test_two_versions_of_a_table_in_one_batch(warehouse_database):
    wider = ORDERS.with_column(Column("extra"))
    feed = Feed()
    feed.begin()
    feed.row(ORDERS, "c", None, ROW)
    feed.row(ORDERS, "c", None, {**ROW, "id": 2})
    feed.row(wider, "u", {**ROW, "extra": None}, {**ROW, "price": "2", "extra": "x"})
    feed.row(wider, "d", {**ROW, "id": 2, "extra": None}, None)
    feed.end()
    with worker(warehouse_database) as it:
        it.bring(feed.records)
    assert rows(warehouse_database, "trading.orders", "id", "price", "extra") == {("1", "2", "x"): 1}
    assert rows(warehouse_database, "trading_state.orders", "_key", "_version", "_deleted") == {('["1"]', "2", "false"): 1, ('["2"]', "2", "true"): 1}


def test_a_deleted_row_keeps_its_key_and_nothing_else(warehouse_database):
    feed = Feed()
    for before, after in [(None, ROW), (ROW, None)]:
        feed.begin()
        feed.row(ORDERS, "d" if before else "c", before, after)
        feed.end()
    with worker(warehouse_database) as it:
        it.bring(feed.records[:4])
        it.bring(feed.records[4:])
    assert rows(warehouse_database, "trading_state.orders", "_deleted", "id", "owner", "price", "note") == {("true", "1", None, None, None): 1}
    assert rows(warehouse_database, "trading.orders", "id") == {}


def test_truncate_hides_what_was_before_and_nothing_after(warehouse_database):
    fill = {"symbol": "A", "quantity": 1, "secret": "s"}
    with worker(warehouse_database) as it:
        feed = Feed()
        feed.begin()
        for _ in range(3):
            feed.row(FILLS, "c", None, fill)
        feed.row(ORDERS, "c", None, ROW)
        feed.end()
        it.bring(feed.records)
        at = len(feed.records)
        feed.begin()
        feed.row(FILLS, "c", None, fill)
        feed.truncate(FILLS)
        feed.truncate(ORDERS)
        feed.row(FILLS, "c", None, fill)
        feed.row(ORDERS, "c", None, {**ROW, "id": 2})
        feed.row(ORDERS, "c", None, ROW)
        feed.end()
        it.bring(feed.records[at:])
        assert rows(warehouse_database, "trading.fills", "symbol") == {("A",): 1}
        assert rows(warehouse_database, "trading.orders", "id") == {("1",): 1, ("2",): 1}
        at = len(feed.records)
        feed.begin()
        feed.row(FILLS, "d", fill, None)
        feed.end()
        it.bring(feed.records[at:])
        assert rows(warehouse_database, "trading.fills", "symbol") == {}
        assert rows(warehouse_database, "trading_state.orders", "_key", "_version") == {('["1"]', "2"): 1, ('["2"]', "1"): 1}


def test_a_copy_deleted_more_often_than_it_is_there_halts_and_writes_nothing(warehouse_database):
    feed = Feed()
    feed.begin()
    feed.row(FILLS, "d", {"symbol": "planted", "quantity": 1, "secret": "s"}, None)
    feed.end()
    with worker(warehouse_database) as it:
        before = everything(warehouse_database)
        with pytest.raises(Halted, match=r"state-diverged: 1 rows of public\.fills") as caught:
            it.bring(feed.records)
        assert "planted" not in str(caught.value)
        after = everything(warehouse_database)
    assert {name: rows for name, rows in after.items() if not name.startswith(("trading_state", "pipeline.state_table"))} == {name: rows for name, rows in before.items() if not name.startswith("pipeline.state_table")}


HOSTILE = ['quo"te', "a.b", "100%", "%s", "{0}", "sp ace", "Ünï😀", "select", "s", "excluded", "x" * 63, "é" * 31, "back\\slash", "new\nline", "tab\t", "$1", ":x", "--", "/*", "seq", "log"]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_and_texts(warehouse_database, name):
    tables = [Table(schema, name, (Column(name, optional=False), Column("v")), (name,)) for schema in ("public", name)]
    tables.append(Table("public", name[:50] + "K", (Column(name), Column("v"))))
    from cdc.entry import qualified_name
    from governance.plan import ColumnRule, Policy, TableRule

    plan = Policy("trading", "seal", {qualified_name(t.schema, t.name): TableRule(None, "operational", {n: ColumnRule("clear") for n in (name, "v")}) for t in tables})
    feed = Feed()
    feed.begin()
    for table in tables:
        for text in TEXTS:
            feed.row(table, "c", None, {name: f"k{text}", "v": text})
    feed.end()
    feed.begin()
    for table in tables:
        for text in TEXTS[:4]:
            image = {name: f"k{text}", "v": text}
            feed.row(table, "u", image, {**image, "v": None})
        feed.row(table, "d", {name: f"k{TEXTS[5]}", "v": TEXTS[5]}, None)
    feed.end()
    end = next(n for n, record in enumerate(feed.records) if b'"END"' in (record.value or b""))
    with worker(warehouse_database, plan) as it:
        it.bring(feed.records[: end + 1])
        it.bring(feed.records[end + 1 :])
        assert it.projections.suspended == {}
    expected = {(f"k{text}", None if n < 4 else text): 1 for n, text in enumerate(TEXTS) if n != 5}
    for (view,) in query(warehouse_database.auditor_dsn, "SELECT state_name FROM pipeline.state_table"):
        quoted = '"' + view.replace('"', '""') + '"'
        assert rows(warehouse_database, f'"trading".{quoted}', name, "v") == expected
    assert len(query(warehouse_database.auditor_dsn, "SELECT state_name FROM pipeline.state_table")) == 3
    assert verify(log(warehouse_database)) == []


def _change(feed: Feed, *rows_: tuple[Table, str, dict | None, dict | None]) -> list:
    at = len(feed.records)
    feed.begin()
    for table, op, before, after in rows_:
        feed.row(table, op, before, after)
    feed.end()
    return feed.records[at:]


def test_names_with_dots_never_collide(warehouse_database):
    feed = Feed()
    key = (Column("id", optional=False),)
    tables = [Table(schema, name, key, ("id",)) for schema, name in [("public", "s.t"), ("s", "t"), ("a.b", "c"), ("a", "b.d"), ("public", "a.b.c")]]
    with worker(warehouse_database) as it:
        it.bring(_change(feed, *((table, "c", None, {"id": str(n)}) for n, table in enumerate(tables))))
        assert it.projections.suspended == {}
    assert query(warehouse_database.auditor_dsn, "SELECT count(DISTINCT state_name) FROM pipeline.state_table") == [(5,)]


MISFITS = {
    "column-gone": (Table("public", "orders", ORDERS.columns[:3], ("id",)), {"id": 1, "owner": "a", "price": "1"}),
    "column-changed": (
        Table("public", "orders", (*ORDERS.columns[:2], Column("price", "INT4", "int32"), *ORDERS.columns[3:]), ("id",)),
        {**ROW, "price": 5},
    ),
    "key-changed": (Table("public", "orders", ORDERS.columns, ("id", "owner")), ROW),
}


@pytest.mark.parametrize("code", MISFITS)
def test_what_cannot_be_projected_suspends_the_table_and_history_flows_on(warehouse_database, code):
    feed = Feed()
    other, image = MISFITS[code]
    with worker(warehouse_database) as it:
        it.bring(_change(feed, (ORDERS, "c", None, ROW), (FILLS, "c", None, {"symbol": "A", "quantity": 1, "secret": None})))
        it.bring(_change(feed, (other, "c", None, {**image, "id": 2})))
    ((found, message, seq),) = query(warehouse_database.auditor_dsn, "SELECT suspended_code, suspended_message, suspended_seq FROM pipeline.state_table WHERE table_name = 'public.orders'")
    assert (found, seq) == (code, 5)
    assert message
    assert rows(warehouse_database, "trading.orders", "id") == {("1",): 1}
    with worker(warehouse_database) as it:  # another owner knows, and versions go on from the log
        it.bring(_change(feed, (other, "u", {**image, "id": 2}, {**image, "id": 2}), (FILLS, "c", None, {"symbol": "B", "quantity": 1, "secret": None})))
        assert it.projections.suspended["public.orders"][0] == code
    assert rows(warehouse_database, "trading.fills", "symbol") == {("A",): 1, ("B",): 1}
    assert query(warehouse_database.auditor_dsn, "SELECT version, prev FROM audit.entry WHERE seq = 6") == [(2, 5)]
    assert rows(warehouse_database, "trading.orders", "id") == {("1",): 1}
    assert verify(log(warehouse_database)) == []


@pytest.mark.parametrize("at_once", [True, False], ids=["one batch", "three batches"])
def test_a_column_that_comes_and_goes_under_one_owner_suspends_the_table(warehouse_database, at_once):
    feed = Feed()
    wider = ORDERS.with_column(Column("extra"))
    steps = ((ORDERS, ROW), (wider, {**ROW, "extra": "x"}), (ORDERS, ROW))
    with worker(warehouse_database) as it:
        changes = [_change(feed, (table, "c", None, {**row, "id": n})) for n, (table, row) in enumerate(steps)]
        for brought in [[record for change in changes for record in change]] if at_once else changes:
            it.bring(brought)
        assert it.projections.suspended["public.orders"][0] == "column-gone"
    assert verify(log(warehouse_database)) == []


@pytest.mark.parametrize("at_once", [True, False], ids=["one batch", "two batches"])
def test_a_replay_of_what_preceded_an_added_column_suspends_nothing(warehouse_database, at_once):
    feed = Feed()
    wider = ORDERS.with_column(Column("extra"))
    _change(feed, (ORDERS, "c", None, ROW))
    narrow = len(feed.records)
    _change(feed, (wider, "c", None, {**ROW, "id": 2, "extra": "x"}))
    first = len(feed.records)
    feed.again(feed.records[:narrow])
    with worker(warehouse_database) as it:
        for brought in [feed.records] if at_once else (feed.records[:first], feed.records[first:]):
            it.bring(brought)
        assert it.projections.suspended == {}
    assert rows(warehouse_database, "trading.orders", "id", "extra") == {("1", None): 1, ("2", "x"): 1}


def test_a_suspended_table_stays_as_it_was_when_the_source_truncates_it(warehouse_database):
    feed = Feed()
    other, _ = MISFITS["column-gone"]
    with worker(warehouse_database) as it:
        it.bring(_change(feed, (ORDERS, "c", None, ROW)))
        it.bring(_change(feed, (other, "c", None, {"id": 2, "owner": "a", "price": "1"})))
        at = len(feed.records)
        feed.begin()
        feed.truncate(other)
        feed.end()
        it.bring(feed.records[at:])
    assert rows(warehouse_database, "trading.orders", "id") == {("1",): 1}


def test_columns_named_as_ours_have_another_name_in_state_and_their_own_in_the_log(warehouse_database):
    """Whether or not the table has columns that are named like the other names: no two columns get one name."""
    names = ("_key", "_version", "_version_", "_seq", "_deleted", "_copies", "_committed_at")
    odd = Table("public", "odd", (Column("_key", optional=False), *map(Column, names[1:])), ("_key",))
    plain = Table("public", "plain", tuple(map(Column, names)))
    row = {name: f"of {name}" for name in names}
    with worker(warehouse_database, OPEN_POLICY) as it:
        it.bring(_change(Feed(), (odd, "c", None, row), (plain, "c", None, row), (odd, "u", row, row | {"_seq": "new"}), (plain, "c", None, row)))
        assert it.projections.suspended == {}
    ours = tuple(name + "_" for name in names)
    assert rows(warehouse_database, "trading.odd", *ours) == {tuple((row | {"_seq": "new"}).values()): 1}
    assert rows(warehouse_database, "trading.plain", *ours) == {tuple(row.values()): 2}
    assert json.loads(log(warehouse_database)[1][1])["after"] == row
    assert verify(log(warehouse_database)) == []
    assert verified(warehouse_database) == []
    rebuilt_alike(warehouse_database, "public.odd", "trading_state.odd")
    rebuilt_alike(warehouse_database, "public.plain", "trading_state.plain")
    assert verified(warehouse_database) == []


@pytest.mark.parametrize("key", [("id",), ()], ids=["with a key", "without"])
def test_two_descriptions_of_a_table_with_the_same_columns_in_one_batch(warehouse_database, key):
    """A snapshot describes some tables otherwise than the stream does; rows of both are applied once."""
    one = Table("public", "plain", (Column("id", optional=False), Column("note")), key)
    other = Table("public", "plain", (Column("id", optional=False), Column("note", optional=False)), key)
    feed = Feed()
    feed.snapshot(one, [{"id": str(n), "note": "a"} for n in range(3)])
    with worker(warehouse_database, OPEN_POLICY) as it:
        _change(feed, (other, "c", None, {"id": "3", "note": "a"}), (other, "u", {"id": "1", "note": "a"}, {"id": "1", "note": "b"}))
        it.bring(feed.records)
    expected = {("0", "a"): 1, ("1", "b"): 1, ("2", "a"): 1, ("3", "a"): 1}
    assert rows(warehouse_database, "trading.plain", "id", "note") == expected
    assert verified(warehouse_database) == []


def test_an_empty_text_in_a_table_of_one_column(warehouse_database):
    """Its line for COPY is empty, and is a column all the same."""
    single, feed = Table("public", "single", (Column("note"),), ()), Feed()
    feed.snapshot(single, [{"note": "a"}, {"note": ""}, {"note": None}])
    with worker(warehouse_database, OPEN_POLICY) as it:
        it.bring(feed.records)
        it.bring(_change(feed, (single, "c", None, {"note": ""}), (single, "u", {"note": "a"}, {"note": ""})))
        assert it.projections.suspended == {}
    assert rows(warehouse_database, "trading.single", "note") == {("",): 3, (None,): 1}
    assert verified(warehouse_database) == []


def test_a_replay_of_an_older_version_of_a_table_does_not_suspend_it(warehouse_database):
    feed = Feed()
    wider = ORDERS.with_column(Column("extra"))
    with worker(warehouse_database) as it:
        first = _change(feed, (ORDERS, "c", None, ROW))
        it.bring(first)
        it.bring(_change(feed, (wider, "u", {**ROW, "extra": None}, {**ROW, "extra": "x"})))
    with worker(warehouse_database) as it:
        at = len(feed.records)
        feed.again(first)
        it.bring(feed.records[at:])
        assert it.projections.suspended == {}
        it.bring(_change(feed, (wider, "u", {**ROW, "extra": "x"}, {**ROW, "extra": "y"})))
    assert rows(warehouse_database, "trading.orders", "extra") == {("y",): 1}


# Texts of the wire against the columns that read them.

def test_golden_values_read_back_as_the_source_had_them(warehouse_database):
    """Wire text → state text → column of the source's type → text: what a clear column shows is what the source shows."""
    from cdc.debezium import Decoder
    from cdc.event import ChangeEvent, Record

    decoder, checked = Decoder(), 0
    connection = psycopg2.connect(warehouse_database.admin_dsn)
    with connection, connection.cursor() as cursor:
        cursor.execute("SET DateStyle = 'ISO, YMD'; SET TimeZone = 'UTC'; SET IntervalStyle = 'iso_8601'")
        for wrote in golden.records("types"):
            event = decoder.decode(Record("golden", 0, wrote.offset, wrote.key, wrote.value, wrote.headers, wrote.timestamp))
            if not isinstance(event, ChangeEvent) or event.after is None:
                continue
            for column, value in zip(event.table.columns, event.after, strict=True):
                kind = typing_of(column).state
                if not isinstance(value, str) or kind == "text":
                    continue
                text = typing_of(column).text(value)
                cursor.execute(f"SELECT format('%%s', %s::{kind})", (text,))
                ((read,),) = cursor.fetchall()
                cursor.execute(f"SELECT format('%%s', %s::{kind})", (read,))
                assert cursor.fetchall() == [(read,)], column.name
                _same_value(column.type, value, read)
                checked += 1
    connection.close()
    assert checked > 60


def _same_value(source_type: str, wire: str, read: str) -> None:
    if source_type in {"NUMERIC", "MONEY"} and wire[-1].isdigit():
        assert Decimal(read) == Decimal(wire)
        assert read == wire
    elif source_type in {"FLOAT4", "FLOAT8"}:
        import struct

        code = "f" if source_type == "FLOAT4" else "d"
        assert struct.pack(code, float(read)) == struct.pack(code, float(wire))
    elif source_type in {"UUID", "INT4", "INT8", "JSON", "JSONB", "INET", "CIDR", "MACADDR"}:
        assert read == wire
    elif source_type == "BYTEA":
        assert bytes.fromhex(read[2:]) == base64.b64decode(wire)


def test_tokens_and_seals_in_state_are_those_of_the_entries(warehouse_database):
    feed = Feed()
    with worker(warehouse_database) as it:
        it.bring(_change(feed, (HOLDERS, "c", None, {"email": "ann@example.com", "no": 1, "v": "\\N"}), (ORDERS, "c", None, ROW)))
    token = MemoryKeys().token("email", "ann@example.com")
    assert rows(warehouse_database, 'trading."Back Office.Hold""ers"', "email", "no", "v") == {(token, "1", "\\N"): 1}
    assert state_images(warehouse_database) == without_dropped(folded(log(warehouse_database)))

"""Typed history views: every change before and after, typed as current state is, whatever becomes of a table's columns."""

from __future__ import annotations

import base64
import json
import re
import shutil
import time
from random import Random

import psycopg2
import pytest

from cdc.errors import LedgerError
from cdc.event import Record
from cdc.values.texts import _INFINITE
from cdc.warehouse import migrate as module
from cdc.warehouse.migrate import migrate, sql_folder
from governance.plan import ColumnRule, Policy, TableRule
from tests.builders import FILLS, ORDERS, POLICY, Column, Feed, Table, typed
from tests.golden import records as golden
from tests.history import History
from tests.real.test_audit_as_of import FILL, ROW, baseline, bring, change
from tests.real.test_state import HOSTILE
from tests.warehouse import log, query, worker

META = [
    "_seq", "_version", "_prev", "_operation", "_key", "_linked_key", "_committed_at", "_committed_at_ns", "_ordered_at_ns",
    "_recorded_at", "_transaction", "_replay", "_absent",
]  # fmt: skip


def clear_policy(*tables: Table) -> Policy:
    from cdc.entry import qualified_name

    rules = {
        qualified_name(table.schema, table.name): TableRule(
            None, "operational", {column.name: ColumnRule("clear") for column in table.columns}
        )
        for table in tables
    }
    return Policy("trading", "seal", {**POLICY.tables, **rules})


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def view(database, name: str, dsn: str | None = None) -> list[dict]:
    connection = psycopg2.connect(dsn or database.auditor_dsn)
    with connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM trading_history.{quoted(name)} ORDER BY _seq")
        names = [column.name for column in cursor.description]
        found = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    connection.close()
    return found


def types(database, name: str) -> dict[str, str]:
    rows = query(
        database.admin_dsn,
        "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 ORDER BY attnum",
        f"trading_history.{quoted(name)}",
    )
    return dict(rows)


def behind(database) -> dict[str, str | None]:
    return dict(query(database.auditor_dsn, "SELECT table_name, behind FROM pipeline.history_view"))


@pytest.mark.parametrize("seed", range(4))
def test_every_change_is_one_row(warehouse_database, seed):
    random = Random(f"views {seed}")
    with worker(warehouse_database) as it:
        it.bring(History(random).grow(30).feed.records, limit=random.choice((10, 1000)))
    entries = [json.loads(text) | json.loads(body or "{}") for _, text, body, _ in log(warehouse_database)]
    checked = 0
    for name, table in (
        ("orders", "public.orders"),
        ("fills", "public.fills"),
        ('Back Office.Hold"ers', '"Back Office"."Hold""ers"'),
    ):
        expected = [entry for entry in entries if entry["kind"] in {"change", "truncate"} and entry["table"] == table]
        if not expected:
            continue
        rows = view(warehouse_database, name)
        assert [row["_seq"] for row in rows] == [int(entry["seq"]) for entry in expected]
        for row, entry in zip(rows, expected, strict=True):
            assert row["_operation"] == entry["operation"]
            assert row["_version"] == (int(entry["version"]) if "version" in entry else None)
            assert row["_replay"] is ("replay_of" in entry)
            assert row["_transaction"] == entry.get("transaction", {}).get("id")
            assert row["_committed_at_ns"] == int(entry["committed_at"])
            assert round(row["_committed_at"].timestamp() * 1_000_000) == int(entry["committed_at"]) // 1000
            if "linked_key" in entry:
                assert json.loads(row["_linked_key"]) == entry["linked_key"]
            image = entry.get("after") or entry.get("before")
            shown = {name.removeprefix("after_") for name in row if name.startswith("after_")}
            assert row["_absent"] is None if image is None else set(row["_absent"]) == shown - image.keys()
            for side in ("before", "after"):
                image = entry.get(side, {})
                for column in [name.removeprefix(f"{side}_") for name in row if name.startswith(f"{side}_")]:
                    checked += column in image
                    assert _same(row[f"{side}_{column}"], image.get(column))
    assert checked > 100


def _same(shown: object, value: object) -> bool:
    if value is None or value == {"dropped": ""}:
        return shown is None
    if isinstance(value, dict) and "seal" in value:
        return bytes(shown) == base64.b64decode(value["seal"])  # type: ignore[arg-type]
    if isinstance(value, dict):
        return shown == value["token"]
    words = {"NAN": "NaN", "POSITIVE_INFINITY": "Infinity"}
    return str(shown) == words.get(str(value), value)


def test_values_of_every_type_are_typed_as_in_current_state(warehouse_database):
    """The records that Debezium wrote for every type: the view's columns and the state's are equal, row by row."""
    wrote = golden.records("types")
    records = [Record("trading", 0, n, r.key, r.value, r.headers, r.timestamp) for n, r in enumerate(wrote)]
    names: dict[str, set[str]] = {}
    for record in wrote:
        document = json.loads(record.value or b"null") or {}
        fields = {field["field"]: field for field in document.get("schema", {}).get("fields", [])}
        if "source" in (document.get("payload") or {}):
            source = document["payload"]["source"]
            columns = names.setdefault(f"{source['schema']}.{source['table']}", set())
            columns |= {field["field"] for side in ("before", "after") for field in fields[side]["fields"]}
    rules = {
        name: TableRule(None, "operational", {column: ColumnRule("clear") for column in columns})
        for name, columns in names.items()
    }
    with worker(warehouse_database, Policy("trading", "seal", rules)) as it:
        it.bring(records)
    compared = 0
    for name, columns in query(
        warehouse_database.auditor_dsn,
        "SELECT state_name, columns FROM pipeline.state_table WHERE suspended_code IS NULL",
    ):
        shown = types(warehouse_database, name)
        for column in columns:
            after = f"after_{column['name']}"
            state = query(
                warehouse_database.admin_dsn,
                "SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = %s::regclass AND attname = %s",
                f"trading_state.{quoted(name)}", column["name"],
            )  # fmt: skip
            assert [(shown[after],)] == state
            ((rows, differing),) = query(
                warehouse_database.admin_dsn,
                f"SELECT count(s.{quoted(column['name'])}), count(*) FILTER (WHERE h.{quoted(after)}::text IS DISTINCT FROM s.{quoted(column['name'])}::text)"
                f" FROM trading_state.{quoted(name)} s JOIN trading_history.{quoted(name)} h USING (_seq) WHERE s._seq = h._seq"
                + (" AND NOT s._deleted" if "_deleted" in _columns(warehouse_database, name) else ""),
            )
            assert differing == 0, f"{name}.{column['name']}"
            compared += rows
    assert compared > 60


def _columns(database, name: str) -> list[str]:
    return [
        row[0]
        for row in query(
            database.admin_dsn,
            "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0",
            f"trading_state.{quoted(name)}",
        )
    ]


def test_the_database_types_columns_as_their_schema_entries_say(warehouse_database):
    def asked(described: dict, protect: str = "clear") -> str | None:
        text = "SELECT audit.type_of(%s, %s)"
        return query(warehouse_database.auditor_dsn, text, json.dumps(described), json.dumps({"protect": protect}))[0][0]

    described = {"type": "MONEY", "wire": "string", "state": "numeric"}
    assert [asked(described, protect) for protect in ("clear", "seal", "token", "drop")] == ["numeric", "cell", "text", None]
    del described["state"]  # an entry from before schema entries said it
    assert [asked(described, protect) for protect in ("clear", "seal")] == ["text", "cell"]
    assert [asked({"type": kind, "wire": "string"}) for kind in ("NUMERIC", "DATE", "mood")] == ["numeric", "date", "text"]


ODD_TEXTS = {
    "NUMERIC": ["NAN", "POSITIVE_INFINITY", "NEGATIVE_INFINITY", "-0.0001", "1" * 40 + ".5"],
    "DATE": ["2025-06-02Z", "0000-03-15Z", "-0043-03-15Z", "-4712-01-01Z", "+12345-06-01Z", "0001-01-01Z", "+5874897-12-31Z", *(text for text in _INFINITE if "T" not in text and "29" not in text)],
    "TIMESTAMP": ["2025-06-02T10:00:00.900000Z", "0000-03-15T00:00:00Z", "-0043-03-15T23:59:59.999999Z", "+12345-06-01T00:00:00Z", *(text for text in _INFINITE if "T" in text)],
    "TIMESTAMPTZ": ["2025-06-02T10:00:00.900000Z", "2025-06-02T10:00:00.9+05:30", "0000-03-15T00:00:00Z", "-0043-03-15T00:00:00Z", "infinity", "-infinity"],
    "TIME": ["00:00:00Z", "24:00:00Z", "23:59:59.999999Z"],
    "BYTEA": ["", "AAECAw==", base64.b64encode(bytes(range(256))).decode()],
}  # fmt: skip


@pytest.mark.parametrize("datestyle", ["ISO, YMD", "SQL, DMY", "German", "Postgres, MDY"])
@pytest.mark.parametrize("source_type", ODD_TEXTS)
def test_odd_texts_are_read_as_the_program_reads_them_in_every_session(warehouse_cluster, source_type, datestyle):
    kind = typed(source_type).state
    database = warehouse_cluster.fresh_database("texts", template="warehouse")
    connection = psycopg2.connect(database.auditor_dsn)
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('datestyle', %s, false), set_config('timezone', 'America/New_York', false)", (datestyle,)
        )
        for text in ODD_TEXTS[source_type]:
            cursor.execute("SELECT audit.typed('%%s::json', %s)", (kind,))
            ((expression,),) = cursor.fetchall()
            cursor.execute(f"SELECT ({expression.replace('%', '%%').replace('%%s', '%s')})::text", (json.dumps(text),))
            ((ours,),) = cursor.fetchall()
            cursor.execute("SET datestyle = 'ISO, YMD'")
            cursor.execute(f"SELECT %s::{kind}", (typed(source_type).text(text),))
            cursor.execute("SELECT set_config('datestyle', %s, false)", (datestyle,))
            cursor.execute(f"SELECT %s::{kind}::text", (typed(source_type).text(text),))
            assert cursor.fetchall() == [(ours,)], text
    connection.close()
    warehouse_cluster.drop(database)


def test_added_retyped_and_dropped_columns(warehouse_database):
    feed = Feed()

    def table(**columns: tuple[str, str]) -> Table:
        return Table(
            "public",
            "things",
            (Column("id", "INT4", "int32", optional=False), *(Column(n, *kind) for n, kind in columns.items())),
            ("id",),
        )

    small, large, word, number = ("INT4", "int32"), ("INT8", "int64"), ("TEXT", "string"), ("NUMERIC", "string")
    steps = [
        (table(a=small), {"a": 1}, {"a": "integer"}),
        (table(a=small, b=small), {"a": 2, "b": 2}, {"a": "integer", "b": "integer"}),
        (table(a=large, b=small), {"a": 10**12, "b": 3}, {"a": "bigint", "b": "integer"}),
        (table(b=number), {"b": "1.50"}, {"a": "bigint", "b": "numeric"}),
        (table(b=word), {"b": "NAN"}, {"a": "bigint", "b": "text"}),
        (table(c=word, b=word), {"c": "x", "b": None}, {"a": "bigint", "b": "text", "c": "text"}),
        (table(a=small), {"a": 4}, {"a": "bigint", "b": "text", "c": "text"}),
    ]  # fmt: skip
    baseline(feed)
    sent, plan = 0, clear_policy(table(a=small, b=small, c=small))
    for step, (version, values, expected) in enumerate(steps):
        change(feed, (version, "c", None, {"id": step, **values}))
        with worker(warehouse_database, plan) as it:
            it.bring(feed.records[sent:])
        sent = len(feed.records)
        shown = types(warehouse_database, "things")
        assert list(shown)[: len(META)] == META
        assert {name.removeprefix("after_"): kind for name, kind in shown.items() if name.startswith("after_")} == {
            "id": "integer"
        } | expected
        assert {name.removeprefix("before_"): kind for name, kind in shown.items() if name.startswith("before_")} == {
            "id": "integer"
        } | expected
        row = view(warehouse_database, "things")[-1]
        assert {name: None if row[f"after_{name}"] is None else str(row[f"after_{name}"]) for name in values} == {
            name: None if value is None else str(value) for name, value in values.items()
        }
    assert [row["after_b"] for row in view(warehouse_database, "things")] == [None, "2", "3", "1.50", "NAN", None, None]
    assert query(
        warehouse_database.auditor_dsn,
        "SELECT suspended_code FROM pipeline.state_table WHERE table_name = 'public.things'",
    ) == [("column-gone",)]
    assert behind(warehouse_database)["public.things"] is None


def test_another_protection(warehouse_database):
    feed = Feed()
    change(feed, (ORDERS, "c", None, ROW))
    first = len(feed.records)
    change(feed, (ORDERS, "c", None, {**ROW, "id": 2}))
    with worker(warehouse_database) as it:
        it.bring(feed.records[:first])
    assert types(warehouse_database, "orders")["after_note"] == "bytea"
    assert "after_pin" not in types(warehouse_database, "orders")  # the policy keeps nothing of it
    with worker(warehouse_database, clear_policy(ORDERS)) as it:
        it.bring(feed.records[first:])
    rows = view(warehouse_database, "orders")
    assert json.loads(rows[0]["after_note"]).keys() == {"seal"}
    assert rows[1]["after_note"] == "n"
    assert [row["after_pin"] for row in rows] == [None, "1"]
    assert [row["after_owner"][:4] for row in rows] == ["tok_", "ann"]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names(warehouse_database, name):
    tables = [Table(schema, name, (Column(name, optional=False), Column("v")), (name,)) for schema in ("public", name)]
    tables.append(Table("public", name[:50] + "K", (Column(name), Column("v"))))
    feed = Feed()
    change(feed, *((table, "c", None, {name: f"k{n}", "v": '\\ " é'}) for n, table in enumerate(tables)))
    bring(warehouse_database, feed, plan=clear_policy(*tables))
    assert set(behind(warehouse_database).values()) == {None}
    views = query(
        warehouse_database.auditor_dsn,
        "SELECT s.state_name, h.view_name FROM pipeline.state_table s JOIN pipeline.history_view h USING (log, table_name)",
    )
    assert len(views) == 3
    for state_name, view_name in views:
        assert state_name == view_name
        (row,) = view(warehouse_database, view_name)
        assert row["after_v"] == '\\ " é'
        (value,) = [value for column, value in row.items() if column.startswith("after_") and column != "after_v"]
        assert value.startswith("k")


def test_long_names_do_not_collide(warehouse_database):
    columns = [Column("c" * 60 + letter) for letter in "abc"]
    wide = Table("public", "t" * 63, (Column("id", optional=False), *columns), ("id",))
    other = Table("cdc", "t" * 63, wide.columns, ("id",))
    feed = Feed()
    image = {"id": "1"} | {column.name: column.name[-1] for column in columns}
    change(feed, (wide, "c", None, image), (other, "c", None, image))
    bring(warehouse_database, feed, plan=clear_policy(wide, other))
    names = [
        row[0]
        for row in query(
            warehouse_database.auditor_dsn, "SELECT view_name FROM pipeline.history_view ORDER BY table_name"
        )
    ]
    assert len({name.encode()[:63] for name in names}) == 2
    for name in names:
        (row,) = view(warehouse_database, name)
        after = {column: value for column, value in row.items() if column.startswith("after_c")}
        assert sorted(after.values()) == ["a", "b", "c"]
        assert all(len(column) <= 63 and "~" in column for column in after)


def test_a_character_that_no_text_of_postgresql_has(warehouse_database):
    odd = Table(
        "public", "odd", (Column("id", optional=False), Column("_seq"), Column("v")), ("id",)
    )
    was = Table("public", "odd", (*odd.columns[:2], Column("v", "INT4", "int32")), ("id",))
    feed = Feed()
    change(feed, (was, "c", None, {"id": "-", "_seq": "x", "v": 1}))  # then suspended: its state takes no values
    values = ["\x00", "a\x00\x00b", "\\u0000", "\\\\\x00", '"\x00"']
    change(feed, *((odd, "c", None, {"id": str(n), "_seq": "x", "v": value}) for n, value in enumerate(values)))
    bring(warehouse_database, feed, plan=clear_policy(odd))
    assert [row["after_v"] for row in view(warehouse_database, "odd")][1:] == [
        value.replace("\x00", "␀") for value in values
    ]
    assert [row["after__seq"] for row in view(warehouse_database, "odd")][1:] == ["x"] * len(values)


def test_images_in_a_body(warehouse_database):
    feed = Feed()
    large = {**FILL, "symbol": "x" * 70_000}
    change(feed, (FILLS, "c", None, large), (FILLS, "u", large, FILL), (FILLS, "d", FILL, None))
    bring(warehouse_database, feed)
    assert [(row["before_symbol"], row["after_symbol"]) for row in view(warehouse_database, "fills")] == [
        (None, large["symbol"]),
        (large["symbol"], "A"),
        ("A", None),
    ]


def test_a_commit_without_a_new_version_leaves_the_views_alone(warehouse_database):
    feed = Feed()
    with worker(warehouse_database) as it:
        change(feed, (ORDERS, "c", None, ROW))
        it.bring(feed.records)
        untouched = "SELECT (SELECT xmin::text FROM pg_class WHERE oid = 'trading_history.orders'::regclass), (SELECT xmin::text FROM pipeline.history_view)"
        before = query(warehouse_database.admin_dsn, untouched)
        sent = len(feed.records)
        change(feed, (ORDERS, "u", ROW, {**ROW, "price": "3"}))
        it.bring(feed.records[sent:])
        assert query(warehouse_database.admin_dsn, untouched) == before
        sent = len(feed.records)
        change(feed, (ORDERS.with_column(Column("extra")), "c", None, {**ROW, "id": 2, "extra": "x"}))
        it.bring(feed.records[sent:])
        assert query(warehouse_database.admin_dsn, untouched) != before


def test_a_commit_that_fails_leaves_no_view(warehouse_database):
    feed = Feed()
    change(feed, (ORDERS, "c", None, ROW))

    def fail(step: str) -> None:
        if step == "commit":
            raise LedgerError("planned")

    with worker(warehouse_database) as it, pytest.raises(LedgerError, match="planned"):
        it.bring(feed.records, observe=fail)
    assert query(warehouse_database.admin_dsn, "SELECT to_regclass('trading_history.orders')") == [(None,)]
    assert behind(warehouse_database) == {}


def test_somebody_who_reads_a_view_does_not_stop_the_stream(warehouse_database):
    feed = Feed()
    wider = ORDERS.with_column(Column("extra"))
    with worker(warehouse_database) as it:
        change(feed, (ORDERS, "c", None, ROW))
        it.bring(feed.records)
        reader = psycopg2.connect(warehouse_database.auditor_dsn)
        reader.cursor().execute("SELECT * FROM trading_history.orders")  # and does not end the transaction
        sent = len(feed.records)
        change(feed, (wider, "c", None, {**ROW, "id": 2, "extra": "x"}))
        began = time.monotonic()
        it.bring(feed.records[sent:])
        assert time.monotonic() - began < 5
        assert behind(warehouse_database)["public.orders"] == "55P03"
        assert "after_extra" not in types(warehouse_database, "orders")
        assert len(log(warehouse_database)) == 4
        reader.close()
        assert migrate(warehouse_database.admin_dsn) == []
        assert behind(warehouse_database)["public.orders"] is None
        assert view(warehouse_database, "orders")[-1]["after_extra"] == "x"


def test_what_depends_on_a_column_keeps_it_and_the_log_goes_on(warehouse_database):
    feed = Feed()
    other = Table("public", "orders", (*ORDERS.columns[:2], Column("price", "TEXT"), *ORDERS.columns[3:]), ("id",))
    with worker(warehouse_database) as it:
        change(feed, (ORDERS, "c", None, ROW))
        it.bring(feed.records)
        query(warehouse_database.admin_dsn, "CREATE VIEW public.mine AS SELECT after_price FROM trading_history.orders")
        sent = len(feed.records)
        change(feed, (other, "c", None, {**ROW, "id": 2, "price": "cheap"}))
        it.bring(feed.records[sent:])
    assert behind(warehouse_database)["public.orders"] == "2BP01"
    with pytest.raises(psycopg2.DataError):  # loud: a view that is behind does not make NULL of what it cannot type
        view(warehouse_database, "orders")
    query(warehouse_database.admin_dsn, "DROP VIEW public.mine")
    migrate(warehouse_database.admin_dsn)
    assert behind(warehouse_database)["public.orders"] is None
    assert [row["after_price"] for row in view(warehouse_database, "orders")] == ["1.50", "cheap"]


def test_a_warehouse_from_before_gets_its_views_when_it_is_migrated(warehouse_cluster, tmp_path, monkeypatch):
    database = warehouse_cluster.fresh_database("older")
    folder = shutil.copytree(sql_folder(), tmp_path / "sql")
    files = sorted((folder / "migrations").glob("*.sql"))
    history = re.compile(r"pipeline\.history_|FUNCTION audit\.|audit\.readable")
    later = [file.name for file in files if file.name >= "0004" and history.search(file.read_text())]
    assert later[0] == "0004_history.sql"
    for name in later:
        (folder / "migrations" / name).unlink()
    with monkeypatch.context() as older:
        older.setattr(module, "sql_folder", lambda: folder)
        migrate(database.admin_dsn)
        asked = "pipeline.table_waits(text)"  # this and the table by today's worker, which an older one was not
        query(database.admin_dsn, f"CREATE FUNCTION {asked} RETURNS TABLE (seq bigint, table_name text, kafka_offset bigint) LANGUAGE sql AS 'SELECT 0, NULL, 0 WHERE false'")
        query(database.admin_dsn, "CREATE TABLE pipeline.row_wait (log text, table_name text, row_key text, since bigint, open bigint[])")
        query(database.admin_dsn, "GRANT SELECT ON pipeline.row_wait TO cdc_replicator")
        with worker(database) as it:
            it.bring(History(Random(1)).grow(20).feed.records)
        query(database.admin_dsn, f"DROP FUNCTION {asked}")
        query(database.admin_dsn, "DROP TABLE pipeline.row_wait")
    assert query(database.admin_dsn, "SELECT to_regnamespace('trading_history')") == [(None,)]
    assert migrate(database.admin_dsn) == later
    tables = query(database.auditor_dsn, "SELECT count(DISTINCT table_name) FROM pipeline.table_version")
    assert query(database.auditor_dsn, "SELECT count(*) FROM pipeline.history_view WHERE behind IS NULL") == tables
    assert len(view(database, "orders")) > 3
    warehouse_cluster.drop(database)


def test_who_reads_and_who_may_not(warehouse_database):
    feed = Feed()
    change(feed, (ORDERS, "c", None, ROW))
    bring(warehouse_database, feed)
    assert len(view(warehouse_database, "orders")) == 1
    for dsn, statement in (
        (warehouse_database.replicator_dsn, "SELECT * FROM trading_history.orders"),
        (warehouse_database.replicator_dsn, "SELECT pipeline.define_history('trading', 'public.orders')"),
        (warehouse_database.replicator_dsn, "SELECT audit.readable('{}')"),
        (warehouse_database.replicator_dsn, "UPDATE pipeline.history_view SET behind = 'x'"),
        (warehouse_database.auditor_dsn, "SELECT pipeline.define_history('trading', 'public.orders')"),
        (warehouse_database.auditor_dsn, "DELETE FROM trading_history.orders"),
        (warehouse_database.auditor_dsn, "DROP VIEW trading_history.orders"),
    ):
        with pytest.raises(psycopg2.Error):
            query(dsn, statement)

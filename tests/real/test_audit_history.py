"""One row's whole life, from the log: every version, what changed, links of key changes, truncates that hid it, replays."""

from __future__ import annotations

import csv
import io
import json
from random import Random

import pytest

from cdc.audit import history, tables, versions
from cdc.audit.reading import reading
from cdc.rows import PLACEHOLDER
from tests.audit import ask, configuration
from tests.builders import FILLS, HOLDERS, ORDERS, Column, Feed, Table
from tests.history import History
from tests.memory_keys import MemoryKeys
from tests.real.test_audit_as_of import ROW, baseline, bring, change
from tests.warehouse import log, query, worker


def lives(stored) -> dict[tuple[str, str], list[int]]:
    """Row → seqs of its life, folded from the log by hand: its changes, and the truncates before which it was there."""
    found: dict[tuple[str, str], list[int]] = {}
    alive: set[tuple[str, str]] = set()
    for seq, text, _, _ in stored:
        entry = json.loads(text)
        if entry["kind"] == "truncate" and "replay_of" not in entry:
            for place in [place for place in alive if place[0] == entry["table"]]:
                found[place].append(seq)
                alive.remove(place)
        if entry["kind"] == "change" and isinstance(entry["key"], list):
            place = (entry["table"], json.dumps(entry["key"], separators=(",", ":"), ensure_ascii=False))
            found.setdefault(place, []).append(seq)
            if "replay_of" not in entry:
                (alive.discard if entry["operation"] == "d" else alive.add)(place)
    return found


@pytest.mark.parametrize("seed", range(6))
def test_every_row_has_its_life(warehouse_database, tmp_path, seed):
    random = Random(f"history {seed}")
    with worker(warehouse_database) as it:
        it.bring(History(random).grow(40).feed.records, limit=random.choice((5, 1000)))
    expected = lives(log(warehouse_database))
    assert len(expected) > 5
    with reading(warehouse_database.auditor_dsn) as asked:
        for table in tables.known(asked):
            described = versions.versions(asked, table)
            for (name, key), seqs in expected.items():
                if name == table.name:
                    assert [each.seq for each in history.life(asked, table, described, [key])] == seqs
    path = configuration(warehouse_database, tmp_path)
    for (name, key), seqs in random.sample(sorted(expected.items()), 4):
        values = [part["token"] if isinstance(part, dict) else part for part in json.loads(key)]
        assert [line["seq"] for line in ask(path, "history", name, "--output", "ndjson", "--", *values).lines] == seqs


def test_what_a_person_reads(warehouse_database, tmp_path):
    feed = Feed()
    baseline(feed, (ORDERS, [ROW]))
    start = len(feed.records)
    change(feed, (ORDERS, "u", ROW, {**ROW, "price": "2.50", "note": "m", "owner": "bob"}))
    end = len(feed.records)
    change(feed, (ORDERS, "d", {**ROW, "price": "2.50", "note": "m", "owner": "bob"}, None))
    feed.again(feed.records[start:end])
    change(feed, (ORDERS, "c", None, {**ROW, "price": None, "note": "", "owner": None}))
    feed.clock_ms += 1000
    feed.begin()
    feed.truncate(ORDERS)
    feed.end()
    bring(warehouse_database, feed)
    path = configuration(warehouse_database, tmp_path)
    said = ask(path, "history", "orders", "1")
    lines = said.out.splitlines()
    assert lines[0] == "trading.public.orders, row 1"
    assert lines[2].split() == [
        "VERSION",
        "COMMITTED",
        "(UTC)",
        "WHAT",
        "TRANSACTION",
        "SEQ",
        "COLUMN",
        "BEFORE",
        "AFTER",
    ]
    words = [line.split("  ")[2:] for line in lines]
    assert sum("read by snapshot" in line for line in lines) == 1
    changed = next(n for n, line in enumerate(lines) if "Z  changed" in line)
    cells = [line.split() for line in lines[changed : changed + 3]]
    assert cells[0][:5] == ["2", "2023-11-14T22:13:21.007000Z", "changed", "701", "6"]
    assert cells[0][5] == "owner"
    assert all(cell.startswith("tok_") and cell.endswith("…") for cell in cells[0][6:])
    assert cells[1] == ["price", "1.50", "2.50"]
    assert cells[2][0] == "note"
    assert all(cell.startswith("sealed:") for cell in cells[2][1:])
    assert cells[2][1] != cells[2][2]
    assert any("replay, not applied: changed" in line for line in lines)
    assert any("truncated" in line and "  704  " in line for line in lines)
    assert any(line.split() == ["price", "null"] for line in lines)  # created with null
    assert "versions          4; the last thing that happened to the row: truncated" in said.out
    assert said.err == ""
    assert "\x1b" not in said.out
    assert words


def test_json_has_it_all(warehouse_database, tmp_path):
    feed = Feed()
    baseline(feed, (ORDERS, [ROW]))
    change(feed, (ORDERS, "u", ROW, {**ROW, "price": "2.50"}))
    change(feed, (ORDERS, "d", {**ROW, "price": "2.50"}, None))
    bring(warehouse_database, feed)
    path = configuration(warehouse_database, tmp_path)
    document = ask(path, "history", "trading.public.orders", "1", "--output", "json").document
    assert {name: document[name] for name in ("schema_version", "question", "source", "table", "key", "versions")} == {
        "schema_version": 1, "question": "history", "source": "trading", "table": "public.orders", "key": ["1"], "versions": 3,
    }  # fmt: skip
    created, changed, deleted = document["changes"]
    assert (created["operation"], created["what"], created["version"], created["prev"], created["transaction"]) == (
        "r",
        "read by snapshot",
        1,
        None,
        None,
    )
    assert [field["column"] for field in created["changes"]] == ["id", "owner", "price", "note", "pin"]
    assert all("before" not in field for field in created["changes"])
    assert changed["changes"] == [{"column": "price", "before": "1.50", "after": "2.50"}]
    assert (changed["version"], changed["prev"], changed["transaction"], changed["order"]) == (
        2,
        created["seq"],
        "701",
        1,
    )
    assert changed["committed_at"] == "2023-11-14T22:13:21.007000Z"
    assert changed["committed_at_ns"] == "1700000001007000000"
    assert changed["recorded_at"].endswith("Z")
    assert deleted["what"] == "deleted"
    assert {"column": "price", "before": "2.50"} in deleted["changes"]
    assert "before" not in changed
    full = ask(path, "history", "orders", "1", "--full", "--output", "ndjson").lines
    assert full[1]["before"]["price"] == "1.50"
    assert full[1]["after"]["price"] == "2.50"
    assert full[1]["changes"] == changed["changes"]
    known = document["completeness"]
    assert (known["origin"], known["entries"], known["gaps"], known["open_transaction"], known["suspended"]) == (
        "trading/1",
        8,
        [],
        None,
        [],
    )
    assert known["complete_through"] == "2023-11-14T22:13:22.014000Z"
    assert known["known_since"] == {"seq": 5, "at": "2023-11-14T22:13:20.000000Z"}
    assert len(known["not_checked"]) == 2


def test_csv_has_whole_values_one_line_a_column(warehouse_database, tmp_path):
    feed = Feed()
    price = "1" * 3000
    baseline(feed, (ORDERS, [ROW]))
    change(feed, (ORDERS, "u", ROW, {**ROW, "price": price, "owner": None}))
    bring(warehouse_database, feed)
    path = configuration(warehouse_database, tmp_path)
    said = ask(path, "history", "orders", "1", "--output", "csv")
    rows = list(csv.DictReader(io.StringIO(said.out)))
    assert len(rows) == 8  # another owner, so another key: the sealed note changes, too
    changed = {row["column"]: row for row in rows if row["operation"] == "u"}
    assert (changed["price"]["before"], changed["price"]["after"]) == ("1.50", price)
    assert changed["owner"]["before"].startswith("tok_")
    assert len(changed["owner"]["before"]) == 36
    assert changed["owner"]["after"] == ""
    assert changed["price"]["key"] == '["1"]'
    assert "no known gap" in said.err
    full = ask(path, "history", "orders", "1", "--output", "csv", "--full")
    assert len(full.out.splitlines()) == 11
    table = ask(path, "history", "orders", "1")
    assert "… (3,000 characters)" in table.out
    assert price not in table.out


def test_an_update_that_changed_nothing_says_so(warehouse_database, tmp_path):
    feed = Feed()
    baseline(feed, (ORDERS, [ROW]))
    change(feed, (ORDERS, "u", ROW, ROW))
    bring(warehouse_database, feed)
    path = configuration(warehouse_database, tmp_path)
    assert "(no column changed)" in ask(path, "history", "orders", "1").out
    assert ask(path, "history", "orders", "1", "--output", "ndjson").lines[1]["changes"] == []
    assert len(ask(path, "history", "orders", "1", "--output", "csv").out.splitlines()) == 7


def test_a_key_change_links_both_halves(warehouse_database, tmp_path):
    feed = Feed()
    baseline(feed, (ORDERS, [ROW]))
    feed.clock_ms += 1000
    feed.begin()
    feed.change_key(ORDERS, ROW, {**ROW, "id": 17})
    feed.end()
    bring(warehouse_database, feed)
    path = configuration(warehouse_database, tmp_path)
    old = ask(path, "history", "orders", "1", "--output", "ndjson").lines
    new = ask(path, "history", "orders", "17", "--output", "ndjson").lines
    assert (old[-1]["operation"], old[-1]["linked_key"], old[-1]["what"]) == ("d", ["17"], "key changed, now 17")
    assert (new[0]["operation"], new[0]["linked_key"], new[0]["what"]) == ("c", ["1"], "key changed, was 1")


def test_a_row_in_a_body_of_its_own(warehouse_database, tmp_path):
    feed = Feed()
    large = {**ROW, "price": "7" * 70_000}
    baseline(feed, (ORDERS, [ROW]))
    change(feed, (ORDERS, "u", ROW, large))
    change(feed, (ORDERS, "u", large, ROW))
    bring(warehouse_database, feed)
    assert query(warehouse_database.auditor_dsn, "SELECT count(*) FROM audit.body") == [(2,)]
    lines = ask(configuration(warehouse_database, tmp_path), "history", "orders", "1", "--output", "ndjson").lines
    assert [line["changes"] for line in lines[1:]] == [
        [{"column": "price", "before": "1.50", "after": large["price"]}],
        [{"column": "price", "before": large["price"], "after": "1.50"}],
    ]


def test_a_missing_body_is_an_error_and_not_a_row_without_columns(warehouse_database, tmp_path):
    feed = Feed()
    baseline(feed, (ORDERS, [{**ROW, "price": "7" * 70_000}]))
    bring(warehouse_database, feed)
    query(warehouse_database.admin_dsn, "ALTER TABLE audit.body DISABLE TRIGGER ALL; DELETE FROM audit.body")
    said = ask(configuration(warehouse_database, tmp_path), "history", "orders", "1")
    assert said.code == 1
    assert "the body of entry 1 of trading/1 is missing" in said.err


def test_columns_that_came_and_values_that_were_not_sent(warehouse_database, tmp_path):
    feed = Feed()
    wider = ORDERS.with_column(Column("extra"))
    baseline(feed, (ORDERS, [ROW]))
    change(feed, (wider, "u", None, {**ROW, "extra": "x"}))  # no before image: weak replica identity
    bring(warehouse_database, feed)
    lines = ask(configuration(warehouse_database, tmp_path), "history", "orders", "1", "--output", "ndjson").lines
    assert lines[1]["what"] == "changed (before image not sent)"
    assert [field["column"] for field in lines[1]["changes"]] == ["id", "owner", "price", "note", "pin", "extra"]


def test_a_value_that_the_source_did_not_send_is_marked(warehouse_database, tmp_path):
    feed = Feed()
    wider = ORDERS.with_column(Column("extra"))
    row = {**ROW, "extra": "x"}
    baseline(feed, (wider, [row]))
    change(feed, (wider, "u", None, {**row, "note": PLACEHOLDER, "owner": PLACEHOLDER, "extra": PLACEHOLDER}))
    bring(warehouse_database, feed)
    path = configuration(warehouse_database, tmp_path)
    marked = {"unavailable": "toast"}
    (_, changed) = ask(path, "history", "orders", "1", "--output", "ndjson").lines
    assert [field["column"] for field in changed["changes"] if field["after"] == marked] == ["owner", "note", "extra"]
    assert ask(path, "history", "orders", "1").out.count("(not sent by the source)") == 3
    (held,) = ask(path, "as-of", "orders", "--at", "now", "--output", "ndjson").lines
    assert held["row"]["extra"] == marked
    conditions = (("extra is null", 0), ("extra is not null", 1), ("extra=x", 0), ("extra!=x", 0))  # unknown, not null
    for condition, rows in conditions:
        assert (
            len(ask(path, "as-of", "orders", "--at", "now", "--where", condition, "--output", "ndjson").lines) == rows
        )
    shown = query(
        warehouse_database.auditor_dsn,
        "SELECT before_extra, after_extra, after_owner, after_note FROM trading_history.orders ORDER BY _seq",
    )
    assert shown[1] == (None, None, None, None)


def test_a_key_in_another_spelling(warehouse_database, tmp_path):
    feed = Feed()
    baseline(feed, (ORDERS, [ROW]))
    bring(warehouse_database, feed)
    path = configuration(warehouse_database, tmp_path)
    assert ask(path, "history", "orders", "001", "--output", "json").document["key"] == ["1"]
    assert ask(path, "history", "orders", "--output", "json", "--", "+1").document["key"] == ["1"]


def test_rows_from_before_another_key(warehouse_database, tmp_path):
    """A table whose key columns changed: rows are found under the key that they had."""
    feed = Feed()
    rekeyed = Table("public", "orders", ORDERS.columns, ("id", "owner"))
    baseline(feed, (ORDERS, [ROW]))
    change(feed, (rekeyed, "c", None, {**ROW, "id": 2}))
    bring(warehouse_database, feed)
    path = configuration(warehouse_database, tmp_path)
    token = MemoryKeys().token("owner", "ann")
    assert len(ask(path, "history", "orders", "1", "--output", "ndjson").lines) == 1
    assert len(ask(path, "history", "orders", "2", token, "--output", "ndjson").lines) == 1
    assert ask(path, "history", "orders", "2").code == 3
    assert "has 2 key column(s), id, owner" in ask(path, "history", "orders", "1", "2", "3").err


def test_a_table_without_a_key_points_elsewhere(warehouse_database, tmp_path):
    feed = Feed()
    baseline(feed, (FILLS, [{"symbol": "planted", "quantity": 1, "secret": "s"}]))
    bring(warehouse_database, feed)
    said = ask(configuration(warehouse_database, tmp_path), "history", "fills", "planted")
    assert (said.code, said.out) == (4, "")
    assert "trading.public.fills has no key" in said.err
    assert "cdc audit as-of trading.public.fills --at now --where" in said.err
    assert "planted" not in said.err


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("orders", "planted"), 3, "the log has no row of trading.public.orders with that key"),
        (("orders", "424242"), 3, "cdc audit as-of trading.public.orders --at now"),
        (("orders",), 2, "1 key column(s), id: 0 value(s) were given"),
        (("orders", "1", "planted"), 2, "1 key column(s), id: 2 value(s) were given"),
        (('Back Office.Hold"ers', "planted@example.com"), 2, "2 key column(s), email, no: 1 value(s) were given"),
        (('Back Office.Hold"ers', "planted@example.com", "1"), 2, "key column email holds personal data"),
        (('Back Office.Hold"ers', "planted@example.com", "1"), 2, "--key-stdin reads the key's values"),
        (('Back Office.Hold"ers', "tok_0123456789abcdef0123456789abcdef", "1"), 3, "with that key"),
        (("order", "1"), 3, "no log knows a table of that name; there is trading.public.orders"),
        (("nothing", "planted"), 3, "no log knows a table of that name"),
        (("orders", "1", "--key-stdin"), 2, "the key is given twice"),
        (("orders", "planted\udcff"), 2, "KEY: not UTF-8"),
        (("orders", "1", "--output", "yaml"), 2, "yaml"),
        ((), 2, "Missing argument"),
    ],
)
def test_what_goes_wrong_says_so_without_values(warehouse_database, tmp_path, arguments, code, says):
    feed = Feed()
    baseline(feed, (ORDERS, [ROW]), (HOLDERS, [{"email": "planted@example.com", "no": 1, "v": "x"}]))
    bring(warehouse_database, feed)
    said = ask(configuration(warehouse_database, tmp_path), "history", *arguments)
    assert said.code == code
    assert says in said.err
    assert said.out == ""
    assert "planted" not in said.err
    assert "Traceback" not in said.err


def test_no_warehouse_no_tables_no_rights(warehouse_cluster, warehouse_database, tmp_path):
    bring(warehouse_database, Feed())
    path = configuration(warehouse_database, tmp_path)
    empty = ask(path, "history", "orders", "1")
    assert (empty.code, empty.err.splitlines()[0]) == (3, "cdc: the log knows no table yet")
    text = path.read_text()
    path.write_text(text.replace(warehouse_database.auditor_dsn, warehouse_database.replicator_dsn))
    baseline_feed = Feed()
    baseline(baseline_feed, (ORDERS, [ROW]))
    bring(warehouse_database, baseline_feed)
    refused = ask(path, "history", "orders", "1")
    assert refused.code == 2
    assert "this role may not read the warehouse's log ([warehouse] auditor_dsn)" in refused.err
    path.write_text(
        text.replace("port=", "port=1", 1).replace(
            warehouse_database.auditor_dsn, "host=127.0.0.1 port=1 dbname=x user=planted password=planted"
        )
    )
    away = ask(path, "history", "orders", "1")
    assert (away.code, "planted" in away.err) == (5, False)
    assert "the warehouse does not answer" in away.err
    bare = warehouse_cluster.fresh_database("bare")
    path.write_text(text.replace(warehouse_database.auditor_dsn, bare.admin_dsn))
    unmigrated = ask(path, "history", "orders", "1")
    warehouse_cluster.drop(bare)
    assert unmigrated.code == 2
    assert "cdc migrate" in unmigrated.err

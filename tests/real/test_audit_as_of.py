"""A table at an instant is the fold of the log up to the last transaction that had ended: for random lives, and at each edge."""

from __future__ import annotations

import json
from collections import Counter
from random import Random

import pytest

from cdc.audit import as_of, tables, versions, where
from cdc.audit.instants import shown
from cdc.audit.reading import reading
from tests.audit import ask, configuration
from tests.builders import FILLS, HEARTBEAT, HOLDERS, ORDERS, POLICY, Column, Feed, Table
from tests.history import History
from tests.independent.reader import verify
from tests.warehouse import _image, folded, log, query, worker

ROW = {"id": 1, "owner": "ann", "price": "1.50", "note": "n", "pin": "1"}
FILL = {"symbol": "A", "quantity": 1, "secret": "s"}


def baseline(feed: Feed, *snapshots: tuple[Table, list[dict]]) -> None:
    for table, rows in snapshots:
        feed.snapshot(table, rows)
    feed.row(HEARTBEAT, "r", None, {"id": 1, "system_identifier": "7439", "timeline": 1}, snapshot="last")
    feed.notify("COMPLETED")


def change(feed: Feed, *rows: tuple[Table, str, dict | None, dict | None]) -> None:
    feed.clock_ms += 1000
    feed.begin()
    for row in rows:
        feed.row(*row)
    feed.end()


def bring(database, feed: Feed, limit: int = 10_000, plan=POLICY):
    with worker(database, plan) as it:
        it.bring(feed.records, limit=limit)


def at(nanoseconds: int) -> str:
    """An instant as a person types it, with all its digits."""
    return shown(nanoseconds).removesuffix("Z") + f"{nanoseconds % 1000:03d}Z"


def held(database, at_ns: int | None) -> dict[str, Counter[str]]:
    """Every table of the log as `cdc audit as-of` has it, in the form of ``folded``."""
    found = {}
    with reading(database.auditor_dsn) as asked:
        for table in tables.known(asked):
            described = versions.versions(asked, table)
            moment = as_of.resolve(asked, table, at_ns)
            version, moment = as_of.version_at(asked, table, described, moment)
            rows: Counter[str] = Counter()
            if version is not None:
                for row in as_of.rows(asked, table, version, moment, where.compile_all(asked, [], [version])):
                    rows[_image(row.image)] += row.copies
            if rows:
                found[table.name] = rows
    return found


def open_after(entries: list[dict]) -> list[str | None]:
    """After each entry: the transaction that is open."""
    found, inside = [], None
    for entry in entries:
        transaction = entry.get("transaction")
        if transaction is not None:
            inside = None if "end" in transaction else transaction["id"]
        found.append(inside)
    return found


def expected_seq(entries: list[dict], at_ns: int) -> int:
    """The last entry at or before the instant that is outside of every transaction."""
    states = open_after(entries)
    return max(
        (n for n, entry in enumerate(entries) if int(entry["ordered_at"]) <= at_ns and states[n] is None), default=-1
    )


@pytest.mark.parametrize("seed", range(6))
def test_any_instant_is_the_fold_of_the_log_up_to_it(warehouse_database, seed):
    random = Random(f"as of {seed}")
    history = History(random).grow(30)
    with worker(warehouse_database) as it:
        it.bring(history.feed.records, limit=random.choice((3, 40, 1000)))
    stored = log(warehouse_database)
    assert verify(stored) == []
    entries = [json.loads(entry) for _, entry, _, _ in stored]
    complete = next(
        n
        for n, entry in enumerate(entries)
        if entry["kind"] == "baseline" and entry["content"]["notification"] == "COMPLETED"
    )
    instants = sorted({int(entry["ordered_at"]) for entry in entries[complete:]})
    for instant in random.sample(instants, min(15, len(instants))):
        for asked in (instant - 1, instant, instant + 1):
            seq = expected_seq(entries, asked)
            if seq < complete:
                continue
            assert held(warehouse_database, asked) == folded(stored[: seq + 1])
    assert held(warehouse_database, None) == folded(stored)


def test_the_command_tells_which_moment_it_took(warehouse_database, tmp_path):
    feed = Feed()
    baseline(feed, (ORDERS, [ROW]))
    change(feed, (ORDERS, "u", ROW, {**ROW, "price": "2.50"}))
    second = feed.clock_ms * 1_000_000
    change(feed, (ORDERS, "d", {**ROW, "price": "2.50"}, None))
    bring(warehouse_database, feed)
    path = configuration(warehouse_database, tmp_path)
    document = ask(path, "as-of", "orders", "--at", at(second), "--output", "json").document
    assert document["schema_version"] == 1
    assert document["as_of"] == {
        "requested": shown(second), "seq": 6, "transaction": "701", "committed_at": shown(second), "ordered_at_ns": str(second), "beyond_complete_through": False,
    }  # fmt: skip
    (row,) = document["rows"]
    assert (row["key"], row["version"], row["seq"], row["transaction"], row["copies"]) == (["1"], 2, 6, "701", 1)
    assert row["row"]["price"] == "2.50"
    assert row["row"]["pin"] == {"dropped": ""}
    assert set(row["row"]["note"]) == {"seal"}
    before = ask(path, "as-of", "orders", "--at", at(second - 1), "--output", "json").document
    assert before["rows"][0]["row"]["price"] == "1.50"
    assert before["as_of"]["seq"] == 5
    assert ask(path, "as-of", "orders", "--at", at(second + 2 * 10**9), "--output", "json").document["rows"] == []
    table = ask(path, "as-of", "orders", "--at", at(second))
    assert table.out.startswith(
        f"trading.public.orders as of {shown(second)}: entry 6, the end of transaction 701, committed {shown(second)}\n"
    )
    assert "\x1b" not in table.out + table.err
    assert "rows              1\n" in table.out
    assert "no known gap" in table.out
    assert "cdc audit verify" in table.out
    assert table.err == ""


def test_an_instant_beyond_what_is_complete_is_said(warehouse_database, tmp_path):
    feed = Feed()
    baseline(feed, (ORDERS, [ROW]))
    change(feed, (ORDERS, "u", ROW, {**ROW, "price": "2.50"}))
    bring(warehouse_database, feed)
    path = configuration(warehouse_database, tmp_path)
    complete = feed.clock_ms * 1_000_000
    assert (
        ask(path, "as-of", "orders", "--at", at(complete), "--output", "json").document["as_of"][
            "beyond_complete_through"
        ]
        is False
    )
    assert "beyond that" not in ask(path, "as-of", "orders", "--at", at(complete)).out
    for asked in (at(complete + 1), "9999-12-31T23:59:59Z", "now"):
        document = ask(path, "as-of", "orders", "--at", asked, "--output", "json").document
        assert document["as_of"]["beyond_complete_through"] is True
        assert document["completeness"]["complete_through_ns"] == str(complete)
        assert "beyond that       you asked for a later instant" in ask(path, "as-of", "orders", "--at", asked).out


def test_before_the_baseline_is_unknown_and_not_empty(warehouse_database, tmp_path):
    feed = Feed()
    feed.snapshot(ORDERS, [ROW])
    feed.clock_ms += 5000
    scanned = feed.clock_ms * 1_000_000  # the table's scan is over, its last row may still follow
    feed.row(ORDERS, "r", None, {**ROW, "id": 2}, snapshot="last_in_data_collection")
    feed.clock_ms += 5000
    path = configuration(warehouse_database, tmp_path)
    with worker(warehouse_database) as it:
        it.bring(feed.records)
        none = ask(path, "as-of", "orders", "--at", "now")
        assert (none.code, none.out) == (4, "")
        assert "unknown at any instant yet" in none.err
        sent = len(feed.records)
        baseline(feed)
        change(feed, (ORDERS, "d", ROW, None))
        it.bring(feed.records[sent:])
    for instant in (at(0), "0001-01-01T00:00:00Z", at(scanned)):
        early = ask(path, "as-of", "orders", "--at", instant, "--output", "json")
        assert (early.code, early.out) == (4, "")
        since = shown(scanned + 5_000_000_000 + 40_000_000)[:-3]  # the notification's own clock
        assert "is unknown at that instant: the log knows it since " in early.err
        assert early.err.count(since[:19]) == 2
    hint = early.error["hint"].split("--at ")[1]
    assert [row["key"] for row in ask(path, "as-of", "orders", "--at", hint, "--output", "json").document["rows"]] == [
        ["1"],
        ["2"],
    ]


def test_a_table_without_entries_by_then_had_no_rows(warehouse_database, tmp_path):
    feed = Feed()
    baseline(feed)
    change(feed, (FILLS, "c", None, FILL))
    known = feed.clock_ms * 1_000_000
    change(feed, (ORDERS, "c", None, ROW))
    bring(warehouse_database, feed)
    said = ask(configuration(warehouse_database, tmp_path), "as-of", "orders", "--at", at(known))
    assert said.code == 0
    assert "0: the log has no entry of the table until then" in said.out


def test_now_is_before_a_transaction_that_has_not_ended(warehouse_database, tmp_path):
    """The log can end within a transaction larger than a batch."""
    feed = Feed()
    baseline(feed, (ORDERS, [ROW]))
    change(feed, (ORDERS, "u", ROW, {**ROW, "price": "2.50"}))
    ended = len(feed.records)
    feed.clock_ms += 1000
    feed.begin()
    for number in range(10, 30):
        feed.row(ORDERS, "c", None, {**ROW, "id": number})
    feed.end()
    path = configuration(warehouse_database, tmp_path)
    with worker(warehouse_database) as it:
        it.bring(feed.records[:-4], limit=5)
        inside = query(warehouse_database.auditor_dsn, "SELECT count(*) FROM audit.entry WHERE transaction_id = '702'")
        assert inside[0][0] > 5
        document = ask(path, "as-of", "orders", "--at", "now", "--output", "json").document
        assert [(row["key"], row["row"]["price"]) for row in document["rows"]] == [(["1"], "2.50")]
        assert document["as_of"]["transaction"] == "701"
        assert document["completeness"]["open_transaction"] == "702"
        assert "the log ends inside transaction 702" in ask(path, "as-of", "orders", "--at", "now").out
        assert (
            ask(path, "as-of", "orders", "--at", at(feed.clock_ms * 1_000_000), "--output", "json").document["rows"]
            == document["rows"]
        )
        it.bring(feed.records[-4:])
    assert ended
    whole = ask(path, "as-of", "orders", "--at", "now", "--output", "json").document
    assert len(whole["rows"]) == 21
    assert whole["completeness"]["open_transaction"] is None


def test_an_instant_within_a_transaction_is_before_it(warehouse_database, tmp_path):
    """Whatever the clocks say: here Debezium's runs behind, so that the ordered clock moves within a transaction."""
    feed = Feed()
    wider = ORDERS.with_column(Column("extra"))
    baseline(feed, (ORDERS, [ROW]))
    change(feed, (FILLS, "c", None, FILL))
    before = feed.clock_ms * 1_000_000
    feed.clock_ms += 1000
    feed.begin()
    instants = []
    for number in range(2, 12):
        instants.append(feed.clock_ms * 1_000_000)
        feed.row(
            wider, "c", None, {**ROW, "id": number, "extra": None}
        )  # the first brings a table version: an entry without a transaction
        feed.clock_ms += 10
        if number == 5:
            transaction, feed._transaction = feed._transaction, None
            feed.row(ORDERS, "r", None, ROW, snapshot="incremental")
            feed._transaction = transaction
    feed.end()
    bring(warehouse_database, feed)
    path = configuration(warehouse_database, tmp_path)
    for instant in (before, *instants[:-1]):
        document = ask(path, "as-of", "orders", "--at", at(instant), "--output", "json").document
        assert (document["as_of"]["seq"], document["as_of"]["transaction"]) == (7, "701")
        assert [row["key"] for row in document["rows"]] == [["1"]]
    assert len(ask(path, "as-of", "orders", "--at", at(instants[-1]), "--output", "json").document["rows"]) == 11


def test_a_transaction_that_is_sent_again_and_has_not_ended_the_second_time(warehouse_database, tmp_path):
    feed = Feed()
    baseline(feed, (ORDERS, [ROW]))
    start = len(feed.records)
    change(feed, *((ORDERS, "c", None, {**ROW, "id": number}) for number in range(2, 9)))
    feed.again(feed.records[start:-1])
    bring(warehouse_database, feed, limit=4)
    path = configuration(warehouse_database, tmp_path)
    document = ask(path, "as-of", "orders", "--at", "now", "--output", "json").document
    assert document["completeness"]["open_transaction"] == document["as_of"]["transaction"] == "701"
    assert document["as_of"]["seq"] < document["completeness"]["entries"] - 1
    assert len(document["rows"]) == 8


def test_copies_truncates_and_replays_of_a_table_without_a_key(warehouse_database, tmp_path):
    feed = Feed()
    baseline(feed, (FILLS, [FILL, FILL]))
    start = len(feed.records)
    change(feed, (FILLS, "c", None, FILL), (FILLS, "c", None, {**FILL, "secret": None}))
    end = len(feed.records)
    three = feed.clock_ms * 1_000_000
    change(feed, (FILLS, "u", FILL, {**FILL, "quantity": 2}), (FILLS, "d", FILL, None))
    feed.again(feed.records[start:end])
    moved = feed.clock_ms * 1_000_000
    feed.clock_ms += 1000
    feed.begin()
    feed.truncate(FILLS)
    feed.row(FILLS, "c", None, {**FILL, "symbol": "x" * 70_000})  # an image in a body
    feed.end()
    truncated = feed.clock_ms * 1_000_000
    change(feed, (FILLS, "u", {**FILL, "symbol": "x" * 70_000}, {**FILL, "symbol": None}))
    bring(warehouse_database, feed)
    path = configuration(warehouse_database, tmp_path)

    def copies(instant: int) -> Counter:
        rows = ask(path, "as-of", "fills", "--at", at(instant), "--output", "json").document["rows"]
        assert all(isinstance(row["key"], str) and row["version"] is None for row in rows)
        return Counter(
            {
                (row["row"]["symbol"], row["row"]["quantity"], row["row"]["secret"] is None): row["copies"]
                for row in rows
            }
        )

    assert copies(three) == {("A", "1", False): 3, ("A", "1", True): 1}
    assert copies(moved) == {("A", "2", False): 1, ("A", "1", False): 1, ("A", "1", True): 1}
    assert copies(truncated) == {("x" * 70_000, "1", False): 1}
    assert copies(truncated + 2 * 10**9) == {(None, "1", False): 1}
    lines = ask(path, "as-of", "fills", "--at", at(three), "--output", "csv")
    assert lines.out.splitlines()[0] == "_seq,_copies,symbol,quantity,secret"
    assert sorted(line.split(",")[1:4] for line in lines.out.splitlines()[1:]) == [["1", "A", "1"], ["3", "A", "1"]]
    assert "rows              4\n" in lines.err


def test_an_added_column_is_absent_from_older_rows_and_null_where_it_was_null(warehouse_database, tmp_path):
    feed = Feed()
    wider = ORDERS.with_column(Column("extra"))
    baseline(feed, (ORDERS, [ROW, {**ROW, "id": 2}]))
    first = feed.clock_ms * 1_000_000
    change(feed, (wider, "c", None, {**ROW, "id": 3, "extra": None}))
    bring(warehouse_database, feed)
    path = configuration(warehouse_database, tmp_path)
    rows = ask(path, "as-of", "orders", "--at", "now", "--output", "json").document["rows"]
    assert [row["row"].get("extra", "absent") for row in rows] == ["absent", "absent", None]
    assert ask(path, "as-of", "orders", "--at", "now", "--output", "csv").out.splitlines()[0].endswith(",pin,extra")
    assert (
        ask(path, "as-of", "orders", "--at", at(first + 10**8), "--output", "csv")
        .out.splitlines()[0]
        .endswith(",note,pin")
    )


def test_columns_are_those_in_force_at_the_moment(warehouse_database, tmp_path):
    """A column is added and taken away again: the second time the first version is not described anew."""
    feed = Feed()
    wider = ORDERS.with_column(Column("extra"))
    baseline(feed, (ORDERS, [ROW]))
    change(feed, (wider, "c", None, {**ROW, "id": 2, "extra": "x"}))
    replayed = len(feed.records)
    change(feed, (FILLS, "c", None, FILL))
    added = feed.clock_ms * 1_000_000
    change(feed, (ORDERS, "c", None, {**ROW, "id": 3}))
    feed.again(feed.records[replayed - 3 : replayed])  # an event of the wider version once more: not in force
    with worker(warehouse_database) as it:
        it.bring(feed.records[:replayed])
    with worker(warehouse_database) as it:
        it.bring(feed.records[replayed:])
    path = configuration(warehouse_database, tmp_path)
    assert ask(path, "as-of", "orders", "--at", at(added), "--output", "csv").out.splitlines()[0].endswith(",pin,extra")
    last = ask(path, "as-of", "orders", "--at", "now", "--output", "csv")
    assert last.out.splitlines()[0].endswith(",note,pin")
    assert len(last.out.splitlines()) == 4
    assert (
        "suspended         current state of public.orders stands still (column-gone); this answer is from the log"
        in last.err
    )


def test_rows_across_another_key_are_refused_and_not_counted_twice(warehouse_database, tmp_path):
    feed = Feed()
    rekeyed = Table("public", "orders", ORDERS.columns, ("id", "owner"))
    baseline(feed, (ORDERS, [ROW]))
    first = feed.clock_ms * 1_000_000 + 10**8
    change(feed, (rekeyed, "u", ROW, {**ROW, "price": "2"}))
    second = feed.clock_ms * 1_000_000
    feed.clock_ms += 1000
    feed.begin()
    feed.truncate(rekeyed)
    feed.row(rekeyed, "c", None, ROW)
    feed.end()
    bring(warehouse_database, feed)
    path = configuration(warehouse_database, tmp_path)
    assert len(ask(path, "as-of", "orders", "--at", at(first), "--output", "json").document["rows"]) == 1
    refused = ask(path, "as-of", "orders", "--at", at(second))
    assert (refused.code, refused.out) == (4, "")
    assert "the key of trading.public.orders changed with entry 6" in refused.err
    assert (
        len(ask(path, "as-of", "orders", "--at", "now", "--output", "json").document["rows"]) == 1
    )  # a truncate made an end of the old key


def test_the_refusal_names_the_last_instant_with_an_answer_and_a_re_snapshot_brings_one_again(warehouse_database, tmp_path):
    feed = Feed()
    rekeyed = Table("public", "orders", ORDERS.columns, ("id", "owner"))
    baseline(feed, (ORDERS, [ROW, {**ROW, "id": 2}]))
    feed.clock_ms += 1000
    change(feed, (rekeyed, "u", ROW, {**ROW, "price": "2"}))
    feed.clock_ms += 1000
    feed.notify("STARTED")
    feed.snapshot(rekeyed, [{**ROW, "price": "2"}, {**ROW, "id": 2}])
    feed.notify("COMPLETED")
    read = feed.clock_ms * 1_000_000
    feed.clock_ms += 1000
    change(feed, (rekeyed, "d", {**ROW, "id": 2}, None), (rekeyed, "c", None, {**ROW, "id": 3}))
    bring(warehouse_database, feed)
    path = configuration(warehouse_database, tmp_path)
    refused = ask(path, "as-of", "orders", "--at", at(read - 500 * 10**6))
    assert (refused.code, refused.out) == (4, "")
    assert "read anew" in refused.err
    last = refused.err.partition("--at ")[2].partition(",")[0]
    before = ask(path, "as-of", "orders", "--at", last, "--output", "json").document
    assert [(row["key"], row["row"]["price"]) for row in before["rows"]] == [(["1"], ROW["price"]), (["2"], ROW["price"])]
    then = ask(path, "as-of", "orders", "--at", at(read), "--output", "json").document
    assert (then["key_columns"], [row["row"]["id"] for row in then["rows"]]) == (["id", "owner"], ["1", "2"])
    now = ask(path, "as-of", "orders", "--at", "now", "--output", "json").document
    assert sorted(row["row"]["id"] for row in now["rows"]) == ["1", "3"]


def test_a_key_change_moves_the_row(warehouse_database, tmp_path):
    feed = Feed()
    holder = {"email": "ann@example.com", "no": 1, "v": "x"}
    baseline(feed, (HOLDERS, [holder]))
    feed.clock_ms += 1000
    feed.begin()
    feed.change_key(HOLDERS, holder, {**holder, "email": "bob@example.com"})
    feed.end()
    bring(warehouse_database, feed)
    path = configuration(warehouse_database, tmp_path)
    was = ask(
        path, "as-of", 'Back Office.Hold"ers', "--at", at(feed.clock_ms * 1_000_000 - 1), "--output", "json"
    ).document
    now = ask(path, "as-of", 'Back Office.Hold"ers', "--at", "now", "--output", "json").document
    assert was["key_columns"] == ["email", "no"]
    assert len(was["rows"]) == len(now["rows"]) == 1
    assert was["rows"][0]["row"]["email"] != now["rows"][0]["row"]["email"]

"""Values that the source did not send: the entry says so, and state goes on showing the value that was not changed."""

from __future__ import annotations

import base64
import json

import pytest

from cdc.rows import PLACEHOLDER
from governance import policy
from tests.builders import Column, Feed, Table
from tests.independent.reader import verify
from tests.warehouse import edge, log, query, rebuilt_alike, rows, verified, worker

DOCUMENTS = Table("public", "documents", (Column("id", optional=False), Column("text"), Column("sealed"), Column("small")), ("id",))
PLAN = policy.parse("source: trading\ntables:\n  public.documents: {columns: {id: clear, text: clear, sealed: seal, small: clear, extra: clear}}\n")
MARK = {"unavailable": "toast"}


def row(small: str, text: str = "long\ttext\\", sealed: str = "secret") -> dict:
    return {"id": "1", "text": text, "sealed": sealed, "small": small}


def unsent(small: str) -> dict:
    return row(small, PLACEHOLDER, PLACEHOLDER)


def changes(feed: Feed, *steps: tuple) -> list:
    start = len(feed.records)
    feed.begin()
    for table, op, before, after in steps:
        feed.row(table, op, before, after)
    feed.end()
    return feed.records[start:]


@pytest.mark.parametrize("together", [True, False], ids=["one batch", "a batch each"])
def test_an_update_that_does_not_send_a_large_value_leaves_it_in_state(warehouse_database, together):
    feed = Feed()
    parts = [
        changes(feed, (DOCUMENTS, "c", None, row("1"))),
        changes(feed, (DOCUMENTS, "u", None, unsent("2"))),
        changes(feed, (DOCUMENTS, "u", None, unsent("3")), (DOCUMENTS, "u", None, unsent("%s"))),
    ]
    with worker(warehouse_database, PLAN) as it:
        for records in [[record for part in parts for record in part]] if together else parts:
            it.bring(records)
    assert rows(warehouse_database, "trading.documents", "id", "text", "small") == {("1", "long\ttext\\", "%s"): 1}
    entries = [json.loads(text) for _, text, _, _ in log(warehouse_database)][1:]
    assert [entry["after"]["text"] for entry in entries] == ["long\ttext\\", MARK, MARK, MARK]
    assert [entry.get("flags") for entry in entries] == [None, *[["before-missing"]] * 3]
    ((cell,),) = query(warehouse_database.auditor_dsn, "SELECT sealed FROM trading.documents")
    assert base64.b64encode(bytes(cell)).decode() == entries[0]["after"]["sealed"]["seal"]
    assert verify(log(warehouse_database), edge=edge(warehouse_database)[1]) == []
    assert verified(warehouse_database) == []
    rebuilt_alike(warehouse_database, "public.documents", "trading_state.documents")
    assert verified(warehouse_database) == []


def test_the_verifier_knows_what_state_must_show_for_it(warehouse_database):
    feed = Feed()
    with worker(warehouse_database, PLAN) as it:
        it.bring(changes(feed, (DOCUMENTS, "c", None, row("1")), (DOCUMENTS, "u", None, unsent("2"))))
    query(warehouse_database.admin_dsn, "UPDATE trading_state.documents SET text = 'another'")
    assert ["columns that do not show what the entry holds: text" in found for found in verified(warehouse_database)] == [True]


@pytest.mark.parametrize("together", [True, False], ids=["one batch", "a batch each"])
@pytest.mark.parametrize("gone", ["truncate", "delete", "never"])
def test_a_row_that_is_not_there_has_nothing_to_keep(warehouse_database, gone, together):
    feed = Feed()
    parts = [changes(feed, (DOCUMENTS, "c", None, row("1")))] if gone != "never" else []
    start = len(feed.records)
    feed.begin()
    if gone == "truncate":
        feed.truncate(DOCUMENTS)
    elif gone == "delete":
        feed.row(DOCUMENTS, "d", row("1"), None)
    feed.end()
    parts += [feed.records[start:], changes(feed, (DOCUMENTS, "u", None, unsent("2")))]
    with worker(warehouse_database, PLAN) as it:
        for records in [[record for part in parts for record in part]] if together else parts:
            it.bring(records)
    assert rows(warehouse_database, "trading.documents", "text", "small") == {(None, "2"): 1}


def test_a_column_added_in_between(warehouse_database):
    feed = Feed()
    wider = DOCUMENTS.with_column(Column("extra"))
    with worker(warehouse_database, PLAN) as it:
        it.bring(changes(feed, (DOCUMENTS, "c", None, row("1")), (wider, "u", None, unsent("2") | {"extra": PLACEHOLDER})))
        it.bring(changes(feed, (wider, "u", row("2") | {"extra": None}, row("3") | {"extra": "e"}), (wider, "u", None, unsent("4") | {"extra": PLACEHOLDER})))
    assert rows(warehouse_database, "trading.documents", "text", "small", "extra") == {("long\ttext\\", "4", "e"): 1}

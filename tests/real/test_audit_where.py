"""Conditions compare in the column's own type, refuse what cannot be judged, and never echo a value."""

from __future__ import annotations

import pytest

from tests.audit import ask, configuration
from tests.builders import ORDERS, POLICY, Column, Feed, Table
from tests.memory_keys import MemoryKeys
from tests.real.test_audit_as_of import baseline, bring, change
from tests.warehouse import worker

TYPED = Table(
    "public",
    "typed",
    (
        Column("id", "INT4", "int32", optional=False),
        Column("day", "DATE"),
        Column("moment", "TIMESTAMPTZ"),
        Column("local", "TIMESTAMP"),
        Column("clock", "TIME"),
        Column("amount", "NUMERIC"),
        Column("ratio", "FLOAT8"),
        Column("flag", "BOOL", "boolean"),
        Column("doc", "JSON"),
        Column("docb", "JSONB"),
        Column("raw", "BYTEA"),
        Column("code", "VARCHAR"),
        Column("sp ace=x", "INT4", "int32"),
        Column("id2", "UUID"),
    ),
    ("id",),
)
_CLEAR = {column.name: "clear" for column in TYPED.columns}


def typed_policy():
    from dataclasses import replace

    from governance.plan import ColumnRule, TableRule

    rules = TableRule(None, "operational", {name: ColumnRule("clear") for name in _CLEAR})
    return replace(POLICY, tables={**POLICY.tables, "public.typed": rules})


def row(number: int, **values) -> dict:
    return {column.name: None for column in TYPED.columns} | {"id": number} | values


ROWS = [
    row(1, day="2026-01-31Z", moment="2026-01-31T21:00:00.000000Z", local="2026-01-31T21:00:00.5Z", clock="21:00:00Z", amount="9.50", ratio="1.5", flag=True, code="a"),
    row(2, day="0000-03-15Z", moment="infinity", local="+292278994-08-16T23:00:00Z", clock="08:00:00Z", amount="NAN", ratio="NaN", flag=False, code="B"),
    row(3, day="+12345-01-01Z", moment="-4000-01-01T00:00:00Z", local="0044-03-15T00:00:00Z", clock="24:00:00Z", amount="10", ratio="-0.0", code=""),
    row(4, doc='{"a":1}', docb='{"a": 1}', raw="AAE=", code="null", **{"sp ace=x": 5}, id2="0b2f6c3e-6b1c-4f0e-9a55-1f1f6f9b2a10"),
]  # fmt: skip


@pytest.fixture(scope="module")
def typed(warehouse_cluster, tmp_path_factory):
    database = warehouse_cluster.fresh_database("where", template="warehouse")
    feed = Feed()
    baseline(feed, (TYPED, ROWS))
    bring(database, feed, plan=typed_policy())
    yield configuration(database, tmp_path_factory.mktemp("where"))
    warehouse_cluster.drop(database)


@pytest.mark.parametrize(
    ("conditions", "ids"),
    [
        (["amount=9.5"], "1"),
        (["amount>9.5"], "23"),  # PostgreSQL: NaN is greater than any number
        (["amount<10"], "1"),
        (["amount>=9.50", "amount!=NaN"], "13"),
        (["amount=NaN"], "2"),
        (["day=2026-01-31"], "1"),
        (["day<2026-01-01"], "2"),
        (["day=0001-03-15 BC"], "2"),
        (["day>9999-12-31"], "3"),
        (["moment=2026-01-31T16:00:00-05:00"], "1"),
        (["moment = 2026-01-31 21:00+00"], "1"),
        (["moment=infinity"], "2"),
        (["moment<0001-01-01 00:00Z"], "3"),
        (["local>2026-01-31 21:00:00"], "12"),
        (["local=infinity"], "2"),
        (["clock>=21:00"], "13"),
        (["ratio=NaN"], "2"),
        (["ratio=0"], "3"),
        (["flag=true"], "1"),
        (["flag=f"], "2"),
        (["flag!=true"], "2"),
        (["flag is null"], "34"),
        (["flag is not null"], "12"),
        (['doc={"a":1}'], "4"),
        (['docb={"a":1}'], "4"),
        (["raw=\\x0001"], "4"),
        (["code=a"], "1"),
        (["code=A"], ""),
        (["code<a"], "23"),  # bytewise
        (["code="], "3"),
        (["code=null"], "4"),
        (["code is null"], ""),
        (["sp ace=x=5"], "4"),
        (['"sp ace=x">4'], "4"),
        (["id2=0B2F6C3E-6B1C-4F0E-9A55-1F1F6F9B2A10"], "4"),
        (["id=2"], "2"),
        (["id=002"], "2"),
        (["id>1", "id<4"], "23"),
        (["id=1", "id=2"], ""),
        (["id=2", "flag=true"], ""),
        (["id=9"], ""),
    ],
)  # fmt: skip
def test_conditions(typed, conditions, ids):
    options = [part for condition in conditions for part in ("--where", condition)]
    rows = ask(typed, "as-of", "typed", "--at", "now", *options, "--output", "json").document["rows"]
    assert "".join(row["row"]["id"] for row in rows) == ids


@pytest.mark.parametrize(
    ("condition", "code", "says"),
    [
        ("amount=planted", 2, "the value for column amount is not one of type numeric"),
        ("day=planted", 2, "is not one of type date"),
        ("moment=31/31/2026planted", 2, "is not one of type timestamptz"),
        ("id=99999999999999999999", 2, "is not one of type integer"),
        ("raw=\\xplanted", 2, "is not one of type bytea"),
        ("doc<planted", 2, "of type json, which has no order"),
        ("planted=1", 3, "no such column"),
        ("planted", 2, "not a condition"),
        ("amount=1\udcff", 2, "--where: not UTF-8"),
    ],
)
def test_what_cannot_be_asked(typed, condition, code, says):
    said = ask(typed, "as-of", "typed", "--at", "now", "--where", condition)
    assert (said.code, said.out) == (code, "")
    assert says in said.err
    assert "planted" not in said.err
    assert "Traceback" not in said.err


def test_protected_columns(warehouse_database, tmp_path):
    feed = Feed()
    base = {"price": "1.50", "pin": "1"}
    baseline(
        feed,
        (
            ORDERS,
            [
                {"id": 1, "owner": "ann", "note": "n", **base},
                {"id": 2, "owner": "bob", "note": None, **base},
                {"id": 3, "owner": None, "note": "", **base},
            ],
        ),
    )
    bring(warehouse_database, feed)
    path = configuration(warehouse_database, tmp_path)
    token = MemoryKeys().token("owner", "ann")

    def ids(*conditions: str) -> str:
        options = [part for condition in conditions for part in ("--where", condition)]
        return "".join(
            row["row"]["id"]
            for row in ask(path, "as-of", "orders", "--at", "now", *options, "--output", "json").document["rows"]
        )

    assert ids(f"owner={token}") == "1"
    assert ids(f"owner!={token}") == "2"
    assert ids("owner is null") == "3"
    assert ids("note is null") == "2"
    assert ids("note is not null") == "13"
    for condition, says in (
        ("owner=planted", "column owner is tokenised: it is compared with a token"),
        (f"owner<{token}", "column owner holds tokens, which have no order"),
        ("note=planted", "column note is sealed: without its key a value cannot be compared with another"),
        ("note=planted", "'note is null'"),
        ("pin=planted", "column pin is dropped by the policy"),
    ):
        said = ask(path, "as-of", "orders", "--at", "now", "--where", condition)
        assert (said.code, said.out) == (2, "")
        assert says in said.err
        assert "planted" not in said.err


def test_a_column_that_was_something_else_before(warehouse_database, tmp_path):
    """Widened: compared as the wider type. Another type altogether: as text. Sealed once: not at all."""
    feed = Feed()

    def table(kind: str, wire: str) -> Table:
        return Table(
            "public", "typed", (TYPED.columns[0], Column("amount", kind, wire), Column("code", kind, wire)), ("id",)
        )

    small, large, word = table("INT4", "int32"), table("INT8", "int64"), table("TEXT", "string")
    baseline(feed, (small, [{"id": 1, "amount": 5, "code": 5}, {"id": 2, "amount": 40, "code": 40}]))
    path = configuration(warehouse_database, tmp_path)

    def ids(condition: str) -> str:
        return "".join(
            row["row"]["id"]
            for row in ask(path, "as-of", "typed", "--at", "now", "--where", condition, "--output", "json").document[
                "rows"
            ]
        )

    sent = 0
    for plan, (changed, value) in ((typed_policy(), (large, 10**10)), (typed_policy(), (word, "30"))):
        change(feed, (changed, "c", None, {"id": 3 if changed is large else 4, "amount": value, "code": value}))
        with worker(warehouse_database, plan) as it:
            it.bring(feed.records[sent:])
        sent = len(feed.records)
        assert ids("amount>6") == ("23" if changed is large else "")
        assert ids("amount<6") == ("1" if changed is large else "1234")
    change(feed, (word, "c", None, {"id": 5, "amount": "x", "code": "x"}))
    with worker(warehouse_database, POLICY) as it:  # under a policy that does not list the table
        it.bring(feed.records[sent:])
    assert "is sealed" in ask(path, "as-of", "typed", "--at", "now", "--where", "amount=5").err


def test_a_column_that_was_sealed_before(warehouse_database, tmp_path):
    feed = Feed()
    change(feed, (TYPED, "c", None, row(1, amount="5")))
    first = len(feed.records)
    baseline(feed)
    change(feed, (TYPED, "c", None, row(2, amount="5")))
    with worker(warehouse_database, POLICY) as it:
        it.bring(feed.records[:first])
    with worker(warehouse_database, typed_policy()) as it:
        it.bring(feed.records[first:])
    said = ask(configuration(warehouse_database, tmp_path), "as-of", "typed", "--at", "now", "--where", "amount=5")
    assert said.code == 2  # of the first row nobody can tell
    assert "column amount is sealed" in said.err


def test_a_limit_says_that_there_is_more(typed):
    limited = ask(typed, "as-of", "typed", "--at", "now", "--limit", "2", "--output", "json").document
    assert ([row["row"]["id"] for row in limited["rows"]], limited["limited"], limited["row_count"]) == (
        ["1", "2"],
        True,
        2,
    )
    all_of_them = ask(typed, "as-of", "typed", "--at", "now", "--limit", "4", "--output", "json").document
    assert (len(all_of_them["rows"]), all_of_them["limited"]) == (4, False)
    assert (
        "2; there are more than --limit let through" in ask(typed, "as-of", "typed", "--at", "now", "--limit", "2").out
    )
    assert ask(typed, "as-of", "typed", "--at", "now", "--limit", "0").code == 2


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("typed", "--at", "2026-01-31T21:00:00"), 2, "needs a zone"),
        (("typed", "--at", "planted"), 2, "not an ISO 8601 instant"),
        (("typed", "--at", "now\udcff"), 2, "--at: not UTF-8"),
        (("typed",), 2, "Missing option '--at'"),
        (("planted", "--at", "now"), 3, "no log knows a table of that name"),
    ],
)
def test_other_bad_input(typed, arguments, code, says):
    said = ask(typed, "as-of", *arguments)
    assert (said.code, said.out) == (code, "")
    assert says in said.err
    assert "planted" not in said.err

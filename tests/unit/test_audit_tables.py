"""Which table a name means: exactly as spelt, quoted or not, and never one of several."""

from __future__ import annotations

import pytest

from cdc.audit.tables import Table, resolve
from cdc.entry import qualified_name
from cdc.errors import NotFound


def table(log: str, schema: str, name: str) -> Table:
    return Table(log, qualified_name(schema, name))


ORDERS = table("trading", "public", "orders")
BEAT = table("trading", "cdc", "heartbeat")
OTHER_BEAT = table("portfolio", "cdc", "heartbeat")
CLIENTS = table("portfolio", "public", "clients")
ODD = table("trading", "Back Office", 'Hold"ers')
KNOWN = [ORDERS, BEAT, OTHER_BEAT, CLIENTS, ODD]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("orders", ORDERS),
        ("public.orders", ORDERS),
        ("trading.orders", ORDERS),
        ("trading.public.orders", ORDERS),
        ('"orders"', ORDERS),
        ('trading."public"."orders"', ORDERS),
        ("trading.cdc.heartbeat", BEAT),
        ("portfolio.cdc.heartbeat", OTHER_BEAT),
        ('"Back Office"."Hold""ers"', ODD),
        ('Back Office.Hold"ers', ODD),
        ('trading.Back Office.Hold"ers', ODD),
        (ODD.title, ODD),
    ],
)
def test_spellings(wanted, found):
    assert resolve(wanted, KNOWN) == found


@pytest.mark.parametrize("each", KNOWN, ids=lambda each: each.title)
def test_the_title_always_means_the_table(each):
    hostile = [
        table("trading", "trading", "public.orders"),
        table("trading", "public", "public.orders"),
        table("public", "public", "orders"),
    ]
    assert resolve(each.title, [*hostile, *KNOWN]) == each


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ("cdc.heartbeat", "several tables have that name: portfolio.cdc.heartbeat, trading.cdc.heartbeat"),
        ("heartbeat", "no log knows a table of that name; there is"),
        ("Orders", r"there is trading\.public\.orders"),
        ("order", r"there is trading\.public\.orders"),
        ("portfolio.orders", "no log knows a table"),
        ("PUBLIC.orders", r"there is trading\.public\.orders"),
        ("123-45-6789", "there are portfolio.cdc.heartbeat, portfolio.public.clients"),
        ("", "no log knows a table"),
    ],
)
def test_what_names_none_or_several_names_candidates(wanted, says):
    with pytest.raises(NotFound, match=says) as caught:
        resolve(wanted, KNOWN)
    assert caught.value.exit_code == 3
    assert "6789" not in str(caught.value) + str(caught.value.hint)


def test_a_source_and_a_schema_of_one_name():
    both = [table("trading", "public", "orders"), table("portfolio", "trading", "orders")]
    with pytest.raises(NotFound, match="several"):
        resolve("trading.orders", both)
    assert resolve("trading.public.orders", both) == both[0]
    assert resolve("portfolio.trading.orders", both) == both[1]


def test_quoted_wins_over_unquoted():
    dotted, plain = table("trading", "public", "cdc.heartbeat"), BEAT
    assert resolve("cdc.heartbeat", [dotted, plain]) == plain
    assert resolve('public."cdc.heartbeat"', [dotted, plain]) == dotted


def test_many_candidates_are_cut():
    with pytest.raises(NotFound, match="and 88 more"):
        resolve("zzzzzzzz", [table("trading", "public", f"t{n}") for n in range(100)])


def test_an_empty_log():
    with pytest.raises(NotFound, match="knows no table yet"):
        resolve("orders", [])

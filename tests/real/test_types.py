"""Every type of PostgreSQL from a real source to current state and history: what docs/types.md promises, as text in SQL."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import psycopg2
import pytest

from cdc.local.stack import Stack
from tests.fix_own import Own, own_source
from tests.oracle.tables import SETTINGS
from tests.real.types_corpus import KINDS, SETUP, Kind

EQUAL = [kind for kind in KINDS if kind.says is not None]
STREAMED = 1000
"""Ids from here on were written while the connector streamed; below, the snapshot read them."""


def shown(dsn: str, statement: str) -> list[tuple]:
    """As PostgreSQL's own output functions write it, under settings that do not vary."""
    connection = psycopg2.connect(dsn)
    try:
        with connection.cursor() as cursor:
            cursor.execute(SETTINGS)
            cursor.execute(statement)
            return cursor.fetchall()
    finally:
        connection.close()


def fill(own: Own, base: int, kinds: Sequence[Kind] = KINDS) -> None:
    """One row for each value of each type, and one with NULL, with ids from ``base`` on."""
    connection = psycopg2.connect(own.admin_dsn)
    with connection, connection.cursor() as cursor:
        for kind in kinds:
            rows = [(base + n, value) for n, value in enumerate((*kind.values, None))]
            cursor.executemany(f"INSERT INTO types.k_{kind.slug} VALUES (%s, %s)", rows)
    connection.close()


@pytest.fixture(scope="module")
def typed(stack: Stack) -> Iterator[Own]:
    """A source of all types, half of its rows read by the snapshot and half streamed, drained into a warehouse."""
    with own_source(stack) as own:
        own.run(SETUP, *(f"CREATE TABLE types.k_{kind.slug} (id int PRIMARY KEY, v {kind.sql})" for kind in KINDS))
        fill(own, 0)
        own.cdc("connectors", "init", own.name, "--schema", "types", "--apply-sql")
        own.cdc("policy", "init", own.name, "--clear", "*.*.*")
        own.apply()
        own.wait()
        fill(own, STREAMED)
        own.run("ALTER TYPE kinds.side ADD VALUE 'added later'", f"INSERT INTO types.k_enum VALUES ({STREAMED + 500}, 'added later')")
        own.drain()
        yield own


def test_no_table_is_suspended_and_no_view_is_behind(typed: Own) -> None:
    assert typed.warehouse.query("SELECT table_name, suspended_code, suspended_message FROM pipeline.state_table WHERE suspended_code IS NOT NULL") == []
    assert typed.warehouse.query("SELECT table_name, behind FROM pipeline.history_view WHERE behind IS NOT NULL") == []


@pytest.mark.parametrize("kind", EQUAL, ids=lambda kind: kind.slug)
def test_state_and_history_say_what_the_source_says(typed: Own, kind: Kind) -> None:
    judge(typed, kind)


def judge(own: Own, kind: Kind) -> None:
    """State and history of one type's table say what the source says, as text."""
    warehouse = own.warehouse.settings.warehouse_admin_dsn
    source = shown(own.admin_dsn, f"SELECT id, format('%s', {kind.says}) FROM types.k_{kind.slug} ORDER BY id")
    assert len(source) > 2
    state = shown(warehouse, f"""SELECT id, format('%s', v) FROM "{own.name}"."types.k_{kind.slug}" ORDER BY id""")
    assert state == source
    history = shown(warehouse, f"""SELECT after_id, format('%s', after_v) FROM "{own.name}_history"."types.k_{kind.slug}" ORDER BY after_id""")
    assert history == source


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.says is None], ids=lambda kind: kind.slug)
def test_what_is_not_equal_is_there_all_the_same(typed: Own, kind: Kind) -> None:
    """One row each, null where the source has null, and nothing else."""
    warehouse = typed.warehouse.settings.warehouse_admin_dsn
    count = "SELECT id, num_nulls(v) FROM {} ORDER BY id"
    assert shown(warehouse, count.format(f'"{typed.name}"."types.k_{kind.slug}"')) == shown(typed.admin_dsn, count.format(f"types.k_{kind.slug}"))


def test_a_snapshot_spoils_the_old_dates_that_are_documented_and_no_other(typed: Own) -> None:
    view = f'"{typed.name}"."types.k_date_old"'
    source = dict(shown(typed.admin_dsn, "SELECT id, v::text FROM types.k_date_old"))
    state = dict(shown(typed.warehouse.settings.warehouse_admin_dsn, f"SELECT id, v::text FROM {view}"))
    assert {id_: text for id_, text in state.items() if id_ >= STREAMED} == {id_: text for id_, text in source.items() if id_ >= STREAMED}
    spoilt = {source[id_] for id_ in source if state[id_] != source[id_]}
    assert spoilt == {text for text in source.values() if text and ("BC" in text or text in {"1582-10-14", "1582-10-10", "1582-10-05"})}


def test_policy_explain_says_which_state_column_each_column_gets(typed: Own) -> None:
    told = json.loads(typed.cdc("policy", "explain", typed.name, "--output", "json").stdout)
    explained = {row["table"]: row["state"] for row in told["columns"] if row["column"] == "v"}
    made = dict(typed.warehouse.query("SELECT table_name, c ->> 'type' FROM pipeline.state_table, jsonb_array_elements(columns) c WHERE c ->> 'name' = 'v'"))
    assert explained == made
    assert len(made) == len(KINDS)
    assert "  STATE  " in typed.cdc("policy", "explain", typed.name).stdout


def test_the_log_and_current_state_verify(typed: Own) -> None:
    said = typed.cdc("audit", "verify", typed.name)
    assert "PASS" in said.stdout


def test_an_auditor_is_shown_them(typed: Own) -> None:
    told = typed.cdc("audit", "history", "types.k_numeric", "0", "--output", "json")
    assert '"0"' in told.stdout
    typed.cdc("audit", "as-of", "types.k_a_text", "--at", "now", "--where", "id=1")


def test_what_debezium_leaves_out_or_cannot_read_is_left_out_by_name(stack: Stack) -> None:
    kinds = ["money[]", "name[]", "interval[]", "varbit[]", "point[]", "refcursor[]", "int2vector", "oidvector", "bit(3)[]", "box[]", "refcursor"]
    with own_source(stack) as own:
        own.run("CREATE TABLE fine (id int PRIMARY KEY, v int)", *(f"CREATE TABLE t{n} (id int PRIMARY KEY, v {kind})" for n, kind in enumerate(kinds)))
        said = own.cdc("connectors", "init", own.name, "--apply-sql").stderr
        left = [line for line in said.splitlines() if "Debezium" in line]
        for n in range(len(kinds)):
            assert any(f"public.t{n}" in line for line in left), kinds[n]
        assert not any("public.fine" in line for line in left)


def test_a_table_named_like_a_type_is_captured_and_what_debezium_would_fail_at_is_refused(stack: Stack) -> None:
    with own_source(stack) as own:
        own.run(
            *(f'CREATE TABLE "{name}" (id int PRIMARY KEY, v {kind})' for name, kind in (("numeric", "numeric(9, 2)"), ("date", "date"), ("text", "text"), ("money", "money"))),
            "CREATE TABLE bare (id int PRIMARY KEY, v numeric)", "CREATE TABLE dated (id int PRIMARY KEY, v date[])",
            "INSERT INTO numeric VALUES (1, 1.5)", "INSERT INTO date VALUES (1, 'infinity')", "INSERT INTO text VALUES (1, 'x')", "INSERT INTO money VALUES (1, 2.5)",
        )  # fmt: skip
        said = own.cdc("connectors", "init", own.name, "--apply-sql").stderr
        assert "public.bare.v: its schema has a table or type named like its type" in said
        assert "public.dated.v: its schema has a table or type named like its type" in said
        own.cdc("policy", "init", own.name, "--clear", "*.*.*")
        own.apply()
        own.wait()
        own.run("INSERT INTO numeric VALUES (2, 2.5)", "INSERT INTO date VALUES (2, '2024-02-29')", "UPDATE text SET v = 'y'", "UPDATE money SET v = 3")
        own.drain()
        for name in ("numeric", "date", "text", "money"):
            state = shown(own.warehouse.settings.warehouse_admin_dsn, f"""SELECT id, format('%s', v) FROM "{own.name}"."{name}" ORDER BY id""")
            assert state == shown(own.admin_dsn, f"""SELECT id, format('%s', {"v::numeric" if name == "money" else "v"}) FROM "{name}" ORDER BY id""")

"""hstore, ltree, citext, xml and others from a server that has them (Debian's) to current state and history, as text in SQL."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cdc.local import unprivileged
from cdc.local.stack import Stack
from tests.fix_own import Own, own_source
from tests.fix_stack import missing_service
from tests.real.other_server import Other, initialise, running, with_contrib
from tests.real.test_types import STREAMED, fill, judge, shown
from tests.real.types_contrib import KINDS, SETUP, Kind

KEYS = (
    "CREATE TABLE types.by_citext (k citext PRIMARY KEY, v int)",
    "CREATE TABLE types.of_citext (id int PRIMARY KEY, k citext REFERENCES types.by_citext ON UPDATE CASCADE)",
    "CREATE TABLE types.by_ltree (k ltree PRIMARY KEY, v int)",
    "CREATE TABLE types.by_hstore (k hstore PRIMARY KEY, v int)",
    "CREATE TABLE types.without_key (c citext, h hstore, x xml)",
)
KEYED = (
    "INSERT INTO types.by_citext VALUES ('Abc', 1), ('gone', 1), ('Stays', 1)",
    "INSERT INTO types.of_citext VALUES (1, 'ABC'), (2, 'sTAYS')",
    "INSERT INTO types.by_ltree VALUES ('a.b', 1), ('c', 1)",
    "INSERT INTO types.by_hstore VALUES ('a=>1', 1), ('b=>NULL', 1)",
    "INSERT INTO types.without_key VALUES ('Abc', 'b=>1, a=>2', '<a/>'), ('abc', 'b=>1, a=>2', '<a/>'), (NULL, NULL, NULL)",
)
KEY_CHANGES = (
    "UPDATE types.by_citext SET k = 'ABC' WHERE k = 'abc'",  # the same key to the source, another text
    "UPDATE types.by_citext SET v = 2 WHERE k = 'stays'",
    "DELETE FROM types.by_citext WHERE k = 'GONE'",
    "INSERT INTO types.by_citext VALUES ('Gone', 3)",
    "UPDATE types.by_ltree SET k = 'a.b.c', v = 2 WHERE k = 'a.b'",
    "UPDATE types.by_hstore SET k = k || 'c=>3' WHERE k = 'a=>1'",
    "DELETE FROM types.by_hstore WHERE k = 'b=>NULL'",
    "UPDATE types.without_key SET x = '<b/>' WHERE c = 'ABC'",
    "DELETE FROM types.without_key WHERE c IS NULL",
)


@pytest.fixture(scope="module")
def contrib(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Other]:
    """A server whose installation has the extensions, as a source."""
    programs = with_contrib()
    if programs is None:
        missing_service("PostgreSQL with its extensions (Debian: apt-get install postgresql)")
    folder = tmp_path_factory.mktemp("contrib")
    unprivileged.disguise().give(folder)
    initialise(programs, folder / "data")
    with running(programs, folder / "data", wal_level="logical", max_replication_slots="4", max_wal_senders="4") as other:
        yield other


@pytest.fixture(scope="module")
def typed(stack: Stack, contrib: Other) -> Iterator[Own]:
    with own_source(stack, server=contrib.dsn()) as own:
        own.run(SETUP, *(f"CREATE TABLE types.k_{kind.slug} (id int PRIMARY KEY, v {kind.sql})" for kind in KINDS))
        fill(own, 0, KINDS)
        own.run(*KEYS, *KEYED)
        own.cdc("connectors", "init", own.name, "--schema", "types", "--apply-sql")
        own.cdc("policy", "init", own.name, "--clear", "*.*.*")
        own.apply()
        own.wait()
        fill(own, STREAMED, KINDS)
        own.run(*KEY_CHANGES)
        own.drain()
        yield own


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.says is not None], ids=lambda kind: kind.slug)
def test_state_and_history_say_what_the_source_says(typed: Own, kind: Kind) -> None:
    judge(typed, kind)


def test_the_log_verifies_and_no_table_is_suspended(typed: Own) -> None:
    said = typed.cdc("audit", "verify", typed.name, code=None).stdout
    assert "PASS" in said, said
    assert typed.warehouse.query("SELECT table_name, suspended_code FROM pipeline.state_table WHERE suspended_code IS NOT NULL") == []


@pytest.mark.parametrize("table", ["by_citext", "of_citext", "by_ltree", "without_key"])
def test_tables_keyed_by_such_types_have_the_rows_of_the_source(typed: Own, table: str) -> None:
    """A citext key that only changes its case is another text, so a key change; the source's own rule lets no two of them be."""
    columns = {"by_citext": "k::text, v", "of_citext": "id, k::text", "by_ltree": "k::text, v", "without_key": "c::text, to_jsonb(h::{})::text, x::text"}[table]
    source = shown(typed.admin_dsn, f"SELECT {columns.format('hstore')} FROM types.{table}")
    state = shown(typed.warehouse.settings.warehouse_admin_dsn, f"""SELECT {columns.format('jsonb')} FROM "{typed.name}"."types.{table}" """)
    assert sorted(map(str, state)) == sorted(map(str, source))


def test_a_key_of_hstore_is_a_key_by_its_pairs(typed: Own) -> None:
    source = shown(typed.admin_dsn, "SELECT hstore_to_jsonb(k)::text, v FROM types.by_hstore")
    assert shown(typed.warehouse.settings.warehouse_admin_dsn, f"""SELECT k::text, v FROM "{typed.name}"."types.by_hstore" """) == source == [('{"a": "1", "c": "3"}', 1)]


def test_a_citext_key_that_changes_its_case_is_a_key_change(typed: Own) -> None:
    changes = typed.warehouse.query("SELECT row_key, operation FROM audit.entry WHERE table_name = 'types.by_citext' AND lower(row_key) = '[\"abc\"]' ORDER BY seq")
    assert changes == [('["Abc"]', "r"), ('["Abc"]', "d"), ('["ABC"]', "c")]

"""Dates that Debezium's snapshot and its stream write differently, and columns added with a default: with and without a key."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cdc.local.stack import Stack
from tests.fix_own import Own, own_source
from tests.real.test_types import shown

INFINITE = ("infinity", "-infinity", "2024-02-29", "infinity")
EARLY = ("0044-03-15 BC", "0001-12-31 BC", "1582-10-05", "1582-10-14", "1582-10-15", "1582-10-04", "0001-01-01")


@pytest.fixture(scope="module")
def odd(stack: Stack) -> Iterator[Own]:
    """Rows that the snapshot reads and the stream changes."""
    with own_source(stack) as own:
        for name, values in (("infinite", INFINITE), ("early", EARLY)):
            own.run(f"CREATE TABLE {name} (id int PRIMARY KEY, d date, sealed date)", f"CREATE TABLE {name}_loose (n int, d date)")
            for n, value in enumerate(values):
                own.run(f"INSERT INTO {name} VALUES ({n}, '{value}', '{value}')", f"INSERT INTO {name}_loose VALUES ({n % 3}, '{value}')")
        own.run("CREATE TABLE by_date (d date PRIMARY KEY, v int)", "INSERT INTO by_date VALUES ('infinity', 1), ('-infinity', 1), ('2024-02-29', 1)")
        own.run("CREATE TABLE grown (id int PRIMARY KEY, v int)", "CREATE TABLE grown_loose (v int)", "CREATE TABLE steady_loose (v int)")
        own.run("INSERT INTO grown VALUES (1, 1), (2, 2)", "INSERT INTO grown_loose VALUES (1), (1), (2)", "INSERT INTO steady_loose VALUES (1)")
        own.cdc("connectors", "init", own.name, "--schema", "public", "--apply-sql")
        own.cdc("policy", "init", own.name, "--clear", "*.*.*")
        own.policy.write_text(own.policy.read_text().replace("sealed: clear", "sealed: seal"))
        own.apply()
        own.wait()
        for name in ("infinite", "early"):
            own.run(f"UPDATE {name} SET id = id + 10 WHERE id = 0", f"UPDATE {name} SET d = d, sealed = sealed WHERE id > 0 AND id < 3")
        own.run("UPDATE infinite_loose SET n = 7 WHERE n = 0 AND d = 'infinity'", "DELETE FROM infinite_loose WHERE d = '-infinity'")
        own.run("UPDATE by_date SET v = 2 WHERE d = 'infinity'", "DELETE FROM by_date WHERE d = '-infinity'", "UPDATE by_date SET d = 'infinity' WHERE false")
        own.run("DELETE FROM early_loose WHERE d = '0044-03-15 BC'")
        own.run("ALTER TABLE grown ADD COLUMN w int DEFAULT 5", "ALTER TABLE grown_loose ADD COLUMN w int DEFAULT 5")
        own.run("UPDATE grown SET v = 9 WHERE id = 1", "INSERT INTO grown_loose VALUES (3)", "DELETE FROM grown_loose WHERE v = 2", "INSERT INTO steady_loose VALUES (2)")
        own.drain()
        yield own


def state(own: Own, table: str, columns: str) -> list[tuple]:
    return sorted(shown(own.warehouse.settings.warehouse_admin_dsn, f"""SELECT {columns} FROM "{own.name}".{table}"""))


@pytest.mark.parametrize(("table", "columns"), [("infinite", "id, d::text"), ("infinite_loose", "n, d::text"), ("by_date", "d::text, v"), ("steady_loose", "v, 1")])
def test_infinite_dates_are_one_value_whoever_wrote_them(odd: Own, table: str, columns: str) -> None:
    assert state(odd, table, columns) == sorted(shown(odd.admin_dsn, f"SELECT {columns} FROM {table}"))


def test_entries_hold_the_word_of_the_source(odd: Own) -> None:
    held = odd.warehouse.query("SELECT DISTINCT entry::json #>> '{after,d}' FROM audit.entry WHERE table_name = 'public.infinite' AND kind = 'change' AND operation <> 'd'")
    assert {text for (text,) in held} == {"infinity", "-infinity", "2024-02-29Z"}


def test_early_dates_that_a_snapshot_spoilt_are_right_after_a_change(odd: Own) -> None:
    source = dict(shown(odd.admin_dsn, "SELECT id, d::text FROM early"))
    spoilt = {id_: (text, source[id_]) for id_, text in state(odd, "early", "id, d::text") if text != source[id_]}
    assert spoilt == {3: ("1582-10-24", "1582-10-14")}


def test_the_log_verifies_all_the_same(odd: Own) -> None:
    said = odd.cdc("audit", "verify", odd.name, code=None).stdout
    assert "PASS" in said, said


def test_rows_without_a_key_that_are_not_there_as_they_were_suspend_their_table_alone(odd: Own) -> None:
    found = odd.warehouse.query("SELECT table_name, suspended_code, suspended_message FROM pipeline.state_table WHERE suspended_code IS NOT NULL")
    suspended = {table: (code, message) for table, code, message in found}
    assert suspended == {
        "public.early_loose": ("state-diverged", "a row without a key is not there as it was: a snapshot spells early dates of column d otherwise"),
        "public.grown_loose": ("state-diverged", "a row without a key is not there as it was: column w was added, perhaps with a default"),
    }
    told = odd.cdc("status", "--output", "json", code=None).stdout
    assert "state-diverged" in told
    assert odd.warehouse.query("SELECT count(*) FROM audit.entry WHERE table_name = 'public.grown_loose' AND operation = 'd'") == [(1,)]


def test_a_column_added_with_a_default_is_null_in_rows_that_nobody_has_written_since(odd: Own) -> None:
    assert state(odd, "grown", "id, v, w IS NOT NULL") == [(1, 9, True), (2, 2, False)]

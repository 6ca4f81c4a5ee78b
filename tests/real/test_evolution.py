"""Tables that change at a live source, under load, through real Debezium: what follows by itself, and what is rebuilt."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg2
import pytest

from cdc.local.stack import Stack
from tests.fix_own import Own, own_source
from tests.independent.reader import verify

SCHEMA = (
    "CREATE TYPE mood AS ENUM ('calm')",
    "CREATE TABLE accounts (id int PRIMARY KEY, name text, balance int, note varchar(10), mood mood, gone text, old_name text)",
    "CREATE TABLE moved (id int PRIMARY KEY, v text)",
    "CREATE TABLE other (id int PRIMARY KEY, v text)",
    "CREATE TABLE small (id int, v text)",
    "INSERT INTO small VALUES (1, 'a'), (2, 'b'), (2, 'b')",
    "INSERT INTO accounts SELECT n, 'n' || n, n, 'x', 'calm', 'g', 'o' FROM generate_series(1, 500) n",
    "INSERT INTO moved VALUES (1, 'a')",
    "INSERT INTO other VALUES (1, 'a')",
)
ADDITIVE = (
    "ALTER TABLE accounts ADD COLUMN added text DEFAULT 'new'",
    "ALTER TABLE accounts ALTER COLUMN balance TYPE bigint",
    "ALTER TABLE accounts ALTER COLUMN note TYPE varchar(50)",
    "ALTER TABLE accounts ALTER COLUMN note TYPE text",
    "ALTER TABLE accounts ALTER COLUMN name SET NOT NULL",
    "ALTER TABLE accounts ALTER COLUMN name DROP NOT NULL",
    "ALTER TYPE mood ADD VALUE 'wild'",
    "UPDATE accounts SET mood = 'wild', balance = balance + 5000000000, note = repeat('long ', 8) WHERE id <= 50",
    "CREATE TABLE fresh (id int PRIMARY KEY, v text)",
    "ALTER TABLE fresh REPLICA IDENTITY FULL",
    "INSERT INTO fresh VALUES (1, 'a')",
)


ANEW = (
    "SELECT entry::json #>> '{content,notification}' FROM audit.entry e WHERE log = %s AND kind = 'baseline'"
    " AND seq > (SELECT max(s.seq) FROM audit.entry s WHERE s.log = e.log AND s.table_name = 'cdc.signal' AND s.kind = 'change')"
)
"""What a re-snapshot that was asked for has said since."""


class _Load:
    """Small transactions on ``accounts`` and ``other`` without a pause, until told to stop."""

    def __init__(self, own: Own) -> None:
        self._dsn = own.admin_dsn
        self._stop = threading.Event()
        self.done = 0
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        connection = psycopg2.connect(self._dsn)
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("SELECT max(id) FROM other")
            ((last,),) = cursor.fetchall()
            while not self._stop.is_set():
                self.done += 1
                cursor.execute("UPDATE accounts SET balance = balance + 1 WHERE id = %s", (self.done % 500 + 1,))
                cursor.execute("INSERT INTO other VALUES (%s, 'x')", (last + self.done,))
        connection.close()

    def __enter__(self) -> _Load:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def go_on(self, transactions: int = 100) -> None:
        """Until so many more have been committed."""
        reached, ends = self.done + transactions, time.monotonic() + 240
        while self.done < reached:
            assert time.monotonic() < ends
            time.sleep(0.01)


@pytest.fixture(scope="module")
def own(stack: Stack) -> Iterator[Own]:
    with own_source(stack) as made:
        made.run(*SCHEMA)
        made.cdc("connectors", "init", made.name, "--apply-sql")
        made.cdc("policy", "init", made.name, "--clear", "accounts.*", "--clear", "moved.*", "--clear", "other.*", "--clear", "small.*")
        made.apply()
        yield made


@contextmanager
def _replicated(own: Own) -> Iterator[None]:
    """A worker runs meanwhile, and ends well when all that was committed is in the warehouse."""
    worker = own.warehouse.start(own.name)
    try:
        _until(lambda: own.warehouse.query("SELECT owner IS NOT NULL FROM pipeline.lease WHERE log = %s", (own.name,)) == [(True,)])
        yield
        own.wait()
        _caught_up(own)
    finally:
        worker.terminate()
        _, errors = worker.communicate(timeout=60)
    assert worker.returncode == 0, errors


def _until(holds: Callable[[], bool]) -> None:
    ends = time.monotonic() + 120
    while not holds():
        assert time.monotonic() < ends
        time.sleep(0.1)


def _caught_up(own: Own) -> None:
    ((number,),) = own.ask("SELECT coalesce(max(id), 0) FROM other")
    newest = "SELECT count(*) FROM audit.entry WHERE log = %s AND table_name = 'public.other' AND kind = 'change' AND entry::json #>> '{after,id}' = %s"
    _until(lambda: own.warehouse.query(newest, (own.name, str(number))) != [(0,)])


def _suspended(own: Own) -> dict[str, str]:
    (stream,) = json.loads(own.cdc("status", "--output", "json").stdout)
    return {each["table"]: each["code"] for each in stream["suspended"]}


def _same(own: Own, *columns: str, table: str = "accounts") -> None:
    listed = ", ".join(f"{column}::text" for column in columns)
    source = own.ask(f"SELECT {listed} FROM {table} ORDER BY id")
    assert own.warehouse.query(f'SELECT {listed} FROM "{own.name}".{table} ORDER BY id') == source


def _latency(own: Own, since: int) -> tuple[float, float]:
    """Seconds from Kafka to the commit, of the entries from ``since`` on: the longest, and the median."""
    ((longest, median),) = own.warehouse.query(
        "SELECT max(s)::float8, percentile_cont(0.5) WITHIN GROUP (ORDER BY s)::float8 FROM (SELECT"
        " extract(epoch FROM recorded_at) - (entry::json ->> 'produced_at')::numeric / 1e9 AS s FROM audit.entry WHERE log = %s AND seq >= %s) t",
        (own.name, since),
    )
    return longest, median


def _size(own: Own) -> int:
    return own.warehouse.query("SELECT size FROM audit.log WHERE log = %s", (own.name,))[0][0]


def test_additive_changes_apply_by_themselves_under_load(own: Own, capsys: pytest.CaptureFixture[str]) -> None:
    own.drain()
    since = _size(own)
    with _replicated(own), _Load(own) as load:
        for statement in ADDITIVE:
            load.go_on()
            own.run(statement)
        load.go_on()
    assert _suspended(own) == {}
    _same(own, "id", "name", "balance", "note", "mood", "gone", "old_name")
    assert own.warehouse.query(f'SELECT count(*) FROM "{own.name}".fresh') == [(1,)]
    longest, median = _latency(own, since)
    with capsys.disabled():
        print(f"\nadditive DDL under load: {_size(own) - since:,} entries; from Kafka to the commit {longest:.2f} s at most, median {median:.3f} s")


@pytest.mark.parametrize(
    ("statements", "code", "columns", "as_text"),
    [
        (("ALTER TABLE accounts DROP COLUMN gone",), "column-gone", ("id", "name", "balance", "note", "mood", "old_name"), []),
        (("ALTER TABLE accounts RENAME COLUMN old_name TO new_name",), "column-gone", ("id", "name", "balance", "note", "mood"), []),
        (
            ("UPDATE accounts SET balance = id", "ALTER TABLE accounts ALTER COLUMN balance TYPE int"),
            "column-changed",
            ("id", "name", "balance", "note", "mood"),
            [],
        ),
        (("ALTER TABLE accounts ALTER COLUMN balance TYPE text",), "column-changed", ("id", "name", "balance", "note", "mood"), []),
        (
            ("ALTER TABLE accounts ALTER COLUMN balance TYPE int USING balance::int", "ALTER TABLE accounts DROP COLUMN note", "UPDATE accounts SET name = name WHERE id = 1", "ALTER TABLE accounts ADD COLUMN note int"),
            "column-changed",
            ("id", "name", "balance", "note", "mood"),
            [],
        ),
    ],
    ids=["dropped", "renamed", "narrowed", "to text", "dropped and re-added"],
)
def test_other_changes_suspend_and_a_rebuild_under_load_brings_the_state_back(
    own: Own, capsys: pytest.CaptureFixture[str], statements: tuple[str, ...], code: str, columns: tuple[str, ...], as_text: list[str]
) -> None:
    own.drain()
    since = _size(own)
    with _replicated(own):
        if "text" in statements[-1]:  # while balance is a text no load adds to it
            own.run(*statements, "UPDATE accounts SET name = name WHERE id = 1")
            done = _rebuilt(own, code)
        else:
            if "USING" in statements[0]:
                own.run(statements[0])  # no load adds to a text
            with _Load(own) as load:
                load.go_on()
                own.run(*statements[1 if "USING" in statements[0] else 0 :])
                load.go_on()
                done = _rebuilt(own, code)
                load.go_on(50)
    assert done["as_text"] == as_text
    assert _suspended(own) == {}
    _same(own, *columns)
    longest, median = _latency(own, since)
    with capsys.disabled():
        print(
            f"\n{code} and rebuild: {_size(own) - since:,} entries; commits waited {done['waited_s']:.2f} s for the exchange;"
            f" from Kafka to the commit {longest:.2f} s at most, median {median:.3f} s"
        )


def _rebuilt(own: Own, code: str) -> dict:
    _until(lambda: _suspended(own).get("public.accounts") == code)
    assert f"cdc rebuild {own.name} public.accounts" in own.cdc("status").stdout
    done = json.loads(own.cdc("rebuild", own.name, "accounts", "--output", "json").stdout)
    assert done["code"] == code
    return done


def test_ddl_in_the_middle_of_a_transaction_larger_than_a_batch(own: Own) -> None:
    own.run("CREATE TABLE huge (id int PRIMARY KEY, a int)", "ALTER TABLE huge REPLICA IDENTITY FULL")
    connection = psycopg2.connect(own.admin_dsn)
    with connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO huge SELECT n, n FROM generate_series(1, 3000) n")
        cursor.execute("ALTER TABLE huge ADD COLUMN b text DEFAULT 'd'")
        cursor.execute("INSERT INTO huge SELECT n, n, 'b' FROM generate_series(3001, 6000) n")
        cursor.execute("ALTER TABLE huge DROP COLUMN a")
        cursor.execute("INSERT INTO huge SELECT n, 'c' FROM generate_series(6001, 9000) n")
    connection.close()
    own.wait()
    done = own.warehouse.replicate(own.name, "--until-caught-up", "--batch-records", "1000")
    assert done.returncode == 0, done.stderr
    assert _suspended(own)["public.huge"] == "column-gone"
    own.cdc("rebuild", own.name, "huge")
    held = f'SELECT count(*) FROM "{own.name}".huge'
    assert own.warehouse.query(held) == [(9000,)]
    assert own.warehouse.query(f'SELECT count(*), count(b) FROM "{own.name}_state".huge') == [(9000, 6000)]


def test_renamed_recreated_and_dropped_tables(own: Own) -> None:
    own.run("ALTER TABLE moved ADD COLUMN d text DEFAULT 'x'", "INSERT INTO moved VALUES (3, 'c')")
    own.drain()
    # PostgreSQL gives older rows the default without a row change: what the log does not know is NULL, not a guess.
    assert own.warehouse.query(f'SELECT id, d IS NULL FROM "{own.name}".moved ORDER BY 1') == [(1, True), (3, False)]
    own.run("ALTER TABLE moved RENAME TO renamed", "INSERT INTO renamed VALUES (2, 'b')")
    own.run("DROP TABLE fresh", "CREATE TABLE fresh (id int PRIMARY KEY, v text)", "ALTER TABLE fresh REPLICA IDENTITY FULL", "INSERT INTO fresh VALUES (2, 'b')")
    own.drain()
    assert not {"public.moved", "public.renamed", "public.fresh"} & _suspended(own).keys()
    held = {table: own.warehouse.query(f'SELECT count(*) FROM "{own.name}".{table}') for table in ("moved", "renamed", "fresh")}
    # As docs/operations.md says: no row change tells of a table that is dropped or renamed.
    assert held == {"moved": [(2,)], "renamed": [(1,)], "fresh": [(2,)]}
    found = {(each["table"], each["code"], each["column"], each["rows"]) for each in _drift(own, code=6)}
    assert ("public.moved", "table-gone", None, 2) in found
    assert not {each for each in found if each[0] in {"public.renamed", "public.fresh"}}


def _drift(own: Own, code: int | None = None) -> list[dict]:
    return json.loads(own.cdc("connectors", "drift", own.name, "--output", "json", code=code).stdout)["drift"]


def test_what_no_row_change_tells_is_named_until_the_table_is_read_anew(own: Own) -> None:
    own.run(
        "CREATE TABLE quiet (id int PRIMARY KEY, n text)", "ALTER TABLE quiet REPLICA IDENTITY FULL",
        "INSERT INTO quiet SELECT g, g::text FROM generate_series(1, 4) g",
    )  # fmt: skip
    own.drain()  # Debezium takes types from the catalog, which must not be ahead of the rows
    own.run(
        "ALTER TABLE quiet ADD COLUMN plain text, ADD COLUMN d text DEFAULT 'x'",
        "ALTER TABLE quiet ALTER COLUMN n TYPE int USING n::int * 10", "UPDATE quiet SET d = 'y' WHERE id = 1",
    )  # fmt: skip
    own.drain()
    own.cdc("rebuild", own.name, "quiet")
    found = {(each["code"], each["column"], each["rows"]) for each in _drift(own, code=6) if each["table"] == "public.quiet"}
    assert found == {("column-default", "d", 3), ("column-retyped", "n", 3)}
    _read_anew(own, "quiet")
    assert [each for each in _drift(own) if each["table"] == "public.quiet"] == []
    assert own.warehouse.query(f'SELECT count(*), count(d), count(plain) FROM "{own.name}".quiet') == [(4, 4, 0)]


KEYS = {
    "wider": ("ALTER TABLE other DROP CONSTRAINT other_pkey, ADD PRIMARY KEY (id, v)",),
    "none": ("ALTER TABLE other DROP CONSTRAINT other_pkey",),
}


@pytest.mark.parametrize("case", KEYS)
def test_a_changed_key_is_rebuilt_under_load(own: Own, case: str) -> None:
    own.drain()
    with _replicated(own), _Load(own) as load:
        load.go_on(50)
        own.run(*KEYS[case], "UPDATE other SET v = 'changed' WHERE id = 1")
        load.go_on(50)
        _until(lambda: _suspended(own).get("public.other") == "key-changed")
        assert f"cdc rebuild {own.name} public.other" in own.cdc("status").stdout
        done = json.loads(own.cdc("rebuild", own.name, "other", "--output", "json").stdout)
        assert done["code"] == "key-changed"
        load.go_on(50)
        own.run("UPDATE other SET v = 'again' WHERE id <= 3", "DELETE FROM other WHERE id = 4")
    assert _suspended(own) == {}
    _same(own, "id", "v", table="other")


def _read_anew(own: Own, table: str) -> None:
    """As docs/operations.md says."""
    own.run(f"INSERT INTO cdc.signal VALUES ('{table}', 'execute-snapshot', '{{\"type\": \"blocking\", \"data-collections\": [\"public.{table}\"]}}')")
    ends = time.monotonic() + 120
    own.drain()  # the signal is in the log: what an earlier one brought stands before it
    while "COMPLETED" not in {row[0] for row in own.warehouse.query(ANEW, (own.name,))}:
        assert time.monotonic() < ends
        own.drain()


def test_a_surrogate_key_is_refused_until_the_table_is_read_anew(own: Own) -> None:
    own.run("ALTER TABLE small ADD COLUMN uid bigserial PRIMARY KEY", "INSERT INTO small VALUES (10, 'k')")
    own.drain()
    assert _suspended(own)["public.small"] == "key-changed"
    assert "new key of 2 rows: column uid is NULL in them, or newer" in own.cdc("rebuild", own.name, "small", code=4).stderr
    _read_anew(own, "small")
    own.cdc("rebuild", own.name, "small")
    assert "public.small" not in _suspended(own)
    _same(own, "id", "v", table="small")
    assert own.warehouse.query(f'SELECT count(DISTINCT uid) FROM "{own.name}".small') == [(4,)]


def test_the_log_of_all_of_it_is_whole(own: Own) -> None:
    rows = own.warehouse.query(
        "SELECT e.seq, e.entry, b.body, encode(e.leaf, 'hex') FROM audit.entry e LEFT JOIN audit.body b USING (log, seq)"
        " WHERE e.log = %s ORDER BY e.seq",
        (own.name,),
    )
    assert verify(rows) == []

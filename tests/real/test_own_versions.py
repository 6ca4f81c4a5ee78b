"""``cdc connectors init`` on servers of other versions: what it writes, they run, and the check has nothing to add."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from cdc.local import unprivileged
from connectors import catalog
from tests.fix_stack import missing_service
from tests.real.other_server import Other, binaries, initialise, running, tool
from tests.real.refusing import CONFIGURATION

SCHEMA = Path(__file__).parent / "foreign" / "schema.sql"


@pytest.fixture(scope="module", params=[15, 16, 18])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path, Other]]:
    programs = binaries().get(request.param)
    if programs is None:
        missing_service(f"PostgreSQL {request.param}")
    folder = tmp_path_factory.mktemp(f"pg{request.param}")
    unprivileged.disguise().give(folder)
    initialise(programs, folder / "data")
    with running(programs, folder / "data", wal_level="logical") as other:
        yield request.param, programs, other


def cdc(folder: Path, dsn: str, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    if not (folder / "cdc.toml").exists():
        (folder / "cdc.toml").write_text(CONFIGURATION)
    done = subprocess.run(
        [sys.executable, "-m", "cdc", *arguments], env={**os.environ, "CDC_CONFIG": str(folder / "cdc.toml"), "CDC_SOURCE_DSN": dsn},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    return done


def published(other: Other, database: str, publication: str) -> set[str]:
    connection = psycopg2.connect(other.dsn(database))
    cursor = connection.cursor()
    cursor.execute("SELECT schemaname || '.' || tablename FROM pg_publication_tables WHERE pubname = %s", (publication,))
    found = {row[0] for row in cursor}
    connection.close()
    return found


@pytest.fixture
def shop(server: tuple[int, Path, Other]) -> Iterator[str]:
    """The DSN of a database with the foreign schema, as far as the version has what it uses."""
    version, _, other = server
    text = SCHEMA.read_text()
    if version < 18:
        text = re.sub(r"CREATE TABLE ledger.virtual .*\n", "", text)
    other.run("CREATE DATABASE shop_db")
    other.run(text, database="shop_db")
    yield other.dsn("shop_db")
    other.run("DROP DATABASE shop_db WITH (FORCE)", "DROP ROLE IF EXISTS cdc_shop")


def test_table_by_table_where_some_must_stay_out(server: tuple[int, Path, Other], shop: str, tmp_path: Path) -> None:
    other = server[2]
    done = cdc(tmp_path, shop, "connectors", "init", "shop", "--apply-sql")
    assert "the database is fit to be captured" in done.stderr
    tables = published(other, "shop_db", "cdc_shop")
    assert {"public.film", "public.payment", "NorthWind.Order Details", "ledger.rate", "cdc.heartbeat", "cdc.signal"} <= tables
    assert not tables & {"ledger.session", "ledger.coupon", "public.payment_p2022_01"}
    cdc(tmp_path, shop, "policy", "init", "shop")
    assert cdc(tmp_path, shop, "policy", "check", "shop").stdout == ""
    # Keyless, keyed and partitioned tables can be changed all the same; a later one has the identity, and is told.
    other.run(
        "INSERT INTO ledger.currency VALUES ('CHF', 2)", "INSERT INTO ledger.rate VALUES ('CHF', 1)", "UPDATE ledger.rate SET rate = 2",
        "DELETE FROM ledger.rate", "CREATE TABLE ledger.later (v text)", "INSERT INTO ledger.later VALUES ('x')", "UPDATE ledger.later SET v = v",
        database="shop_db",
    )  # fmt: skip
    assert "table-unlisted  ledger.later" in cdc(tmp_path, shop, "policy", "check", "shop", code=6).stdout
    said = cdc(tmp_path, shop, "connectors", "init", "shop", "--apply-sql")
    assert "wrote" in said.stderr
    assert "ledger.later" in published(other, "shop_db", "cdc_shop")


def test_by_schema_where_nothing_must_stay_out(server: tuple[int, Path, Other], shop: str, tmp_path: Path) -> None:
    other = server[2]
    done = cdc(tmp_path, shop, "connectors", "init", "shop", "--schema", "NorthWind", "--apply-sql")
    assert "the database is fit to be captured" in done.stderr
    assert 'SET TABLES IN SCHEMA "NorthWind", cdc;' in done.stdout
    other.run(
        'CREATE TABLE "NorthWind".tomorrow (v text)', 'UPDATE "NorthWind".tomorrow SET v = v',
        "CREATE TABLE public.moved (v text)", 'ALTER TABLE public.moved SET SCHEMA "NorthWind"', 'UPDATE "NorthWind".moved SET v = v',
        database="shop_db",
    )  # fmt: skip
    assert published(other, "shop_db", "cdc_shop") >= {"NorthWind.tomorrow", "NorthWind.moved", "NorthWind.Orders", "cdc.signal"}
    # A table made later may be read at once, and init has nothing to add.
    again = cdc(tmp_path, shop, "connectors", "init", "shop", "--apply-sql")
    assert "the database is fit to be captured" in again.stderr


def test_a_server_before_15_is_asked_the_same_in_other_words(server: tuple[int, Path, Other], shop: str, tmp_path: Path) -> None:
    """None is at hand: the question for it is put to those that are, which must answer it like their own."""
    cdc(tmp_path, shop, "connectors", "init", "shop", "--apply-sql")
    connection = psycopg2.connect(shop)
    answers = []
    for question in (catalog._PUBLISHED, catalog._PUBLISHED_WHOLE):
        cursor = connection.cursor()
        cursor.execute(question, ("cdc_shop",))
        answers.append({table: (frozenset(columns), filtered) for table, columns, filtered in cursor})
    connection.close()
    assert len(answers[0]) > 20
    generated = {"ledger.account": "total"} if server[0] in {16, 17} else {}
    for table, column in generated.items():  # not published, which the short question cannot tell
        columns, filtered = answers[1][table]
        answers[1][table] = (columns - {column}, filtered)
    assert answers[0] == answers[1]


def test_an_owner_who_is_no_superuser_gets_sql_for_one(server: tuple[int, Path, Other], tmp_path: Path) -> None:
    _, programs, other = server
    other.run("CREATE ROLE owner LOGIN CREATEROLE", "CREATE DATABASE owned OWNER owner")
    try:
        connection = psycopg2.connect(other.dsn("owned", "owner"))
        with connection, connection.cursor() as cursor:
            cursor.execute("CREATE SCHEMA app; CREATE TABLE app.t (id int PRIMARY KEY, v text)")
        connection.close()
        dsn = other.dsn("owned", "owner")
        refused = cdc(tmp_path, dsn, "connectors", "init", "shop", "--apply-sql", code=4)
        assert re.search(r"shop\.sql: paragraph \d+ \((ALTER ROLE|INSERT INTO) .+: SQLSTATE 42501\n  → a superuser runs it", refused.stderr)
        sql = tmp_path / "sources" / "shop" / "shop.sql"
        assert "SET TABLE\n    app.t" in sql.read_text()
        assert "--   CREATE EVENT TRIGGER" in sql.read_text()
        said = subprocess.run(
            [programs / "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", other.dsn("owned"), "-f", sql], capture_output=True, text=True, check=False
        )
        assert said.returncode == 0, said.stderr
        # As owner there is nothing left to write; as Debezium's role nothing to find: Connect is the next to be missed.
        assert "every file is as it would be written" in cdc(tmp_path, dsn, "connectors", "init", "shop").stderr
        assert "Kafka Connect does not answer" in cdc(tmp_path, dsn, "connectors", "apply", "shop", code=5).stderr
    finally:
        other.run("DROP DATABASE owned WITH (FORCE)", "DROP ROLE IF EXISTS cdc_shop", "DROP ROLE owner")


def test_a_standby_and_a_socket_are_refused(server: tuple[int, Path, Other], tmp_path: Path) -> None:
    _, programs, other = server
    socket = f"host={other.sockets} port={other.port} dbname=postgres user=postgres"
    other.run("CREATE TABLE t (id int PRIMARY KEY)")
    try:
        assert "over TCP, not over a socket file" in cdc(tmp_path, socket, "connectors", "init", "shop", code=2).stderr
        copy = tmp_path / "standby"
        copy.mkdir()
        unprivileged.disguise().give(tmp_path, copy)
        copy.chmod(0o700)
        tool(programs / "pg_basebackup", "--dbname", other.dsn(), "--pgdata", copy, "--write-recovery-conf", "--checkpoint=fast", "--no-sync")
        with running(programs, copy) as standby:
            said = cdc(tmp_path, standby.dsn(), "connectors", "init", "shop", "--apply-sql", code=4)
            assert "the server is a standby" in said.stderr
        assert not (tmp_path / "sources").exists()
        assert not (tmp_path / "secrets").exists()
    finally:
        other.run("DROP TABLE t")

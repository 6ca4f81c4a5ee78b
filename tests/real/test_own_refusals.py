"""What ``cdc connectors init`` and ``cdc policy`` refuse: exit code, one line with its hint, nothing written, no secret shown."""

from __future__ import annotations

import os
import re
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from cdc.local.stack import Stack
from tests.fix_own import Own, own_source, run_as
from tests.real.refusing import CONFIGURATION, REPOSITORY, SAYS

PLANTED = "planted-Pa55"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "cdc.toml").write_text(CONFIGURATION)
    return tmp_path


@pytest.fixture(scope="module")
def own(stack: Stack) -> Iterator[Own]:
    with own_source(stack) as made:
        made.run("CREATE TABLE t (id int PRIMARY KEY, v text)")
        yield made


def cdc(folder: Path, *arguments: str, dsn: str | None = None, stdin: str = "", **more: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("CDC_", "PG"))}
    environment |= {"CDC_CONFIG": str(folder / "cdc.toml"), **more} | ({"CDC_SOURCE_DSN": dsn} if dsn else {})
    return subprocess.run(
        [sys.executable, "-m", "cdc", *arguments], env=environment, input=stdin, capture_output=True, text=True, timeout=60, check=False
    )


def refused(folder: Path, code: int, *arguments: str, **more: str) -> str:
    """One line and a hint, and no file that was not there before."""
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    done = cdc(folder, *arguments, **more)
    assert done.returncode == code, done.stderr
    assert SAYS.fullmatch(done.stderr), done.stderr
    assert "  → " in done.stderr
    assert done.stdout == ""
    assert PLANTED not in done.stderr
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    assert {path.name for path in folder.iterdir()} <= {"cdc.toml", "sources", "secrets"}
    return done.stderr


def changed(dsn: str, **parts: str) -> str:
    return psycopg2.extensions.make_dsn(dsn, **parts)


def test_the_control_is_written(folder: Path, own: Own) -> None:
    done = cdc(folder, "connectors", "init", "shop", dsn=own.admin_dsn)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (folder / "sources" / "shop").iterdir()} == {"source.toml", "definition.yaml", "shop.sql"}


def test_a_database_that_does_not_answer(folder: Path, own: Own, stack: Stack) -> None:
    for parts in ({"port": "1"}, {"password": PLANTED}, {"dbname": "gone"}, {"user": "nobody_here"}):
        said = refused(folder, 5, "connectors", "init", "shop", dsn=changed(own.admin_dsn, **({"password": PLANTED} | parts)))
        assert "the database refuses: connection to server at" in said
        assert "is it running and PostgreSQL" in said
    not_postgres = changed(own.admin_dsn, password=PLANTED, port=stack.addresses().connect_url.rpartition(":")[2])
    assert "the database refuses: " in refused(folder, 5, "connectors", "init", "shop", dsn=not_postgres)
    assert "the database refuses: " in refused(folder, 5, "connectors", "init", "shop", dsn=f"host=no.such.invalid password={PLANTED}")


@pytest.mark.parametrize(
    ("dsn", "says"),
    [
        (f"hist=h password={PLANTED}", "not a libpq connection string"),
        (f"{PLANTED} at host", "not a libpq connection string"),
        (f"postgresql://u:{PLANTED}@[h", "not a libpq connection string"),
        (f"postgresql://u:x@{PLANTED}@h/shop", "cannot be taken apart"),
        (f"postgresql://u:{PLANTED}/x@h:5432/shop", "cannot be taken apart"),
        (f"postgresql://{PLANTED}/x@h/shop", "cannot be taken apart"),
        (f"host=h port={PLANTED}", "cannot be taken apart"),
    ],
)
def test_a_dsn_that_is_none(folder: Path, dsn: str, says: str) -> None:
    assert says in refused(folder, 2, "connectors", "init", "shop", dsn=dsn)
    assert says in refused(folder, 2, "connectors", "init", "shop", "--dsn", "-", stdin=dsn + "\n")


def test_no_dsn_at_all(folder: Path) -> None:
    assert "$CDC_SOURCE_DSN" in refused(folder, 2, "connectors", "init", "shop")
    assert "no database is given" in refused(folder, 2, "connectors", "init", "shop", "--dsn", "-")


@pytest.mark.parametrize("name", ["Shop", "a-b", "audit", "operations", "x_state", "pg_x", "a" * 42, "../x", ""])
def test_a_name_that_no_source_can_have(folder: Path, own: Own, name: str) -> None:
    assert "a source is named [a-z][a-z0-9_]{0,40}" in refused(folder, 2, "connectors", "init", name, dsn=own.admin_dsn)


def test_a_name_that_is_taken(folder: Path, own: Own) -> None:
    assert "there is a source trading already" in refused(folder, 4, "connectors", "init", "trading", dsn=own.admin_dsn)
    assert cdc(folder, "connectors", "init", "shop", dsn=own.admin_dsn).returncode == 0
    elsewhere = changed(own.admin_dsn, dbname="trading")
    said = refused(folder, 4, "connectors", "init", "shop", dsn=elsewhere)
    assert f"shop is database {own.database} at 127.0.0.1:" in said
    assert cdc(folder, "connectors", "init", "shop", "--force", dsn=elsewhere).returncode == 0
    assert "dbname=trading" in (folder / "sources" / "shop" / "source.toml").read_text()


@pytest.fixture
def old_server() -> Iterator[int]:
    """A port where somebody speaks PostgreSQL's protocol (documentation, "Message Flow") and says it is version 12."""

    def message(kind: bytes, body: bytes) -> bytes:
        return kind + struct.pack(">I", len(body) + 4) + body

    parameters = {"server_version": "12.22", "client_encoding": "UTF8", "DateStyle": "ISO, MDY", "integer_datetimes": "on", "standard_conforming_strings": "on"}
    greeting = message(b"R", struct.pack(">I", 0))
    greeting += b"".join(message(b"S", f"{name}\0{value}\0".encode()) for name, value in parameters.items()) + message(b"Z", b"I")

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with client:
                while opening := client.recv(4096):
                    if struct.unpack(">I", opening[4:8])[0] in {80877103, 80877104}:  # TLS? GSS? No.
                        client.sendall(b"N")
                    else:
                        client.sendall(greeting)
                        client.recv(4096)
                        break

    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(5)


def test_a_server_that_is_too_old(folder: Path, old_server: int) -> None:
    dsn = f"host=127.0.0.1 port={old_server} dbname=shop user=u password={PLANTED}"
    assert "the server is PostgreSQL 12: 13 or later is needed" in refused(folder, 4, "connectors", "init", "shop", dsn=dsn)


def test_a_server_that_does_not_decode_its_log(folder: Path, warehouse_cluster) -> None:
    database = warehouse_cluster.fresh_database()
    run_as(database.admin_dsn, "CREATE TABLE t (id int PRIMARY KEY)")
    said = refused(folder, 4, "connectors", "init", "shop", "--apply-sql", dsn=database.admin_dsn)
    assert "wal_level is replica" in said
    assert "ALTER SYSTEM SET wal_level = 'logical', restart the server" in said
    done = cdc(folder, "connectors", "init", "shop", dsn=database.admin_dsn)
    assert done.returncode == 0
    assert "warning: wal_level is replica; it must be logical first" in done.stderr
    assert "-- FIRST: wal_level is replica." in (folder / "sources" / "shop" / "shop.sql").read_text()
    warehouse_cluster.drop(database)


def test_a_database_without_anything_to_capture(folder: Path, stack: Stack) -> None:
    with own_source(stack) as empty:
        assert "has no tables to capture" in refused(folder, 4, "connectors", "init", "shop", dsn=empty.admin_dsn)
        empty.run("CREATE VIEW v AS SELECT 1", "CREATE UNLOGGED TABLE u (id int)")
        said = cdc(folder, "connectors", "init", "shop", dsn=empty.admin_dsn)
        assert said.returncode == 4
        assert "can be captured:\n  public.u is unlogged" in said.stderr
        empty.run('CREATE TABLE "U" (id int)')
        said = refused(folder, 4, "connectors", "init", "shop", dsn=empty.admin_dsn)
        assert "public.U: Debezium, which ignores capitals, cannot tell it from another table" in said
        empty.run("DROP TABLE u")
        assert "schema sales has no table" in refused(folder, 4, "connectors", "init", "shop", "--schema", "sales", dsn=empty.admin_dsn)
        empty.run("CREATE SCHEMA cdc", "CREATE TABLE cdc.heartbeat (id int)")
        said = refused(folder, 4, "connectors", "init", "shop", dsn=empty.admin_dsn)
        assert "a table cdc.heartbeat of its own" in said


def test_a_role_whose_password_is_not_known(folder: Path, own: Own) -> None:
    said = refused(folder, 4, "connectors", "init", "shop", "--role", "debezium", dsn=own.admin_dsn)
    assert "role debezium exists, and its password is not known here" in said
    password = own.stack.addresses().sources["trading"].dsn.rpartition("password=")[2]
    done = cdc(folder, "connectors", "init", "shop", "--role", "debezium", "--apply-sql", dsn=own.admin_dsn, CDC_CONNECTOR_PASSWORD=password)
    assert done.returncode == 0, done.stderr
    assert password not in done.stdout + done.stderr
    sql = (folder / "sources" / "shop" / "shop.sql").read_text()
    assert "SCRAM" not in sql
    assert 'ALTER ROLE "debezium" REPLICATION;' in sql
    again = cdc(folder, "connectors", "init", "shop", dsn=own.admin_dsn)
    assert "every file is as it would be written" in again.stderr


def test_the_password_of_our_role_opens_the_database_and_is_in_no_output(folder: Path, own: Own) -> None:
    done = cdc(folder, "connectors", "init", "shop", "--role", f"cdc_{own.name}", "--apply-sql", dsn=own.admin_dsn)
    assert done.returncode == 0, done.stderr
    password = re.search(r"password=(\w+)", (folder / "secrets" / "shop.properties").read_text())[1]
    assert password not in done.stdout + done.stderr
    assert password not in (folder / "sources" / "shop" / "shop.sql").read_text()
    assert "SCRAM-SHA-256$…" in done.stdout
    assert "SCRAM-SHA-256$4096" not in done.stdout
    run_as(changed(own.admin_dsn, user=f"cdc_{own.name}", password=password), "SELECT * FROM t", "TABLE cdc.heartbeat")


def test_files_that_cannot_be_written_leave_none(folder: Path, own: Own) -> None:
    (folder / "sources").write_text("a file where a folder is needed")
    said = refused_plainly(folder, own)
    assert "sources/shop/definition.yaml: cannot be written" in said
    assert {path.name for path in folder.iterdir()} == {"cdc.toml", "sources"}


def refused_plainly(folder: Path, own: Own) -> str:
    done = cdc(folder, "connectors", "init", "shop", dsn=own.admin_dsn)
    assert done.returncode == 2, done.stderr
    return done.stderr


def test_a_persons_edits_are_kept_and_followed(folder: Path, own: Own) -> None:
    own.run("CREATE TABLE IF NOT EXISTS other (id int PRIMARY KEY)")
    place = folder / "sources" / "shop"
    assert cdc(folder, "connectors", "init", "shop", dsn=own.admin_dsn).returncode == 0
    definition, sql = place / "definition.yaml", place / "shop.sql"
    definition.write_text(definition.read_text() + "exclude: ['public\\.other']\n")
    done = cdc(folder, "connectors", "init", "shop", dsn=own.admin_dsn)
    assert [line for line in done.stderr.splitlines() if "wrote" in line] == [f"shop: wrote {sql}"]
    assert "public.other" not in sql.read_text()
    assert "exclude" in definition.read_text()
    edited = sql.read_text() + "\nCOMMENT ON SCHEMA cdc IS 'ours';\n"
    sql.write_text(edited)
    definition.write_text(definition.read_text().replace("exclude", "# exclude"))
    done = cdc(folder, "connectors", "init", "shop", "--apply-sql", dsn=own.admin_dsn)
    assert f"kept {sql}, which was edited" in done.stderr
    assert sql.read_text() == edited
    assert "COMMENT ON SCHEMA" in done.stdout  # it is the file that is run
    assert own.ask("SELECT obj_description('cdc'::regnamespace)") == [("ours",)]
    assert done.returncode == 4  # and judged by what the definition says now
    assert "publication cdc_shop does not contain public.other" in done.stderr
    secret = (folder / "secrets" / "shop.properties").read_text()
    assert cdc(folder, "connectors", "init", "shop", "--force", "--apply-sql", dsn=own.admin_dsn).returncode == 0
    assert "COMMENT" not in sql.read_text()
    assert (folder / "secrets" / "shop.properties").read_text() == secret
    own.run("DROP TABLE other")
    # The role is there now, and whoever does not have its secret is asked for it.
    (folder / "secrets" / "shop.properties").unlink()
    said = refused(folder, 4, "connectors", "init", "shop", dsn=own.admin_dsn)
    assert "role cdc_shop exists" in said
    assert cdc(folder, "connectors", "init", "shop", "--force", "--apply-sql", dsn=own.admin_dsn).returncode == 0
    assert (folder / "secrets" / "shop.properties").read_text() != secret
    own.run("DROP OWNED BY cdc_shop", "DROP ROLE cdc_shop")


def test_policies(folder: Path, own: Own) -> None:
    said = refused(folder, 3, "policy", "init", "shop", dsn=own.admin_dsn)
    assert "no source 'shop'; there are: trading" in said
    assert cdc(folder, "connectors", "init", "shop", dsn=own.admin_dsn).returncode == 0
    # What runs all sources is not stopped by one that is not finished.
    for command in ("replicate",), ("connectors", "apply"):
        said = cdc(folder, *command).stderr
        assert "it has no policy yet (cdc policy init shop)" in said
        assert "trading" in said.splitlines()[-1] + said.splitlines()[-2]
    (folder / "trading.policy.yaml").write_text((REPOSITORY / "governance/policies/trading.yaml").read_text())
    done = cdc(folder, "policy", "check")
    assert done.returncode == 6
    assert "trading: not compared with a catalog: the source has no dsn" in done.stderr
    assert "shop: it has no policy yet (cdc policy init shop)" in done.stderr
    (folder / "trading.policy.yaml").unlink()
    assert "shop has no policy yet" in refused(folder, 3, "policy", "check", "shop")
    assert "has no policy yet" in refused(folder, 3, "policy", "explain", "shop")
    # The role is made by the SQL, which nobody has run.
    assert "the source database of shop refuses" in refused(folder, 5, "policy", "init", "shop")
    theirs = changed(own.admin_dsn, dbname="trading")
    assert "the DSN is of database trading" in refused(folder, 2, "policy", "init", "shop", "--dsn", theirs)
    assert "--dsn is of one source" in refused(folder, 2, "policy", "check", "--dsn", theirs)
    # A variable that is still set for another source is passed over, for the source's own DSN.
    assert "the source database of shop refuses" in refused(folder, 5, "policy", "init", "shop", dsn=theirs)
    assert "--clear t.nothing: matches no column" in refused(folder, 2, "policy", "init", "shop", "--clear", "t.nothing", dsn=own.admin_dsn)
    assert cdc(folder, "policy", "init", "shop", dsn=own.admin_dsn).returncode == 0
    assert cdc(folder, "policy", "init", "shop", dsn=own.admin_dsn).returncode == 0  # nothing to change
    assert "it exists and says something else" in refused(folder, 4, "policy", "init", "shop", "--clear", "t.v", dsn=own.admin_dsn)
    assert "shop has no table nothing" in refused(folder, 3, "policy", "explain", "shop", "nothing", dsn=own.admin_dsn)
    # Without a catalog the file alone is read, and that is said; or demanded.
    done = cdc(folder, "policy", "check", "shop")
    assert (done.returncode, done.stdout) == (0, "")
    assert "not compared with the catalog: the source database of shop refuses" in done.stderr
    assert "refuses" in refused(folder, 5, "policy", "check", "shop", "--require-database")
    policy = folder / "sources" / "shop" / "policy.yaml"
    policy.write_text(policy.read_text().replace("v: seal", "w: seal"))
    done = cdc(folder, "policy", "check", "shop", dsn=own.admin_dsn)
    assert done.returncode == 6
    assert re.search(r"column-unlisted +public\.t\.v ", done.stdout)
    assert re.search(r"column-missing +public\.t\.w ", done.stdout)
    policy.write_text(policy.read_text().replace("w: seal", "w: seel"))
    assert "policy.yaml:12: public.t.w: 'seel' is not known" in refused(folder, 2, "policy", "check", "shop", dsn=own.admin_dsn)

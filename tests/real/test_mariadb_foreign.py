"""A MariaDB schema that nobody here designed: ``connectors init``, ``policy init``, ``connectors apply``; then it is compared."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from cdc.local.mariadb import Server
from cdc.local.mariadb_prepare import statements
from cdc.local.stack import Stack
from tests.fix_mariadb import MariaSource, maria_source, run
from tests.oracle.mariadb import compare_maria
from tests.oracle.sweep import sweep

HERE = Path(__file__).parent / "foreign"
LEFT_OUT = {
    "basket": "InnoDB changes its rows by the foreign key basket_customer",
    "device": "device.id is uuid",
    "priced": "keeps its own history",
    "names": "is a view",
    "ticket": "is a sequence",
    "hits": "is of the engine MyISAM, which has no transactions",
}
CANARIES = ("Canary-Lovelace", "ada.canary@example.org", "canary note", "Canary category", "/canary/1", "Canary-King", "Streamed Canary",
            "streamed.canary", "streamed canary note", "Streamed canary title", "/canary/2", "canary of tomorrow")  # fmt: skip


@dataclass
class Foreign:
    source: MariaSource
    dsn: str
    said: str = ""

    def cdc(self, *arguments: str, code: int = 0, **more: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "CDC_CONFIG": str(self.source.warehouse.path), "CDC_SOURCE_DSN": self.dsn, **more}
        done = subprocess.run([sys.executable, "-m", "cdc", *arguments], env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stderr
        return done

    @property
    def folder(self) -> Path:
        return self.source.stack.state / "sources" / self.source.name


@pytest.fixture(scope="module")
def foreign(stack: Stack, mariadb: Server) -> Iterator[Foreign]:
    with maria_source(stack, mariadb) as source:
        own = Foreign(source, f"mariadb://root:test@127.0.0.1:{mariadb.port}/{source.name}")
        for file in ("mariadb.sql", "mariadb_rows.sql"):
            source.run(*statements((HERE / file).read_text()))
        own.said = own.cdc("connectors", "init", source.name, "--apply-sql").stderr
        source.often()
        own.cdc("policy", "init", source.name, "--clear", "*.wide_bits.*", "--clear", "*.total", "--clear", "*.placed")
        own.cdc("connectors", "apply", source.name)
        source.wait()
        source.run(*statements((HERE / "mariadb_changes.sql").read_text()))
        source.wait()
        yield own
    run(mariadb, f"DROP USER cdc_{source.name}@'%'")


def test_every_table_is_the_source_as_text_and_every_cell_opens(foreign: Foreign, capsys: pytest.CaptureFixture[str]) -> None:
    source = foreign.source
    settings = source.warehouse.settings
    assert source.warehouse.query("SELECT table_name, suspended_code FROM pipeline.state_table WHERE suspended_code IS NOT NULL") == []
    with source.server.connect() as connection:
        compared = compare_maria(
            connection, settings.warehouse_auditor_dsn, settings.privacy_admin_dsn, settings.keyring, source.name,
            foreign.folder / "policy.yaml", [source.name], {f"{source.name}.{table}" for table in LEFT_OUT},
        )  # fmt: skip
    assert [table.difference for table in compared if table.difference] == []
    assert {table.table.split(".")[1] for table in compared} == {
        '"Customer"', "category", "line", "only_unique", "order", "tomorrow", "two_unique", "visit", "wide_bits"
    }
    assert all(table.rows for table in compared)
    with capsys.disabled():
        print(f"\nforeign MariaDB schema: {len(compared)} tables, {sum(t.rows for t in compared)} rows equal, {sum(t.cells for t in compared)} cells and tokens opened")


def test_what_cannot_be_captured_is_named_with_its_reason(foreign: Foreign) -> None:
    name, definition = foreign.source.name, (foreign.folder / "definition.yaml").read_text()
    for table, why in LEFT_OUT.items():
        (line,) = (line for line in foreign.said.splitlines() if line.startswith(f"{name}: not captured: {name}.{table}"))
        assert why in line
        if table != "names":
            assert re.search(rf"'{name}\\\.{table}'   # {name}.{table}", definition)
    held = foreign.source.warehouse.query("SELECT DISTINCT table_name FROM audit.entry WHERE log = %s AND table_name IS NOT NULL", (name,))
    assert not {f"{name}.{table}" for table in LEFT_OUT} & {row[0] for row in held}


def test_innodbs_cascade_is_in_no_binary_log(foreign: Foreign) -> None:
    """Why such tables stay out: were it otherwise, this would say so."""
    source = foreign.source
    source.run("INSERT INTO `Customer` (`CustomerID`, `Full Name`, `e-mail`) VALUES (77, 'x', 'x')", "INSERT INTO basket VALUES (7, 77)")
    source.run("FLUSH BINARY LOGS", "DELETE FROM `Customer` WHERE `CustomerID` = 77")
    assert source.run("SELECT count(*) FROM basket WHERE id = 7") == [(0,)]
    (log, *_) = source.run("SHOW MASTER STATUS")[0]
    events = [(row[2], row[5]) for row in source.run(f"SHOW BINLOG EVENTS IN '{log}'")]
    tables = {found[1]: found[2] for kind, text in events if kind == "Table_map" and (found := re.match(r"table_id: (\d+) \(\w+\.(\w+)\)", text))}
    changed = {tables[found[1]] for kind, text in events if kind.startswith("Delete_rows") and (found := re.match(r"table_id: (\d+)", text))}
    assert changed == {"Customer"}
    source.wait()


def test_a_definition_that_includes_them_is_refused(foreign: Foreign) -> None:
    path = foreign.folder / "definition.yaml"
    before = path.read_text()
    path.write_text(before.partition("exclude:")[0])
    try:
        refused = foreign.cdc("connectors", "apply", foreign.source.name, code=4).stderr
    finally:
        path.write_text(before)
    for code in ("cascade: ", "type_changed: ", "not_a_table: ", "engine: "):
        assert f"\n  {code}" in refused


def test_nothing_protected_is_in_clear_but_in_the_source(foreign: Foreign, tmp_path: Path) -> None:
    settings = foreign.source.warehouse.settings
    logs = tmp_path / "said"
    logs.write_text(foreign.cdc("policy", "explain", foreign.source.name).stdout)
    found = sweep(
        [logs, foreign.folder, foreign.source.stack.state / "log"],
        {"warehouse": settings.warehouse_admin_dsn, "privacy": settings.privacy_admin_dsn},
        CANARIES,
    )
    assert {value for value, hits in found.items() if hits} == set()


def test_the_policy_seals_by_default_and_agrees_with_the_catalog(foreign: Foreign) -> None:
    name = foreign.source.name
    tables = yaml.safe_load((foreign.folder / "policy.yaml").read_text())["tables"]
    customer = tables[f'{name}."Customer"']["columns"]
    assert customer["Full Name"] == {"protect": "seal", "class": "personal"}
    assert customer["CustomerID"] == "clear"
    assert tables[f"{name}.line"]["columns"]["order"] == "clear"  # joins order, whose key is a number
    assert tables[f"{name}.category"]["columns"]["parent"]["domain"] == tables[f"{name}.category"]["columns"]["code"]["domain"]
    assert (tables[f"{name}.only_unique"]["key"], tables[f"{name}.two_unique"]["key"]) == (["code"], ["p"])
    found = foreign.cdc("policy", "check", name, "--require-database", code=6).stdout
    assert f"table-unlisted  {name}.tomorrow" in found
    assert found.count("\n") == 2
    assert "größe" in foreign.cdc("policy", "explain", name).stdout


def test_init_again_changes_nothing_and_no_secret_is_shown(foreign: Foreign) -> None:
    name = foreign.source.name
    again = foreign.cdc("connectors", "init", name)
    assert "wrote" not in again.stderr
    shown = foreign.cdc("connectors", "init", name, "--apply-sql").stdout
    sql = (foreign.folder / f"{name}.sql").read_text()
    (digest,) = set(re.findall(r"'(\*[0-9A-F]{40})'", sql))
    assert digest not in shown
    password = (foreign.source.stack.state / "secrets" / f"{name}.properties").read_text().partition("password=")[2].split("\n")[0]
    assert password not in sql + shown + again.stderr
    # The environment may hold another kind of source's DSN.
    other = foreign.source.stack.addresses().sources["trading"].admin_dsn
    assert "größe" in foreign.cdc("policy", "explain", name, CDC_SOURCE_DSN=other).stdout
    assert "customers" in foreign.cdc("policy", "explain", "trading", CDC_SOURCE_DSN=foreign.dsn).stdout


@pytest.mark.parametrize(
    ("dsn", "code", "says"),
    [
        ("mariadb://root:test@127.0.0.1:{port}/nowhere_at_all", 5, "refuses: MariaDB error 1049"),
        ("mariadb://root:wr0ng@127.0.0.1:{port}/{name}", 5, "refuses: MariaDB error 1045"),
        ("mariadb://root:test@127.0.0.1:{port}", 2, "the DSN names no database"),
        ("mariadb://127.0.0.1", 2, "no URL of a MariaDB database"),
        ("mariadb://root:test@127.0.0.1:{port}/{name}?sslmode=maybe", 2, "sslmode is unknown"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(foreign: Foreign, dsn: str, code: int, says: str) -> None:
    where = dsn.format(port=foreign.source.server.port, name=foreign.source.name)
    refused = foreign.cdc("connectors", "init", "another_shop", code=code, CDC_SOURCE_DSN=where).stderr
    assert says in refused
    assert "wr0ng" not in refused
    assert not (foreign.folder.parent / "another_shop").exists()


def test_a_savepoint_rolled_back_beside_a_table_without_transactions_arrives_as_committed(foreign: Foreign) -> None:
    """Why such tables stay out, and why `apply` warns of those that are elsewhere: a limit, so that its end is noticed."""
    source, name = foreign.source, foreign.source.name
    source.run("BEGIN", "INSERT INTO hits VALUES ('x')", "SAVEPOINT s", "INSERT INTO only_unique VALUES ('undone', NULL, 1)", "ROLLBACK TO s", "COMMIT")
    source.run("BEGIN", "SAVEPOINT s", "INSERT INTO only_unique VALUES ('gone', NULL, 1)", "ROLLBACK TO s", "COMMIT")
    source.wait()
    assert source.run("SELECT count(*) FROM only_unique WHERE code IN ('undone', 'gone')") == [(0,)]
    codes = source.warehouse.query(f'SELECT count(*) FROM {name}."{name}.only_unique"')
    assert codes == [(4,)]
    assert "tables that are not captured" in foreign.cdc("connectors", "apply", name).stderr


def test_a_roll_back_that_the_binary_log_holds_halts_the_stream(foreign: Foreign) -> None:
    """CREATE TEMPORARY TABLE inside a transaction makes the server write what it rolls back. The last test: the stream halts."""
    source = foreign.source
    source.run("BEGIN", "INSERT INTO only_unique VALUES ('never', NULL, 1)", "CREATE TEMPORARY TABLE scratch (a int)", "ROLLBACK")
    source.run("INSERT INTO only_unique VALUES ('later', NULL, 1)")
    assert source.run("SELECT count(*) FROM only_unique WHERE code IN ('never', 'later')") == [(1,)]
    ends = time.monotonic() + 120
    while (done := source.warehouse.replicate(source.name, "--until-caught-up")).returncode == 0:
        assert time.monotonic() < ends
    assert "transaction-without-end" in done.stderr
    assert foreign.cdc("status", code=4).stdout.count("transaction-without-end") == 1

"""``cdc local up --portfolio mariadb``: the standard stack with this source on MariaDB, its workload, and the comparison."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from cdc.cli.local import local
from cdc.errors import Conflict
from cdc.local import mariadb as servers
from cdc.local import workload
from cdc.local.mariadb import Server
from cdc.local.stack import Stack
from connectors.mariadb_profile import HEARTBEAT_QUERY
from tests.oracle.mariadb import compare_maria
from tests.oracle.sweep import sweep

SEED = 7


def cdc(stack: Stack, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "CDC_CONFIG": str(stack.state / "cdc.toml")}
    done = subprocess.run(
        [sys.executable, "-m", "cdc", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done


def query(stack: Stack, statement: str) -> list[tuple]:
    connection = psycopg2.connect(stack.addresses().warehouse_admin_dsn)
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall()
    finally:
        connection.close()


@pytest.fixture(scope="module")
def lived(
    mariadb: Server,
) -> Iterator[tuple[Stack, workload.WorkloadSummary]]:  # ``mariadb``: skips where there is no server
    """A stack of its own, brought up by the command, after the workload; all of it is in the warehouse."""
    stack = Stack(Path(tempfile.mkdtemp(prefix="cdc-maria-stack-")))
    try:
        local.main(["up", "--portfolio", "mariadb", "--state", str(stack.state)], standalone_mode=False)
        cdc(stack, "connectors", "apply", "portfolio")
        played = workload.run(stack.addresses().sources["portfolio"].admin_dsn, "portfolio", SEED, 0.2)
        _drain(stack)
        yield stack, played
    finally:
        stack.reset()


def _drain(stack: Stack) -> None:
    with stack.maria_server().connect() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT date_format(now(6), '%Y-%m-%d %H:%i:%s.%f+00')")
        ((now,),) = cursor.fetchall()
        cursor.execute(HEARTBEAT_QUERY)
    ends = time.monotonic() + 120
    while True:
        cdc(stack, "replicate", "portfolio", "--until-caught-up")
        if query(stack, f"SELECT beat_at > '{now}' FROM portfolio.\"cdc.heartbeat\"") == [(True,)]:
            return
        assert time.monotonic() < ends
        time.sleep(0.5)


def test_every_table_is_the_source_as_text_and_every_cell_opens(lived, capsys: pytest.CaptureFixture[str]) -> None:
    stack, _ = lived
    settings = tomllib.loads((stack.state / "cdc.toml").read_text())
    addresses = stack.addresses()
    with stack.maria_server().connect() as source:
        compared = compare_maria(
            source, addresses.auditor_dsn, addresses.privacy_admin_dsn, stack.state / "keyring.json", "portfolio",
            Path(settings["sources"]["portfolio"]["policy"]), ["portfolio"],
        )  # fmt: skip
    assert [table.difference for table in compared if table.difference] == []
    assert len(compared) == 9
    assert all(table.rows for table in compared)
    assert sum(table.cells for table in compared) > 300
    with capsys.disabled():
        print(
            f"\nportfolio on MariaDB: {len(compared)} tables, {sum(t.rows for t in compared):,} rows equal, {sum(t.cells for t in compared):,} cells and tokens opened"
        )


def test_the_log_has_what_the_workload_says_it_committed(lived) -> None:
    stack, played = lived
    counted = dict(
        query(
            stack,
            "SELECT table_name, count(*) FROM audit.entry WHERE log = 'portfolio' AND kind IN ('change', 'truncate') GROUP BY 1",
        )
    )
    for table, done in played.tables.items():
        # Debezium writes a delete and a create for a changed key.
        expected = done.inserted + done.updated + 2 * done.rekeyed + done.deleted + done.truncated
        assert counted[f"portfolio.{table}"] == expected, table
    assert played.changes > 1000
    assert {played.tables[name].rekeyed > 0 for name in ("beneficiaries", "cash_movements")} == {True}
    assert played.tables["daily_accruals"].truncated == 1


def test_verification_passes(lived) -> None:
    stack, _ = lived
    assert json.loads(cdc(stack, "audit", "verify", "portfolio", "--output", "json").stdout)["verdict"] == "PASS"
    said = cdc(stack, "policy", "check", "portfolio", "--require-database", "--output", "json", code=6).stdout
    (checked,) = json.loads(said)["policies"]
    assert {(each["code"], each["place"]) for each in checked["findings"]} == {
        ("column-unlisted", "portfolio.clients.passport_no"), ("column-unlisted", "portfolio.prices.haircut"),
    }  # fmt: skip


def test_planted_values_are_in_the_source_and_not_in_the_warehouse(lived) -> None:
    stack, _ = lived
    planted = [c.value for c in workload.canaries(SEED) if c.database == "portfolio" and c.fate == "kept"]
    with stack.maria_server().connect("portfolio") as source, source.cursor() as cursor:
        cursor.execute("SELECT concat_ws('|', full_name, tax_id, passport_no) FROM clients UNION SELECT email FROM beneficiaries"
                       " UNION SELECT concat_ws('|', iban, reference) FROM cash_movements UNION SELECT left(body, 300) FROM statements")  # fmt: skip
        held = "\n".join(row[0] for row in cursor.fetchall())
    assert [value for value in planted if value not in held] == []
    addresses = stack.addresses()
    found = sweep(
        [stack.state / "log"],
        {"warehouse": addresses.warehouse_admin_dsn, "privacy": addresses.privacy_admin_dsn},
        planted,
    )
    assert {value for value, hits in found.items() if hits} == set()


def test_what_a_stack_was_made_with_it_keeps(lived) -> None:
    stack, _ = lived
    with pytest.raises(Conflict, match="portfolio is in mariadb here") as refused:
        stack.up(lambda _line: None, portfolio="postgres")
    assert "cdc local reset" in (refused.value.hint or "")
    stack.stop("mariadb")
    assert {part.name: part.state for part in stack.status()}["mariadb"] == "down"
    stack.up(lambda _line: None)  # without saying it again
    assert {part.state for part in stack.status()} == {"up"}


def test_a_missing_server_is_a_reason_and_a_command_and_nothing_is_made(tmp_path: Path) -> None:
    """PATH has no server, nor do the folders that are searched besides: a namespace of its own hides them."""
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; from cdc.local import mariadb; mariadb._PATH = {str(tmp_path)!r}; from cdc.cli import main; main()",
         "local", "up", "--portfolio", "mariadb", "--state", str(tmp_path / "s")],
        env={**os.environ, "PATH": str(tmp_path)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        f"cdc: MariaDB's server is not installed here ({'mariadbd'} is missing)",
        "  → on Debian, as root: apt-get update && apt-get install mariadb-server-core mariadb-client-core",
    ]
    assert not (tmp_path / "s").exists()
    assert servers.program("mariadbd").exists()

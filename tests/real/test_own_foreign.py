"""A schema that nobody here designed, from ``init`` to the comparison; its SQL is run by psql, as a DBA would."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from cdc.local.stack import Stack
from connectors.inventory import opened, read
from tests.fix_own import Own, own_source
from tests.oracle.comparison import compare_source, open_protected
from tests.oracle.sweep import sweep

HERE = Path(__file__).parent / "foreign"
LEFT_OUT = {f"ledger.{name}" for name in ("session", "measure", "coupon", "grid", "virtual", "said", '"say ""hi"""')}
DATABASE = "Foreign DB-1"
FIRST_INIT: list[str] = []
"""What the first ``init`` said on standard error."""
CANARIES = (
    "Canary Street 7", "+41-44-555-017", "rewritten canary description", "Guinness-Canary", "mike.canary@sakila.example", "mike.login.canary",
    "8cb2237d0679ca88db6464eac60da963", "Smith-Canary7", "mary.7@canary.example", "jsonb-canary-value", "Maria Anders-Canary", "Obere Canary 57",
    "Streamed Canary GmbH", "Fuller-Canary", "streamed notes canary", "Vins et alcools Canary", "Late Canary Territory", "Canary Holdings plc 2",
    "CH93-0076-2011-6232", "streamed select canary", "streamed memo canary", "756123456789", "756000000009", "streamed odd canary",
    "streamed hidden canary", "Zürich-Altstetten",
)  # fmt: skip


@pytest.fixture(scope="module")
def foreign(stack: Stack) -> Iterator[Own]:
    """Snapshot, then changes, all of it in the warehouse."""
    with own_source(stack, database=DATABASE) as own:
        own.psql(HERE / "schema.sql")
        own.psql(HERE / "rows.sql")
        FIRST_INIT.append(own.cdc("connectors", "init", own.name).stderr)
        own.psql(own.folder / f"{own.name}.sql")
        own.cdc("policy", "init", own.name, "--clear", "public.film.*", "--clear", "*.account.on")
        own.apply()
        own.warehouse.drain(own.name)
        own.psql(HERE / "changes.sql")
        own.drain()
        yield own


def test_the_warehouse_is_the_database(foreign: Own, capsys: pytest.CaptureFixture[str]) -> None:
    settings = foreign.warehouse.settings
    assert foreign.warehouse.query("SELECT table_name, suspended_code FROM pipeline.state_table WHERE suspended_code IS NOT NULL") == []  # fmt: skip
    compared = compare_source(
        foreign.admin_dsn, settings.warehouse_auditor_dsn, foreign.name, foreign.policy, LEFT_OUT
    )
    assert [table.difference for table in compared if table.difference] == []
    opened_cells = open_protected(
        foreign.admin_dsn, settings.warehouse_auditor_dsn, settings.privacy_admin_dsn, settings.keyring, foreign.name,
        foreign.policy, without=LEFT_OUT,
    )  # fmt: skip
    assert [table.difference for table in opened_cells if table.difference] == []
    held = {table.table for table in compared if table.rows == 0}
    assert held == {"cdc.signal", "public.rental"}  # TRUNCATE … CASCADE reached it
    with capsys.disabled():
        rows, cells = sum(table.rows for table in compared), sum(table.cells for table in opened_cells)
        print(f"\nforeign schema: {len(compared)} tables, {rows:,} rows equal, {cells:,} cells and tokens opened")


def test_keys_are_those_that_debezium_took(foreign: Own) -> None:
    with opened(foreign.admin_dsn, "x") as connection:
        relations = read(connection).relations
    catalog = {(r.schema, r.name): list(r.table.key.columns) if r.table.key else [] for r in relations}
    found = foreign.warehouse.query("SELECT table_name, key FROM pipeline.state_table WHERE log = %s", (foreign.name,))
    listed = {table: yaml.safe_load(foreign.policy.read_text())["tables"][table].get("key", []) for table, _ in found}
    assert dict(found) == listed
    assert catalog["ledger", "currency"] == ["code"]
    assert listed["ledger.rate"] == []


def test_no_protected_value_is_in_clear_anywhere_but_in_the_source(foreign: Own, tmp_path: Path) -> None:
    settings = foreign.warehouse.settings
    at_home = sweep([], {"source": foreign.admin_dsn}, CANARIES)
    assert [value for value, hits in at_home.items() if not hits] == []
    logs = tmp_path / "said"
    logs.write_text(foreign.cdc("policy", "explain", foreign.name).stdout + foreign.cdc("policy", "check", foreign.name).stderr)
    elsewhere = sweep(
        [logs, foreign.folder, foreign.secret, foreign.stack.state / "log"],
        {"warehouse": settings.warehouse_admin_dsn, "privacy": settings.privacy_admin_dsn},
        CANARIES,
    )
    # Films were asked for in clear; all else is sealed or a token.
    assert {value for value, hits in elsewhere.items() if hits} == {"rewritten canary description"}


def test_joins_work_over_tokens(foreign: Own) -> None:
    for here, there, column in (
        ("NorthWind.Orders", "NorthWind.Customers", "CustomerID"),
        ("NorthWind.EmployeeTerritories", "NorthWind.Territories", "TerritoryID"),
        ("ledger.posting", "ledger.account", "account_number"),
        ("ledger.rate", "ledger.currency", "code"),
    ):
        schema, one = here.split(".")
        other = there.split(".")[1]
        join = 'SELECT count(*) FROM "{}" a JOIN "{}" b USING ("' + column + '")'
        source = foreign.ask(join.format(f'{schema}"."{one}', f'{schema}"."{other}'))
        ours = foreign.warehouse.query(join.format(f'{foreign.name}"."{here}', f'{foreign.name}"."{there}'))
        assert ours == source
        assert source > [(1,)]
        assert foreign.warehouse.query(f'SELECT bool_and("{column}" LIKE %s) FROM "{foreign.name}"."{there}"', ("tok\\_%",)) == [(True,)]  # fmt: skip


def test_what_cannot_be_captured_is_named_with_its_reason_and_stays_as_it_was(foreign: Own) -> None:
    definition = (foreign.folder / "definition.yaml").read_text()
    for table, why in {
        "session": "unlogged", "measure": "inherited by other tables", "coupon": "rows can share its index coupon_code_key",
        "grid": "array of arrays", "virtual": "virtual generated column", "said": "double quote in its name", 'say "hi"': "double quote in its name",
    }.items():  # fmt: skip
        assert f"{foreign.name}: not captured: ledger.{table}" in FIRST_INIT[0]
        assert why in FIRST_INIT[0]
        assert re.search(rf"'ledger\\\.{re.escape(re.escape(table))}'   # ledger.{re.escape(table)}", definition)
    identities = dict(foreign.ask("SELECT relname, relreplident FROM pg_class WHERE relname IN ('session', 'measure', 'coupon', 'grid', 'virtual')"))  # fmt: skip
    assert set(identities.values()) == {"d"}
    # An application goes on writing to them.
    foreign.run("UPDATE ledger.coupon SET used_by = 'x'", "UPDATE ledger.virtual SET id = id + 1")


def test_a_partition_of_next_month_needs_no_edit(foreign: Own) -> None:
    """The stream has its rows under its table's name, apply finds nothing to refuse, and init nothing to change."""
    again = foreign.cdc("connectors", "apply", foreign.name)
    assert "unchanged; running" in again.stderr
    assert foreign.ask("SELECT relreplident FROM pg_class WHERE relname = 'payment_p2022_03'") == [("f",)]
    definition = foreign.folder / "definition.yaml"
    before = definition.read_text()
    assert r"'public\.payment_p\d+_\d+'" in before
    said = foreign.cdc("connectors", "init", foreign.name).stderr
    assert definition.read_text() == before
    assert [line for line in said.splitlines() if "wrote" in line] == [f"{foreign.name}: wrote {foreign.folder}/{foreign.name}.sql"]
    assert "ALTER TABLE public.payment_p2022_03 REPLICA IDENTITY FULL;" in (foreign.folder / f"{foreign.name}.sql").read_text()
    assert foreign.cdc("connectors", "init", foreign.name).stderr.count("wrote") == 0


def test_the_policy_and_the_catalog_agree(foreign: Own) -> None:
    assert foreign.cdc("policy", "check", foreign.name).stdout == ""
    foreign.run("ALTER TABLE public.store ADD COLUMN phone text")
    try:
        found = foreign.cdc("policy", "check", foreign.name, code=6).stdout
        assert "column-unlisted  public.store.phone" in found
    finally:
        foreign.run("ALTER TABLE public.store DROP COLUMN phone")

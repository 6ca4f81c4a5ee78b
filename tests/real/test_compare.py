"""Source = warehouse after the standard workload: clear columns byte for byte, every sealed cell and token opened."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator

import psycopg2
import pytest

from tests.fix_replication import SOURCES, Captured, Warehouse, drop_warehouse, new_warehouse
from tests.oracle.catalog import source_tables
from tests.oracle.comparison import OpenedComparison, TableComparison, compare_source, open_protected


@pytest.fixture(scope="module")
def drained(captured: Captured) -> Iterator[Warehouse]:
    """Everything that the topics hold, in a warehouse that no test changes."""
    made = new_warehouse(captured)
    try:
        made.drain()
        yield made
    finally:
        drop_warehouse(captured, made)


@pytest.fixture
def changed(captured: Captured, drained: Warehouse) -> Iterator[Warehouse]:
    """A copy of it, to be changed."""
    name = f"warehouse_{uuid.uuid4().hex[:10]}"
    connection = psycopg2.connect(psycopg2.extensions.make_dsn(drained.settings.warehouse_admin_dsn, dbname="postgres"))
    connection.autocommit = True
    connection.cursor().execute(f"CREATE DATABASE {name} TEMPLATE {drained.name}")
    connection.close()
    path = drained.path.with_name(f"{name}.toml")
    path.write_text(drained.path.read_text().replace(f"dbname={drained.name} ", f"dbname={name} "))
    made = Warehouse(name, path)
    # Grants on the database itself are not copied with it.
    change(made, f"GRANT CONNECT ON DATABASE {name} TO cdc_auditor", rows=-1)
    yield made
    drop_warehouse(captured, made)


def clear(warehouse: Warehouse, source: str) -> list[TableComparison]:
    settings = warehouse.settings
    of = settings.sources[source]
    return compare_source(of.admin_dsn, settings.warehouse_auditor_dsn, source, of.policy)


def opened(warehouse: Warehouse, source: str, limit: int | None = None) -> list[OpenedComparison]:
    settings = warehouse.settings
    of = settings.sources[source]
    return open_protected(
        of.admin_dsn,
        settings.warehouse_auditor_dsn,
        settings.privacy_admin_dsn,
        settings.keyring,
        source,
        of.policy,
        limit,
    )


def change(warehouse: Warehouse, statement: str, rows: int = 1) -> None:
    """As superuser: nobody else may."""
    connection = psycopg2.connect(warehouse.settings.warehouse_admin_dsn)
    with connection, connection.cursor() as cursor:
        cursor.execute(statement)
        assert cursor.rowcount == rows
    connection.close()


def test_every_table_of_both_sources_equals_its_copy(drained: Warehouse, capsys: pytest.CaptureFixture[str]) -> None:
    assert drained.query("SELECT log, table_name FROM pipeline.state_table WHERE suspended_code IS NOT NULL") == []
    for source in SOURCES:
        of = drained.settings.sources[source]
        tables = source_tables(of.admin_dsn, source, of.policy)
        began = time.monotonic()
        compared = clear(drained, source)
        middle = time.monotonic()
        judged = opened(drained, source)
        ended = time.monotonic()
        assert [table.difference for table in (*compared, *judged) if table.difference] == []
        assert {table.table for table in compared} == {table.title for table in tables}
        assert {table.table for table in judged} == {table.title for table in tables if table.protected}
        rows, cells = sum(table.rows for table in compared), sum(table.cells for table in judged)
        assert rows > 1000
        assert cells > 500
        assert all(table.rows > 0 and table.cells > 0 for table in judged)
        with capsys.disabled():
            print(
                f"\n{source}: {len(compared)} tables, {rows:,} rows, {sum(table.size for table in compared):,} bytes of clear"
                f" columns equal ({middle - began:.1f} s); {cells:,} cells and tokens opened ({ended - middle:.1f} s)"
            )


CUSTOMER = "trading_state.customers"
DAMAGES = {
    "damaged cell": (
        f"UPDATE {CUSTOMER} SET full_name = set_byte(full_name, 40, get_byte(full_name, 40) # 1)"
        " WHERE customer_id = {customer}"
    ),
    "cell of another row": (
        f"UPDATE {CUSTOMER} SET full_name = (SELECT o.full_name FROM {CUSTOMER} o"
        " WHERE o.customer_id <> {customer} LIMIT 1) WHERE customer_id = {customer}"
    ),
    "token of another row": (
        f"UPDATE {CUSTOMER} s SET email = (SELECT o.email FROM {CUSTOMER} o WHERE o.email <> s.email LIMIT 1)"
        " WHERE customer_id = {customer}"
    ),
    "lost cell": f"UPDATE {CUSTOMER} SET full_name = NULL WHERE customer_id = {{customer}}",
    "lost row": f"UPDATE {CUSTOMER} SET _deleted = true WHERE customer_id = {{customer}}",
    "copy too many": (
        "UPDATE trading_state.audit_notes SET _copies = _copies + 1"
        " WHERE _key = (SELECT _key FROM trading_state.audit_notes WHERE _copies > 0 AND note IS NOT NULL LIMIT 1)"
    ),
}


@pytest.mark.parametrize(
    ("damage", "table", "says"),
    [
        ("damaged cell", "public.customers", 'row ["{customer}"]: the cell of full_name does not open'),
        ("cell of another row", "public.customers", 'row ["{customer}"]: the cell of full_name does not open'),
        ("token of another row", "public.customers", 'row ["{customer}"]: email differ from the source'),
        ("lost cell", "public.customers", 'row ["{customer}"]: full_name differ from the source'),
        ("lost row", "public.customers", "rows in the source"),
        ("copy too many", "public.audit_notes", "of the warehouse is not in the source"),
    ],
)
def test_one_changed_cell_is_named(changed: Warehouse, damage: str, table: str, says: str) -> None:
    ((customer,),) = changed.query(
        "SELECT customer_id FROM trading.customers WHERE full_name IS NOT NULL ORDER BY customer_id LIMIT 1 OFFSET 5"
    )
    change(changed, DAMAGES[damage].format(customer=customer))
    found = {judged.table: judged.difference for judged in opened(changed, "trading") if judged.difference}
    assert list(found) == [table]
    assert says.format(customer=customer) in found[table]


def test_a_changed_clear_column_is_named(changed: Warehouse) -> None:
    change(
        changed,
        "UPDATE trading_state.market_ticks SET bid = bid + 0.00000001"
        " WHERE tick_id = (SELECT min(tick_id) FROM trading.market_ticks)",
    )
    found = [table.difference for table in clear(changed, "trading") if table.difference]
    assert len(found) == 1
    assert found[0].startswith("public.market_ticks: rows differ")
    assert "at row 0 by key" in found[0]


def test_a_limit_opens_no_more_rows_and_still_counts_them_all(changed: Warehouse) -> None:
    judged = {table.table: table for table in opened(changed, "trading", limit=3)}
    assert all(table.difference is None and table.rows <= 3 for table in judged.values())
    change(
        changed,
        "DELETE FROM trading_state.customers WHERE _key = (SELECT max(_key) FROM trading_state.customers WHERE NOT _deleted)",
    )
    judged = {table.table: table for table in opened(changed, "trading", limit=3)}
    assert "in the warehouse" in (judged["public.customers"].difference or "")

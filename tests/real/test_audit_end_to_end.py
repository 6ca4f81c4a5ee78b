"""The auditor's questions about both standard workloads: what the commands say was in the source at past instants was in it."""

from __future__ import annotations

import io
import json
import re
import shlex
import struct
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psycopg2
import pytest
from psycopg2 import sql

from cdc.local import workload
from tests.audit import Said, ask, cdc
from tests.fix_replication import SOURCES, Captured, Warehouse, drop_warehouse, new_warehouse
from tests.independent.cells import Cells
from tests.oracle.catalog import MOVING, SourceTable, source_tables
from tests.oracle.postgres_text import as_copied, fields
from tests.oracle.tables import SETTINGS, render

Rows = Counter[tuple[object, ...]]
BETWEEN = (
    {"business", "keys", "statements", "truncate"},
    {"keyless", "precision", "interleaved", "huge", "truncate", "messages"},
)
"""Phases of the workload that run between the recorded moments."""


@dataclass(frozen=True)
class Recorded:
    """Every table of one source, in the text of its own COPY, at one instant of its own clock."""

    at: str
    tables: dict[str, Rows]


@dataclass(frozen=True)
class Lived:
    """A warehouse that holds everything, and what the sources were on the way."""

    warehouse: Warehouse
    moments: dict[str, list[Recorded]]
    number: int

    def ask(self, *arguments: str, stdin: bytes = b"") -> Said:
        return ask(self.warehouse.path, *arguments, stdin=stdin)


def compared(table: SourceTable) -> list[str]:
    """The columns that stand still while nobody writes."""
    return [column for column in table.types if (table.title, column) not in MOVING]


def judged(table: SourceTable, texts: Sequence[object]) -> tuple[object, ...]:
    """A row to be compared: its texts, but floats by their bits, which PostgreSQL and Java spell differently."""
    packed = []
    for column, text in zip(compared(table), texts, strict=True):
        code = {"float4": "f", "float8": "d"}.get(table.types[column])
        packed.append(text if code is None or not isinstance(text, str) else struct.pack(code, float(text)))
    return tuple(packed)


def record(dsn: str, tables: list[SourceTable]) -> Recorded:
    """One consistent look at everything. Nobody but the heartbeat writes meanwhile."""
    connection = psycopg2.connect(dsn)
    connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
    found: dict[str, Rows] = {}
    with connection, connection.cursor() as cursor:
        cursor.execute(SETTINGS)
        cursor.execute("SELECT clock_timestamp()")
        ((at,),) = cursor.fetchall()
        for table in tables:
            text = io.StringIO()
            columns = sql.SQL(", ").join(map(sql.Identifier, compared(table)))
            copy = sql.SQL("COPY (SELECT {} FROM {}) TO STDOUT").format(
                columns, sql.Identifier(table.schema, table.name)
            )
            cursor.copy_expert(copy.as_string(connection), text)
            found[table.title] = Counter(judged(table, fields(line)) for line in text.getvalue().split("\n")[:-1])
        cursor.execute(
            "SELECT 1 WHERE pg_sleep(0.002) IS NULL OR clock_timestamp() > %s", (at,)
        )  # what comes next is later
    connection.close()
    assert isinstance(at, datetime)
    return Recorded(at.isoformat(), found)


def tables_of(warehouse: Warehouse, source: str) -> list[SourceTable]:
    of = warehouse.settings.sources[source]
    return source_tables(of.admin_dsn, source, of.policy)


@pytest.fixture(scope="module")
def lived(captured: Captured) -> Iterator[Lived]:
    made = new_warehouse(captured)
    try:
        moments: dict[str, list[Recorded]] = {}
        for place, source in enumerate(SOURCES):
            dsn = made.settings.sources[source].admin_dsn
            described = tables_of(made, source)
            moments[source] = [record(dsn, described)]
            for step, phases in enumerate(BETWEEN):
                workload.run(dsn, source, time.time_ns() // 1_000_000 % 10**9 + place + step, 0.05, phases=phases)
                moments[source].append(record(dsn, described))
        number = time.time_ns() // 1_000_000 % 10**9
        edit(made.settings.sources["trading"].admin_dsn, number)
        for source in SOURCES:
            captured.wait(source)
        made.drain()
        yield Lived(made, moments, number)
    finally:
        drop_warehouse(captured, made)


LIFE = (
    "INSERT INTO intraday_margin VALUES (-{n}, 1.50, 2, '2026-01-05Z')",
    "UPDATE intraday_margin SET required = 2.5 WHERE account_id = -{n}",
    "TRUNCATE intraday_margin",
    "INSERT INTO intraday_margin VALUES (-{n}, 3, 4, '2026-01-05Z')",
    "DELETE FROM intraday_margin WHERE account_id = -{n}",
    "INSERT INTO intraday_margin VALUES (-{n}, 5, 'NaN', '2026-01-06Z')",
    "INSERT INTO contact_points VALUES ('lived{n}@example.com', 'alerts', NULL, NULL, false, '2026-01-05Z')",
    "UPDATE contact_points SET kind = 'statements' WHERE email = 'lived{n}@example.com'",
    "UPDATE contact_points SET label = 'two', verified = true WHERE email = 'lived{n}@example.com'",
    "INSERT INTO market_ticks SELECT -{n} * 10000::bigint - i, 'LIVED', i, i, 1, '2026-01-05Z' FROM generate_series(1, 7000) i",
    "DELETE FROM market_ticks WHERE symbol = 'LIVED'",
)


def edit(dsn: str, number: int) -> None:
    """Lives of a few rows, a transaction each. ``number``: a kept stack has those of other runs."""
    connection = psycopg2.connect(dsn)
    connection.autocommit = True
    for statement in LIFE:
        connection.cursor().execute(statement.format(n=number))
    connection.close()


def answered(lived: Lived, cells: Cells, source: str, table: SourceTable, at: str) -> Rows:
    """The table as the command has it, every cell and token opened, in the text of the source's COPY."""
    said = lived.ask("as-of", f"{source}.{table.title}", "--at", at, "--output", "ndjson")
    if said.code == 3:
        assert "no log knows a table of that name" in said.err
        return Counter()
    rows: Rows = Counter()
    for line in said.lines:
        key = line["key"] if table.key else []
        opened = []
        for column in compared(table):
            value = cells.value(line["row"].get(column), source, table.title, column, key)
            opened.append(as_copied(table.types[column], value))
        rows[judged(table, opened)] += line["copies"]
    return rows


def same(found: Rows, expected: Rows, what: str) -> bool:
    """Whether they are; a difference is told in numbers, so that no value reaches the output of the tests."""
    if found != expected:
        pytest.fail(f"{what}: {len(found - expected)} rows too many, {len(expected - found)} missing", pytrace=False)
    return True


@pytest.mark.parametrize("source", SOURCES)
def test_every_table_at_recorded_moments_is_what_the_source_was(lived: Lived, source: str, capsys) -> None:
    settings = lived.warehouse.settings
    cells = Cells(settings.keyring, settings.privacy_admin_dsn)
    described = tables_of(lived.warehouse, source)
    began, rows = time.monotonic(), 0
    for moment in lived.moments[source]:
        for table in described:
            expected = moment.tables[table.title]
            found = answered(lived, cells, source, table, moment.at)
            assert same(found, expected, f"{table.title} at {moment.at}")
            rows += expected.total()
    assert (
        len({json.dumps(sorted(map(str, moment.tables.items()))) for moment in lived.moments[source]}) == 3
    )  # they differ
    assert rows > 3000
    with capsys.disabled():
        print(
            f"\n{source}: {len(described)} tables at 3 past moments, {rows:,} rows, all as the source had them ({time.monotonic() - began:.1f} s)"
        )


@pytest.mark.parametrize("source", SOURCES)
def test_every_table_now_is_the_source_and_the_current_state(lived: Lived, source: str) -> None:
    settings = lived.warehouse.settings
    cells = Cells(settings.keyring, settings.privacy_admin_dsn)
    described = tables_of(lived.warehouse, source)
    now = record(settings.sources[source].admin_dsn, described)
    for table in described:
        assert same(answered(lived, cells, source, table, "now"), now.tables[table.title], table.title)
        known = lived.warehouse.query(
            "SELECT to_regclass(format('%%I.%%I', %s::text, %s::text)) IS NOT NULL", (source, table.view)
        )
        if known == [(True,)]:
            assert same(raw(lived, source, table), state(lived, source, table), table.title)


def raw(lived: Lived, source: str, table: SourceTable) -> Rows:
    """The command's rows as current state shows them: cells and tokens as they are."""
    rows: Rows = Counter()
    for line in lived.ask("as-of", f"{source}.{table.title}", "--at", "now", "--output", "ndjson").lines:
        shown = []
        for column in compared(table):
            value = line["row"].get(column)
            if isinstance(value, dict):
                ((_, value),) = value.items()
                shown.append(as_copied("bytea", value) if table.protect[column] == "seal" else value)
            else:
                shown.append(as_copied(table.types[column], value))
        rows[judged(table, shown)] += line["copies"]
    return rows


def state(lived: Lived, source: str, table: SourceTable) -> Rows:
    text = render(
        lived.warehouse.settings.warehouse_auditor_dsn, sql.Identifier(source, table.view), (), compared(table)
    )
    return Counter(judged(table, fields(line)) for line in text.decode().split("\n")[:-1])


def test_every_history_view_can_be_read_and_has_every_change(lived: Lived) -> None:
    views = lived.warehouse.query("SELECT log, table_name, view_name, behind FROM pipeline.history_view")
    assert len(views) > 25
    for log, table, name, behind in views:
        assert behind is None
        text = render(
            lived.warehouse.settings.warehouse_auditor_dsn,
            sql.Identifier(f"{log}_history", name),
            (),
            _view_columns(lived, log, name),
        )
        ((changes,),) = lived.warehouse.query(
            "SELECT count(*) FROM audit.entry WHERE log = %s AND table_name = %s AND kind IN ('change', 'truncate')",
            (log, table),
        )
        assert text.count(b"\n") == changes


def _view_columns(lived: Lived, log: str, name: str) -> list[str]:
    rows = lived.warehouse.query(
        "SELECT attname FROM pg_attribute WHERE attrelid = format('%%I.%%I', %s::text, %s::text)::regclass AND attnum > 0",
        (f"{log}_history", name),
    )
    return [column for (column,) in rows]


def test_a_row_that_was_truncated_deleted_and_made_again(lived: Lived) -> None:
    lines = lived.ask("history", "intraday_margin", "--output", "ndjson", "--", f"-{lived.number}").lines
    assert [line["what"] for line in lines] == ["created", "changed", "truncated", "created", "deleted", "created"]
    assert [line["version"] for line in lines] == [1, 2, None, 3, 4, 5]
    assert lines[1]["changes"] == [{"column": "required", "before": "1.50", "after": "2.5"}]
    table = lived.ask("history", "trading.public.intraday_margin", "--", f"-{lived.number}")
    assert "the last thing that happened to the row: created" in table.out
    assert "\x1b" not in table.out


def test_a_row_whose_key_holds_personal_data(lived: Lived) -> None:
    old = lived.ask(
        "history",
        "contact_points",
        "--key-stdin",
        "--output",
        "json",
        stdin=f"lived{lived.number}@example.com\nalerts\n".encode(),
    ).document
    assert [change["operation"] for change in old["changes"]] == ["c", "d"]
    token, kind = old["changes"][1]["linked_key"]
    assert kind == "statements"
    new = lived.ask("history", "contact_points", token["token"], kind, "--output", "json").document
    assert [change["operation"] for change in new["changes"]] == ["c", "u"]
    assert new["changes"][0]["linked_key"] == old["key"]
    assert {field["column"] for field in new["changes"][1]["changes"]} == {"label", "verified"}
    refused = lived.ask("history", "contact_points", f"lived{lived.number}@example.com", "alerts")
    assert (refused.code, "@example" in refused.err) == (2, False)
    missing = lived.ask("history", "contact_points", "--key-stdin", stdin=b"nobody-lived@example.com\nalerts\n")
    assert (missing.code, "@example" in missing.err) == (3, False)


def test_a_large_transaction_is_there_whole_or_not_at_all(lived: Lived) -> None:
    (inserted, _) = lived.ask(
        "history", "market_ticks", "--output", "ndjson", "--", f"-{lived.number * 10000 + 7000}"
    ).lines
    at = int(inserted["committed_at_ns"])

    def ticks(nanoseconds: int) -> int:
        moment = datetime.fromtimestamp(nanoseconds // 10**9).astimezone().isoformat()
        moment = f"{moment[:19]}.{nanoseconds % 10**9:09d}{moment[19:]}"
        return len(
            lived.ask("as-of", "market_ticks", "--at", moment, "--where", "symbol=LIVED", "--output", "ndjson").lines
        )

    assert ticks(at - 1) == 0
    assert ticks(at) == 7000
    whole = lived.ask("transaction", inserted["transaction"], "--source", "trading", "--output", "json").document
    assert len(whole["changes"]) == 7000
    assert whole["occurrences"][0]["end"]["tables"] == {"public.market_ticks": "7000"}


def test_before_the_snapshot_nothing_is_known(lived: Lived) -> None:
    for source in SOURCES:
        for table in tables_of(lived.warehouse, source):
            said = lived.ask("as-of", f"{source}.{table.title}", "--at", "2020-01-01T00:00:00Z")
            assert said.code in {3, 4}
            if said.code == 4:
                assert "is unknown at that instant" in said.err


PAGE = (Path(__file__).parents[2] / "docs" / "auditors.md").read_text()


def test_the_commands_of_the_auditors_page_run(lived: Lived) -> None:
    commands = [shlex.split(line.partition("#")[0]) for line in PAGE.splitlines() if line.startswith("cdc audit ")]
    asked = [words for words in commands if words[2] in {"history", "as-of", "transaction"} and "<" not in words]
    assert len(asked) >= 6
    for words in asked:
        said = cdc(*words[1:3], "--config", str(lived.warehouse.path), *words[3:])
        assert said.code in {0, 3, 4}, (words, said.err)  # rows of an example need not be here
        assert "Traceback" not in said.err


def test_the_statements_of_the_auditors_page_run(lived: Lived) -> None:
    blocks = re.findall(r"^```sql\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 2
    connection = psycopg2.connect(lived.warehouse.settings.warehouse_auditor_dsn)
    with connection, connection.cursor() as cursor:
        for block in blocks:
            cursor.execute(block)
    connection.close()

"""MariaDB's scenarios through real Debezium, a worker and a warehouse, and the comparison."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from random import Random

import pymysql
import yaml

from cdc.local.mariadb import Server
from cdc.local.stack import Stack
from tests.fix_mariadb import MariaSource, maria_source
from tests.fix_mariadb import run as execute
from tests.fuzz.mariadb import Scenario, quoted
from tests.fuzz.run import AT_ONCE, EXPLAINED, Outcome, halved, verify
from tests.oracle.catalog import SourceTable
from tests.oracle.mariadb import compare_maria

_MISTAKES = frozenset({1064, 1054, 1146, 1101, 1170, 1072, 1060, 1075})
"""Errors that say that a statement is wrong whatever the data: syntax, no such column or table, no such index."""


def run(server: Server, stack: Stack, seed: int, numbers: Sequence[int], with_open: frozenset[str] = frozenset(), transactions: int = 12) -> Outcome:
    """These scenarios, a database each, under one connector."""
    return halved(lambda some: _run(server, stack, seed, some, with_open, transactions), numbers)


def _run(server: Server, stack: Stack, seed: int, numbers: Sequence[int], with_open: frozenset[str], transactions: int) -> Outcome:
    outcome = Outcome(numbers)
    with maria_source(stack, server) as source:
        scenarios = [Scenario(seed, number, with_open, f"{source.name[-4:]}") for number in numbers]
        try:
            _live(source, scenarios, outcome, seed, transactions)
            _judge(source, scenarios, outcome)
        finally:
            for scenario in scenarios:
                execute(server, f"DROP DATABASE IF EXISTS {quoted(scenario.schema)}")
            execute(server, f"DROP USER IF EXISTS cdc_{source.name}@'%'")
    return outcome


def _live(source: MariaSource, scenarios: Sequence[Scenario], outcome: Outcome, seed: int, transactions: int) -> None:
    for scenario in scenarios:
        execute(source.server, *scenario.create)
    _change(source.server, outcome, [[["BEGIN", statement, "COMMIT"] for statement in s.fill] for s in scenarios])
    schemas = [part for scenario in scenarios for part in ("--schema", scenario.schema)]
    said = cdc(source, "connectors", "init", source.name, "--apply-sql", *schemas).stderr
    source.often()
    cdc(source, "policy", "init", source.name)
    _protect(source, Random(f"{seed}/{scenarios[0].number}"))
    cdc(source, "connectors", "apply", source.name)
    source.wait()  # DDL amid its snapshot ends Debezium's task (docs/reliability.md)
    _change(source.server, outcome, [s.transactions(transactions) for s in scenarios])
    source.wait()
    for scenario in scenarios:
        for table in scenario.tables:
            if not table.captured:
                outcome.left_out += 1
                if f"not captured: {table.schema}.{table.name}" not in said:
                    outcome.say(f"{title(table)}: init does not name it")


def cdc(source: MariaSource, *arguments: str, code: int | None = 0) -> subprocess.CompletedProcess[str]:
    dsn = f"mariadb://root:{source.server.password}@127.0.0.1:{source.server.port}/{source.name}"
    done = subprocess.run(
        [sys.executable, "-m", "cdc", *arguments], env={**os.environ, "CDC_CONFIG": str(source.warehouse.path), "CDC_SOURCE_DSN": dsn},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert code in {None, done.returncode}, f"{done.returncode}: {done.stderr}"
    return done


def title(table) -> str:
    return SourceTable(table.schema, table.name, {}, (), {}, {}).title


def _change(server: Server, outcome: Outcome, lives: Sequence) -> None:
    connections = [server.connect() for _ in range(AT_ONCE)]
    try:
        for connection in connections:
            connection.cursor().execute("SET time_zone = '+00:00', innodb_lock_wait_timeout = 5")
        work = [_statements(connection, lives[n::AT_ONCE], outcome) for n, connection in enumerate(connections)]
        while work:
            for one in list(work):
                if next(one, None) is None:
                    work.remove(one)
    finally:
        for connection in connections:
            connection.close()


def _statements(connection, lives, outcome: Outcome) -> Iterator[bool]:
    """A statement that is refused takes nothing with it: the server undoes it alone."""
    with connection.cursor() as cursor:
        for life in lives:
            for statements in life:
                for statement in statements:
                    outcome.statements += statement not in {"BEGIN", "COMMIT", "ROLLBACK"}
                    try:
                        cursor.execute(statement)
                    except pymysql.err.MySQLError as error:
                        outcome.refused += 1
                        if error.args[0] in _MISTAKES:
                            outcome.say(f"the fuzzer's own mistake, error {error.args}: {statement[:300]}")
                    yield True


def _protect(source: MariaSource, random: Random) -> None:
    """Of the suggested policy most columns are left in clear, and some made tokens."""
    policy = source.warehouse.settings.source(source.name).policy
    document = yaml.safe_load(policy.read_text(encoding="utf-8"))
    for name, table in document["tables"].items():
        for column in table["columns"]:
            draw = random.random()
            if name.startswith("cdc.") or draw > 0.7:
                continue
            if draw < 0.6:
                table["columns"][column] = "clear"
            elif column not in table.get("key", ()):
                table["columns"][column] = "seal"
    policy.write_text(yaml.safe_dump(document, allow_unicode=True, sort_keys=False), encoding="utf-8")


def _judge(source: MariaSource, scenarios: Sequence[Scenario], outcome: Outcome) -> None:
    settings = source.warehouse.settings
    tables = [table for scenario in scenarios for table in scenario.tables]
    reshaped, narrow = {title(t) for t in tables if t.reshaped}, {title(t) for t in tables if t.widened}
    waiting = set()
    suspended = "SELECT table_name, suspended_code, suspended_message FROM pipeline.state_table WHERE suspended_code IS NOT NULL"
    for table, code, message in source.warehouse.query(suspended):
        waiting.add(table)
        outcome.suspended += 1
        if code not in EXPLAINED or table not in reshaped:
            outcome.say(f"{table}: its state is suspended: {code}: {message}")
    without = waiting | reshaped | {title(t) for t in tables if not t.captured}
    with source.server.connect() as connection:
        compared = compare_maria(
            connection, settings.warehouse_auditor_dsn, settings.privacy_admin_dsn, settings.keyring, source.name,
            settings.source(source.name).policy, [scenario.schema for scenario in scenarios], without,
        )  # fmt: skip
    for one in compared:
        outcome.tables += 1
        outcome.rows += one.rows
        outcome.cells += one.cells
        if one.difference and not (one.table in narrow and one.difference.endswith("lacks a column")):
            outcome.say(one.difference)
    verify(source.warehouse, source.name, cdc(source, "audit", "verify", source.name, "--output", "json", code=None).stdout, outcome)

"""A column that is given another type before the connector has read what was written under the old one: Debezium reads that by the type of
today, and its task ends. What the operator sees, and what goes on from there.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from cdc.local.stack import Stack
from tests.fix_own import Own, own_source

PATIENCE_S = 180.0


@pytest.fixture(scope="module")
def own(stack: Stack) -> Iterator[Own]:
    with own_source(stack) as own:
        own.run("CREATE TABLE narrowed (id int PRIMARY KEY, n bigint)", "CREATE TABLE renamed (id int PRIMARY KEY, v int4multirange)")
        own.cdc("connectors", "init", own.name, "--apply-sql")
        definition = own.folder / "definition.yaml"
        definition.write_text(f"{definition.read_text()}heartbeat_interval_ms: 1000\n")
        own.cdc("policy", "init", own.name, "--clear", "*.*")
        own.cdc("connectors", "apply", own.name)
        own.drain()
        yield own


def failed(own: Own, but: str = "") -> str:
    """The cause that ``cdc connectors list`` shows, once the task has failed, at another event than ``but``."""
    ends = time.monotonic() + PATIENCE_S
    while True:
        shown = json.loads(own.cdc("connectors", "list", "--output", "json", code=None).stdout)
        (found,) = (each for each in shown["connectors"] if each["name"] == own.name)
        if found["cause"] and found["cause"] != but:
            assert found["cause"].endswith(" ← NumberFormatException"), found
            return str(found["cause"])
        assert time.monotonic() < ends, found
        time.sleep(0.5)


def test_what_was_written_before_is_read_once_the_type_is_back(own: Own) -> None:
    """A type that was narrowed, and a column dropped and added again under its name: the task fails at each, and loses nothing."""
    own.cdc("connectors", "stop", own.name)
    own.run(
        "INSERT INTO narrowed VALUES (1, 5000000000)", "UPDATE narrowed SET n = 7", "ALTER TABLE narrowed ALTER n TYPE int",
        "INSERT INTO renamed VALUES (1, '{[1,5)}')", "ALTER TABLE renamed DROP v", "ALTER TABLE renamed ADD v smallint",
    )  # fmt: skip
    own.cdc("connectors", "resume", own.name, code=None)
    first = failed(own)
    own.run("ALTER TABLE narrowed ALTER n TYPE bigint")
    own.cdc("connectors", "restart", own.name, code=None)
    failed(own, but=first)
    own.run("ALTER TABLE renamed RENAME v TO v_later", "ALTER TABLE renamed ADD v int4multirange")
    own.cdc("connectors", "restart", own.name)
    own.drain()
    shown = {table: own.warehouse.query(f"SELECT {columns} FROM {own.name}.{table}") for table, columns in (("narrowed", "id, n"), ("renamed", "id, v::text"))}
    assert shown == {"narrowed": [(1, 7)], "renamed": [(1, "{[1,5)}")]}
    own.cdc("audit", "verify", own.name)

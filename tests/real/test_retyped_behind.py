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


def behind(own: Own, *statements: str) -> None:
    """What happens at the source while the connector is stopped; then it goes on."""
    own.cdc("connectors", "stop", own.name)
    own.run(*statements)
    own.cdc("connectors", "resume", own.name, code=None)


def failed(own: Own) -> dict:
    """The connector as ``cdc connectors list`` shows it, once its task has failed."""
    ends = time.monotonic() + PATIENCE_S
    while True:
        shown = json.loads(own.cdc("connectors", "list", "--output", "json", code=None).stdout)
        (found,) = (each for each in shown if each["name"] == own.name)
        if found["cause"]:
            return found
        assert time.monotonic() < ends, found
        time.sleep(0.5)


@pytest.mark.parametrize(
    ("table", "rows", "retype", "back"),
    [
        ("narrowed", ["INSERT INTO narrowed VALUES (1, 5000000000)", "UPDATE narrowed SET n = 7"], ["ALTER TABLE narrowed ALTER n TYPE int"], ["ALTER TABLE narrowed ALTER n TYPE bigint"]),
        ("renamed", ["INSERT INTO renamed VALUES (1, '{[1,5)}')"], ["ALTER TABLE renamed DROP v", "ALTER TABLE renamed ADD v smallint"], ["ALTER TABLE renamed RENAME v TO v_new", "ALTER TABLE renamed ADD v int4multirange"]),
    ],
)
def test_what_was_written_before_is_read_once_the_type_is_back(own: Own, table: str, rows: list[str], retype: list[str], back: list[str]) -> None:
    behind(own, *rows, *retype)
    found = failed(own)
    print(found)
    own.run(*back)
    print(own.cdc("connectors", "restart", own.name, code=None))
    own.drain()
    print(own.warehouse.query(f"SELECT * FROM {own.name}.{table}"))
    assert 0

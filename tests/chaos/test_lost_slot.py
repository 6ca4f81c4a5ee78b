"""The runbook of a slot that is lost: PostgreSQL gives it up, everything says so, its commands are typed, and state equals the source.

On a server of its own: ``max_slot_wal_keep_size`` is the server's, and would end the slots of others, too.
"""

from __future__ import annotations

import json
import re
import shlex
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from cdc.local import unprivileged
from cdc.local.stack import Stack
from connectors.client import ConnectClient
from tests.chaos.processes import until
from tests.chaos.test_rebaseline import MISSED, SCHEMA, differences
from tests.fix_own import Own, own_source
from tests.fix_stack import missing_service
from tests.independent.reader import verify
from tests.real.other_server import Other, binaries, initialise, running

PATIENCE_S = 120.0
OPERATIONS = (Path(__file__).resolve().parents[2] / "docs/operations.md").read_text()
SECTION = "The slot is lost"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Other]:
    programs = binaries().get(18)
    if programs is None:
        missing_service("PostgreSQL 18")
    folder = tmp_path_factory.mktemp("small")
    unprivileged.disguise().give(folder)
    initialise(programs, folder / "data")
    with running(programs, folder / "data", wal_level="logical") as other:
        yield other


@pytest.fixture(scope="module")
def own(stack: Stack, server: Other) -> Iterator[Own]:
    with own_source(stack, server=server.dsn()) as own:
        own.run(*SCHEMA)
        own.cdc("connectors", "init", own.name, "--apply-sql")
        definition = own.folder / "definition.yaml"
        definition.write_text(f"{definition.read_text()}heartbeat_interval_ms: 1000\n")
        own.cdc("policy", "init", own.name, "--clear", "*.n", "--clear", "*.id", "--clear", "loose.note")
        own.cdc("connectors", "apply", own.name)
        own.drain()
        yield own


def given_up(own: Own, server: Other) -> None:
    """The connector is away, the source goes on, and more WAL is written than the server keeps for a slot."""
    with ConnectClient(own.stack.addresses().connect_url) as client:
        client.stop(own.name)
        until(lambda: own.ask("SELECT active FROM pg_replication_slots") == [(False,)], PATIENCE_S)
        own.run(*MISSED)
        server.run("ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'", "SELECT pg_reload_conf()")
        for _ in range(8):
            own.run("SELECT pg_logical_emit_message(false, 'filler', repeat('x', 1000000))", "SELECT pg_switch_wal()", "CHECKPOINT")
        assert own.ask("SELECT wal_status, invalidation_reason FROM pg_replication_slots") == [("lost", "wal_removed")]
        server.run("ALTER SYSTEM RESET max_slot_wal_keep_size", "SELECT pg_reload_conf()")
        client.resume(own.name)
        until(lambda: client.status(own.name).state == "RUNNING", PATIENCE_S)


def told(own: Own) -> dict[str, dict[str, str]]:
    """What a supervisor finds of this source, out of cron: alert → what it says."""
    done = own.cdc("supervise", "--once", "--output", "json", code=6)
    return {each["alert"]: each for each in json.loads(done.stdout)["alerts"] if each["about"] == own.name}


def commands(own: Own) -> list[str]:
    """What the section says to type."""
    section = OPERATIONS.partition(f"\n### {SECTION}\n")[2].partition("\n### ")[0]
    (block,) = re.findall(r"^```sh\n(.+?)^```", section, re.MULTILINE | re.DOTALL)
    return [line.partition("  #")[0].strip().replace("NAME", own.name).replace("…", "'ticket 1'") for line in block.splitlines()]


def test_a_lost_slot_is_walked(own: Own, server: Other) -> None:
    assert differences(own) == {}
    own.run("UPDATE kept SET note = 'in the topic, and not in the log yet' WHERE id = 300")
    own.wait()
    given_up(own, server)

    alerts = told(own)
    assert alerts["slot-lost"]["severity"] == "page"
    assert "wal_removed: the source no longer has what was not read" in alerts["slot-lost"]["summary"]
    done = own.cdc(*shlex.split(alerts["slot-lost"]["hint"])[1:], "--output", "json", code=6)
    (found,) = [each for each in json.loads(done.stdout)["findings"] if each["id"] == "slot_lost"]
    assert SECTION in json.dumps(found)
    assert "not active, lost" in own.cdc("connectors", "describe", own.name).stdout
    assert "slot_lost" in own.cdc("connectors", "apply", own.name, code=4).stderr  # it does not go on over the hole
    acts = own.warehouse.query("SELECT entry::json #>> '{content,name}' FROM audit.entry WHERE log = 'operations'")
    assert ("connector-restarted",) not in acts
    assert ("alert-fired",) in acts

    accept = ("stream", "accept-gap", own.name, "--slot-lost", "--reason", "x", "--yes")
    assert "has records that the log of" in own.cdc(*accept, code=4).stderr
    typed = commands(own)
    assert [command.split()[:3] for command in typed].index(["cdc", "stream", "accept-gap"]) == 2
    for command in typed:
        words = shlex.split(command)[1:]
        if command.startswith("psql "):
            own.run(words[-1])
        elif command == f"cdc replicate {own.name}":  # has no end
            own.drain()
        else:
            asks = words[1] in {"delete", "accept-gap"}
            told_of = own.cdc(*words, *(["--yes"] if asks else [])).stderr
            assert words[1] != "delete" or f"SELECT pg_drop_replication_slot('cdc_{own.name}');" in told_of
            assert words[1] != "accept-gap" or "the source no longer has it. Count: unknown." in told_of
    assert "its wal_status is reserved" in own.cdc(*accept, code=4).stderr
    assert differences(own) == {}
    kinds = Counter(kind for (kind,) in own.warehouse.query("SELECT kind FROM audit.entry WHERE log = %s", (own.name,)))
    assert kinds["absent"] >= len(range(21, 41)) + 1 + 1  # rows of kept, of "Order Details", copies of loose
    assert kinds["gap"] == 1
    own.cdc("audit", "verify", own.name)
    rows = own.warehouse.query(
        "SELECT e.seq, e.entry, b.body, encode(e.leaf, 'hex') FROM audit.entry e LEFT JOIN audit.body b USING (log, seq)"
        " WHERE e.log = %s ORDER BY e.seq",
        (own.name,),
    )
    assert verify(rows) == []
    answer = own.cdc("audit", "as-of", f"{own.name}.public.kept", "--at", "now").stdout
    assert re.search(r"slot-lost, from source commit \S+Z through the next snapshot, unknown how many missing", answer)
    assert "read anew after it: public.kept" in answer
    acts = own.warehouse.query(
        "SELECT entry::json #>> '{content,detail,command}', entry::json #>> '{content,detail,offsets}', entry::json #>> '{content,detail,reason}'"
        " FROM audit.entry WHERE log = 'operations' AND entry::json #>> '{content,name}' = 'connector' ORDER BY seq"
    )
    assert ("delete", "reset", "ticket 1") in acts

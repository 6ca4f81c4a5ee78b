"""The native stack on real processes: repeated starts, kills, ruined parts, and nothing left behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psycopg2
import pytest

from cdc.local import addresses, process
from cdc.local.part import PartFailed
from cdc.local.stack import PARTS, Stack
from tests.fix_stack import FreshDatabase, WarehouseCluster


def cdc(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cdc", *arguments],
        capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL, check=False, env={**os.environ, **environment},
    )  # fmt: skip


def of_state(state: Path) -> list[int]:
    """Every process whose command line or working directory lies in the state folder, found without our own records."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                line = (entry / "cmdline").read_bytes().decode(errors="replace")
                if line and (str(state) in line or (entry / "cwd").readlink().is_relative_to(state)):
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def test_a_second_up_changes_nothing_and_is_quick(stack: Stack) -> None:
    before = stack.status()
    began = time.monotonic()
    lines: list[str] = []
    stack.up(lines.append)
    assert time.monotonic() - began < 5
    assert stack.status() == before
    assert lines == []


def test_status_tells_people_no_password_and_programs_every_dsn(stack: Stack) -> None:
    table = cdc("local", "status", CDC_STATE=str(stack.state))
    document = json.loads(cdc("local", "status", "--output", "json", "--state", str(stack.state)).stdout)
    assert table.returncode == 0
    assert "password" not in table.stdout
    assert [part["name"] for part in document["parts"]] == list(PARTS)
    assert all(part["state"] == "up" and part["pid"] for part in document["parts"])
    assert not any(
        document["warehouse"]["dsn"].rpartition("password=")[2] in text for text in (table.stdout, table.stderr)
    )
    dsns = [document["warehouse"][key] for key in ("dsn", "admin_dsn", "auditor_dsn")] + list(
        document["privacy"].values()
    )
    assert {source.pop("kind") for source in document["sources"].values()} == {"postgres"}
    dsns += [dsn for source in document["sources"].values() for dsn in source.values()]
    for dsn in dsns:
        psycopg2.connect(dsn).close()


def test_sources_can_be_captured_and_the_warehouse_is_another_cluster(stack: Stack) -> None:
    asked = []
    for dsn in (stack.addresses().sources["trading"].admin_dsn, stack.addresses().warehouse_admin_dsn):
        connection = psycopg2.connect(dsn)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT system_identifier::text, current_setting('wal_level'), current_setting('fsync'),"
                " current_setting('listen_addresses') FROM pg_control_system()"
            )
            asked.append(cursor.fetchone())
        connection.close()
    (source, *of_source), (warehouse, *of_warehouse) = asked
    assert of_source == ["logical", "on", "127.0.0.1"]
    assert of_warehouse == ["replica", "on", "127.0.0.1"]
    assert source != warehouse


def test_secrets_are_for_their_owner_only(stack: Stack) -> None:
    for name in (
        "cdc.toml",
        "stack.json",
        "keyring.json",
        "secrets/trading.properties",
        "secrets/portfolio.properties",
    ):
        assert (stack.state / name).stat().st_mode & 0o077 == 0, name
    assert stack.state.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("name", PARTS)
def test_up_repairs_what_sigkill_took(stack: Stack, name: str) -> None:
    before = {part.name: part.pid for part in stack.status()}
    victim = before[name]
    assert victim is not None
    identity = process.identify(victim)
    assert identity is not None
    os.kill(victim, signal.SIGKILL)
    assert process.gone(identity, 5)
    assert {part.name for part in stack.status() if part.state != "up"} >= {name}
    down = cdc("local", "status", "--state", str(stack.state))
    assert down.returncode == 5
    repaired = cdc("local", "up", "--state", str(stack.state))
    assert repaired.returncode == 0, repaired.stderr
    after = {part.name: part.pid for part in stack.status()}
    assert {part.state for part in stack.status()} == {"up"}
    assert {part for part in PARTS if after[part] != before[part]} == {name}


def test_a_stale_postmaster_pid_of_a_stranger_does_not_stop_it(stack: Stack) -> None:
    cluster = stack.cluster("source")
    stack.stop("source")
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        (cluster.folder / "postmaster.pid").write_text(
            f"{stranger.pid}\n{cluster.folder}\n0\n{cluster.port}\n\n127.0.0.1\n0 0\nready\n"
        )
        stack.start("source")
        assert stranger.poll() is None, "a stranger was killed"
    finally:
        stranger.kill()
        stranger.wait()
    assert {part.state for part in stack.status()} == {"up"}


def test_a_reused_process_id_is_nobody_of_ours(stack: Stack) -> None:
    record = stack.state / "run" / "warehouse.json"
    original = record.read_text()
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        record.write_text(json.dumps({**json.loads(original), "pid": stranger.pid}))
        assert next(part for part in stack.status() if part.name == "warehouse").state == "down"
        stack.stop("warehouse")
        assert stranger.poll() is None
        stack.up(lambda _line: None)  # finds the forgotten cluster in its folder, and replaces it
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()
    assert {part.state for part in stack.status()} == {"up"}


def test_a_server_that_is_not_on_record_is_ended_and_replaced(stack: Stack) -> None:
    forgotten = {part.name: part.pid for part in stack.status()}
    for name in ("source", "connect"):
        (stack.state / "run" / f"{name}.json").unlink()
    assert {part.name for part in stack.status() if part.state == "down"} == {"source", "connect"}
    stack.up(lambda _line: None)
    for name in ("source", "connect"):
        pid = forgotten[name]
        assert pid is not None
        assert process.identify(pid) is None
    assert {part.state for part in stack.status()} == {"up"}


def test_reset_asks_and_without_a_terminal_refuses(stack: Stack) -> None:
    refused = cdc("local", "reset", "--state", str(stack.state))
    assert refused.returncode == 4
    assert "--yes" in refused.stderr
    assert {part.state for part in stack.status()} == {"up"}


def test_reset_deletes_no_folder_that_is_not_its_own(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    refused = cdc("local", "reset", "--yes", "--state", str(tmp_path))
    assert refused.returncode == 4
    assert (tmp_path / "thesis.txt").exists()


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory):
    """A stack of its own, with clusters and broker, that may be ruined."""
    stack = Stack(tmp_path_factory.mktemp("ruined", numbered=True) / "state")
    yield stack
    if stack.state.exists():
        stack.reset()


def test_down_leaves_no_process_and_up_finds_the_data_again(small: Stack) -> None:
    small.up(lambda _line: None, parts=("source", "warehouse", "broker"))
    ports = small.addresses()
    assert len(of_state(small.state)) > 3
    connection = psycopg2.connect(small.addresses().warehouse_admin_dsn)
    with connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    connection.close()
    small.down()
    assert of_state(small.state) == []
    small.up(lambda _line: None, parts=("warehouse",))
    assert small.addresses() == ports
    connection = psycopg2.connect(small.addresses().warehouse_admin_dsn)
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT answer FROM kept")
        assert cursor.fetchone() == (42,)
    connection.close()
    small.down()


def test_a_port_that_somebody_took_is_chosen_anew(small: Stack) -> None:
    with socket.socket() as thief:
        old = small.addresses().source_port
        thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        thief.bind(("127.0.0.1", old))
        thief.listen()
        small.up(lambda _line: None, parts=("source",))
        new = small.addresses().source_port
    assert new != old
    assert f"port={new} " in (small.state / "cdc.toml").read_text()
    small.down()


def test_a_ruined_cluster_says_why(small: Stack) -> None:
    (small.state / "source" / "global" / "pg_control").write_bytes(b"")
    with pytest.raises(PartFailed) as failure:
        small.start("source")
    assert "pg_control" in str(failure.value)
    assert of_state(small.state) == []


def test_a_ruined_broker_says_why(small: Stack) -> None:
    marker = small.state / "broker" / "data" / "meta.properties"
    marker.write_text(marker.read_text().replace("node.id=1", "node.id=7"))
    failed = cdc_start(small, "broker")
    assert "configured node id" in failed
    assert of_state(small.state) == []


def cdc_start(stack: Stack, name: str) -> str:
    with pytest.raises(PartFailed) as failure:
        stack.start(name)
    return str(failure.value)


def test_an_artifact_that_was_changed_is_fetched_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from cdc.local import artifacts

    lock = artifacts.read_lock(artifacts.runtime_folder() / "debezium-connector-postgres.lock")
    original = artifacts.ensure(lock, lambda _line: None)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = artifacts.jar_folder(lock)
    shutil.copytree(original, folder)
    victim = folder / lock.jars[0].file_name
    victim.write_bytes(victim.read_bytes()[:-1])
    assert artifacts.damaged(lock, folder) == [lock.jars[0]]
    lines: list[str] = []
    assert artifacts.ensure(lock, lines.append) == folder
    assert artifacts.damaged(lock, folder) == []
    assert lines == ["debezium-connector-postgres: fetching 1 Java artifacts"]


def test_ports_lie_below_the_ephemeral_range() -> None:
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert all(port < lowest for port in addresses.new_choices().ports.values())


def test_databases_are_cloned_for_each_test(
    warehouse_cluster: WarehouseCluster, warehouse_database: FreshDatabase
) -> None:
    other = warehouse_cluster.fresh_database(template="warehouse")
    connection = psycopg2.connect(warehouse_database.admin_dsn)
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM migration.applied")
        assert cursor.fetchone() != (0,)
        cursor.execute("CREATE TABLE mine ()")
    connection.close()
    connection = psycopg2.connect(other.admin_dsn)
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('mine')")
        assert cursor.fetchone() == (None,)
    connection.close()
    warehouse_cluster.drop(other)

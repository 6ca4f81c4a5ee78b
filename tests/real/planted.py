"""What the tests of the plaintext sweep share: the planted values, a worker that speaks into a file, a warehouse that leaks."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from cdc import config
from cdc.local.workload import CANARIES
from tests.fix_replication import Captured
from tests.fix_stack import FreshDatabase, WarehouseCluster
from tests.oracle.sweep import Hit

VALUES = [canary.value for canary in CANARIES]


def families(hits: dict[str, list[Hit]]) -> dict[str, list[Hit]]:
    """What was found, named by family: a test's output must not become a leak of its own."""
    names = {canary.value: canary.family for canary in CANARIES}
    return {names[value]: found for value, found in hits.items() if found}


def as_superuser(dsn: str, *statements: str) -> None:
    connection = psycopg2.connect(dsn)
    connection.autocommit = True
    try:
        for statement in statements:
            connection.cursor().execute(statement)
    finally:
        connection.close()


def replicate(path: Path, source: str, errors: Path, until: str = "never said") -> int:
    """Run ``cdc replicate`` with its standard error in a file, to its end or, by SIGTERM, until it has said something."""
    with errors.open("ab") as file:
        command = [sys.executable, "-m", "cdc", "replicate", source, "--config", str(path), "--until-caught-up"]
        process = subprocess.Popen(command, stdout=file, stderr=file)
    try:
        ends = time.monotonic() + 300
        while process.poll() is None and until not in errors.read_text() and time.monotonic() < ends:
            time.sleep(0.2)
        process.terminate()
        return process.wait(timeout=30)
    finally:
        process.kill()


LEAKED = {"name", "non-ascii name", "deleted row"}
"""Families of the committed values of customers.full_name."""


@pytest.fixture
def leaking(
    captured: Captured, warehouse_cluster: WarehouseCluster, tmp_path: Path
) -> Iterator[tuple[FreshDatabase, Path]]:
    """A warehouse under a copy of the policy that leaves one column in clear, and its configuration file."""
    settings = config.load(captured.config)
    original = settings.sources["trading"].policy.read_text()
    protected = "full_name: {protect: seal, class: personal}"
    assert original.count(protected) == 1
    policy = tmp_path / "trading.yaml"
    policy.write_text(original.replace(protected, "full_name: clear"))
    database = warehouse_cluster.fresh_database("leaking", template="warehouse")
    path = tmp_path / "cdc.toml"
    path.write_text(
        captured.config.read_text()
        .replace(settings.warehouse_dsn, database.replicator_dsn)
        .replace(settings.warehouse_admin_dsn, database.admin_dsn)
        .replace(str(settings.sources["trading"].policy), str(policy))
    )
    yield database, path
    warehouse_cluster.drop(database)

"""What the database containers run at their first start, on a real server: roles that suffice, and no superuser among them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from cdc import config
from cdc.cli.replicate import worker_settings
from cdc.errors import ConfigError
from cdc.local import postgres
from cdc.local.addresses import free_port
from cdc.local.part import Runner
from cdc.local.private_file import private_folder
from cdc.warehouse import lease
from connectors.check import demand_fit
from connectors.definition import load as load_definition
from tests.fix_stack import missing_service

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = ROOT / "deploy/compose"


class Place:
    """One server that plays every database container, and the secrets as files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.secrets = folder / "secrets"
        subprocess.run(["sh", COMPOSE / "secrets.sh", self.secrets], check=True, capture_output=True)
        tuning = {**postgres.SOURCE, "fsync": "off"}
        self.cluster = postgres.Cluster("all", folder / "data", folder / "all.log", free_port(set()), "test", tuning)
        self.environment = {
            "PATH": f"{postgres.binaries()}:{os.defpath}", "PGHOST": "127.0.0.1", "PGPORT": str(self.cluster.port),
            "PGUSER": "postgres", "PGPASSWORD": "test", "POSTGRES_DB": "trading",
        }  # fmt: skip

    def adapted(self, path: Path, debezium: str = "") -> Path:
        """A file of the containers, with this machine's places for theirs."""
        text = path.read_text().replace("/run/secrets/debezium", str(self.secrets / debezium))
        text = text.replace("/run/secrets/", f"{self.secrets}/").replace("/etc/cdc/roles.sql", str(self.folder / "source_roles.sql"))
        text = text.replace("/sql/", f"{ROOT}/sql/source/trading/")
        placed = self.folder / path.name
        placed.write_text(text)
        return placed

    def psql(self, *arguments: str | Path) -> None:
        command = ["psql", "-v", "ON_ERROR_STOP=1", "--no-psqlrc", "--quiet", *map(str, arguments)]
        subprocess.run(command, env=self.environment, check=True, capture_output=True, text=True)

    def configuration(self, name: str) -> Path:
        """A program's configuration file, with this server for every one and this checkout's files."""
        text = (self.secrets / f"{name}.toml").read_text()
        for host in ("warehouse", "trading", "portfolio"):
            text = text.replace(f"host={host} ", f"host=127.0.0.1 port={self.cluster.port} ")
        text = text.replace("/var/lib/cdc/keyring", str(self.folder / "keyring"))
        text = text.replace("/etc/cdc/definitions", str(ROOT / "connectors/definitions"))
        placed = self.folder / f"{name}.toml"
        placed.write_text(text.replace("/etc/cdc/policies", str(ROOT / "governance/policies")))
        return placed


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Iterator[Place]:
    folder = private_folder(tmp_path_factory.mktemp("containers") / "place")
    try:
        place = Place(folder)
    except ConfigError as error:
        missing_service(f"PostgreSQL: {error}")
    runner = Runner(private_folder(folder / "run"))
    runner.start(place.cluster, lambda _line: None)
    try:
        place.psql("-d", "postgres", "-f", place.adapted(COMPOSE / "postgres/warehouse_roles.sql"))
        yield place
    finally:
        runner.stop(place.cluster, lambda _line: None)
        shutil.rmtree(folder, ignore_errors=True)


def test_the_warehouses_roles_suffice_and_none_is_a_superuser(place):
    """Migrated by its owner; a worker finds all that it needs; a spare ends the connection of an owner that has stopped."""
    done = subprocess.run(
        [sys.executable, "-m", "cdc", "migrate", "--config", place.configuration("migrate")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    settings = config.load(place.configuration("worker"))
    worker_settings(settings, settings.source("trading"), until_caught_up=False, batch_records=5000)
    owner, spare = (lease.connect(settings.warehouse_dsn, f"cdc writer {n}") for n in range(2))
    lease.register(owner, "trading", "trading", "topic-id")
    assert isinstance(lease.try_take(owner, "trading"), lease.Ownership)
    assert isinstance(lease.try_take(spare, "trading"), str)
    with psycopg2.connect(place.cluster.dsn("warehouse")) as admin, admin.cursor() as cursor:
        cursor.execute("UPDATE pipeline.lease SET renewed_at = renewed_at - interval '1 minute'")
        cursor.execute("SELECT rolname FROM pg_roles WHERE rolsuper AND rolname <> 'postgres'")
        assert cursor.fetchall() == []
    admin.close()
    assert isinstance(lease.try_take(spare, "trading"), lease.Ownership)
    with pytest.raises(psycopg2.OperationalError), owner.cursor() as cursor:
        cursor.execute("SELECT 1")
    spare.close()


def test_a_replaced_password_is_taken_over_by_running_the_file_again(place):
    before = (place.secrets / "cdc_auditor").read_text()
    (place.secrets / "cdc_auditor").write_text("")
    subprocess.run(["sh", COMPOSE / "secrets.sh", place.secrets], check=True, capture_output=True)
    place.psql("-d", "postgres", "-f", place.adapted(COMPOSE / "postgres/warehouse_roles.sql"))
    after = (place.secrets / "cdc_auditor").read_text()
    psycopg2.connect(place.cluster.dsn("warehouse", "cdc_auditor", after)).close()
    with pytest.raises(psycopg2.OperationalError):
        psycopg2.connect(place.cluster.dsn("warehouse", "cdc_auditor", before))


def test_a_source_is_fit_to_be_captured_after_its_first_start(place):
    place.psql("-d", "postgres", "-c", "CREATE DATABASE trading")
    place.adapted(COMPOSE / "postgres/source_roles.sql", "debezium_trading")
    script = place.adapted(COMPOSE / "postgres/source.sh")
    done = subprocess.run(["bash", "-e", script], env=place.environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    dsn = config.load(place.configuration("connectors")).source("trading").dsn
    assert dsn is not None
    demand_fit(load_definition(ROOT / "connectors/definitions/trading.yaml"), dsn)

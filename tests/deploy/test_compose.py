"""docker-compose.yml and the images' files: hardened throughout, no secret in them, the same settings as the local stack. No engine is needed."""

from __future__ import annotations

import re
import runpy
import stat
import subprocess
from pathlib import Path

import pytest
import yaml

from cdc import config
from cdc.cli import policy as _policy  # noqa: F401 - that it loads at all
from cdc.local import artifacts
from cdc.local.broker import Broker
from cdc.local.connect import Worker
from cdc.local.java import Java
from cdc.local.jvm import Jvm
from cdc.local.postgres import COMMON, SOURCE, WAREHOUSE
from connectors import profile
from connectors.check.losses import version
from connectors.definition import load as load_definition

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES = COMPOSE["services"]
ONCE = {"migrate", "connectors", "cdc"}
"""Services that end."""


@pytest.fixture(scope="module")
def secrets(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("secrets") / "made"
    subprocess.run(["sh", DEPLOY / "compose/secrets.sh", folder], check=True, capture_output=True)
    return folder


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_hardened_and_bounded(name):
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert not service.get("privileged")
    assert not service.get("cap_add")
    assert service.get("network_mode") is None
    user, _, group = service["user"].partition(":")
    assert int(user) > 0
    assert group
    assert service["mem_limit"]
    assert service["cpus"]
    assert service["pids_limit"]
    assert service["restart"] == ("no" if name in ONCE else "unless-stopped")
    assert name in ONCE or service["healthcheck"]["test"]
    assert re.search(r":[v\d]", service["image"])
    assert "latest" not in service["image"]


@pytest.mark.parametrize("name", SERVICES)
def test_only_loopback_is_published_and_nothing_secret_is_in_the_environment(name):
    service = SERVICES[name]
    assert [port for port in service.get("ports", ()) if not port.startswith("127.0.0.1:")] == []
    told = service.get("environment", {})
    assert [key for key in told if re.search("PASSWORD|SECRET|TOKEN|KEY", key) and not key.endswith("FILE")] == []
    assert all(str(value).startswith("/run/secrets/") for key, value in told.items() if key.endswith("_FILE"))
    for volume in service.get("volumes", ()):
        assert "docker.sock" not in volume
        assert not volume.startswith("./") or volume.endswith(":ro"), f"{volume} of the checkout can be written"


def test_sources_and_warehouse_do_not_reach_each_other():
    reach = {name: set(service["networks"]) for name, service in SERVICES.items()}
    inner = {name for name, network in COMPOSE["networks"].items() if (network or {}).get("internal")}
    assert inner == {"sources", "stream", "store", "metrics"}
    for source in ("trading", "portfolio"):
        assert not reach[source] & reach["warehouse"] & inner
    assert reach["kafka"] == {"stream"}
    assert "store" not in reach["connect"]


def test_the_whole_pipeline_is_there_in_its_order():
    assert set(SERVICES) >= {
        "trading",
        "portfolio",
        "kafka",
        "connect",
        "warehouse",
        "supervisor",
        "prometheus",
        "grafana",
    }
    for worker in ("replicate-trading", "replicate-trading-spare", "replicate-portfolio"):
        before = SERVICES[worker]["depends_on"]
        assert before["migrate"]["condition"] == before["connectors"]["condition"] == "service_completed_successfully"
    for name, service in SERVICES.items():
        for other, how in service.get("depends_on", {}).items():
            assert how["condition"] in {"service_healthy", "service_completed_successfully"}, name
            assert (how["condition"] == "service_healthy") == ("healthcheck" in SERVICES[other]), (name, other)


def test_the_secrets_that_are_named_are_those_that_are_made(secrets):
    named = {Path(entry["file"]).name for entry in COMPOSE["secrets"].values()}
    assert {str(Path(entry["file"]).parent) for entry in COMPOSE["secrets"].values()} == {
        "${CDC_SECRETS:-./deploy/compose/secrets}"
    }
    made = {path.name for path in secrets.iterdir()}
    assert named == made
    used = {
        each["source"] if isinstance(each, dict) else each
        for service in SERVICES.values()
        for each in service.get("secrets", ())
    }
    assert used == set(COMPOSE["secrets"])
    ignored = subprocess.run(
        ["git", "-C", ROOT, "check-ignore", "deploy/compose/secrets/cdc_owner"], capture_output=True, check=False
    )
    assert ignored.returncode in {0, 128}  # 128: not a checkout


def test_secrets_are_random_private_and_kept(secrets, tmp_path):
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o700
    before = {path.name: path.read_text() for path in secrets.iterdir()}
    passwords = [text for name, text in before.items() if "." not in name]
    assert len(set(passwords)) == len(passwords)
    assert all(re.fullmatch("[0-9a-f]{48}", text) for text in passwords)
    (secrets / "cdc_replicator").write_text("")
    subprocess.run(["sh", DEPLOY / "compose/secrets.sh", secrets], check=True, capture_output=True)
    after = {path.name: path.read_text() for path in secrets.iterdir()}
    assert {name for name in before if before[name] != after[name]} == {
        "cdc_replicator",
        "worker.toml",
        "supervisor.toml",
        "admin.toml",
    }


@pytest.mark.parametrize("name", ["migrate", "connectors", "worker", "supervisor", "admin"])
def test_each_program_gets_the_passwords_that_it_needs_and_no_others(secrets, name):
    settings = config.load(secrets / f"{name}.toml")
    assert set(settings.sources) == {"trading", "portfolio"}
    text = (secrets / f"{name}.toml").read_text()
    held = {path.name for path in secrets.iterdir() if "." not in path.name and path.read_text() in text}
    debezium = {"debezium_trading", "debezium_portfolio"}
    assert (
        held
        == {
            "migrate": {"cdc_owner"},
            "connectors": debezium,
            "worker": {"cdc_replicator", "cdc_privacy"},
            "supervisor": {"cdc_replicator", "cdc_auditor", "cdc_privacy"} | debezium,
            "admin": {
                "cdc_owner",
                "cdc_replicator",
                "cdc_auditor",
                "cdc_privacy",
                "postgres_trading",
                "postgres_portfolio",
            }
            | debezium,
        }[name]
    )


def test_connect_resolves_what_the_definitions_refer_to(secrets):
    for name in ("trading", "portfolio"):
        text = (ROOT / f"connectors/definitions/{name}.yaml").read_text()
        wanted = set(re.findall(r"\$\{secret:" + name + r"/(\w+)\}", text))
        given = dict(line.split("=", 1) for line in (secrets / f"{name}.properties").read_text().splitlines())
        assert wanted <= set(given)
        assert given["password"] == (secrets / f"debezium_{name}").read_text()
        assert load_definition(ROOT / f"connectors/definitions/{name}.yaml").database.name == given["dbname"] == name


def properties(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines() if line and not line.startswith("#"))


def test_kafka_and_connect_are_set_as_in_the_local_stack(tmp_path):
    jvm = Jvm(Java(Path("java"), "17"), artifacts.read_lock(artifacts.runtime_folder() / "worker.lock"), "768m")
    broker = properties(Broker(tmp_path, tmp_path, 9092, 9093, "id", jvm).settings())
    ours = properties((DEPLOY / "compose/kafka/server.properties").read_text())
    assert {name for name in broker.keys() | ours.keys() if broker.get(name) != ours.get(name)} == {
        "listeners", "advertised.listeners", "log.dirs",
    }  # fmt: skip
    worker = properties(
        Worker(tmp_path, tmp_path, 8083, "kafka:9092", "id", (), Path("/etc/cdc/secrets"), jvm).settings()
    )
    ours = properties((DEPLOY / "compose/connect/worker.properties").read_text())
    assert {name for name in worker.keys() | ours.keys() if worker.get(name) != ours.get(name)} == {
        "listeners", "rest.advertised.host.name", "plugin.path",
    }  # fmt: skip


def test_postgresql_is_set_as_in_the_local_stack():
    for name, tuning in (("trading", SOURCE), ("portfolio", SOURCE), ("warehouse", WAREHOUSE)):
        given = dict(word.removeprefix("-c").split("=", 1) for word in SERVICES[name]["command"][1:])
        needed = {**COMMON, **tuning}
        for local in (
            "listen_addresses",
            "unix_socket_directories",
            "max_connections",
            "log_line_prefix",
            "shared_buffers",
        ):
            needed.pop(local)
            given.pop(local, None)
        assert needed.items() <= given.items()


def test_what_the_images_hold_is_pinned():
    cdc = (DEPLOY / "images/cdc.Dockerfile").read_text()
    connect = (DEPLOY / "images/connect.Dockerfile").read_text()
    assert "-c constraints.txt" in cdc
    assert "-c constraints.txt" in connect
    for name, lock in (("cdc-kafka", "worker"), ("cdc-connect", "debezium-connector-postgres")):
        artifact = {"worker": "kafka-clients"}.get(lock, lock)
        version = (
            artifacts.read_lock(artifacts.runtime_folder() / f"{lock}.lock").version_of(artifact).removesuffix(".Final")
        )
        assert f"{name}:{version}" in {service["image"] for service in SERVICES.values()}
    minimum = re.search(r'rust-version = "1\.(\d+)"', (ROOT / "cdc/native/Cargo.toml").read_text())
    given = re.search(r"ARG RUST=rust:1\.(\d+)-slim-bookworm", cdc)
    assert minimum
    assert given
    assert int(given[1]) >= int(minimum[1])


def test_connect_has_the_plugin_of_every_kind_of_definition():
    folders = runpy.run_path(str(DEPLOY / "images/jars.py"))["folders"](Path("/jars"))
    assert folders.pop("worker") == Path("/jars/worker")
    assert folders == {each.plugin: Path("/jars/plugins", each.plugin) for each in profile.CONNECTORS.values()}
    for each in profile.CONNECTORS.values():
        lock = artifacts.read_lock(artifacts.runtime_folder() / f"{each.plugin}.lock")
        assert version(lock.version_of(each.plugin)) >= each.least


@pytest.mark.parametrize("path", sorted([*DEPLOY.rglob("*.sh"), ROOT / ".ci/run"]), ids=lambda path: path.name)
def test_scripts_parse(path):
    shell = "bash" if "bash" in path.read_text().splitlines()[0] else "sh"
    done = subprocess.run([shell, "-n", path], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")

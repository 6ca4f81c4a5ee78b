"""What the parts are told: configuration texts, ports, processes, Java."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import psycopg2.extensions
import pytest

from cdc import config
from cdc.errors import ConfigError, NotFound
from cdc.local import addresses, artifacts, java, process
from cdc.local.broker import Broker
from cdc.local.connect import Worker
from cdc.local.java import Java
from cdc.local.jvm import Jvm, properties
from cdc.local.private_file import private_folder, write_private
from cdc.local.stack import Stack
from cdc.local.stack_config import configuration

WORKER_LOCK = artifacts.read_lock(artifacts.runtime_folder() / "worker.lock")
JVM = Jvm(Java(Path("/usr/bin/java"), "17.0.1"), WORKER_LOCK, "512m")


def parsed(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines())


def test_the_broker_is_on_loopback_and_creates_no_topic_by_itself(tmp_path: Path) -> None:
    settings = parsed(Broker(tmp_path, tmp_path, 20001, 20002, "id", JVM).settings())
    assert settings["listeners"] == "PLAINTEXT://127.0.0.1:20001,CONTROLLER://127.0.0.1:20002"
    assert settings["auto.create.topics.enable"] == "false"
    assert settings["log.retention.ms"] == "-1"
    assert int(settings["message.max.bytes"]) == 32 * 1024 * 1024


def test_the_worker_is_exactly_once_and_reads_secrets_from_one_folder_only(tmp_path: Path) -> None:
    worker = Worker(tmp_path, tmp_path, 20003, "127.0.0.1:20001", "id", (WORKER_LOCK,), tmp_path / "secrets", JVM)
    settings = parsed(worker.settings())
    assert settings["exactly.once.source.support"] == "enabled"
    assert settings["listeners"] == "http://127.0.0.1:20003"
    assert settings["config.providers.file.param.allowed.paths"] == str(tmp_path / "secrets")
    assert (
        settings["producer.max.request.size"] == settings["consumer.max.partition.fetch.bytes"] == str(32 * 1024 * 1024)
    )
    assert settings["plugin.path"] == str(artifacts.plugin_path(WORKER_LOCK))
    assert settings["value.converter.schemas.enable"] == "true"


def test_properties_text_survives_what_java_reads_as_latin_1() -> None:
    assert properties({"path": "/home/jürgen/𝄞\\x"}) == "path=/home/j\\u00fcrgen/\\ud834\\udd1e\\\\x\n"


def test_ports_and_passwords_are_distinct_and_kept(tmp_path: Path) -> None:
    choices = addresses.new_choices()
    assert len(set(choices.ports.values())) == len(addresses.PORTS)
    assert len(set(choices.passwords.values())) == len(choices.passwords)
    addresses.save(tmp_path / "stack.json", choices)
    assert addresses.load(tmp_path / "stack.json") == choices
    assert (tmp_path / "stack.json").stat().st_mode & 0o777 == 0o600
    moved = addresses.with_new_port(choices, "broker")
    assert {name for name in addresses.PORTS if moved.ports[name] != choices.ports[name]} == {"broker"}


def test_plugins_are_chosen_and_kept(tmp_path: Path) -> None:
    def plugins() -> list[str]:
        part = Stack(tmp_path)._part("connect")
        assert isinstance(part, Worker)
        return [lock.name for lock in part.plugins]

    path = tmp_path / "stack.json"
    addresses.save(path, addresses.new_choices())
    assert plugins() == ["debezium-connector-postgres", "debezium-connector-mariadb"]
    Stack(tmp_path)._choose([], plugins="all")
    assert plugins() == [f"debezium-connector-{kind}" for kind in ("postgres", "mariadb", "mysql", "sqlserver", "mongodb")]
    Stack(tmp_path)._choose([])
    assert len(plugins()) == 5
    older = json.loads(path.read_text())
    del older["plugins"]
    path.write_text(json.dumps(older))
    assert len(plugins()) == 2
    path.write_text(json.dumps(older | {"plugins": "some"}))
    with pytest.raises(ConfigError, match=r"stack\.json"):
        addresses.load(path)


def test_no_password_is_in_a_repr() -> None:
    choices = addresses.new_choices()
    everything = addresses.addresses_of(choices)
    assert not [secret for secret in choices.passwords.values() if secret in repr(choices) + repr(everything)]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"ports": {}, "passwords": {}, "cluster_id": ""}'])
def test_a_stack_description_of_another_kind_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "stack.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"stack\.json"):
        addresses.load(path)


def test_the_written_configuration_is_what_every_command_reads(tmp_path: Path) -> None:
    state = tmp_path / 'quote " and ü'
    state.mkdir()
    expected = addresses.addresses_of(addresses.new_choices())
    (state / "cdc.toml").write_text(configuration(expected, state))
    read = config.load(state / "cdc.toml")
    assert read.kafka == {"bootstrap.servers": expected.bootstrap_servers}
    assert read.warehouse_dsn == expected.warehouse_dsn
    assert read.privacy_admin_dsn == expected.privacy_admin_dsn
    assert read.keyring == state / "keyring.json"
    assert set(read.sources) == {"trading", "portfolio"}
    assert read.source("trading").dsn == expected.sources["trading"].dsn
    assert psycopg2.extensions.parse_dsn(expected.warehouse_dsn)["user"] == "cdc_replicator"


def test_a_state_folder_without_a_stack_is_not_found(tmp_path: Path) -> None:
    for ask in (Stack(tmp_path).status, Stack(tmp_path).addresses):
        with pytest.raises(NotFound) as failure:
            ask()
        assert failure.value.hint == "cdc local up"
    assert list(tmp_path.iterdir()) == []


def test_private_files_are_private_under_any_umask(tmp_path: Path) -> None:
    for mask in (0, 0o777):
        before = os.umask(mask)
        try:
            folder = private_folder(tmp_path / str(mask) / "deep")
            write_private(folder / "secret", "text")
        finally:
            os.umask(before)
        assert folder.stat().st_mode & 0o777 == 0o700
        assert (folder / "secret").stat().st_mode & 0o777 == 0o600
        assert [path.name for path in folder.iterdir()] == ["secret"]


def test_a_process_is_known_by_more_than_its_id(tmp_path: Path) -> None:
    identity = process.spawn(["sleep", "60"], log=tmp_path / "log", folder=tmp_path, environment={"PATH": os.defpath})
    try:
        assert process.alive(identity)
        assert os.getsid(identity.pid) == identity.pid, "Ctrl-C in our terminal would reach it"
        assert not process.alive(process.ProcessIdentity(identity.pid, identity.started + 1, identity.boot))
        assert not process.alive(process.ProcessIdentity(identity.pid, identity.started, "another boot"))
    finally:
        assert process.stop(identity, process.signal.SIGTERM, 10)
    assert process.identify(identity.pid) is None, "a zombie counts as gone"


def test_what_does_not_end_is_killed(tmp_path: Path) -> None:
    stubborn = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
    )
    log = tmp_path / "log"
    identity = process.spawn([sys.executable, "-c", stubborn], log=log, folder=tmp_path, environment={})
    while log.read_text() != "deaf\n":
        assert process.alive(identity)
    assert not process.stop(identity, process.signal.SIGTERM, 0.2)
    assert not process.alive(identity)


def test_the_lines_that_say_why_come_first(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("ERROR of an earlier start\n")
    since = log.stat().st_size
    with log.open("a") as file:
        file.write("ERROR the disk is full\n\tat java.base/x\n" + "INFO shutting down\n" * 40)
    assert process.tail(log, since) == ["ERROR the disk is full"]
    assert process.tail(tmp_path / "none") == []


@pytest.mark.parametrize(("version", "feature"), [("17.0.15", 17), ("25", 25), ("1.8.0_402", 8), ("21-ea", 21)])
def test_java_versions_old_and_new(version: str, feature: int) -> None:
    assert Java(Path("java"), version).feature == feature


def fake_java(folder: Path, version: str) -> Path:
    (folder / "bin").mkdir(parents=True)
    executable = folder / "bin" / "java"
    executable.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\n")
    executable.chmod(0o755)
    return executable


def test_an_old_java_is_passed_over_and_named_when_there_is_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_java(tmp_path / "old", "11.0.2")
    new = fake_java(tmp_path / "new", "21.0.1")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "old"))
    monkeypatch.setenv("PATH", f"{new.parent}:/usr/bin:/bin")
    assert java.find_java() == Java(new, "21.0.1")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(java, "find_spec", lambda _name: None)
    with pytest.raises(ConfigError, match=r"no Java 17 or newer; too old: .*old/bin/java \(11\.0\.2\)") as failure:
        java.find_java()
    assert "make setup" in str(failure.value.hint)


def test_another_operating_system_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process.sys, "platform", "darwin")
    with pytest.raises(ConfigError, match="Linux only"):
        Stack(Path("x"))


def cdc(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cdc", *arguments], capture_output=True, text=True, check=False, timeout=60
    )


def test_help_imports_no_noun() -> None:
    script = "import sys; from cdc.cli import root; root(['--help'], standalone_mode=False); print(sorted(sys.modules))"
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert "local" in said
    for heavy in ("psycopg2", "confluent_kafka", "httpx", "sqlalchemy", "rich", "cdc.local", "cdc.cli.local"):
        assert f"'{heavy}'" not in said


def test_errors_are_one_line_and_what_to_do(tmp_path: Path) -> None:
    said = cdc("local", "status", "--state", str(tmp_path / "none"))
    assert said.returncode == 3
    assert said.stdout == ""
    assert said.stderr.splitlines() == [f"cdc: no stack in {tmp_path / 'none'}", "  → cdc local up"]
    assert cdc("local", "no-such-command").returncode == 2
    assert not (tmp_path / "none").exists()

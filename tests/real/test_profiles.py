"""Every kind's whole configuration before the real connector of that kind, on a real Connect (no database answers).

``/validate`` says which settings a connector knows, and which values it takes. Without a server it also says that it
cannot connect; that is told apart by the setting that it says it of.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from cdc.errors import ConfigError, Unreachable
from cdc.local import artifacts
from cdc.local.addresses import PLUGINS, free_port
from cdc.local.connect import Worker
from cdc.local.java import find_java
from cdc.local.jvm import Jvm
from cdc.local.part import Runner
from cdc.local.private_file import private_folder
from cdc.local.stack import Stack
from connectors import profile, secrets
from connectors.client import ConnectClient
from connectors.definition import Definition, parse
from connectors.errors import Rejected
from connectors.kinds import KINDS
from tests.fix_stack import missing_service
from tests.unit.test_connectors_definition import HERE, of_kind

ADDRESS = {"database.hostname", "mongodb.connection.string"}
"""The settings that a connection that fails is blamed on."""
WORKERS_OWN = ("topic.creation.",)
"""What Connect itself reads, by the name of a group (KIP-158): no connector's ``/validate`` lists it."""
PASSED_ON = ("driver.", "schema.history.internal.")
"""What a connector passes on under a name without that (Debezium's documentation, "pass-through")."""
SOON = {"sqlserver": {"driver.loginTimeout": "1"}, "mongodb": {"mongodb.server.selection.timeout.ms": "500"}}
"""So that a server that is not there is given up soon."""


def lock_of(name: str) -> artifacts.Lock:
    return artifacts.read_lock(artifacts.runtime_folder() / f"{name}.lock")


@pytest.fixture(scope="module")
def connect(stack: Stack) -> Iterator[ConnectClient]:
    """A worker of the tests' own with every plugin, beside the stack's, on its broker."""
    folder = private_folder(Path(tempfile.mkdtemp(prefix="cdc-connect-")))
    worker = Worker(
        folder / "connect", folder, free_port(set()), stack.addresses().bootstrap_servers, stack._known().cluster_id,
        tuple(map(lock_of, PLUGINS["all"])), stack.state / "secrets", Jvm(find_java(), lock_of("worker"), "1g"),
        patience=300, group=folder.name, topics=folder.name,
    )  # fmt: skip
    runner = Runner(private_folder(folder / "run"))
    try:
        runner.start(worker, lambda _line: None)
        with ConnectClient(worker.url) as client:
            yield client
    except (ConfigError, Unreachable) as error:
        missing_service(f"the connectors of every kind: {error}")
    finally:
        runner.stop(worker, lambda _line: None)
        shutil.rmtree(folder)


@dataclass(frozen=True)
class Answer:
    """What a connector says of a configuration: the settings that it lists, and what is wrong with which."""

    known: frozenset[str]
    wrong: dict[str, list[str]]


def configuration(definition: Definition, stack: Stack) -> dict[str, str]:
    return profile.configuration(profile.expand(definition, secrets.in_folder(stack.state / "secrets")))


def validated(connect: ConnectClient, kind: str, config: dict[str, str]) -> Answer:
    plugin = profile.CONNECTORS[kind].class_name.rpartition(".")[2]
    said: Any = connect._ask("PUT", f"/connector-plugins/{plugin}/config/validate", {"name": "trading", **config})
    items = [item["value"] for item in said["configs"] if item["value"] is not None]
    return Answer(
        frozenset(item["name"] for item in items), {item["name"]: item["errors"] for item in items if item["errors"]}
    )


def nowhere(kind: str, *settings: tuple[str, str]) -> Definition:
    """A definition of that kind, at an address where nothing answers."""
    definition = parse(of_kind(kind).replace("5432", "1").replace("${secret:trading/host}", "127.0.0.1"), HERE)
    return replace(definition, settings=(*SOON.get(kind, {}).items(), *settings))


def in_the_code_of(kind: str, name: str) -> bool:
    """Whether a class of the connector's own jars names the setting."""
    lock = lock_of(profile.CONNECTORS[kind].plugin)
    for prefix in PASSED_ON:
        name = name.removeprefix(prefix)
    for jar in artifacts.jar_folder(lock).iterdir():
        with zipfile.ZipFile(jar) as opened:
            if any(name.encode() in opened.read(entry) for entry in opened.namelist() if entry.endswith(".class")):
                return True
    return False


@pytest.mark.parametrize("kind", KINDS)
def test_the_real_connector_knows_every_setting_and_takes_every_value(connect: ConnectClient, stack: Stack, kind: str):
    """A few settings each connector reads and does not list: its jars name them."""
    config = configuration(nowhere(kind), stack)
    answer = validated(connect, kind, config)
    assert set(answer.wrong) <= ADDRESS, answer.wrong
    assert answer.wrong, "somebody answers on port 1"
    unlisted = sorted(name for name in config.keys() - answer.known if not name.startswith(WORKERS_OWN))
    assert len(unlisted) < 8, unlisted
    assert [name for name in unlisted if not in_the_code_of(kind, name)] == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_setting_that_is_none_and_a_value_that_is_none_are_found(connect: ConnectClient, stack: Stack, kind: str):
    """The same questions, asked of what must not pass."""
    config = configuration(nowhere(kind, ("snapshot.mode", "sometimes"), ("snapshot.moed", "initial")), stack)
    answer = validated(connect, kind, config)
    assert "snapshot.mode" in answer.wrong
    assert "snapshot.moed" not in answer.known
    assert not in_the_code_of(kind, "snapshot.moed")


def test_the_versions_are_those_that_the_profiles_are_for(connect: ConnectClient):
    found = {plugin.class_name: tuple(map(int, plugin.version.split(".")[:3])) for plugin in connect.plugins()}
    assert {kind: found[each.class_name] >= each.least for kind, each in profile.CONNECTORS.items()} == dict.fromkeys(
        KINDS, True
    )


@pytest.mark.parametrize(
    ("user", "password", "told"),
    [
        ("{file}:nobody}}", "{file}:password}}", "did not resolve {file}:nobody}}"),
        ("${{env:CDC_NOBODY}}", "{file}:password}}", "did not resolve ${{env:CDC_NOBODY}}"),
        ("${{vault:secret/trading:user}}", "{file}:password}}", "did not resolve ${{vault:secret/trading:user}}"),
        ("debezium", "{file}:nothing}}", "a wrong password, or the worker did not resolve {file}:nothing}}"),
        ("debezium", "${{env:CDC_NOTHING}}", "a wrong password, or the worker did not resolve ${{env:CDC_NOTHING}}"),
        ("debezium", "${{file:{folder}/gone.properties:p}}", "the worker cannot read {folder}/gone.properties"),
        ("debezium", "{file}:password}}", None),
    ],
)
def test_a_reference_that_does_not_resolve_is_traced_in_what_the_real_worker_says(
    connect: ConnectClient, stack: Stack, user: str, password: str, told: str | None
):
    folder = stack.state / "secrets"
    at = {"folder": folder, "file": f"${{file:{folder}/trading.properties"}
    definition = parse(of_kind("postgres"), HERE)
    database = replace(definition.database, host="127.0.0.1", port=str(stack.addresses().source_port),
                       user=user.format(**at), password=password.format(**at))  # fmt: skip
    config = configuration(replace(definition, database=database), stack)
    with contextlib.nullcontext() if told is None else pytest.raises(Rejected) as caught, secrets.traced(config):
        wrong = connect.validate(profile.CONNECTORS["postgres"].class_name, "trading", config)
        if wrong:
            raise Rejected("\n".join(message for messages in wrong.values() for message in messages))
    if told is not None:
        assert told.format(**at) in str(caught.value.hint)

"""``cdc connectors`` before a scripted Connect: what it says when Connect answers oddly, and that every act is recorded."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from cdc.cli import root
from cdc.cli.connectors.recording import WAITING
from tests.scripted_connect import Answer, Scripted, serving
from tests.unit.test_connectors_definition import GOOD
from tests.unit.test_connectors_explain import CONFIG

VALIDATE = "PUT /connector-plugins/PostgresConnector/config/validate"


class Place:
    """A folder with a configuration for one source; its warehouse does not answer, its Connect says ``said``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.said: Answer = (200, {})
        self.bodies: list[bytes] = []

    def answer(self, _method: str, _path: str, body: bytes) -> Answer:
        self.bodies.append(body)
        return self.said

    def cdc(self, *words: str) -> Result:
        return CliRunner().invoke(root, ["connectors", *words, "--config", str(self.folder / "cdc.toml")])


@pytest.fixture
def place(tmp_path: Path) -> Iterator[tuple[Place, Scripted]]:
    place = Place(tmp_path)
    (tmp_path / "trading.yaml").write_text(GOOD)
    (tmp_path / "policy.yaml").write_text("")
    with serving(Scripted(place.answer)) as scripted:
        (tmp_path / "cdc.toml").write_text(CONFIG.replace("http://127.0.0.1:1", scripted.url))
        yield place, scripted


WRONG = {"value": {"name": "database.password", "value": "hunter2", "errors": ['Invalid value "hunter2"']}}
"""``/validate`` gives values back, in clear."""


@pytest.mark.parametrize(
    ("said", "setting", "problem"),
    [
        ((200, {"error_count": 1, "configs": [WRONG]}), "database.password", "Invalid value"),
        ((500, {"message": "java.lang.NullPointerException"}), None, "answers HTTP 500"),  # dbz#2415
        ((502, "<html>Bad Gateway</html>"), None, "HTTP 502, and not from Kafka Connect's REST interface"),
        ((200, "<html>Log in</html>"), None, "this is not Kafka Connect's REST interface"),
        ((200, {"error_count": 0, "configs": []}), None, None),
    ],
)
def test_validate_names_what_is_wrong_whatever_answers(place: tuple[Place, Scripted], said: Answer, setting: str | None, problem: str | None):
    here, scripted = place
    here.said = said
    done = here.cdc("validate", "--output", "json")
    assert done.exit_code == (6 if problem else 0)
    found = json.loads(done.stdout)["problems"]
    assert [(each["connector"], each["setting"]) for each in found] == ([("trading", setting)] if problem else [])
    assert not problem or problem in found[0]["problem"]
    assert "hunter2" not in done.output
    assert scripted.asked == [VALIDATE]
    assert json.loads(here.bodies[0])["name"] == "trading"


@pytest.mark.parametrize(
    ("words", "said", "detail"),
    [
        (("topics", "trading", "--reset"), {"trading": {"topics": ["trading"]}}, {"command": "topics-reset", "connector": "trading", "outcome": "forgotten"}),
        (
            ("loggers", "set", "io.debezium", "WARN"),
            ["io.debezium"],
            {"command": "loggers-set", "connector": "", "logger": "io.debezium", "level": "WARN", "scope": "worker", "outcome": "set"},
        ),
    ],
)
def test_what_changes_connect_besides_connectors_is_recorded_too(place: tuple[Place, Scripted], words: tuple[str, ...], said: object, detail: dict[str, str]):
    """The warehouse is down here: the entry waits, and says all that it will."""
    here, _ = place
    here.said = (200, said)
    done = here.cdc(*words, "--reason", "ticket 7")
    assert done.exit_code == 0, done.output
    (line,) = (here.folder / WAITING).read_text().splitlines()
    entry = json.loads(line)
    assert entry.items() >= {**detail, "reason": "ticket 7", "context": ""}.items()
    assert "@" in entry["by"]
    assert entry["acted_at"]


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        elif command is not None:
            yield " ".join((*path, name)), command


READING = {
    "check", "describe", "drift", "explain", "export", "init", "list", "loggers get", "logs", "offsets get", "plan", "plugins describe", "plugins list",
    "schema", "slots", "snapshot plan", "snapshot status", "validate",
}  # fmt: skip
"""Commands that change nothing on Connect or by it; ``init`` writes files, and SQL that it has shown."""


def test_every_command_that_changes_something_takes_a_reason():
    group = root.get_command(click.Context(root), "connectors")
    assert isinstance(group, click.Group)
    without = {name for name, command in commands(group) if "reason" not in {each.name for each in command.params}}
    assert without == READING

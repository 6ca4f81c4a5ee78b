"""The published schema is what the code says, and agrees with the reader on what is shipped and what is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml
from click.testing import CliRunner

from cdc.cli import root
from connectors import kinds
from connectors.definition import load
from connectors.schema import schema, text
from tests.unit.test_connectors_definition import GOOD, SHIPPED, WRONG

VALIDATOR = jsonschema.Draft7Validator(schema())
PUBLISHED = Path(__file__).parents[2] / "connectors" / "definition.schema.json"
BEYOND = ("stands twice", "not YAML", "not a regular expression")
"""What no schema can say."""


def errors(document: object) -> list[str]:
    return [error.message for error in VALIDATOR.iter_errors(document)]


def test_the_published_file_is_what_the_code_says():
    assert PUBLISHED.read_text() == text()  # cdc connectors schema > connectors/definition.schema.json


def test_it_is_a_schema_and_the_command_prints_it():
    jsonschema.Draft7Validator.check_schema(schema())
    answer = CliRunner().invoke(root, ["connectors", "schema"])
    assert (answer.exit_code, json.loads(answer.stdout)) == (0, schema())


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_definitions_are_good_and_name_the_schema(path):
    assert errors(yaml.safe_load(path.read_text())) == []
    assert path.read_text().startswith("# yaml-language-server: $schema=../definition.schema.json\n")


@pytest.mark.parametrize(("was", "now", "line", "said"), [case for case in WRONG if not case[3].startswith(BEYOND)])
def test_what_the_reader_refuses_the_schema_refuses(was, now, line, said):
    assert errors(yaml.safe_load(GOOD.replace(was, now, 1))) != []


@pytest.mark.parametrize("kind", kinds.KINDS)
def test_every_kind_has_a_definition_that_both_accept(kind, tmp_path):
    document = yaml.safe_load(GOOD) | {"kind": kind}
    own = {"server_id": 7, "schema_history": {"bootstrap_servers": "kafka:9092"}, "publication": "cdc_x", "replica_set": "rs0"}
    document |= {name: own[name] for name in kinds.KINDS[kind].fields}
    path = tmp_path / "it.yaml"
    path.write_text(yaml.safe_dump(document))
    assert load(path).kind == kind
    assert errors(document) == []


@pytest.mark.parametrize(
    "overlay",
    [
        {"extends": "base.yaml"},
        {"extends": "base.yaml", "database": {"port": 6432}, "exclude": None, "settings": {"max.batch.size": 1, "linger": None}},
        {"extends": "base.yaml", "schema_history": {"bootstrap_servers": None}, "schemas": None, "tables": ["a.b"]},
    ],
)
def test_an_overlay_may_be_any_part(overlay):
    assert errors(overlay) == []


@pytest.mark.parametrize(
    "overlay",
    [
        {"extends": ""},
        {"extends": None},
        {"extends": "base.yaml", "colour": "red"},
        {"extends": "base.yaml", "database": {"password": "hunter2"}},
        {"extends": "base.yaml", "settings": {"slot.name": "x"}},
        {"extends": "base.yaml", "settings": {"x.password": "plain"}},
        {"extends": "base.yaml", "replication_factor": "three"},
    ],
)
def test_a_part_that_could_never_be_right_is_refused(overlay):
    assert errors(overlay) != []

"""A definition is read strictly: where it is wrong, one line says where and what to write; nothing secret is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.definition import load
from connectors.errors import DefinitionError
from connectors.kinds import KINDS

SHIPPED = sorted((Path(__file__).parents[2] / "connectors" / "definitions").glob("*.yaml"))

GOOD = """name: trading
kind: postgres
topic: trading
database:
  host: ${secret:trading/host}
  port: 5432
  name: trading
  user: debezium
  password: ${secret:trading/password}
schemas: [public]
"""


HERE = Path("/nowhere/trading.yaml")
OWN = {
    "server_id": "server_id: 7\n",
    "schema_history": "schema_history:\n  bootstrap_servers: kafka:9092\n",
    "replica_set": "replica_set: rs0\n",
}


def of_kind(kind: str) -> str:
    """A definition of that kind, with all that it needs."""
    own = "".join(OWN.get(field, "") for field in KINDS[kind].fields)
    return GOOD.replace("kind: postgres", f"kind: {kind}") + own


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "trading.yaml"
    path.write_text(text)
    return path


def test_a_definition_says_what_and_where(tmp_path: Path):
    definition = load(write(tmp_path, GOOD + "exclude: ['public\\.old_.*']\nreplication_factor: 3\n"))
    assert (definition.name, definition.topic, definition.schemas) == ("trading", "trading", ("public",))
    assert (definition.slot, definition.publication) == ("cdc_trading", "cdc_trading")
    assert (definition.database.port, definition.replication_factor) == ("5432", 3)
    assert definition.exclude == ("public\\.old_.*",)


def test_a_database_with_capitals_is_captured_through_a_publication_without(tmp_path: Path):
    text = GOOD.replace("  name: trading", "  name: Trading-DB") + "publication: cdc_trading\n"
    definition = load(write(tmp_path, text))
    assert (definition.database.name, definition.publication) == ("Trading-DB", "cdc_trading")


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_the_shipped_definitions_are_about_ten_lines_and_well(path: Path):
    definition = load(path)
    assert definition.name == definition.topic == path.stem.split(".")[0]
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    assert len(lines) <= (11 if definition.kind == "postgres" else 15)


def test_there_are_shipped_definitions():
    assert [path.stem for path in SHIPPED] == ["portfolio.mariadb", "portfolio", "trading"]


WRONG = [
    ("name: trading\nkind", "nam: trading\nkind", 1, "nam: unknown field"),
    ("topic: trading\n", "", 1, "topic: missing"),
    ("kind: postgres", "kind: oracle", 2, "kind: unknown kind"),
    ("name: trading\nkind", "name: Trading\nkind", 1, "name: small letters"),
    ("name: trading\nkind", "name: ${env:X}\nkind", 1, "name: small letters"),
    ("topic: trading", "topic: a/b", 3, "topic: a topic's name"),
    ("topic: trading", "topic: trading\npublication: cdc_Trading", 4, "publication: small letters"),
    ("topic: trading", "topic: trading\npublication: cdc trading", 4, "publication: small letters"),
    ("  name: trading", "  name: Trading", 1, "publication: cdc_Trading will not do"),
    ("topic: trading", "topic: 7", 3, "topic: a non-empty text"),
    ("topic: trading", "topic: trading\ntopic: trading", 4, "stands twice"),
    ("port: 5432", "port: 70000", 6, "database.port: a whole number from 1 to 65535"),
    ("port: 5432", "port: five", 6, "database.port: a number or a reference"),
    ("port: 5432", "port: 5432\n  colour: red", 7, "database.colour: unknown field"),
    ("user: debezium", "user: ${vault:x}", 8, "database.user: a ${…} that is no reference"),
    ("${secret:trading/password}", "hunter2", 9, "database.password: a reference is needed"),
    ("${secret:trading/password}", "hunter2${env:X}", 9, "database.password: a reference is needed"),
    ("${secret:trading/password}", "12345678", 9, "database.password: a non-empty text"),
    ("schemas: [public]", "schemas: public", 10, "schemas: a list"),
    ("schemas: [public]", "schemas: []", 10, "schemas: a list"),
    ("schemas: [public]", "schemas: [public, public]", 10, "stand once"),
    ("schemas: [public]", "schemas: [cdc]", 10, "cdc is captured always"),
    ("schemas: [public]", "schemas: [public]\ntables: [public.a]", 10, "either schemas or tables"),
    ("schemas: [public]", "tables: [orders]", 10, "not of the form schema.table"),
    ("schemas: [public]", "schemas: [public]\nexclude: ['(']", 11, "not a regular expression"),
    ("schemas: [public]", "schemas: [public]\nexclude: ['a{1,2}']", 11, "a comma"),
    ("schemas: [public]", "schemas: [public]\nheartbeat_interval_ms: 0", 11, "heartbeat_interval_ms: a whole number"),
    ("schemas: [public]", "schemas: [public]\npoll_interval_ms: yes", 11, "poll_interval_ms: a whole number"),
    ("database:", "database: x\nother:", 5, "other: unknown field"),
    ("port: 5432", "port: 5432\n  sslmode: maybe", 7, "database.sslmode: unknown mode"),
    ("kind: postgres", "kind: [postgres", 3, "not YAML"),
]  # fmt: skip


@pytest.mark.parametrize(("was", "now", "line", "said"), WRONG)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, was: str, now: str, line: int, said: str):
    assert was in GOOD
    path = write(tmp_path, GOOD.replace(was, now, 1))
    with pytest.raises(DefinitionError) as caught:
        load(path)
    assert said in str(caught.value)
    assert str(caught.value).startswith(f"{path}:{line}:")
    assert caught.value.exit_code == 2
    shown = str(caught.value) + str(caught.value.hint)
    assert "hunter2" not in shown
    assert "12345678" not in shown


@pytest.mark.parametrize("text", ["", "- a\n", "just text\n", "[" * 5000])
def test_what_is_no_mapping_is_refused(tmp_path: Path, text: str):
    with pytest.raises(DefinitionError):
        load(write(tmp_path, text))


def test_a_text_where_a_mapping_belongs(tmp_path: Path):
    with pytest.raises(DefinitionError, match=":4: database: a mapping is needed"):
        load(write(tmp_path, "name: trading\nkind: postgres\ntopic: t\ndatabase: x\nschemas: [public]\n"))


def test_a_missing_or_unreadable_file_is_named(tmp_path: Path):
    with pytest.raises(DefinitionError, match="no such file"):
        load(tmp_path / "none.yaml")
    with pytest.raises(DefinitionError, match=str(tmp_path)):
        load(tmp_path)
    (tmp_path / "latin.yaml").write_bytes(b"name: \xff\n")
    with pytest.raises(DefinitionError, match="not UTF-8"):
        load(tmp_path / "latin.yaml")


def test_the_password_reference_is_not_in_the_repr(tmp_path: Path):
    assert "secret:trading/password" not in repr(load(write(tmp_path, GOOD)))

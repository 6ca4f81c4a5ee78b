"""Environments: a definition on top of another, and what is said when they do not fit."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.definition import Definition, load, parse
from connectors.errors import DefinitionError
from tests.unit.test_connectors_definition import GOOD


def write(folder: Path, **files: str) -> Path:
    """Write ``<name>.yaml`` each; the first is the one to load."""
    for name, text in files.items():
        path = folder / f"{name}.yaml"
        path.write_text(text)
    return folder / f"{next(iter(files))}.yaml"


def loaded(folder: Path, **files: str) -> Definition:
    return load(write(folder, **files))


def refused(folder: Path, **files: str) -> DefinitionError:
    with pytest.raises(DefinitionError) as caught:
        loaded(folder, **files)
    return caught.value


def test_an_environment_is_the_few_lines_that_differ(tmp_path):
    top = "extends: base.yaml\nreplication_factor: 3\ndatabase:\n  port: 6432\n  sslmode: verify-full\n"
    found = loaded(tmp_path, production=top, base=GOOD)
    below = load(tmp_path / "base.yaml")
    assert (found.replication_factor, found.database.port, found.database.sslmode) == (3, "6432", "verify-full")
    assert (found.name, found.schemas, found.database.host) == (below.name, below.schemas, below.database.host)
    assert found.path == tmp_path / "production.yaml"


def test_lists_take_the_place_of_lists_and_null_takes_away(tmp_path):
    base = GOOD + "exclude: [a, b]\nsettings:\n  max.batch.size: 10\n  errors.log.enable: true\n"
    found = loaded(tmp_path, one="extends: base.yaml\nexclude: [c]\n", base=base)
    assert found.exclude == ("c",)
    found = loaded(tmp_path, two="extends: base.yaml\nexclude: ~\nsettings:\n  max.batch.size:\n", base=base)
    assert (found.exclude, found.settings) == ((), (("errors.log.enable", "true"),))
    found = loaded(tmp_path, three="extends: base.yaml\nschemas: null\ntables: [public.orders]\n", base=base)
    assert (found.schemas, found.tables) == ((), ("public.orders",))


def test_a_base_may_have_a_base_in_another_folder_and_need_not_be_whole(tmp_path):
    (tmp_path / "env").mkdir()
    (tmp_path / "whole.yaml").write_text(GOOD.replace("topic: trading\n", ""))
    (tmp_path / "env" / "all.yaml").write_text("extends: ../whole.yaml\ntopic: trading\nreplication_factor: 2\n")
    found = loaded(tmp_path / "env", eu="extends: all.yaml\npoll_interval_ms: 5\n")
    assert (found.topic, found.replication_factor, found.poll_interval_ms) == ("trading", 2, 5)


def test_a_text_that_is_not_written_yet_counts_from_where_it_will_be(tmp_path):
    write(tmp_path, base=GOOD)
    assert parse("extends: base.yaml\ntopic: other\n", tmp_path / "new.yaml").topic == "other"


@pytest.mark.parametrize(
    ("top", "base", "said"),
    [
        ("extends: gone.yaml\n", GOOD, "top.yaml:1: extends: {folder}/gone.yaml: no such file"),
        ("extends: [base.yaml]\n", GOOD, "top.yaml:1: extends: the path of one definition"),
        ("extends:\n", GOOD, "top.yaml:1: extends: the path of one definition"),
        ("topic: t\nextends: top.yaml\n", GOOD, "top.yaml:2: extends: a definition cannot build on itself"),
        ("topic: t\nextends: ./../{name}/base.yaml\n", "extends: top.yaml\n", "base.yaml:1: extends: a definition cannot build on itself"),
        ("extends: base.yaml\ncolour: red\n", GOOD, "top.yaml:2: colour: unknown field"),
        ("extends: base.yaml\n", GOOD + "colour: red\n", "base.yaml:11: colour: unknown field"),
        ("extends: base.yaml\ndatabase:\n  colour: red\n", GOOD, "top.yaml:3: database.colour: unknown field"),
        ("extends: base.yaml\ndatabase: here\n", GOOD, "top.yaml:2: database: a mapping"),
        ("extends: base.yaml\nreplication_factor: many\n", GOOD, "top.yaml:2: replication_factor: a whole number"),
        ("extends: base.yaml\n", GOOD.replace("port: 5432", "port: x"), "base.yaml:6: database.port"),
        ("extends: base.yaml\ntopic: a\ntopic: b\n", GOOD, "top.yaml:3: a field that stands twice"),
        ("extends: base.yaml\n", GOOD + "topic: b\n", "base.yaml:11: a field that stands twice"),
        ("extends: base.yaml\nexclude: ~\n", GOOD, "top.yaml:2: exclude: nothing to take away"),
        ("extends: base.yaml\ntopic: ~\n", GOOD, "top.yaml:1: topic: missing"),
        ("extends: base.yaml\n", "- a\n", "base.yaml: a mapping is needed"),
        ("extends: base.yaml\n", "a: [\n", "base.yaml:2: not YAML"),
        ("extends: base.yaml\ntables: [a.b]\n", GOOD, "base.yaml:10: schemas: either schemas or tables"),
        ("name: trading\ntopic:\n", GOOD, "top.yaml:1: kind: missing"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_said_with_file_and_line(tmp_path, top, base, said):
    error = refused(tmp_path, top=top.replace("{name}", tmp_path.name), base=base)
    assert f"{tmp_path.name}/{said.format(folder=tmp_path)}" in str(error)


def test_a_ring_of_three_names_its_way(tmp_path):
    error = refused(tmp_path, a="extends: b.yaml\n", b="extends: c.yaml\n", c="extends: a.yaml\n")
    assert str(error).startswith(f"{tmp_path}/c.yaml:1: extends: ")
    assert [part.rpartition("/")[2] for part in str(error).split(" → ")] == ["a.yaml", "b.yaml", "c.yaml", "a.yaml"]


def test_nodes_that_hold_themselves_are_refused(tmp_path):
    ring = "database: &d\n  host: *d\n"
    assert "nested too deeply" in str(refused(tmp_path, top="extends: base.yaml\n" + ring, base=ring))

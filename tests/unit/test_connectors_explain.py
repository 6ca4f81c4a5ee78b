"""``cdc connectors explain``: nothing is left unexplained or cut, and no secret is shown; and who refuses which kind."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cdc.cli import root
from connectors import profile
from connectors.definition import load
from connectors.kinds import KINDS
from tests.unit.test_connectors_definition import GOOD, of_kind

CONFIG = """
[kafka]
"bootstrap.servers" = "127.0.0.1:1"
[connect]
url = "http://127.0.0.1:1"
[warehouse]
dsn = "host=127.0.0.1 port=1"
[privacy]
dsn = "host=127.0.0.1 port=1"
[keyring]
path = "keyring.json"
[sources.trading]
definition = "trading.yaml"
policy = "policy.yaml"
"""


def cdc(*words: str | Path) -> Result:
    return CliRunner().invoke(root, list(map(str, words)))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A configuration with one source; the test writes its definition."""
    (tmp_path / "cdc.toml").write_text(CONFIG.replace('"trading.yaml"', f'"{tmp_path}/trading.yaml"'))
    return tmp_path


@pytest.mark.parametrize("kind", KINDS)
def test_every_setting_has_its_reason_and_who_says_it(place, kind):
    (place / "trading.yaml").write_text(of_kind(kind))
    answer = cdc("connectors", "explain", "trading", "--config", place / "cdc.toml", "--output", "json")
    assert answer.exit_code == 0, answer.stderr
    document = json.loads(answer.stdout)
    assert (document["question"], document["connector"], document["kind"]) == ("explain", "trading", kind)
    found = {line["setting"]: line for line in document["settings"]}
    assert found.keys() == profile.expand(load(place / "trading.yaml"), profile.as_written).keys()
    assert {line["from"] for line in found.values()} == {"profile", "definition"}
    assert all(len(line["reason"]) > 3 for line in found.values())
    secret = next(line["value"] for name, line in found.items() if name.endswith(".password"))
    assert secret == f"${{file:{place}/secrets/trading.properties:password}}"
    assert document["overrides"] == []


def test_an_override_is_told_in_its_place_and_named_below(place):
    settings = "settings:\n  snapshot.mode: always\n  driver.trustStorePassword: ${vault:secret/x:y}\n"
    (place / "trading.yaml").write_text(GOOD + settings)
    document = json.loads(cdc("connectors", "explain", "trading", "--config", place / "cdc.toml", "--output", "json").stdout)
    found = {line["setting"]: line for line in document["settings"]}
    assert (found["snapshot.mode"]["from"], found["snapshot.mode"]["severity"]) == ("override", "critical")
    assert found["driver.trustStorePassword"]["value"] == "${vault:secret/x:y}"
    assert [(each["severity"], each["code"], each["setting"], each["profile"]) for each in document["overrides"]] == [
        ("critical", "snapshot_mode", "snapshot.mode", "initial"),
        ("info", None, "driver.trustStorePassword", None),
    ]
    table = cdc("connectors", "explain", "trading", "--config", place / "cdc.toml").stdout
    assert "\ncritical  snapshot.mode: only `initial` reads every row once" in table


def test_a_table_cuts_no_reason_and_csv_has_a_line_each(place):
    (place / "trading.yaml").write_text(GOOD)
    table = cdc("connectors", "explain", "--definition", place / "trading.yaml").stdout
    assert "characters)" not in table
    assert "${secret:trading/password}" in table
    rows = list(csv.reader(io.StringIO(cdc("connectors", "explain", "--definition", place / "trading.yaml", "--output", "csv").stdout)))
    assert rows[0] == ["setting", "value", "from", "reason"]
    assert len(rows) == 1 + len(profile.expand(load(place / "trading.yaml"), profile.as_written))


def test_it_asks_for_one_of_the_two_and_says_where_a_definition_is_wrong(place):
    assert cdc("connectors", "explain").exception.exit_code == 2
    assert cdc("connectors", "explain", "trading", "--definition", place / "x.yaml").exception.exit_code == 2
    (place / "trading.yaml").write_text(GOOD.replace("${secret:trading/password}", "hunter2"))
    error = cdc("connectors", "explain", "--definition", place / "trading.yaml").exception
    assert f"{place}/trading.yaml:9: database.password: a reference" in str(error)
    assert "hunter2" not in str(error)


@pytest.mark.parametrize("kind", [name for name, kind in KINDS.items() if not kind.replicated])
@pytest.mark.parametrize("words", [("replicate", "trading"), ("policy", "init", "trading", "--dsn", "host=127.0.0.1 port=1")], ids=" ".join)
def test_what_is_not_read_is_refused_before_anything_is_opened(place, kind, words):
    (place / "trading.yaml").write_text(of_kind(kind))
    error = cdc(*words, "--config", place / "cdc.toml").exception
    assert error.exit_code == 2
    assert KINDS[kind].title in str(error)
    assert "PostgreSQL and MariaDB" in str(error)


def test_a_definition_that_is_missing_or_wrong_does_not_stop_a_worker(place):
    """It is stopped by what it needs: its policy here."""
    for text in (None, "name: [\n", of_kind("postgres")):
        if text is not None:
            (place / "trading.yaml").write_text(text)
        error = cdc("replicate", "trading", "--config", place / "cdc.toml").exception
        assert "policy.yaml" in str(error)

"""Alert rules and dashboards: they fire when they must, on metrics that exist, and say where to read on."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from cdc.supervise import metrics
from tests.fix_stack import missing_service
from tests.house.test_docs import anchors

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy/prometheus"
RULES = [rule for group in yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"] for rule in group["rules"]]
DASHBOARDS = sorted((ROOT / "deploy/grafana/dashboards").glob("*.json"))
METRICS = ROOT / "docs/metrics.md"
OPERATIONS = (ROOT / "docs/operations.md").read_text()


def promtool(*arguments: str) -> str:
    program = shutil.which("promtool")
    if program is None:
        missing_service("no promtool (apt-get install prometheus)")
    done = subprocess.run([program, *arguments], cwd=FOLDER, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_configuration_and_rules_are_valid():
    assert f"{len(RULES)} rules found" in promtool("check", "config", "prometheus.yml")


def test_rules_fire_when_they_must_and_not_otherwise():
    promtool("test", "rules", "alerts_test.yml")


def test_every_rule_is_tested_to_fire_and_to_keep_quiet():
    tests = yaml.safe_load((FOLDER / "alerts_test.yml").read_text())["tests"]
    cases = [case for test in tests for case in test["alert_rule_test"]]
    names = {rule["alert"] for rule in RULES}
    assert {case["alertname"] for case in cases if case["exp_alerts"]} == names
    assert {case["alertname"] for case in cases if not case["exp_alerts"]} == names


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_every_alert_names_a_section_of_the_operations_page(rule):
    file, _, anchor = rule["annotations"]["runbook"].partition("#")
    assert file == "docs/operations.md"
    assert anchor in anchors(OPERATIONS)
    assert rule["labels"]["severity"] in {"page", "warning"}
    section = OPERATIONS.partition("\n## Alert rules\n")[2].partition("\n## ")[0]
    assert re.search(rf"^\| `{rule['alert']}` \|", section, re.MULTILINE), "it is not in the table of alert rules"


def test_the_table_of_alert_rules_names_no_others():
    section = OPERATIONS.partition("\n## Alert rules\n")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == {rule["alert"] for rule in RULES}


def expressions(panel: dict[str, Any]) -> Iterator[str]:
    for below in panel.get("panels", ()):
        yield from expressions(below)
    for target in panel.get("targets", ()):
        yield target["expr"]


def names(expression: str) -> set[str]:
    return set(re.findall(r"\bcdc_[a-z_]+\b", expression))


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_dashboards_are_whole(path):
    board = json.loads(path.read_text())
    assert board["uid"]
    assert board["title"]
    assert board["schemaVersion"] >= 39
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)
    asked = [expression for panel in board["panels"] for expression in expressions(panel)]
    assert asked
    assert all(names(expression) for expression in asked)
    placed = {(p["gridPos"]["x"], p["gridPos"]["y"]) for p in board["panels"]}
    assert len(placed) == len(ids)


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_dashboards_ask_what_prometheus_can_parse(path, tmp_path):
    board = json.loads(path.read_text())
    asked = [re.sub(r"\$__rate_interval", "5m", each) for panel in board["panels"] for each in expressions(panel)]
    rules = {
        "groups": [
            {"name": "parsed", "rules": [{"record": f"parsed:{n}", "expr": each} for n, each in enumerate(asked)]}
        ]
    }
    (tmp_path / "rules.yml").write_text(yaml.safe_dump(rules))
    promtool("check", "rules", str(tmp_path / "rules.yml"))


def test_what_rules_and_dashboards_ask_for_is_exported():
    """Against docs/metrics.md, which is held to the code that exports."""
    asked = {name for rule in RULES for name in names(rule["expr"])}
    for path in DASHBOARDS:
        board = json.loads(path.read_text())
        asked |= {name for panel in board["panels"] for each in expressions(panel) for name in names(each)}
    documented = set(re.findall(r"`(cdc_[a-z_]+)`", METRICS.read_text()))
    assert documented
    assert asked - documented == set()


def test_labels_that_rules_ask_for_are_exported():
    known = {name: set(described.labels) for name, described in {**metrics.GAUGES, **metrics.COUNTERS}.items()}
    for rule in RULES:
        for name, matchers in re.findall(r"\b(cdc_[a-z_]+)\{([^}]*)\}", rule["expr"]):
            assert set(re.findall(r"(\w+)\s*(?:=|!=)", matchers)) <= known[name], rule["alert"]
        used = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))
        assert used <= set().union(*(known[name] for name in names(rule["expr"]))), rule["alert"]

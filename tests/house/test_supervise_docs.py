"""Alerts, metrics and log events of the supervisor: code and documents name the same."""

from __future__ import annotations

import ast
import re

from cdc.supervise import settings
from cdc.supervise.__main__ import document
from cdc.supervise.catalogue import ALERTS
from cdc.supervise.metrics import COUNTERS, GAUGES
from tests.house.test_docs import OPERATIONS, PRODUCT, ROOT

BANNED = {"key", "row", "offset", "user", "subject", "transaction", "seq", "url"}
"""Labels without a bound, or that could name a person."""
UNITS = ("_seconds", "_bytes", "_offsets", "_offset", "_entries", "_total", "_info")
WITHOUT_UNIT = {
    "cdc_up", "cdc_supervise_active", "cdc_supervise_undelivered_alerts", "cdc_alerts_firing", "cdc_connector_state",
    "cdc_connector_tasks", "cdc_connector_restart_attempts", "cdc_connector_data_loss", "cdc_slot_present",
    "cdc_slot_active", "cdc_slot_wal_status", "cdc_stream_state", "cdc_stream_halted", "cdc_stream_suspended_tables",
    "cdc_stream_quarantine_open", "cdc_stream_gaps", "cdc_stream_requests_waiting", "cdc_check_verdict",
    "cdc_check_running",
}  # fmt: skip
"""Counts of things and truths."""
SECTION = OPERATIONS.partition("\n## Supervise\n")[2].partition("\n## ")[0]
SUPERVISE = {name: text for name, text in PRODUCT.items() if name.startswith("cdc/supervise/")}


def findings(source: str) -> set[str]:
    """Alerts that a module's code can find: first arguments of ``Finding(…)`` and of the functions called ``finding``."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call) and node.args]
    named = [node.args[0] for node in calls if getattr(node.func, "id", "") in {"Finding", "finding"}]
    return {str(first.value) for first in named if isinstance(first, ast.Constant)}


def test_every_alert_is_found_by_a_rule_and_explained():
    explained = set(re.findall(r"^### `([a-z-]+)`$", SECTION, re.MULTILINE))
    assert findings(SUPERVISE["cdc/supervise/rules.py"]) == set(ALERTS) == explained


def test_every_alert_says_its_severity_and_how_long_it_waits():
    for name, kind in ALERTS.items():
        told = re.search(rf"^### `{name}`\n\*(page|warning), (at once|after (\d+) min)\.\*", SECTION, re.MULTILINE)
        assert told is not None, name
        assert (told[1], 60 * int(told[3] or 0)) == (kind.severity, kind.after_s), name


def test_every_cause_of_data_loss_is_named():
    from cdc.supervise.causes import _DATA_LOSS

    assert [code for code, _ in _DATA_LOSS if f"`{code}`" not in SECTION] == []


def test_every_setting_and_event_is_named():
    names = [*settings._READ, *settings._CHECKS, "webhook", *settings._WEBHOOK]
    assert [name for name in names if f"`{name}`" not in SECTION] == []
    said = {
        match for text in SUPERVISE.values() for match in re.findall(r'progress\.note\(\s*[^\n]*?, "([a-z-]+)"', text)
    }
    assert {"restarted", "check", "not-restarted"} <= said
    assert [event for event in said if f"`{event}`" not in SECTION] == []


def test_the_page_of_metrics_is_what_is_exported():
    assert (ROOT / "docs/metrics.md").read_text() == document()  # python -m cdc.supervise > docs/metrics.md


def test_names_and_labels_are_as_prometheus_has_them():
    for name, described in (GAUGES | COUNTERS).items():
        assert re.fullmatch(r"cdc_[a-z_]+", name)
        assert name.endswith("_total") == (name in COUNTERS), name
        assert name.endswith(UNITS) or name in WITHOUT_UNIT, name
        assert BANNED.isdisjoint(described.labels), name
        assert described.help.endswith(".")


def test_every_metric_has_a_sample_somewhere():
    text = "".join(text for name, text in SUPERVISE.items() if not name.endswith("/metrics.py"))
    assert [name for name in GAUGES | COUNTERS if f'"{name}"' not in text] == []


def test_findings_are_read_from_code():
    assert findings('x = Finding("a-b", y)\nfinding("c", 1)\nother("d")') == {"a-b", "c"}

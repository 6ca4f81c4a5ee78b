"""The plan: what differs, who did it, what must not be touched, and that no secret leaves it."""

from __future__ import annotations

import json

import pytest

from connectors import plan as plans
from connectors import redact
from connectors.errors import DefinitionError
from connectors.export import export
from connectors.model import ConnectorInfo, ConnectorStatus, TaskStatus
from connectors.plan import Desired, digest, edited, marked, plan, writes_to

CONFIG = {
    "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
    "transforms": "one",
    "transforms.one.regex": ".*",
    "transforms.one.replacement": "shop",
    "topic.prefix": "shop",
    "database.password": "${file:/s/shop.properties:password}",
    "poll.interval.ms": "20",
    "provide.transaction.metadata": "true",
}
WANTED = Desired("shop", "shop", CONFIG)


def info(config: dict[str, str] | None = None, name: str = "shop", state: str = "RUNNING", kind: str = "source", trace: str = "") -> ConnectorInfo:
    live = marked(CONFIG, "here") if config is None else config
    task = "FAILED" if trace else "RUNNING"
    tasks = () if state == "STOPPED" else (TaskStatus(0, task, "w", trace),)
    return ConnectorInfo(name, ConnectorStatus(name, state, "w", tasks), {**live, "name": name}, kind)


def only(found: plans.Plan) -> plans.Change:
    (change,) = found.changes
    return change


def test_what_is_as_it_was_applied_needs_nothing():
    change = only(plan([WANTED], [info()], installation="here"))
    assert (change.action, change.settings, change.edited) == ("unchanged", (), False)
    assert only(plan([WANTED], [info(CONFIG)])).action == "unchanged"  # one that was applied before there were marks


def test_each_setting_is_named_with_both_values():
    live = marked({**CONFIG, "poll.interval.ms": "500", "stray": "true"}, "here")
    del live["provide.transaction.metadata"]
    live["cdc.applied"] = digest(live)
    change = only(plan([WANTED], [info(live)]))
    assert (change.action, change.edited) == ("update", False)
    assert [(s.setting, s.before, s.after) for s in change.settings] == [
        ("poll.interval.ms", "500", "20"),
        ("provide.transaction.metadata", None, "true"),
        ("stray", "true", None),
    ]


def test_who_edited_the_live_configuration_is_told_from_a_new_definition():
    by_hand = {**marked(CONFIG, "here"), "poll.interval.ms": "500"}
    assert only(plan([WANTED], [info(by_hand)])).edited
    older = marked({**CONFIG, "poll.interval.ms": "500"}, "here")
    change = only(plan([WANTED], [info(older)]))
    assert (change.action, change.edited) == ("update", False)
    assert not edited({**CONFIG, "poll.interval.ms": "1"})  # nobody can tell without a mark


@pytest.mark.parametrize(
    ("state", "trace", "action"),
    [("PAUSED", "", "resume"), ("STOPPED", "", "resume"), ("RUNNING", "io.debezium.DebeziumException: gone", "restart")],
)
def test_an_equal_configuration_may_stand_still(state: str, trace: str, action: str):
    assert only(plan([WANTED], [info(state=state, trace=trace)])).action == action


def test_only_connectors_of_this_installation_are_pruned():
    there = [
        info(),
        info(marked({"a": "1"}, "here"), "old"),
        info(marked({"a": "1"}, "elsewhere"), "theirs"),
        info({"a": "1"}, "nobodys"),
    ]
    assert [c.name for c in plan([WANTED], there, installation="here", prune=True).pending] == ["old"]
    assert plan([WANTED], there, installation="here").pending == ()
    assert plan([WANTED], there, installation="", prune=True).pending == ()


@pytest.mark.parametrize(
    ("config", "kind", "refused"),
    [
        ({"topic": "shop"}, "source", True),
        ({"transforms.r.replacement": "shop"}, "source", True),
        ({"topic.prefix": "shop"}, "source", True),
        ({"topic.prefix": "shop", "transforms.r.regex": ".*", "transforms.r.replacement": "else"}, "source", False),
        ({"topic": "shopping"}, "source", False),
        ({"topic": "shop", "topics": "shop"}, "sink", False),
    ],
)
def test_another_connector_in_the_topic_is_refused(config: dict[str, str], kind: str, refused: bool):
    found = plan([WANTED], [info(config, "a/b c", kind=kind)])
    assert bool(found.refused) == refused
    if refused:
        assert "connector a/b c writes to topic shop" in found.refused[0].notes[0]


def test_two_definitions_of_one_topic_are_refused():
    found = plan([WANTED, Desired("shop2", "shop", CONFIG)], [])
    assert {change.action for change in found.changes} == {"refuse"}


PLANTED = "hunter2-planted"


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("database.password", PLANTED), ("sasl.jaas.config", f'x password="{PLANTED}";'), ("s3.secret.key", PLANTED),
        ("basic.auth.credentials", PLANTED), ("producer.override.ssl.keystore.key", PLANTED), ("api_key", PLANTED),
        ("stray", PLANTED), ("connection.url", f"jdbc:x://u:{PLANTED}@h/d"), ("url", f"http://h/?password={PLANTED}"),
        ("database.hostname", f"x ${{file:/a:b}} {PLANTED}"),
    ],
)  # fmt: skip
def test_no_secret_of_a_live_configuration_is_in_a_plan(setting: str, value: str):
    found = plan([WANTED], [info({**CONFIG, setting: value})])
    assert PLANTED not in json.dumps([change.document() for change in found.changes]) + repr(found)
    assert PLANTED not in export("shop", {**CONFIG, setting: value}, None).text
    assert PLANTED not in repr(info({setting: value}))


def test_references_are_shown_as_they_are():
    for reference in ("${file:/s/shop.properties:password}", "${vault:secret/shop:password}", "${env:PGPASSWORD}"):
        assert redact.value("database.password", reference) == reference
    assert redact.value("database.password", "${env:A}x") == redact.MASK


def test_the_mask_of_a_secret_is_never_written():
    with pytest.raises(DefinitionError, match=r"database\.password"):
        plan([Desired("shop", "shop", {**CONFIG, "database.password": redact.MASK})], [info()])


def test_an_export_names_what_it_replaced():
    exported = export("a/b c", {**CONFIG, "database.password": PLANTED, "opaque": "x"}, frozenset({"opaque"}))
    assert exported.replaced == {
        "database.password": "${secret:a_b_c/database.password}", "opaque": "${secret:a_b_c/opaque}",
    }  # fmt: skip
    assert "poll.interval.ms: '20'" in exported.text


def test_topics_that_a_configuration_names():
    assert writes_to(CONFIG) == {"shop"}
    assert writes_to({"topic.prefix": "p", "topic": "t"}) == {"p", "t"}


def test_a_long_trace_is_shortened_and_its_values_are_not_in_it():
    frames = "\n".join(f"\tat org.example.Deep.call{n}(Deep.java:{n})" for n in range(10_000))
    text = (
        "org.apache.kafka.connect.errors.ConnectException: it failed\n" + frames
        + f'\nCaused by: java.lang.NumberFormatException: For input string: "{PLANTED}"\n\tat x.Y.z(Y.java:1)\n'
        + f"  a line of a row: {PLANTED}\n"
    )  # fmt: skip
    shown = redact.trace(text)
    assert len(shown.splitlines()) == 401
    assert shown.endswith("9,603 more lines")
    assert PLANTED not in redact.trace(text, most=100_000)
    assert redact.causes(text) == "ConnectException: it failed ← NumberFormatException"

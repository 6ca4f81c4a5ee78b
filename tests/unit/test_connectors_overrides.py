"""Raw settings: what they risk is named, what would break the design is refused, and a secret is a reference.

What each risks: ``test_check_configuration.py``.
"""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from connectors import profile
from connectors.definition import Definition, parse
from connectors.errors import DefinitionError
from connectors.kinds import KINDS
from connectors.secrets import hint, in_plain
from tests.unit.test_connectors_definition import GOOD, HERE, of_kind


def overriding(*settings: tuple[str, str], kind: str = "postgres") -> Definition:
    return replace(parse(of_kind(kind), HERE), settings=settings)


def severity(name: str, value: str, kind: str = "postgres") -> str | None:
    found = profile.overrides(overriding((name, value), kind=kind))
    return found[0].severity if found else None


@pytest.mark.parametrize(
    ("name", "value", "severe"),
    [
        ("max.batch.size", "8192", "info"),
        ("linger", "5", "info"),
        ("transforms", "mine, one", "info"),
        ("heartbeat.interval.ms", "5000", "info"),
        ("replica.identity.autoset.values", "public.*:FULL,sales.*:full", "info"),
        ("skipped.operations", "none", None),
        ("snapshot.mode", "initial", None),
    ],
)
def test_another_choice_is_told_and_the_same_choice_is_not(name, value, severe):
    assert severity(name, value) == severe


def test_findings_are_structured_and_the_gravest_comes_first():
    found = profile.overrides(overriding(("max.batch.size", "1"), ("tombstones.on.delete", "false"), ("snapshot.mode", "never")))
    assert [(each.severity, each.setting, each.value, each.profile) for each in found] == [
        ("critical", "snapshot.mode", "never", "initial"),
        ("warning", "tombstones.on.delete", "false", "true"),
        ("info", "max.batch.size", "1", "4096"),
    ]
    assert all(len(each.reason) > 20 for each in found)


@pytest.mark.parametrize("kind", KINDS)
def test_every_setting_of_a_profile_that_keeps_evidence_can_not_be_loosened_unnoticed(kind):
    """Any value but the profile's own is at least told."""
    definition = parse(of_kind(kind), HERE)
    for name in profile.expand(definition, profile.as_written):
        assert severity(name, "other", kind) in {"critical", "warning", "info"}, name


def test_an_override_takes_the_place_of_the_profiles_and_says_why():
    definition = overriding(("snapshot.mode", "always"), ("driver.trustStorePassword", "${secret:shop/store}"))
    found = profile.expand(definition, lambda bundle, key: f"${{file:/s/{bundle}:{key}}}")
    assert (found["snapshot.mode"].value, found["snapshot.mode"].origin) == ("always", "override")
    assert "always" in found["snapshot.mode"].reason
    assert found["driver.trustStorePassword"].value == "${file:/s/shop:store}"
    assert found["skipped.operations"].origin == "profile"
    assert found["topic.prefix"].origin == "definition"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("transforms: unwrap", "`one` must be the last"),
        ("transforms: one, route", "`one` must be the last"),
        ("transforms.one.regex: x", "one topic with one partition"),
        ("topic.creation.default.partitions: 3", "one topic with one partition"),
        ("topic.naming.strategy: x", "one topic with one partition"),
        ("exactly.once.support: requested", "exactly once is not a choice"),
        ("transaction.boundary: interval", "exactly once is not a choice"),
        ("producer.override.acks: 1", "exactly once is not a choice"),
        ("producer.override.transactional.id: x", "exactly once is not a choice"),
        ("name: other", "it is the definition's name"),
        ("topic.prefix: other", "it is the definition's name"),
        ("connector.class: X", "the kind of database decides it"),
        ("tasks.max: 2", "one connector, one task"),
        ("slot.name: other", "one slot per connector"),
        ("publication.name: other", "the definition says it"),
        ("database.password: '${env:CDC_P}'", "the definition says it"),
        ("table.include.list: a", "the definition says it"),
        ("value.converter.schemas.enable: false", "records carry their types"),
        ("schema.history.internal.kafka.topic: other", "one topic per connector"),
        ("mongodb.connection.string: x", "the definition says it"),
    ],
)
def test_what_the_design_hangs_on_is_refused_with_the_line(line, said):
    with pytest.raises(DefinitionError) as caught:
        parse(GOOD + f"settings:\n  max.batch.size: 1\n  {line}\n", HERE)
    assert str(caught.value).startswith(f"{HERE}:13: settings.{line.partition(':')[0]}: it cannot be overridden")
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("driver.trustStorePassword: hunter2", "a reference is needed"),
        ("driver.trustStorePassword: 12345678", "a reference is needed"),
        ("schema.history.internal.producer.sasl.jaas.config: 'x password=\"hunter2\";'", "a reference is needed"),
        ("driver.accessToken: x${env:CDC_T}", "a reference is needed"),
        ("some.client_secret: hunter2", "a reference is needed"),
        ("some.url: https://me:hunter2@example.com/", "a reference is needed"),
        ("some.thing: ${env:}", "no reference"),
        ("some thing: x", "no setting's name"),
        ("some.thing: [1]", "a text, a whole number, true or false"),
        ("some.thing: 1.5", "a text, a whole number, true or false"),
        ("some.thing: 0x10", "a text, a whole number, true or false"),
        ("some.thing:", "a text, a whole number, true or false"),
        ('some.thing: "a\\nb"', "one line"),
    ],
)
def test_secrets_and_values_that_are_none_are_refused_without_being_shown(line, said):
    with pytest.raises(DefinitionError) as caught:
        parse(GOOD + f"settings:\n  {line}\n", HERE)
    assert str(caught.value).startswith(f"{HERE}:12: settings.")
    assert said in str(caught.value)
    assert not re.search("hunter2|12345678", f"{caught.value} {caught.value.hint}")


def test_values_are_spelled_as_connect_wants_them():
    found = parse(GOOD + "settings: {a: yes, b: False, c: -1, d: 'no', e: '${vault:secret/shop:k}'}\n", HERE).settings
    assert found == (("a", "true"), ("b", "false"), ("c", "-1"), ("d", "no"), ("e", "${vault:secret/shop:k}"))


def test_settings_are_not_in_the_repr():
    assert "vault" not in repr(parse(GOOD + "settings: {e: '${vault:secret/shop:k}'}\n", HERE))


@pytest.mark.parametrize("name", ["topic.creation.default.cleanup.policy", "database.hostname", "tokenizer", "compass.mode", "passthrough"])
def test_names_that_sound_alike_are_no_secrets(name):
    assert not in_plain(name, "x")


CONFIG = {"database.password": "${file:/run/s.properties:password}", "database.user": "${env:CDC_U}", "x": "plain"}


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ('FATAL: password authentication failed for user "${env:CDC_U}"', "did not resolve ${env:CDC_U} (no such key"),
        ("ConfigException: Could not read properties from file /run/s.properties", "cannot read /run/s.properties, which a reference names"),
        ('FATAL: password authentication failed for user "cdc"', "a wrong password, or the worker did not resolve ${file:/run/s.properties:password}"),
        ("Access denied for user 'cdc'@'db' (using password: YES)", "a wrong password, or the worker did not resolve"),
        ("Connection to db:5432 refused", None),
        ("", None),
    ],
)
def test_what_connect_refuses_is_traced_to_a_reference(said, told):
    found = hint(CONFIG, ["something else", said])
    assert found is None if told is None else told in found


def test_a_wrong_password_without_a_reference_is_just_that():
    assert hint({"database.user": "cdc"}, ["password authentication failed"]) is None

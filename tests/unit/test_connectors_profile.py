"""The profile keeps everything, in one order, in exact values; and every setting says why."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from connectors import profile
from connectors.definition import Definition, load
from connectors.secrets import in_folder, is_reference, malformed
from connectors.setting import include_patterns

DEFINITIONS = Path(__file__).parents[2] / "connectors" / "definitions"

EVIDENCE = {
    "exactly.once.support": "required",
    "transaction.boundary": "poll",
    "provide.transaction.metadata": "true",
    "skipped.operations": "none",
    "tombstones.on.delete": "true",
    "snapshot.mode": "initial",
    "snapshot.max.threads": "1",
    "offset.mismatch.strategy": "trust_offset",
    "lsn.flush.mode": "connector",
    "publication.autocreate.mode": "disabled",
    "plugin.name": "pgoutput",
    "event.processing.failure.handling.mode": "fail",
    "event.converting.failure.handling.mode": "fail",
    "errors.tolerance": "none",
    "include.unknown.datatypes": "true",
    "decimal.handling.mode": "string",
    "time.precision.mode": "isostring",
    "interval.handling.mode": "string",
    "binary.handling.mode": "base64",
    "column.propagate.source.type": ".*",
    "publish.via.partition.root": "true",
    "topic.creation.default.partitions": "1",
    "topic.creation.default.cleanup.policy": "delete",
    "topic.creation.default.retention.ms": "-1",
    "transforms.one.regex": ".*",
    "key.converter.schemas.enable": "true",
    "value.converter.schemas.enable": "true",
    "signal.enabled.channels": "source",
    "notification.enabled.channels": "sink",
}


@pytest.fixture
def definition() -> Definition:
    return load(DEFINITIONS / "trading.yaml")


def test_evidence_grade(definition: Definition):
    config = profile.configuration(profile.expand(definition, in_folder(Path("/run/secrets"))))
    assert {name: config[name] for name in EVIDENCE} == EVIDENCE
    assert config["transforms.one.replacement"] == "trading"
    assert (config["slot.name"], config["publication.name"], config["topic.prefix"]) == (
        "cdc_trading",
        "cdc_trading",
        "trading",
    )


def test_every_setting_says_why(definition: Definition):
    for name, setting in profile.expand(definition, in_folder(Path("/s"))).items():
        assert len(setting.reason) > 8, name
        assert setting.value, name


def test_secrets_stay_references(definition: Definition):
    config = profile.configuration(profile.expand(definition, in_folder(Path("/run/secrets"))))
    assert config["database.password"] == "${file:/run/secrets/trading.properties:password}"
    assert config["database.hostname"] == "${file:/run/secrets/trading.properties:host}"
    assert "${secret:" not in str(config)


def test_the_heartbeat_table_is_captured_first(definition: Definition):
    assert include_patterns(definition)[:2] == (r"cdc\.heartbeat", r"cdc\.signal")


def test_patterns_match_what_is_meant_and_nothing_else(definition: Definition):
    def included(definition: Definition, table: str) -> bool:
        return any(re.fullmatch(pattern, table) for pattern in include_patterns(definition))

    some = replace(definition, schemas=("public", "Mixed Case"), exclude=(r"public\.p_\d+",))
    assert included(some, "public.orders")
    assert included(some, "Mixed Case.x")
    assert included(some, "public.p_1_old")
    assert not included(some, "public.p_1")
    assert not included(some, "publicx.orders")
    assert not included(some, "other.public.orders")
    few = replace(definition, schemas=(), tables=("public.orders", "public.a+b"))
    assert included(few, "public.a+b")
    assert not included(few, "public.orders2")
    assert not included(few, "publicXorders")


@pytest.mark.parametrize(
    "text", ["${env:CDC_P}", "${file:/a/b.properties:password}", "${directory:/a:b}", "${secret:t/p}"]
)
def test_references(text: str):
    assert is_reference(text)
    assert not malformed(text)
    assert not is_reference("x" + text)


@pytest.mark.parametrize("text", ["${vault:a}", "${env:}", "${file:/a}", "${secret:t}", "${", "${env:A"])
def test_no_references(text: str):
    assert malformed(text)


def test_a_secrets_folder_that_a_reference_cannot_name_is_refused():
    with pytest.raises(ValueError, match="must not hold"):
        in_folder(Path("/a:b"))

"""A connector's configuration against the known ways to lose data: the profile has none of them, and each is named where it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors import definition, profile
from connectors.check.configuration import configuration, shared
from connectors.check.losses import known
from connectors.listed import CHECKS

ROOT = Path(__file__).resolve().parents[2]
FILES = {"postgres": "trading.yaml", "mariadb": "portfolio.mariadb.yaml"}


def expanded(kind: str) -> tuple[dict[str, str], str]:
    """What the profile makes of a definition, and its topic."""
    loaded = definition.load(ROOT / "connectors" / "definitions" / FILES[kind])
    return profile.configuration(profile.expand(loaded, lambda bundle, key: f"${{file:/s/{bundle}:{key}}}")), loaded.topic


def codes(kind: str, changed: dict[str, str | None], plugin: str = "3.7.0.Final") -> list[str]:
    live, topic = expanded(kind)
    live = {name: value for name, value in (live | changed).items() if value is not None}
    return [finding.code for finding in configuration(kind, live, plugin, topic)]


@pytest.mark.parametrize("kind", FILES)
def test_the_profile_loses_nothing(kind):
    assert codes(kind, {}) == []


RISKY: list[tuple[str, dict[str, str | None]]] = [
    ("skipped_operations", {"skipped.operations": "t"}),
    ("skipped_operations", {"skipped.operations": None}),
    *(("snapshot_mode", {"snapshot.mode": mode}) for mode in ("never", "no_data", "always", "initial_only", "when_needed")),
    ("snapshot_partial", {"snapshot.select.statement.overrides": "public.orders"}),
    ("snapshot_partial", {"snapshot.include.collection.list": "public.orders"}),
    ("errors_tolerance", {"errors.tolerance": "all"}),
    ("failure_mode", {"event.processing.failure.handling.mode": "warn"}),
    ("failure_mode", {"event.converting.failure.handling.mode": None}),
    ("publication_autocreate", {"publication.autocreate.mode": "filtered"}),
    ("offset_mismatch", {"offset.mismatch.strategy": None}),
    ("offset_mismatch", {"offset.mismatch.strategy": "trust_slot"}),
    ("lsn_flush_mode", {"lsn.flush.mode": "connector_and_driver"}),
    ("lsn_flush_mode", {"lsn.flush.mode": "manual"}),
    ("slot_drop", {"slot.drop.on.stop": "true"}),
    ("decimal_mode", {"decimal.handling.mode": "double"}),
    ("time_mode", {"time.precision.mode": "connect"}),
    ("time_mode", {"time.precision.mode": "nanoseconds"}),
    ("unknown_datatypes", {"include.unknown.datatypes": None}),
    ("transaction_metadata", {"provide.transaction.metadata": "false"}),
    ("exactly_once", {"exactly.once.support": "requested"}),
    ("exactly_once", {"transaction.boundary": "interval"}),
    ("topic_routing", {"transforms": None}),
    ("topic_routing", {"transforms.one.replacement": "elsewhere"}),
    ("topic_routing", {"transforms.one.regex": "trading.*"}),
    ("converter", {"value.converter": "io.confluent.connect.avro.AvroConverter"}),
    ("converter", {"key.converter": None}),
    ("converter", {"value.converter.schemas.enable": "false"}),
    ("unwrapped", {"transforms": "one,un", "transforms.un.type": "io.debezium.transforms.ExtractNewRecordState"}),
    ("records_filtered", {"transforms": "one,f", "transforms.f.type": "io.debezium.transforms.Filter"}),
    ("records_filtered", {"transforms": "one,f", "transforms.f.type": "org.apache.kafka.connect.transforms.Filter"}),
    ("values_truncated", {"transforms": "one,e", "transforms.e.type": "io.debezium.transforms.EnforceRecordSize"}),
    ("values_truncated", {"column.truncate.to.20.chars": "public.orders.note"}),
    ("columns_altered", {"column.mask.with.10.chars": "public.orders.note"}),
    ("columns_altered", {"column.exclude.list": "public.orders.note"}),
    ("columns_altered", {"message.key.columns": "public.orders:note"}),
    ("columns_altered", {"transforms": "one,m", "transforms.m.type": "org.apache.kafka.connect.transforms.MaskField$Value"}),
    ("transform_unknown", {"transforms": "one,x", "transforms.x.type": "com.example.Magic"}),
    ("changes_skipped", {"skip.messages.without.change": "true"}),
    ("values_reselected", {"post.processors": "r", "r.type": "io.debezium.processors.reselect.ReselectColumnsPostProcessor"}),
    ("tombstones_off", {"tombstones.on.delete": "false"}),
    ("heartbeat_off", {"heartbeat.interval.ms": "0"}),
    ("heartbeat_off", {"heartbeat.action.query": None}),
    ("guardrail", {"guardrail.collections.max": "10"}),
    ("messages_filtered", {"message.prefix.exclude.list": "audit"}),
    ("secret_plain", {"database.password": "hunter2"}),
]


@pytest.mark.parametrize(("code", "changed"), RISKY)
def test_a_risky_setting_is_named(code, changed):
    assert codes("postgres", changed) == [code]


@pytest.mark.parametrize(
    ("code", "changed"),
    [
        ("unsigned_mode", {"bigint.unsigned.handling.mode": None}),
        ("time_adjuster", {"enable.time.adjuster": None}),
        ("ddl_skipped", {"schema.history.internal.skip.unparseable.ddl": "true"}),
        ("failure_mode", {"inconsistent.schema.handling.mode": "warn"}),
        ("time_mode", {"time.precision.mode": "connect"}),
    ],
)
def test_a_risky_setting_of_mariadb_is_named(code, changed):
    assert codes("mariadb", changed) == [code]


def test_no_value_is_shown_that_could_be_a_secret():
    live, topic = expanded("postgres")
    planted = "hunter2 ${x} !"
    for setting in live.keys() - {"transforms"}:  # that lists names
        found = list(configuration("postgres", live | {setting: planted}, "3.7.0.Final", topic))
        assert planted not in str(found)


@pytest.mark.parametrize(
    ("setting", "value", "plain"),
    [
        ("database.password", "${file:/s/trading.properties:password}", False),
        ("database.password", "${vault:database/creds:password}", False),
        ("schema.history.internal.consumer.sasl.jaas.config", 'Scram required username="u" password="hunter2";', True),
        ("schema.history.internal.consumer.sasl.jaas.config", 'Scram required username="u" password="${file:/s:p}";', False),
        ("signal.kafka.token", "abc", True),
    ],
)
def test_what_counts_as_a_secret_in_plain_text(setting, value, plain):
    assert ("secret_plain" in codes("postgres", {setting: value})) is plain


def test_threads_of_a_snapshot_matter_before_3_7():
    assert codes("postgres", {"snapshot.max.threads": "4"}, "3.6.1.Final") == ["snapshot_threads"]
    assert codes("postgres", {"snapshot.max.threads": "4"}) == []


def test_what_connectors_must_not_share():
    one, _ = expanded("postgres")
    other = one | {"topic.prefix": "b", "slot.name": "cdc_b", "transforms.one.replacement": "b", "database.dbname": "b"}
    assert list(shared({"a": one, "b": other})) == []
    twins = {(name, finding.code) for name, finding in shared({"a": one, "b": dict(one)})}
    assert twins == {(name, code) for name in "ab" for code in ("slot_shared", "name_shared", "topic_shared", "signal_shared")}


@pytest.mark.parametrize(
    ("kind", "plugin", "issues"),
    [
        ("postgres", "3.7.0.Final", []),
        ("postgres", "3.6.1.Final", ["dbz#1554", "dbz#76", "dbz#2330"]),
        ("postgres", "3.6.0.Final", ["dbz#1554", "dbz#76", "dbz#2330"]),
        ("postgres", "3.2.0.Final", ["dbz#1554", "dbz#76", "dbz#2330", "dbz#1508", "DBZ-9641", "DBZ-9337"]),
        ("mariadb", "3.5.0.Final", []),
        ("mariadb", "3.7.0.Final", []),
        ("postgres", "", []),
    ],
)
def test_known_losses_of_a_version(kind, plugin, issues):
    assert [finding.place for finding in known(kind, plugin)] == issues


def test_every_rule_is_listed():
    assert {code for code, _ in RISKY} <= set(CHECKS)

"""A connector's configuration against the known ways to lose data: the profile has none of them, and each is named where it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from connectors import definition, profile
from connectors.check.configuration import configuration, shared
from connectors.check.losses import known
from connectors.invariants import refusal
from connectors.kinds import KINDS
from connectors.listed import CHECKS
from connectors.listed.configuration import RISKS, UNSET
from connectors.secrets import in_plain
from tests.unit.test_connectors_definition import HERE, of_kind


def expanded(kind: str) -> dict[str, str]:
    """What the profile makes of a definition."""
    loaded = definition.parse(of_kind(kind), HERE)
    return profile.configuration(profile.expand(loaded, lambda bundle, key: f"${{file:/s/{bundle}:{key}}}"))


def codes(kind: str, changed: Mapping[str, str | None], plugin: str = "") -> list[str]:
    wanted = expanded(kind)
    live = {name: value for name, value in (wanted | dict(changed)).items() if value is not None}
    return [finding.code for finding in configuration(kind, live, wanted, plugin)]


def transform(class_name: str) -> dict[str, str | None]:
    return {"transforms": "its, one", "transforms.its.type": class_name}


@pytest.mark.parametrize("kind", KINDS)
def test_the_profile_loses_nothing(kind):
    assert codes(kind, {}) == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_connector_of_which_nothing_is_said_has_every_loss_of_the_defaults(kind):
    """And the profile says otherwise of each: no default is relied upon."""
    wanted = expanded(kind)
    found = [finding.place for finding in configuration(kind, {}, wanted)]
    assert found == [*sorted(UNSET[kind]), "transforms"]
    assert UNSET[kind].keys() <= wanted.keys()


P, M, G, S = "postgres", "mariadb", "mongodb", "sqlserver"
RISKY: list[tuple[str, str, dict[str, str | None]]] = [
    (P, "skipped_operations", {"skipped.operations": "t"}),
    (P, "skipped_operations", {"skipped.operations": None}),
    *((P, "snapshot_mode", {"snapshot.mode": mode}) for mode in ("never", "no_data", "always", "initial_only", "when_needed")),
    (P, "snapshot_partial", {"snapshot.select.statement.overrides": "public.orders"}),
    (P, "snapshot_partial", {"snapshot.select.statement.overrides.public.a": "SELECT 1"}),
    (P, "snapshot_partial", {"snapshot.include.collection.list": "public.orders"}),
    (G, "snapshot_partial", {"snapshot.collection.filter.overrides.a.b": "{}"}),
    (M, "snapshot_threads", {"snapshot.max.threads": "4"}),
    (P, "snapshot_isolation", {"snapshot.isolation.mode": "read_committed"}),
    (S, "snapshot_isolation", {"snapshot.isolation.mode": None}),
    (P, "snapshot_unlocked", {"snapshot.locking.mode": "none"}),
    (P, "snapshot_unlocked", {"snapshot.locking.mode": None}),
    (M, "snapshot_unlocked", {"snapshot.locking.mode": "none"}),
    (P, "publication_autocreate", {"publication.autocreate.mode": "filtered"}),
    (P, "partition_names", {"publish.via.partition.root": "false"}),
    (P, "identity_autoset", {"replica.identity.autoset.values": "public.*:DEFAULT"}),
    (P, "offset_mismatch", {"offset.mismatch.strategy": None}),
    (P, "offset_mismatch", {"offset.mismatch.strategy": "trust_slot"}),
    (P, "lsn_flush_mode", {"lsn.flush.mode": "connector_and_driver"}),
    (P, "lsn_flush_mode", {"lsn.flush.mode": "manual"}),
    (P, "slot_drop", {"slot.drop.on.stop": "true"}),
    (G, "capture_mode", {"capture.mode": "change_streams"}),
    (G, "capture_mode", {"capture.mode.full.update.type": None}),
    (P, "changes_skipped", {"skip.messages.without.change": "true"}),
    (G, "changes_filtered", {"cursor.pipeline": "[]"}),
    (P, "messages_filtered", {"message.prefix.exclude.list": "audit"}),
    (P, "capture_narrowed", {"slot.stream.params": "origin=none"}),
    (P, "guardrail", {"guardrail.collections.max": "10"}),
    (P, "errors_tolerance", {"errors.tolerance": "all"}),
    (P, "failure_mode", {"event.processing.failure.handling.mode": "warn"}),
    (P, "failure_mode", {"event.converting.failure.handling.mode": "skip"}),
    (P, "failure_mode", {"event.converting.failure.handling.mode": None}),
    (M, "failure_mode", {"inconsistent.schema.handling.mode": "warn"}),
    (G, "failure_mode", {"cursor.oversize.handling.mode": "skip"}),
    (M, "ddl_skipped", {"schema.history.internal.skip.unparseable.ddl": "true"}),
    (P, "gives_up", {"errors.max.retries": "3"}),
    (P, "decimal_mode", {"decimal.handling.mode": "double"}),
    (P, "time_mode", {"time.precision.mode": "connect"}),
    (P, "time_mode", {"time.precision.mode": "nanoseconds"}),
    (M, "time_mode", {"time.precision.mode": "isostring"}),
    (P, "interval_mode", {"interval.handling.mode": "numeric"}),
    (M, "unsigned_mode", {"bigint.unsigned.handling.mode": None}),
    (M, "unsigned_mode", {"bigint.unsigned.handling.mode": "long"}),
    (M, "time_adjuster", {"enable.time.adjuster": None}),
    (P, "unknown_datatypes", {"include.unknown.datatypes": None}),
    (P, "unknown_datatypes", {"include.unknown.datatypes": "false"}),
    (P, "placeholder", {"unavailable.value.placeholder": "x"}),
    (P, "value_spelling", {"decimal.handling.mode": "precise"}),
    (P, "value_spelling", {"time.precision.mode": "adaptive"}),
    (P, "transaction_metadata", {"provide.transaction.metadata": "false"}),
    (P, "exactly_once", {"exactly.once.support": "requested"}),
    (P, "exactly_once", {"transaction.boundary": "interval"}),
    (P, "topic_routing", {"transforms": None}),
    (P, "topic_routing", {"transforms.one.replacement": "elsewhere"}),
    (P, "topic_routing", {"transforms.one.regex": "trading.*"}),
    (P, "topic_routing", transform("io.debezium.transforms.ContentBasedRouter")),
    (P, "converter", {"value.converter": "io.confluent.connect.avro.AvroConverter"}),
    (P, "converter", {"key.converter": None}),
    (P, "converter", {"value.converter.schemas.enable": "false"}),
    (P, "converter_unknown", {"converters": "mine"}),
    (P, "unwrapped", transform("io.debezium.transforms.ExtractNewRecordState")),
    (G, "unwrapped", transform("io.debezium.connector.mongodb.transforms.ExtractNewDocumentState")),
    (P, "records_filtered", transform("io.debezium.transforms.Filter")),
    (P, "records_filtered", transform("org.apache.kafka.connect.transforms.Filter")),
    (P, "values_truncated", transform("io.debezium.transforms.EnforceRecordSize")),
    (P, "values_truncated", {"column.truncate.to.20.chars": "public.orders.note"}),
    (P, "columns_altered", {"column.mask.with.10.chars": "public.orders.note"}),
    (P, "columns_altered", {"column.exclude.list": "public.orders.note"}),
    (P, "columns_altered", {"message.key.columns": "public.orders:note"}),
    (P, "columns_altered", transform("org.apache.kafka.connect.transforms.MaskField$Value")),
    (P, "values_reselected", {"post.processors": "r", "r.type": "io.debezium.processors.reselect.ReselectColumnsPostProcessor"}),
    (P, "transform_unknown", transform("com.example.Magic")),
    (M, "schema_changes", {"include.schema.changes": "false"}),
    (P, "tombstones_off", {"tombstones.on.delete": "false"}),
    (P, "creation_compacted", {"topic.creation.default.cleanup.policy": "compact"}),
    (P, "creation_retention", {"topic.creation.default.retention.ms": "604800000"}),
    (M, "statements_recorded", {"include.query": "TRUE"}),
    (P, "values_logged", {"errors.log.include.messages": "true"}),
    (P, "heartbeat_off", {"heartbeat.interval.ms": "0"}),
    (P, "heartbeat_off", {"heartbeat.action.query": None}),
    (P, "heartbeat_off", {"heartbeat.action.query": "SELECT 1"}),
    (P, "signals_elsewhere", {"signal.enabled.channels": "kafka"}),
    (P, "secret_plain", {"database.password": "hunter2"}),
]
"""A kind of database, a check, and what a connector's configuration is changed to for it; None: not there."""


@pytest.mark.parametrize(("kind", "code", "changed"), RISKY)
def test_a_risky_setting_is_named(kind, code, changed):
    assert codes(kind, changed) == [code]


@pytest.mark.parametrize(("kind", "code", "changed"), RISKY)
def test_a_definition_that_says_it_is_told_the_same(kind, code, changed):
    """Whatever a definition may say; and what is an error of a connector is critical there."""
    said = tuple((name, value) for name, value in changed.items() if value is not None)
    if None in changed.values() or any(refusal(name, value) or in_plain(name, value) for name, value in said):
        return
    told = profile.overrides(replace(definition.parse(of_kind(kind), HERE), settings=said))
    severity = {"error": "critical"}.get(CHECKS[code].severity, CHECKS[code].severity)
    assert [(each.code, each.severity) for each in told if each.code] == [(code, severity)]


def test_every_risk_is_shown_here_and_listed():
    assert {risk.code for risk in RISKS} <= {code for _kind, code, _changed in RISKY} <= set(CHECKS)


def test_no_value_is_shown_that_could_be_a_secret():
    live = expanded("postgres")
    free = ("database.user", "database.password", "heartbeat.action.query", "signal.data.collection", "converters", "post.x")
    for planted, settings in (("hunter2 ${x} !", live.keys() - {"transforms"}), ("hunter2", free)):
        for setting in settings:
            assert "hunter2" not in str(list(configuration("postgres", live | {setting: planted}, live))), setting


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
    assert codes("postgres", {"snapshot.max.threads": "4"}, "3.7.0.Final") == []


def test_what_connectors_must_not_share():
    one = expanded("postgres")
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

"""Settings of a connector, each with its reason, and those that every kind of database shares (KIP-158: topics)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, TypeAlias

from connectors.definition import Definition
from connectors.kinds import KINDS
from connectors.secrets import SecretLookup, resolve

Origin: TypeAlias = Literal["profile", "definition", "override"]
"""Who says it: the profile of a kind, a field of the definition, or one of its raw ``settings``."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A value, why it is that one, and who says it."""

    value: str
    reason: str
    origin: Origin = "profile"


Settings = dict[str, Setting]


def said(value: str, reason: str) -> Setting:
    """A setting that a field of the definition decides."""
    return Setting(value, reason, "definition")


def include_patterns(definition: Definition) -> tuple[str, ...]:
    """The regular expressions of ``table.include.list``, in the order in which Debezium takes the snapshot."""
    always = tuple(re.escape(table) for table in KINDS[definition.kind].own_tables)
    but = "".join(f"(?!(?:{pattern})$)" for pattern in definition.exclude)
    schemas = tuple(f"{but}{re.escape(schema)}\\..*" for schema in definition.schemas)
    return always + schemas + tuple(f"{but}{re.escape(table)}" for table in definition.tables)


def connection(
    definition: Definition, secrets: SecretLookup, class_name: str, tasks: str, prefix: str = "database"
) -> Settings:
    """The connector's class, and how it logs in."""
    database = definition.database
    return {
        "connector.class": Setting(class_name, f"Debezium's {KINDS[definition.kind].title} connector"),
        "tasks.max": Setting("1", tasks),
        f"{prefix}.user": said(resolve(database.user, secrets), "database.user"),
        f"{prefix}.password": said(
            resolve(database.password, secrets),
            "database.password, a reference: the worker resolves it, REST never shows it",
        ),
    }


def address(definition: Definition, secrets: SecretLookup) -> Settings:
    """Where a server with host and port answers."""
    return {
        "database.hostname": said(resolve(definition.database.host, secrets), "database.host"),
        "database.port": said(resolve(definition.database.port, secrets), "database.port"),
    }


def topic_prefix(definition: Definition) -> Settings:
    """The source's name in every record."""
    return {
        "topic.prefix": said(
            definition.name, "name: the source's name inside every record; Connect's offsets hang on it"
        )
    }


def captured_tables(definition: Definition) -> Setting:
    """The tables, the heartbeat's first."""
    first = KINDS[definition.kind].own_tables[0]
    return said(
        ",".join(include_patterns(definition)),
        "schemas, tables, exclude; the snapshot follows this order:"
        f" {first} first, so that the source epoch stands before all rows",
    )


def signals(definition: Definition, collection: str) -> Settings:
    """Signals out of the source's own log, notifications into the one topic."""
    return {
        "signal.enabled.channels": Setting("source", "a signal takes its place in the source's own log"),
        "signal.data.collection": Setting(collection, "signals are rows of this table"),
        "notification.enabled.channels": Setting("sink", "when a baseline began and was complete is evidence"),
        "notification.sink.topic.name": Setting(
            f"{definition.name}.notifications", "routed into the one topic like all else"
        ),
    }


def one_topic(definition: Definition) -> Settings:
    """Everything that the connector emits in one topic with one partition, whatever the database."""
    route = "org.apache.kafka.connect.transforms.RegexRouter"
    json = "org.apache.kafka.connect.json.JsonConverter"
    created = "for the topic when Connect creates it: "
    return {
        "transforms": Setting("one", "rows, transactions, messages, heartbeats, notifications: one order"),
        "transforms.one.type": Setting(route, "renames every record's topic"),
        "transforms.one.regex": Setting(".*", "every record"),
        "transforms.one.replacement": said(definition.topic, "topic: the source's one topic"),
        "topic.creation.default.partitions": Setting("1", created + "order exists within a partition only"),
        "topic.creation.default.replication.factor": said(
            str(definition.replication_factor), created + "replication_factor"
        ),
        "topic.creation.default.cleanup.policy": Setting("delete", created + "compaction would erase history"),
        "topic.creation.default.retention.ms": Setting("-1", created + "nothing goes before the warehouse has it"),
        "topic.creation.default.compression.type": Setting(
            "zstd", created + "schemas repeat: a record shrinks to about 90 bytes"
        ),
        "key.converter": Setting(json, "keys carry their types"),
        "key.converter.schemas.enable": Setting("true", "keys carry their types"),
        "value.converter": Setting(json, "each record carries its types: no registry that must outlive it"),
        "value.converter.schemas.enable": Setting("true", "each record carries its types"),
    }


def once(skipping: str) -> Settings:
    """Exactly once, and no operation left out; ``skipping`` says what the kind would leave out by default."""
    return {
        "exactly.once.support": Setting(
            "required", "without it a killed worker repeats records; refused if the worker cannot"
        ),
        "transaction.boundary": Setting(
            "poll", "one Kafka transaction per poll: records and source offset commit together"
        ),
        "provide.transaction.metadata": Setting("true", "END counts prove that a transaction arrived whole"),
        "skipped.operations": Setting("none", skipping),
        "tombstones.on.delete": Setting("true", "consumers of an audit topic see deletes however they read it"),
    }


def failing() -> Settings:
    """What cannot be handled stops the task, and what is down is waited for."""
    return {
        "event.processing.failure.handling.mode": Setting("fail", "an event that cannot be handled stops the task"),
        "event.converting.failure.handling.mode": Setting(
            "fail", "the default writes null for a value it cannot convert"
        ),
        "errors.tolerance": Setting("none", "converters and transforms skip nothing"),
        "errors.max.retries": Setting("-1", "a source that is down is waited for, without a person"),
        "retriable.restart.connector.wait.ms": Setting("2000", "how soon it tries again"),
        "extended.headers.enabled": Setting(
            "false", "three headers on every record that nothing reads, and that cost its reader more than they say"
        ),
    }


def heartbeat(definition: Definition, also: str) -> Settings:
    """How often a heartbeat comes; ``also`` says what it does besides making silence visible."""
    return {
        "heartbeat.interval.ms": said(
            str(definition.heartbeat_interval_ms), f"heartbeat_interval_ms: silence becomes visible{also}"
        )
    }


def queue(definition: Definition) -> Settings:
    """How soon and how much at once."""
    return {
        "poll.interval.ms": said(
            str(definition.poll_interval_ms), "poll_interval_ms, freshness: how long an idle task sleeps"
        ),
        "max.batch.size": Setting("4096", "records per poll, so per Kafka transaction"),
        "max.queue.size": Setting("16384", "four batches between the reader and Kafka"),
        "max.queue.size.in.bytes": Setting("67108864", "64 MiB: wide rows must not exhaust the worker's memory"),
    }


def table_history(definition: Definition, secrets: SecretLookup, why: str) -> Settings:
    """The topic that keeps the tables as they were at each position; ``why`` says what the kind's log lacks."""
    history = "schema.history.internal."
    return {
        history + "kafka.bootstrap.servers": said(
            resolve(definition.schema_history, secrets), "schema_history.bootstrap_servers"
        ),
        history + "kafka.topic": Setting(
            f"{definition.name}.schema-history",
            f"the tables as they were at each position: {why}. Keep it as long as the connector: without it a restart"
            " cannot read on",
        ),
        history + "skip.unparseable.ddl": Setting("false", "a table that is not understood stops the task"),
        history + "store.only.captured.tables.ddl": Setting("false", "a table that is captured later is known then"),
    }

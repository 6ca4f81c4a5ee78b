"""Settings of a connector, each with its reason, and those that every kind of database shares (KIP-158: topics)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from connectors.definition import HEARTBEAT, SIGNAL, Definition


@dataclass(frozen=True, slots=True)
class Setting:
    """A value, and why it is that one."""

    value: str
    reason: str


Settings = dict[str, Setting]


def include_patterns(definition: Definition) -> tuple[str, ...]:
    """The regular expressions of ``table.include.list``, in the order in which Debezium takes the snapshot."""
    always = tuple(re.escape(table) for table in (HEARTBEAT, SIGNAL))
    but = "".join(f"(?!(?:{pattern})$)" for pattern in definition.exclude)
    schemas = tuple(f"{but}{re.escape(schema)}\\..*" for schema in definition.schemas)
    return always + schemas + tuple(f"{but}{re.escape(table)}" for table in definition.tables)


def one_topic(definition: Definition) -> Settings:
    """Everything that the connector emits in one topic with one partition, whatever the database."""
    route = "org.apache.kafka.connect.transforms.RegexRouter"
    json = "org.apache.kafka.connect.json.JsonConverter"
    created = "for the topic when Connect creates it: "
    return {
        "transforms": Setting("one", "rows, transactions, messages, heartbeats, notifications: one order"),
        "transforms.one.type": Setting(route, "renames every record's topic"),
        "transforms.one.regex": Setting(".*", "every record"),
        "transforms.one.replacement": Setting(definition.topic, "the source's one topic"),
        "topic.creation.default.partitions": Setting("1", created + "order exists within a partition only"),
        "topic.creation.default.replication.factor": Setting(
            str(definition.replication_factor), created + "from the definition"
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

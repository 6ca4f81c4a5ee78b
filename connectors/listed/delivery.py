# ruff: noqa: E501 - lines of a table
"""Checks of Kafka and Kafka Connect."""

from __future__ import annotations

from connectors.listed.entry import listed

KAFKA = listed(
    "kafka",
    ("kafka_unreachable", "error", "without a broker nothing is captured or replicated", "start it; mend [kafka]"),
    ("topic_missing", "error", "there is nothing to replicate", "cdc connectors apply NAME: the connector makes the topic"),
    ("topic_partitions", "error", "only within one partition do a source's records have an order", "docs/operations.md, Halts, partition-count"),
    ("topic_compacted", "error", "compaction deletes all but the last record of a key: it erases history", "kafka-configs.sh --alter --entity-type topics --entity-name TOPIC --add-config cleanup.policy=delete"),
    ("topic_retention", "warning", "records that are deleted before the warehouse has them are lost", "kafka-configs.sh --alter --entity-type topics --entity-name TOPIC --add-config retention.ms=-1,retention.bytes=-1"),
    ("retention_headroom", "error", "the worker is behind, and what it has to read next is deleted soon", "start the worker (cdc replicate NAME), or raise retention.ms now"),
    ("position_lost", "error", "Kafka no longer has the record that the worker continues with", "cdc stream show NAME"),
    ("topic_replication", "warning", "one copy: a broker whose disk is lost takes with it what the warehouse does not have yet", "a replication factor of 3"),
    ("min_insync", "warning", "with min.insync.replicas below 2 a record is acknowledged when one broker has it", "min.insync.replicas=2 for the topic"),
    ("unclean_election", "error", "a replica that lacks acknowledged records may become leader: those are lost", "unclean.leader.election.enable=false"),
    ("message_size", "warning", "a row change larger than this stops the connector: both images of a row are one record", "max.message.bytes of the topic, max.request.size of Connect's producers"),
    ("topic_held_back", "error", "a Kafka transaction that does not end keeps readers from all that follows it", "docs/operations.md, Held back"),
    ("topic_uncompressed", "info", "each record carries its schema: without compression the topic is many times as large", "compression.type zstd for the topic or Connect's producers"),
    ("schema_history", "error", "without the whole history of its tables' definitions a MariaDB connector cannot read on after a restart", "retention.ms=-1, retention.bytes=-1, cleanup.policy=delete for that topic"),
)  # fmt: skip

CONNECT = listed(
    "connect",
    ("connect_unreachable", "error", "without a worker nothing is captured, and the source keeps WAL", "start it; mend [connect]"),
    ("connect_unhealthy", "error", "a worker that cannot do its own work starts, restarts and mends nothing", "the worker's log has the cause; restart it"),
    ("connect_version", "error", "exactly-once source connectors (KIP-618) came with Kafka 3.3", "upgrade the workers"),
    ("connect_other_cluster", "error", "the connector writes to another Kafka cluster than the replicator reads", "[connect] url, or [kafka]"),
    ("plugin_missing", "error", "without the plugin no connector of that kind runs", "plugin.path of the workers must name its folder"),
    ("plugin_version", "error", "before this version rows can be lost or changed", "install a later version on the workers"),
    ("connector_missing", "error", "the source is configured here, and not captured", "cdc connectors apply NAME"),
    ("connector_failed", "error", "a failed task captures nothing, and the source keeps WAL for it", "mend the cause, then cdc connectors apply NAME"),
    ("connector_stopped", "warning", "a paused or stopped connector captures nothing, and the source keeps WAL for it", "cdc connectors apply NAME"),
    ("exactly_once_worker", "error", "the worker does not do exactly-once delivery: it refuses the connector, or repeats records", "exactly.once.source.support=enabled on every worker"),
    ("configuration_invalid", "error", "Kafka Connect would refuse this configuration at the next start", "cdc connectors apply NAME"),
)  # fmt: skip

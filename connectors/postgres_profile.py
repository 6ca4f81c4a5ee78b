"""The evidence-grade profile: a definition becomes the complete configuration of a Debezium 3.7 PostgreSQL connector.

Every setting carries its reason. A setting whose default is the right one is still written when the evidence hangs on
it: defaults change between versions. Sources: Debezium 3.7 documentation, "PostgreSQL connector"; KIP-618 (exactly-once
sources).
"""

from __future__ import annotations

from connectors.definition import HEARTBEAT, SIGNAL, Definition
from connectors.secrets import SecretLookup, resolve
from connectors.setting import Setting, Settings, include_patterns, one_topic

CONNECTOR_CLASS = "io.debezium.connector.postgresql.PostgresConnector"
LEAST_VERSION = (3, 7, 0)
"""Older connectors lose rows that share an LSN when they are restarted in the middle of them (dbz#1554)."""

HEARTBEAT_QUERY = (
    f"UPDATE {HEARTBEAT} SET beat_at = clock_timestamp(), "
    "system_identifier = (SELECT system_identifier::text FROM pg_control_system()), "
    "timeline = (SELECT timeline_id FROM pg_control_checkpoint())"
)


def expand(definition: Definition, secrets: SecretLookup) -> Settings:
    """The whole configuration with its reasons."""
    return {
        **_connection(definition, secrets),
        **_captured(definition),
        **one_topic(definition),
        **_nothing_lost(),
        **_exact_values(),
        **_liveness(definition),
    }


def _connection(definition: Definition, secrets: SecretLookup) -> Settings:
    database = definition.database
    settings = {
        "connector.class": Setting(CONNECTOR_CLASS, "Debezium's PostgreSQL connector"),
        "tasks.max": Setting("1", "a replication slot has one reader"),
        "database.hostname": Setting(resolve(database.host, secrets), "from the definition"),
        "database.port": Setting(resolve(database.port, secrets), "from the definition"),
        "database.dbname": Setting(database.name, "from the definition"),
        "database.user": Setting(resolve(database.user, secrets), "from the definition"),
        "database.password": Setting(
            resolve(database.password, secrets), "a reference: the worker resolves it, REST never shows it"
        ),
        "database.sslmode": Setting(database.sslmode, "from the definition"),
        "plugin.name": Setting("pgoutput", "part of PostgreSQL since version 10: nothing to install on the source"),
        "slot.name": Setting(definition.slot, "one slot per connector"),
        "publication.name": Setting(definition.publication, "made by the database's owner"),
        "publication.autocreate.mode": Setting(
            "disabled", "an automatic publication can leave out TRUNCATE and tables"
        ),
    }
    if database.sslrootcert is not None:
        settings["database.sslrootcert"] = Setting(resolve(database.sslrootcert, secrets), "from the definition")
    return settings


def _captured(definition: Definition) -> Settings:
    return {
        "topic.prefix": Setting(definition.name, "the source's name inside every record; Connect's offsets hang on it"),
        "table.include.list": Setting(
            ",".join(include_patterns(definition)),
            f"the snapshot follows this order: {HEARTBEAT} first, so that the source epoch stands before all rows",
        ),
        "publish.via.partition.root": Setting("true", "rows of partitions carry the name of their table"),
        "schema.refresh.mode": Setting("columns_diff", "an ALTER is noticed at the next row"),
        "snapshot.mode": Setting("initial", "one baseline, then the log; never a silent second one"),
        "snapshot.isolation.mode": Setting(
            "repeatable_read", "the exported snapshot of the slot: exactly what was committed before it"
        ),
        "snapshot.locking.mode": Setting(
            "shared",
            "ACCESS SHARE on all tables until all are read: one that is truncated or rewritten before it is read would"
            " read as empty",
        ),
        "snapshot.lock.timeout.ms": Setting("10000", "so long each of them is waited for; then the task fails"),
        "snapshot.max.threads": Setting("1", "a parallel snapshot is not consistent across its connections (dbz#2330)"),
        "signal.enabled.channels": Setting("source", "a signal takes its place in the source's own log"),
        "signal.data.collection": Setting(SIGNAL, "signals are rows of this table"),
        "notification.enabled.channels": Setting("sink", "when a baseline began and was complete is evidence"),
        "notification.sink.topic.name": Setting(
            f"{definition.name}.notifications", "routed into the one topic like all else"
        ),
    }


def _nothing_lost() -> Settings:
    return {
        "exactly.once.support": Setting(
            "required", "without it a killed worker repeats records; refused if the worker cannot"
        ),
        "transaction.boundary": Setting(
            "poll", "one Kafka transaction per poll: records and source offset commit together"
        ),
        "provide.transaction.metadata": Setting("true", "END counts prove that a transaction arrived whole"),
        "skipped.operations": Setting("none", "Debezium leaves out TRUNCATE by default"),
        "tombstones.on.delete": Setting("true", "consumers of an audit topic see deletes however they read it"),
        "offset.mismatch.strategy": Setting(
            "trust_offset", "a recreated slot fails loudly; the default goes on with a hole"
        ),
        "lsn.flush.mode": Setting(
            "connector", "the slot moves after Kafka has the records, never by the driver's keep-alive"
        ),
        "event.processing.failure.handling.mode": Setting("fail", "an event that cannot be handled stops the task"),
        "event.converting.failure.handling.mode": Setting(
            "fail", "the default writes null for a value it cannot convert"
        ),
        "errors.tolerance": Setting("none", "converters and transforms skip nothing"),
        "errors.max.retries": Setting("-1", "a source that is down is waited for, without a person"),
        "retriable.restart.connector.wait.ms": Setting("2000", "how soon it tries again"),
        "include.unknown.datatypes": Setting("true", "the default drops columns of types that Debezium does not know"),
        "extended.headers.enabled": Setting(
            "false", "three headers on every record that nothing reads, and that cost its reader more than they say"
        ),
    }


def _exact_values() -> Settings:
    return {
        "decimal.handling.mode": Setting("string", "decimals in full, NaN and infinity included"),
        "time.precision.mode": Setting("isostring", "all digits, no overflow outside 1677 to 2262"),
        "interval.handling.mode": Setting("string", "months, days and seconds stay apart"),
        "binary.handling.mode": Setting("base64", "bytes as text that JSON can carry"),
        "hstore.handling.mode": Setting("json", "one text per value"),
        "column.propagate.source.type": Setting(".*", "each column names its PostgreSQL type, length and scale"),
    }


def _liveness(definition: Definition) -> Settings:
    return {
        "heartbeat.interval.ms": Setting(
            str(definition.heartbeat_interval_ms), "silence becomes visible, and a quiet source's slot moves"
        ),
        "heartbeat.action.query": Setting(
            HEARTBEAT_QUERY, "the stream itself says which cluster and timeline it comes from"
        ),
        "poll.interval.ms": Setting(str(definition.poll_interval_ms), "freshness: how long an idle task sleeps"),
        "max.batch.size": Setting("4096", "records per poll, so per Kafka transaction"),
        "max.queue.size": Setting("16384", "four batches between the reader and Kafka"),
        "max.queue.size.in.bytes": Setting("67108864", "64 MiB: wide rows must not exhaust the worker's memory"),
    }

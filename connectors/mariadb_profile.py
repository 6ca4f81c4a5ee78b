"""The evidence-grade profile of a Debezium 3.5 MariaDB connector. Every setting carries its reason.

Sources: Debezium 3.5 documentation, "MariaDB connector"; KIP-618. What it writes under these settings was read off a
real one (``tests/golden``).
"""

from __future__ import annotations

from connectors.definition import HEARTBEAT, SIGNAL, Definition
from connectors.secrets import SecretLookup, resolve
from connectors.setting import Setting, Settings, include_patterns, one_topic

CONNECTOR_CLASS = "io.debezium.connector.mariadb.MariaDbConnector"
LEAST_VERSION = (3, 5, 0)
"""The first that stops at a value it cannot convert (dbz#1508)."""

HEARTBEAT_QUERY = (
    f"UPDATE {HEARTBEAT} SET beat_at = now(6), timeline = concat(@@gtid_domain_id, '-', @@server_id) WHERE id = 1"
)


def expand(definition: Definition, secrets: SecretLookup) -> Settings:
    """The whole configuration with its reasons."""
    return {
        **_connection(definition, secrets),
        **_captured(definition),
        **_one_topic(definition),
        **_history(definition, secrets),
        **_nothing_lost(),
        **_exact_values(),
        **_liveness(definition),
    }


def _connection(definition: Definition, secrets: SecretLookup) -> Settings:
    database = definition.database
    settings = {
        "connector.class": Setting(CONNECTOR_CLASS, "Debezium's MariaDB connector"),
        "tasks.max": Setting("1", "a binary log has one order"),
        "database.hostname": Setting(resolve(database.host, secrets), "from the definition"),
        "database.port": Setting(resolve(database.port, secrets), "from the definition"),
        "database.user": Setting(resolve(database.user, secrets), "from the definition"),
        "database.password": Setting(
            resolve(database.password, secrets), "a reference: the worker resolves it, REST never shows it"
        ),
        "database.server.id": Setting(
            str(definition.server_id), "from the definition; by default it is random, and two alike end each other"
        ),
        "database.ssl.mode": Setting(database.sslmode, "from the definition; the default falls back to plain text"),
        "driver.yearIsDateType": Setting("false", "else the snapshot stops at the year 0000"),
    }
    if database.sslrootcert is not None:
        settings["driver.serverSslCert"] = Setting(resolve(database.sslrootcert, secrets), "from the definition")
    return settings


def _captured(definition: Definition) -> Settings:
    return {
        "topic.prefix": Setting(definition.name, "the source's name inside every record; Connect's offsets hang on it"),
        "table.include.list": Setting(
            ",".join(include_patterns(definition)),
            f"the snapshot follows this order: {HEARTBEAT} first, so that the source epoch stands before all rows",
        ),
        "include.schema.changes": Setting("true", "where in the order of events a table changed is evidence"),
        "include.query": Setting("false", "statements hold values that the policy protects"),
        "snapshot.mode": Setting("initial", "one baseline, then the log; never a silent second one"),
        "snapshot.locking.mode": Setting("minimal", "a global read lock while the position is read: one cut"),
        "snapshot.max.threads": Setting("1", "rows in one order"),
        "signal.enabled.channels": Setting("source", "a signal takes its place in the source's own log"),
        "signal.data.collection": Setting(SIGNAL, "signals are rows of this table"),
        "notification.enabled.channels": Setting("sink", "when a baseline began and was complete is evidence"),
        "notification.sink.topic.name": Setting(
            f"{definition.name}.notifications", "routed into the one topic like all else"
        ),
    }


def _one_topic(definition: Definition) -> Settings:
    exact = "bigint unsigned as digits: the default is base64 of its bytes"
    return {
        **one_topic(definition),
        "key.converter.decimal.format": Setting("NUMERIC", exact),
        "value.converter.decimal.format": Setting("NUMERIC", exact),
    }


def _history(definition: Definition, secrets: SecretLookup) -> Settings:
    history = "schema.history.internal."
    return {
        history + "kafka.bootstrap.servers": Setting(
            resolve(definition.schema_history, secrets), "from the definition"
        ),
        history + "kafka.topic": Setting(
            f"{definition.name}.schema-history",
            "the tables as they were at each position: the binary log has no names of columns. Keep it as long as the"
            " connector: without it a restart cannot read on",
        ),
        history + "skip.unparseable.ddl": Setting("false", "a table that is not understood stops the task"),
        history + "store.only.captured.tables.ddl": Setting("false", "a table that is captured later is known then"),
    }


def _nothing_lost() -> Settings:
    fail = "an event that cannot be handled stops the task"
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
        "event.processing.failure.handling.mode": Setting("fail", fail),
        "event.deserialization.failure.handling.mode": Setting("fail", fail),
        "event.converting.failure.handling.mode": Setting(
            "fail", "the default writes null for a value it cannot convert"
        ),
        "inconsistent.schema.handling.mode": Setting("fail", "a table whose columns are not known is not passed over"),
        "errors.tolerance": Setting("none", "converters and transforms skip nothing"),
        "errors.max.retries": Setting("-1", "a source that is down is waited for, without a person"),
        "retriable.restart.connector.wait.ms": Setting("2000", "how soon it tries again"),
        "extended.headers.enabled": Setting(
            "false", "three headers on every record that nothing reads, and that cost its reader more than they say"
        ),
    }


def _exact_values() -> Settings:
    return {
        "decimal.handling.mode": Setting("string", "decimals in full"),
        "bigint.unsigned.handling.mode": Setting("precise", "the default turns 2^63 and above negative"),
        "time.precision.mode": Setting(
            "adaptive_time_microseconds", "all digits; isostring stops at times of 24 hours and more"
        ),
        "enable.time.adjuster": Setting("false", "the default moves years before 100 into this century"),
        "binary.handling.mode": Setting("base64", "bytes as text that JSON can carry"),
        "column.propagate.source.type": Setting(".*", "each column names its MariaDB type, length and scale"),
    }


def _liveness(definition: Definition) -> Settings:
    return {
        "heartbeat.interval.ms": Setting(
            str(definition.heartbeat_interval_ms), "silence becomes visible, and each one ends a DDL before it"
        ),
        "heartbeat.action.query": Setting(
            HEARTBEAT_QUERY, "the stream itself says which server and GTID domain it comes from"
        ),
        "connect.keep.alive.interval.ms": Setting(
            str(definition.heartbeat_interval_ms * 5 // 4),
            "on a quiet server heartbeats come when the server shows signs of life: every 0.8 of this",
        ),
        "poll.interval.ms": Setting(str(definition.poll_interval_ms), "freshness: how long an idle task sleeps"),
        "max.batch.size": Setting("4096", "records per poll, so per Kafka transaction"),
        "max.queue.size": Setting("16384", "four batches between the reader and Kafka"),
        "max.queue.size.in.bytes": Setting("67108864", "64 MiB: wide rows must not exhaust the worker's memory"),
    }

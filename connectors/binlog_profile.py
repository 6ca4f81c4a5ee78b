"""What the profiles of MariaDB and MySQL share: both read a binary log, through connectors of one family.

Sources: Debezium 3.5 and 3.6 documentation, "MariaDB connector" and "MySQL connector"; KIP-618.
"""

from __future__ import annotations

from connectors.definition import Definition
from connectors.kinds import KINDS, SIGNAL
from connectors.secrets import SecretLookup, resolve
from connectors.setting import (
    Setting,
    Settings,
    address,
    captured_tables,
    connection,
    failing,
    heartbeat,
    once,
    one_topic,
    queue,
    said,
    signals,
    table_history,
    topic_prefix,
)


def expand(
    definition: Definition, secrets: SecretLookup, *, class_name: str, login: Settings, beat: Setting
) -> Settings:
    """The whole configuration; ``login``: how it logs in besides, ``beat``: the statement of a heartbeat."""
    return {
        **_connection(definition, secrets, class_name),
        **login,
        **_captured(definition),
        **_one_topic(definition),
        **table_history(definition, secrets, "the binary log has no names of columns"),
        **once("Debezium leaves out TRUNCATE by default"),
        **_nothing_lost(),
        **_exact_values(definition),
        **_liveness(definition, beat),
    }


def _connection(definition: Definition, secrets: SecretLookup, class_name: str) -> Settings:
    return {
        **connection(definition, secrets, class_name, "a binary log has one order"),
        **address(definition, secrets),
        **_authority(definition, secrets),
        "database.server.id": said(
            str(definition.server_id), "server_id; by default it is random, and two alike end each other"
        ),
        "driver.yearIsDateType": Setting("false", "else the snapshot stops at the year 0000"),
    }


def _authority(definition: Definition, secrets: SecretLookup) -> Settings:
    root = definition.database.sslrootcert
    if root is None:
        return {}
    why = "database.sslrootcert; queries and the reader of the binary log both check the server by this store alone"
    return {"database.ssl.truststore": said(resolve(root, secrets), why)}


def _captured(definition: Definition) -> Settings:
    return {
        **topic_prefix(definition),
        "table.include.list": captured_tables(definition),
        "include.schema.changes": Setting("true", "where in the order of events a table changed is evidence"),
        "include.query": Setting("false", "statements hold values that the policy protects"),
        "snapshot.mode": Setting("initial", "one baseline, then the log; never a silent second one"),
        "snapshot.locking.mode": Setting("minimal", "a global read lock while the position is read: one cut"),
        "snapshot.max.threads": Setting("1", "rows in one order"),
        **signals(definition, SIGNAL),
    }


def _one_topic(definition: Definition) -> Settings:
    exact = "bigint unsigned as digits: the default is base64 of its bytes"
    return {
        **one_topic(definition),
        "key.converter.decimal.format": Setting("NUMERIC", exact),
        "value.converter.decimal.format": Setting("NUMERIC", exact),
    }


def _nothing_lost() -> Settings:
    return {
        **failing(),
        "event.deserialization.failure.handling.mode": Setting(
            "fail", "an event that cannot be handled stops the task"
        ),
        "inconsistent.schema.handling.mode": Setting("fail", "a table whose columns are not known is not passed over"),
    }


def _exact_values(definition: Definition) -> Settings:
    title = KINDS[definition.kind].title
    return {
        "decimal.handling.mode": Setting("string", "decimals in full"),
        "bigint.unsigned.handling.mode": Setting("precise", "the default turns 2^63 and above negative"),
        "time.precision.mode": Setting(
            "adaptive_time_microseconds", "all digits; isostring stops at times of 24 hours and more"
        ),
        "enable.time.adjuster": Setting("false", "the default moves years before 100 into this century"),
        "binary.handling.mode": Setting("base64", "bytes as text that JSON can carry"),
        "column.propagate.source.type": Setting(".*", f"each column names its {title} type, length and scale"),
    }


def _liveness(definition: Definition, beat: Setting) -> Settings:
    return {
        **heartbeat(definition, ", and each one ends a DDL before it"),
        "heartbeat.action.query": beat,
        "connect.keep.alive.interval.ms": said(
            str(definition.heartbeat_interval_ms * 5 // 4),
            "heartbeat_interval_ms: on a quiet server heartbeats come when the server shows signs of life: every 0.8 of"
            " this",
        ),
        **queue(definition),
    }

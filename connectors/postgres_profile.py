"""The evidence-grade profile: a definition becomes the complete configuration of a Debezium 3.7 PostgreSQL connector.

Every setting carries its reason. A setting whose default is the right one is still written when the evidence hangs on
it: defaults change between versions. Sources: Debezium 3.7 documentation, "PostgreSQL connector"; KIP-618 (exactly-once
sources).
"""

from __future__ import annotations

from connectors.definition import Definition
from connectors.kinds import HEARTBEAT, SIGNAL
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
    topic_prefix,
)

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
        **once("Debezium leaves out TRUNCATE by default"),
        **_nothing_lost(),
        **_exact_values(),
        **heartbeat(definition, ", and a quiet source's slot moves"),
        "heartbeat.action.query": Setting(
            HEARTBEAT_QUERY, "the stream itself says which cluster and timeline it comes from"
        ),
        **queue(definition),
    }


def _connection(definition: Definition, secrets: SecretLookup) -> Settings:
    database = definition.database
    settings = {
        **connection(definition, secrets, CONNECTOR_CLASS, "a replication slot has one reader"),
        **address(definition, secrets),
        "database.dbname": said(database.name, "database.name"),
        "database.sslmode": said(database.sslmode, "database.sslmode"),
        "plugin.name": Setting("pgoutput", "part of PostgreSQL since version 10: nothing to install on the source"),
        "slot.name": said(definition.slot, "name: one slot per connector"),
        "publication.name": said(definition.publication, "publication: made by the database's owner"),
        "publication.autocreate.mode": Setting(
            "disabled", "an automatic publication can leave out TRUNCATE and tables"
        ),
    }
    if database.sslrootcert is not None:
        settings["database.sslrootcert"] = said(resolve(database.sslrootcert, secrets), "database.sslrootcert")
    return settings


def _captured(definition: Definition) -> Settings:
    return {
        **topic_prefix(definition),
        "table.include.list": captured_tables(definition),
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
        **signals(definition, SIGNAL),
    }


def _nothing_lost() -> Settings:
    return {
        **failing(),
        "offset.mismatch.strategy": Setting(
            "trust_offset", "a recreated slot fails loudly; the default goes on with a hole"
        ),
        "lsn.flush.mode": Setting(
            "connector", "the slot moves after Kafka has the records, never by the driver's keep-alive"
        ),
        "include.unknown.datatypes": Setting("true", "the default drops columns of types that Debezium does not know"),
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

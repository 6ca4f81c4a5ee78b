"""The profile of a Debezium 3.6 SQL Server connector. Every setting carries its reason.

The real connector has accepted these settings (``tests/real/test_profiles.py``); no SQL Server has been captured with
them, and ``cdc replicate`` does not read what it writes. Source: Debezium 3.6 documentation, "SQL Server connector".

Its log has no TRUNCATE: a table with change data capture cannot be truncated. Its heartbeat does not name the server:
which of SQL Server's identifiers a restore changes has not been tried.
"""

from __future__ import annotations

from connectors.definition import Definition
from connectors.kinds import KINDS
from connectors.secrets import SecretLookup
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

CONNECTOR_CLASS = "io.debezium.connector.sqlserver.SqlServerConnector"

_HEARTBEAT, _SIGNAL = KINDS["sqlserver"].own_tables
HEARTBEAT_QUERY = f"UPDATE {_HEARTBEAT} SET beat_at = SYSUTCDATETIME()"
_TLS = {
    "disable": ("false", "false"),
    "trust": ("true", "true"),
    "verify-full": ("true", "false"),
}
"""``database.sslmode`` → Microsoft's ``encrypt`` and ``trustServerCertificate``."""


def expand(definition: Definition, secrets: SecretLookup) -> Settings:
    """The whole configuration with its reasons."""
    return {
        **_connection(definition, secrets),
        **_captured(definition),
        **one_topic(definition),
        **table_history(definition, secrets, "change tables have only the columns of today"),
        **once("nothing is left out; SQL Server has no TRUNCATE events, whatever this says"),
        **failing(),
        **_exact_values(),
        **heartbeat(definition, ", and the position moves on while the captured tables are quiet"),
        "heartbeat.action.query": Setting(HEARTBEAT_QUERY, "a change of our own at every heartbeat"),
        **queue(definition),
    }


def _connection(definition: Definition, secrets: SecretLookup) -> Settings:
    encrypt, trust = _TLS[definition.database.sslmode]
    return {
        **connection(definition, secrets, CONNECTOR_CLASS, "one database, one order of commits"),
        **address(definition, secrets),
        "database.names": said(definition.database.name, "database.name: one; each further one would be a task"),
        "driver.encrypt": said(encrypt, "database.sslmode"),
        "driver.trustServerCertificate": said(trust, "database.sslmode: whether anybody may answer"),
    }


def _captured(definition: Definition) -> Settings:
    return {
        **topic_prefix(definition),
        "table.include.list": captured_tables(definition),
        "include.schema.changes": Setting("true", "where in the order of events a table changed is evidence"),
        "snapshot.mode": Setting("initial", "one baseline, then the log; never a silent second one"),
        "snapshot.isolation.mode": Setting(
            "snapshot",
            "baseline and log fit together, without locks: the database needs ALLOW_SNAPSHOT_ISOLATION ON; under the"
            " default a row can come twice",
        ),
        "snapshot.max.threads": Setting("1", "rows in one order"),
        **signals(definition, f"{definition.database.name}.{_SIGNAL}"),
    }


def _exact_values() -> Settings:
    return {
        "decimal.handling.mode": Setting("string", "decimals in full"),
        "time.precision.mode": Setting(
            "isostring", "texts: the default counts nanoseconds, which overflow outside 1677 to 2262"
        ),
        "binary.handling.mode": Setting("base64", "bytes as text that JSON can carry"),
        "column.propagate.source.type": Setting(".*", "each column names its SQL Server type, length and scale"),
    }

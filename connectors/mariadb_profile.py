"""The evidence-grade profile of a Debezium 3.5 MariaDB connector. Every setting carries its reason.

Sources: Debezium 3.5 documentation, "MariaDB connector"; KIP-618. What it writes under these settings was read off a
real one (``tests/golden``).
"""

from __future__ import annotations

from connectors import binlog_profile
from connectors.definition import Definition
from connectors.kinds import HEARTBEAT
from connectors.secrets import SecretLookup
from connectors.setting import Setting, Settings, said

CONNECTOR_CLASS = "io.debezium.connector.mariadb.MariaDbConnector"
LEAST_VERSION = (3, 5, 0)
"""The first that stops at a value it cannot convert (dbz#1508)."""

HEARTBEAT_QUERY = (
    f"UPDATE {HEARTBEAT} SET beat_at = now(6), timeline = concat(@@gtid_domain_id, '-', @@server_id) WHERE id = 1"
)


def expand(definition: Definition, secrets: SecretLookup) -> Settings:
    """The whole configuration with its reasons."""
    database = definition.database
    login = {
        "database.ssl.mode": said(database.sslmode, "database.sslmode; Debezium's default falls back to plain text"),
    }
    beat = Setting(HEARTBEAT_QUERY, "the stream itself says which server and GTID domain it comes from")
    return binlog_profile.expand(definition, secrets, class_name=CONNECTOR_CLASS, login=login, beat=beat)

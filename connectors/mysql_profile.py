"""The profile of a Debezium 3.6 MySQL connector. Every setting carries its reason.

The real connector has accepted these settings (``tests/real/test_profiles.py``); no MySQL server has been captured with
them, and ``cdc replicate`` does not read what it writes. What is the same as MariaDB's is so by the documentation of
the two connectors. Source: Debezium 3.6 documentation, "MySQL connector".
"""

from __future__ import annotations

from connectors import binlog_profile
from connectors.definition import Definition
from connectors.kinds import HEARTBEAT
from connectors.secrets import SecretLookup
from connectors.setting import Setting, Settings, said

CONNECTOR_CLASS = "io.debezium.connector.mysql.MySqlConnector"

HEARTBEAT_QUERY = (
    f"UPDATE {HEARTBEAT} SET beat_at = now(6), system_identifier = @@server_uuid, timeline = @@server_id WHERE id = 1"
)
MODES = {
    "disable": "disabled",
    "trust": "required",
    "verify-ca": "verify_ca",
    "verify-full": "verify_identity",
}
"""``database.sslmode`` → what this connector calls it."""


def expand(definition: Definition, secrets: SecretLookup) -> Settings:
    """The whole configuration with its reasons."""
    login = {
        "database.ssl.mode": said(
            MODES[definition.database.sslmode], "database.sslmode; Debezium's default falls back to plain text"
        ),
    }
    beat = Setting(HEARTBEAT_QUERY, "the stream itself says which server it comes from")
    return binlog_profile.expand(definition, secrets, class_name=CONNECTOR_CLASS, login=login, beat=beat)

# ruff: noqa: E501 - lines of a table
"""Checks of MariaDB as a source."""

from __future__ import annotations

from connectors.listed.entry import listed

CHECKS = listed(
    "source",
    ("log_bin", "error", "without a binary log there is nothing to capture", "log-bin in the server's option file, then restart it"),
    ("binlog_format", "error", "statements do not tell which rows they changed", "the SQL that is shown, and binlog-format in the option file"),
    ("binlog_row_image", "error", "before images are not whole", "the SQL that is shown, and binlog-row-image in the option file"),
    ("binlog_expiry", "warning", "binary logs that are purged before they were read are lost; Debezium then stops", "binlog_expire_logs_seconds beyond the longest outage"),
    ("binlog_purged", "error", "the server no longer has the binary log in which the connector's stored position is", "have the tables read anew (cdc stream rebaseline) after the connector's offsets were deleted"),
    ("read_only", "error", "a heartbeat could not be written", "connect to the primary"),
    ("gtid_domains", "error", "only within one GTID domain are transactions in one order", "one domain for all writers"),
    ("server_id", "error", "two replicas with one server id end each other's connection", "server_id in the definition"),
    ("account_privileges", "error", "without it the connector cannot read the binary log or begin a snapshot", "the SQL that is shown"),
    ("account_super", "warning", "whoever gets the connector's password may do everything in the source", "REVOKE ALL PRIVILEGES, then the grants of the preparation SQL"),
    ("engine", "error", "what a table without transactions takes back is captured as if it had been committed; other engines show rows of another place", "ENGINE = InnoDB, or leave the table out"),
    ("engine_elsewhere", "warning", "a transaction that changes a table without transactions and is rolled back to a savepoint arrives as if committed, rows of InnoDB's too", "ENGINE = InnoDB"),
    ("cascade", "error", "InnoDB changes such rows by itself, and no binary log has it", "ON DELETE RESTRICT ON UPDATE RESTRICT, or leave the table out"),
    ("type_changed", "error", "the connector makes another value of it, or stops", "leave the table out, or keep the value as text"),
    ("not_a_table", "error", "it has no rows of its own in the binary log", "leave it out"),
    ("zero_dates", "warning", "a zero date arrives as NULL, in a NOT NULL column as 1970-01-01", "sql_mode with NO_ZERO_DATE and NO_ZERO_IN_DATE"),
)  # fmt: skip

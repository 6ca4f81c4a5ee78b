# ruff: noqa: E501 - lines of a table
"""Checks of the warehouse and the privacy store."""

from __future__ import annotations

from connectors.listed.entry import listed

WAREHOUSE = listed(
    "warehouse",
    ("warehouse_unreachable", "error", "without the warehouse nothing is recorded; Kafka keeps it meanwhile", "start it; mend [warehouse]"),
    ("warehouse_unread", "warning", "what the administrator's role may not see cannot be checked", "[warehouse] admin_dsn: the owner of the warehouse"),
    ("warehouse_unmigrated", "error", "workers of this version need tables that are not there", "cdc migrate"),
    ("warehouse_migration_changed", "error", "a migration was applied with another text than this version's", "restore the file, or install the version that made it"),
    ("warehouse_privilege", "error", "the replicator's role may not do its work", "cdc migrate, and a login that is a member of cdc_replicator"),
    ("replicator_can_change", "error", "whoever holds the replicator's password can change or delete history", "the SQL that is shown"),
    ("replicator_superuser", "error", "no grant and no trigger binds a superuser: the log is append-only for nobody", "a login role that is a member of cdc_replicator and nothing else in [warehouse] dsn"),
    ("auditor_can_write", "error", "an auditor who can change what is audited proves nothing", "the SQL that is shown"),
    ("auditor_superuser", "warning", "an auditor's password that opens everything is worth stealing", "a login role that is a member of cdc_auditor in [warehouse] auditor_dsn"),
    ("warehouse_fsync", "error", "after a crash of the machine committed entries are gone or broken", "ALTER SYSTEM SET fsync = on"),
    ("warehouse_full_page_writes", "error", "a crash in the middle of a page leaves it torn", "ALTER SYSTEM SET full_page_writes = on"),
    ("warehouse_synchronous_commit", "error", "a commit that was acknowledged can be lost in a crash, and Kafka has been told that it is there", "ALTER ROLE … SET synchronous_commit = on"),
    ("warehouse_checksums", "warning", "pages that a disk has changed are read as they are", "pg_checksums --enable, with the server stopped"),
    ("warehouse_shares_cluster", "error", "the slot of the source wades through the warehouse's own WAL, and one disk holds evidence and what it is evidence of", "a cluster of its own for the warehouse"),
    ("partitions_short", "error", "a log whose next partition is missing stops", "a running worker cuts them; else SELECT audit.cut_partitions(log, size + 1000000)"),
    ("stream_absent", "info", "no worker has taken this source's stream yet", "cdc replicate NAME"),
    ("stream_unowned", "warning", "no worker reads this stream: the warehouse falls behind", "cdc replicate NAME"),
    ("stream_halted", "error", "the stream stopped on purpose, and only a person has it go on", "cdc stream show NAME"),
    ("stream_gap", "info", "records are known to be missing; answers say so", "know it; cdc stream rebaseline NAME reads the tables anew"),
    ("quarantine_open", "warning", "records that could not be decoded wait for a person", "cdc quarantine list NAME"),
    ("state_suspended", "warning", "current state of a table does not follow its history", "cdc rebuild NAME TABLE"),
)  # fmt: skip

PRIVACY = listed(
    "privacy",
    ("privacy_unreachable", "error", "without the privacy store no value can be protected, so nothing is recorded", "start it; mend [privacy]"),
    ("privacy_unfit", "error", "the store lacks tables or privileges that a worker needs", "cdc keys init"),
    ("privacy_unmigrated", "error", "workers of this version need tables that are not there", "cdc keys init"),
    ("privacy_superuser", "warning", "a worker needs to add keys and tokens, never to change or delete them", "a login role that is a member of cdc_privacy in [privacy] dsn"),
    ("keyring_unusable", "error", "without its root key the store opens no key, and nobody reads a protected value again", "restore the keyring from its backup; mode 0600"),
    ("privacy_behind", "error", "the store is older than what the warehouse has seen: it would give values a second token", "restore the newest backup of the privacy store"),
    ("privacy_durability", "error", "a key or token that a crash takes back leaves values that nobody can open, or with two tokens", "fsync, full_page_writes and synchronous_commit on"),
)  # fmt: skip

# ruff: noqa: E501 - lines of a table
"""Checks of a connector's configuration as Kafka Connect has it: the known ways to lose or change data, by name."""

from __future__ import annotations

from connectors.listed.entry import listed

_APPLY = "cdc connectors apply NAME writes the profile's value"

CHECKS = listed(
    "configuration",
    ("skipped_operations", "error", "operations that are skipped are not captured; by default TRUNCATE is", _APPLY),
    ("snapshot_mode", "error", "only `initial` reads every row once, and then the log: others leave out what was there before, read it again at every start, or go on over a hole", _APPLY),
    ("snapshot_partial", "error", "rows or tables that the snapshot leaves out are missing from the baseline", _APPLY),
    ("snapshot_threads", "error", "before 3.7 a parallel snapshot is not consistent across its connections (dbz#2330)", _APPLY),
    ("errors_tolerance", "error", "records that a converter or transform cannot handle are skipped", _APPLY),
    ("failure_mode", "error", "events that cannot be handled are skipped, or their values become null (dbz#1508)", _APPLY),
    ("publication_autocreate", "warning", "a publication that Debezium makes leaves out TRUNCATE, and tables that come later", _APPLY),
    ("offset_mismatch", "error", "after its slot was recreated or moved the connector goes on over the hole, silently", _APPLY),
    ("lsn_flush_mode", "error", "the slot moves although Kafka does not have the records yet, or never moves", _APPLY),
    ("snapshot_unlocked", "warning", "a table that is truncated or rewritten while a snapshot has yet to read it reads as empty", _APPLY),
    ("slot_drop", "error", "the slot is dropped when the connector stops: what is written until it starts again is lost", _APPLY),
    ("decimal_mode", "error", "decimals become binary floating point", _APPLY),
    ("time_mode", "error", "milliseconds cut microseconds off; nanoseconds overflow outside 1677 to 2262", _APPLY),
    ("unsigned_mode", "error", "unsigned bigint from 2^63 on turn negative", _APPLY),
    ("time_adjuster", "error", "years before 100 are moved into this century", _APPLY),
    ("unknown_datatypes", "error", "columns of types that Debezium does not know are left out", _APPLY),
    ("transaction_metadata", "error", "without END counts nothing proves that a transaction arrived whole", _APPLY),
    ("exactly_once", "error", "a killed worker repeats records, or commits their position apart from them", _APPLY),
    ("topic_routing", "error", "records of one source in several topics have no common order", _APPLY),
    ("converter", "error", "the replicator reads Connect's JSON with schemas and nothing else", _APPLY),
    ("unwrapped", "error", "what unwraps or rewrites Debezium's envelope loses before images, operation, position or schema", "take the transform away"),
    ("records_filtered", "error", "records that a transform drops are lost without a trace", "take the transform away"),
    ("values_truncated", "error", "values are cut off, and nothing marks them (dbz#1879)", "take the transform or setting away"),
    ("columns_altered", "error", "columns are left out, masked or hashed before they reach the log; keys are other than the table's", "take the setting away; the policy protects values"),
    ("changes_skipped", "error", "updates without a change of a captured column are dropped", _APPLY),
    ("values_reselected", "error", "a value that is read again later is not the value of the change", "take the post-processor away; REPLICA IDENTITY FULL brings it"),
    ("transform_unknown", "warning", "nobody has looked at what this transform makes of a record", "take the transform away"),
    ("messages_filtered", "info", "logical messages with other prefixes are not captured", _APPLY),
    ("ddl_skipped", "error", "a table whose definition was skipped is read with wrong columns", _APPLY),
    ("tombstones_off", "warning", "consumers that compact the topic do not see deletes", _APPLY),
    ("heartbeat_off", "error", "a quiet source's slot does not move and its disk fills; nothing says which cluster the stream comes from", _APPLY),
    ("guardrail", "warning", "a limit on the number of tables that only warns leaves the rest as it was; one that fails stops the connector when a table is made", "take the setting away"),
    ("slot_shared", "error", "two readers of one slot each lose what the other took", "a slot for each: the profile names it after the source"),
    ("name_shared", "error", "two connectors with one topic prefix share stored positions and names inside records", "a topic.prefix for each"),
    ("topic_shared", "error", "two connectors into one topic mix two sources in one log", "a topic for each"),
    ("signal_shared", "warning", "two connectors on one signalling table each obey signals that were meant for the other", "a database each, or a table each"),
    ("secret_plain", "error", "whoever may ask Kafka Connect reads it, and so does whoever reads its topics", "a reference such as ${file:…}: cdc connectors apply NAME; then change the secret"),
    ("configuration_differs", "warning", "somebody changed the connector behind the definition, or the definition since the last apply", "cdc connectors apply NAME"),
    ("known_loss", "error", "this version of Debezium is known to lose or change data this way", "install a later version of the plugin on the workers"),
)  # fmt: skip

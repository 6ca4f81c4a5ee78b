# ruff: noqa: E501 - lines of a table
"""Checks of a connector's configuration: each known way to lose or change data by a setting, stated once.

:func:`risk` judges a setting for all who ask: what a definition's raw settings risk (:mod:`connectors.overrides`), and
what a connector loses as Kafka Connect has it (:mod:`connectors.check.configuration`). Pure. Sources: Debezium 3.7
documentation, "connector configuration properties"; its issues dbz#1508, dbz#1554, dbz#1879, dbz#2330.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from connectors.kinds import KINDS
from connectors.listed.entry import Check, Severity, listed

Version = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Where:
    """Settings by name, and the values of them that risk nothing: regular expressions on the whole, in any capitals.

    ``kinds``: of databases. ``mended``: the version of Debezium from which on no value risks anything.
    """

    names: str
    right: str = "0?|false"
    kinds: frozenset[str] = frozenset(KINDS)
    mended: Version | None = None

    def holds(self, kind: str, name: str, value: str, plugin: Version) -> bool:
        """Whether the setting is one of these and has another value. ``plugin``: empty where it is not known."""
        return (
            kind in self.kinds
            and re.fullmatch(self.names, name, re.IGNORECASE) is not None
            and re.fullmatch(self.right, value.strip(), re.IGNORECASE) is None
            and not (plugin and self.mended and plugin >= self.mended)
        )


@dataclass(frozen=True, slots=True)
class Risk(Check):
    """A check that settings decide by themselves: ``where``."""

    where: tuple[Where, ...] = field(kw_only=True)


def _risk(code: str, severity: Severity, reason: str, *where: Where, remedy: str = "") -> Risk:
    return Risk(code, "configuration", severity, reason, remedy or _APPLY, where=where)


def _no(classes: str) -> str:
    return rf"(?!.*(?:{classes})(?:\$\w+)?$).*"


_APPLY = "cdc connectors apply NAME writes the profile's value, if the definition's settings have no other"
_REMOVE, _SETTING = "take the transform away", "take the setting away"
_PROFILES = r"(?!)"
"""No value but the profile's."""
_TRANSFORM = r"transforms\..+\.type"
_POSTGRES, _BINLOG = frozenset({"postgres"}), frozenset({"mariadb", "mysql"})
_OTHERS = frozenset(KINDS) - _POSTGRES

RISKS = (
    # What is captured.
    _risk("skipped_operations", "error", "operations that are skipped are not captured; by default TRUNCATE is", Where("skipped.operations", "none")),
    _risk("snapshot_mode", "error", "only `initial` reads every row once, and then the log: others leave out what was there before (no_data, never), read it again at every start (always), go on over a hole without a word (when_needed), or end with the baseline (initial_only)",
          Where("snapshot.mode", "initial")),
    _risk("snapshot_partial", "error", "rows or tables that the snapshot leaves out are missing from the baseline: they are in no log until they change",
          Where(r"snapshot\.(include\.collection\.list|(select\.statement|collection\.filter)\.overrides.*)"), Where(r"snapshot\.query\.mode.*", "select_all")),
    _risk("snapshot_threads", "error", "before 3.7 a parallel snapshot is not consistent across its connections (dbz#2330)", Where("snapshot.max.threads", "1", mended=(3, 7))),
    _risk("snapshot_isolation", "error", "the baseline may hold what was never committed together, or a row twice",
          Where("snapshot.isolation.mode", "repeatable_read|serializable", _POSTGRES), Where("snapshot.isolation.mode", "snapshot|serializable", _OTHERS)),
    _risk("snapshot_unlocked", "error", "a DDL during the snapshot falsifies it: a table that is truncated or rewritten before it is read reads as empty",
          Where("snapshot.locking.mode", "shared", _POSTGRES), Where("snapshot.locking.mode", "minimal|extended|exclusive", _OTHERS)),
    _risk("publication_autocreate", "error", "a publication that Debezium makes leaves out TRUNCATE, and tables that come later", Where("publication.autocreate.mode", "disabled")),
    _risk("partition_names", "error", "rows of partitions come under names that no definition has", Where("publish.via.partition.root", "true")),
    _risk("identity_autoset", "error", "the old row of a change is not whole", Where("replica.identity.autoset.values", r"([^,:]+:full,?)*")),
    _risk("offset_mismatch", "error", "after its slot was recreated or moved the connector goes on over the hole, silently", Where("offset.mismatch.strategy", "trust_offset")),
    _risk("lsn_flush_mode", "error", "the slot moves although Kafka does not have the records yet, or never moves", Where("lsn.flush.mode", "connector")),
    _risk("slot_drop", "error", "the slot is dropped when the connector stops: what is written until it starts again is lost", Where("slot.drop.on.stop")),
    _risk("capture_mode", "error", "a change has no image before it or none after, or the document is looked up later: it may show a later change, or be null",
          Where("capture.mode", "change_streams_update_full_with_pre_image"), Where("capture.mode.full.update.type", "post_image")),
    _risk("changes_skipped", "error", "updates without a change of a captured column are dropped", Where("skip.messages.without.change")),
    _risk("changes_filtered", "error", "changes are filtered before the connector sees them", Where(r"cursor\.pipeline(\.order)?|capture\.(scope|target|start\.op\.time)")),
    _risk("messages_filtered", "info", "logical messages with other prefixes are not captured", Where(r"message\.prefix\.(exclude|include)\.list")),
    _risk("capture_narrowed", "warning", "what is captured may be less than the database changed", Where(r"event\.source\.position\.filter|slot\.stream\.params|.*\.initial\.statements")),
    _risk("guardrail", "warning", "a limit on the number of tables that only warns leaves the rest as it was; one that fails stops the connector when a table is made", Where("guardrail.collections.max"), remedy=_SETTING),
    # What cannot be handled.
    _risk("errors_tolerance", "error", "records that a converter or transform cannot handle are skipped, and nobody sees that they are missing", Where("errors.tolerance", "none")),
    _risk("failure_mode", "error", "events that cannot be handled are skipped, or their values become null (dbz#1508)",
          Where(r"(event\.(processing|converting|deserialization)\.failure|inconsistent\.schema)\.handling\.mode", "fail"), Where("cursor.oversize.handling.mode", "fail|split")),
    _risk("ddl_skipped", "error", "a table whose definition was skipped is read with wrong columns", Where("schema.history.internal.skip.unparseable.ddl")),
    _risk("gives_up", "warning", "a source that is down for longer ends the task: a person has to restart it", Where("errors.max.retries", "-1")),
    # Values.
    _risk("decimal_mode", "error", "decimals become binary floating point", Where("decimal.handling.mode", "string|precise")),
    _risk("time_mode", "error", "milliseconds (connect) cut microseconds off; nanoseconds overflow outside 1677 to 2262",
          Where("time.precision.mode", "isostring|adaptive|adaptive_time_microseconds|microseconds", frozenset(KINDS) - _BINLOG), Where("time.precision.mode", "adaptive_time_microseconds", _BINLOG)),
    _risk("interval_mode", "error", "a month becomes a number of microseconds", Where("interval.handling.mode", "string")),
    _risk("unsigned_mode", "error", "unsigned bigint from 2^63 on turn negative", Where("bigint.unsigned.handling.mode", "precise")),
    _risk("time_adjuster", "error", "years before 100 are moved into this century", Where("enable.time.adjuster")),
    _risk("unknown_datatypes", "error", "columns of types that Debezium does not know are left out", Where("include.unknown.datatypes", "true")),
    _risk("placeholder", "error", "a value that was not sent is taken for a real one", Where("unavailable.value.placeholder", "__debezium_unavailable_value")),
    _risk("value_spelling", "warning", "values or names are spelled otherwise than cdc reads them",
          Where(r"(decimal|binary|hstore|money\.fraction|geometry)\.(handling\.mode|digits)|column\.propagate\.source\.type|(schema|field)\.name\.adjustment\.mode|(time\.precision|source\.timestamp)\.mode", _PROFILES)),
    # What a record is.
    _risk("transaction_metadata", "error", "without END counts nothing proves that a transaction arrived whole", Where("provide.transaction.metadata", "true")),
    _risk("exactly_once", "error", "a killed worker repeats records, or commits their position apart from them", Where("exactly.once.support", "required"), Where("transaction.boundary", "poll")),
    _risk("topic_routing", "error", "records of one source in several topics have no common order", Where(_TRANSFORM, _no("ContentBasedRouter"))),
    _risk("converter", "error", "the replicator reads Connect's JSON with schemas and nothing else",
          Where(r"(key|value)\.converter", r".*\.JsonConverter"), Where(r"(key|value)\.converter\.schemas\.enable", "true")),
    _risk("converter_unknown", "warning", "values are spelled by a converter that cdc does not know", Where(r"converters|.*\.converter(\..*)?", _PROFILES)),
    _risk("unwrapped", "error", "what unwraps or rewrites Debezium's envelope loses before images, operation, position or schema",
          Where(_TRANSFORM, _no(r"Extract(NewRecordState|NewDocumentState|ChangedRecordState)|EventRouter|ExtractField|Flatten|HoistField")), remedy=_REMOVE),
    _risk("records_filtered", "error", "records that a transform drops are lost without a trace", Where(_TRANSFORM, _no("Filter")), remedy=_REMOVE),
    _risk("values_truncated", "error", "values are cut off, and nothing marks them (dbz#1879)", Where(r".*truncat.*"), Where(_TRANSFORM, _no("EnforceRecordSize")), remedy="take the transform or setting away"),
    _risk("columns_altered", "error", "columns are left out, renamed, masked or hashed before they reach the log; keys are other than the table's, and rows may overwrite each other",
          Where(r"column\.(mask\..*|(exclude|include)\.list)|message\.key\.columns|field\.(exclude\.list|renames)"),
          Where(_TRANSFORM, _no("MaskField|ReplaceField|DropHeaders|Cast|TimestampConverter|TimezoneConverter|InsertField|ValueToKey")), remedy=f"{_SETTING}; the policy protects values"),
    _risk("values_reselected", "error", "a value that is read again later is not the value of the change", Where(r"(?!transforms\.).+\.type", _no(r"Reselect\w*")), remedy="take the post-processor away; REPLICA IDENTITY FULL brings it"),
    _risk("transform_unknown", "warning", "nobody has looked at what this transform makes of a record: compare its records with the source", Where(_TRANSFORM, r".*\.RegexRouter"), remedy=_REMOVE),
    _risk("schema_changes", "warning", "where in the order of events a table changed is not told", Where("include.schema.changes", "true")),
    _risk("tombstones_off", "warning", "consumers that compact the topic do not see deletes", Where("tombstones.on.delete", "true")),
    # What is kept of it, and who may see it.
    _risk("creation_compacted", "error", "compaction of the topic that Connect creates erases history", Where(r"topic\.creation\..*\.cleanup\.policy", "delete")),
    _risk("creation_retention", "warning", "what the worker has not read by then is gone from the topic that Connect creates", Where(r"topic\.creation\..*\.retention\.(ms|bytes)", "-1")),
    _risk("statements_recorded", "error", "records hold statements, with values that the policy protects", Where("include.query")),
    _risk("values_logged", "error", "rows appear in the worker's log, in clear", Where("errors.log.include.messages")),
    # What goes back and forth.
    _risk("heartbeat_off", "error", "silence and death look alike, a quiet source's slot does not move and its disk fills; nothing says which cluster the stream comes from",
          Where("heartbeat.interval.ms", r"[1-9]\d{0,5}"), Where("heartbeat.action.query", _PROFILES)),
    _risk("signals_elsewhere", "warning", "what cdc sends to or reads from the connector goes another way", Where(r"signal\.(?!poll).*|notification\..*|extended\.headers\.enabled|topic\.(transaction|heartbeat\.prefix|delimiter)", _PROFILES)),
)  # fmt: skip
"""The first that holds is a setting's risk."""

_EVERY = {
    "event.converting.failure.handling.mode": "warn", "provide.transaction.metadata": "false", "exactly.once.support": "requested",
    "heartbeat.interval.ms": "0", "key.converter": "", "value.converter": "",
}  # fmt: skip
_BINARY_LOG = {
    "skipped.operations": "t",
    "heartbeat.action.query": "",
    "bigint.unsigned.handling.mode": "long",
    "enable.time.adjuster": "true",
}
UNSET = {
    "postgres": {
        **_EVERY, "skipped.operations": "t", "heartbeat.action.query": "", "publication.autocreate.mode": "all_tables", "offset.mismatch.strategy": "no_validation",
        "snapshot.locking.mode": "none", "include.unknown.datatypes": "false", "interval.handling.mode": "numeric",
    },
    "mariadb": _EVERY | _BINARY_LOG,
    "mysql": _EVERY | _BINARY_LOG,
    "sqlserver": {**_EVERY, "heartbeat.action.query": "", "snapshot.isolation.mode": "repeatable_read"},
    "mongodb": {**_EVERY, "capture.mode": "change_streams_update_full", "capture.mode.full.update.type": "lookup"},
}  # fmt: skip
"""By kind of database: what holds where a setting is not there and that risks something. Without a converter of its own
a connector has the worker's, which nobody can ask for."""


def risk(kind: str, name: str, value: str, plugin: Version = ()) -> tuple[Risk, Where] | None:
    """What a setting of that value risks, if it is not the profile's. ``kind``: of database."""
    found = ((risk, where) for risk in RISKS for where in risk.where if where.holds(kind, name, value, plugin))
    return next(found, None)


CHECKS = {risk.code: risk for risk in RISKS} | listed(
    "configuration",
    ("slot_shared", "error", "two readers of one slot each lose what the other took", "a slot for each: the profile names it after the source"),
    ("name_shared", "error", "two connectors with one topic prefix share stored positions and names inside records", "a topic.prefix for each"),
    ("topic_shared", "error", "two connectors into one topic mix two sources in one log", "a topic for each"),
    ("signal_shared", "warning", "two connectors on one signalling table each obey signals that were meant for the other", "a database each, or a table each"),
    ("secret_plain", "error", "whoever may ask Kafka Connect reads it, and so does whoever reads its topics", "a reference such as ${file:…}: cdc connectors apply NAME; then change the secret"),
    ("configuration_differs", "warning", "somebody changed the connector behind the definition, or the definition since the last apply", "cdc connectors apply NAME"),
    ("known_loss", "error", "this version of Debezium is known to lose or change data this way", "install a later version of the plugin on the workers"),
)  # fmt: skip

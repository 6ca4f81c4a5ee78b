"""A connector's configuration, as Kafka Connect has it, against each known way to lose or change data.

Judges text alone: no database, no Connect. No finding shows a value that could be a secret: only values of settings
that are words of Debezium's own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from connectors import secrets
from connectors.check.losses import version
from connectors.finding import Finding

Configuration = Mapping[str, str]

_BOTH = ("postgres", "mariadb")
_POSTGRES, _MARIADB = ("postgres",), ("mariadb",)


@dataclass(frozen=True, slots=True)
class Rule:
    """A setting whose value decides. ``default``: what it is where it is not set; ``right``: what loses nothing."""

    code: str
    setting: str
    default: str
    right: tuple[str, ...]
    kinds: tuple[str, ...] = _BOTH


RULES = (
    Rule("skipped_operations", "skipped.operations", "t", ("none",)),
    Rule("snapshot_mode", "snapshot.mode", "initial", ("initial",)),
    Rule("errors_tolerance", "errors.tolerance", "none", ("none",)),
    Rule("failure_mode", "event.processing.failure.handling.mode", "fail", ("fail",)),
    Rule("failure_mode", "event.converting.failure.handling.mode", "warn", ("fail",)),
    Rule("failure_mode", "event.deserialization.failure.handling.mode", "fail", ("fail",), _MARIADB),
    Rule("failure_mode", "inconsistent.schema.handling.mode", "fail", ("fail",), _MARIADB),
    Rule("publication_autocreate", "publication.autocreate.mode", "all_tables", ("disabled",), _POSTGRES),
    Rule("offset_mismatch", "offset.mismatch.strategy", "no_validation", ("trust_offset",), _POSTGRES),
    Rule("lsn_flush_mode", "lsn.flush.mode", "connector", ("connector",), _POSTGRES),
    Rule("snapshot_unlocked", "snapshot.locking.mode", "none", ("shared",), _POSTGRES),
    Rule("slot_drop", "slot.drop.on.stop", "false", ("false",), _POSTGRES),
    Rule("decimal_mode", "decimal.handling.mode", "precise", ("string", "precise")),
    Rule("time_mode", "time.precision.mode", "adaptive", ("isostring", "adaptive", "microseconds"), _POSTGRES),
    Rule("time_mode", "time.precision.mode", "adaptive_time_microseconds", ("adaptive_time_microseconds",), _MARIADB),
    Rule("unsigned_mode", "bigint.unsigned.handling.mode", "long", ("precise",), _MARIADB),
    Rule("time_adjuster", "enable.time.adjuster", "true", ("false",), _MARIADB),
    Rule("unknown_datatypes", "include.unknown.datatypes", "false", ("true",), _POSTGRES),
    Rule("transaction_metadata", "provide.transaction.metadata", "false", ("true",)),
    Rule("exactly_once", "exactly.once.support", "requested", ("required",)),
    Rule("exactly_once", "transaction.boundary", "poll", ("poll",)),
    Rule("tombstones_off", "tombstones.on.delete", "true", ("true",)),
    Rule("changes_skipped", "skip.messages.without.change", "false", ("false",)),
    Rule("ddl_skipped", "schema.history.internal.skip.unparseable.ddl", "false", ("false",), _MARIADB),
    Rule("converter", "value.converter.schemas.enable", "true", ("true",)),
    Rule("converter", "key.converter.schemas.enable", "true", ("true",)),
)

_PRESENT = {
    "snapshot_partial": r"snapshot\.(select\.statement\.overrides|include\.collection\.list)(\..*)?",
    "values_truncated": r"column\.truncate\.to\.\d+\.chars",
    "columns_altered": r"column\.(mask\..*|(exclude|include)\.list)|message\.key\.columns",
    "messages_filtered": r"message\.prefix\.(exclude|include)\.list",
    "guardrail": r"guardrail\.collections\.max",
}
"""Code → settings whose mere presence is the finding."""

_TRANSFORMS = {
    "unwrapped": r"(ExtractNewRecordState|ExtractChangedRecordState|EventRouter|ExtractField|Flatten|HoistField)\b",
    "records_filtered": r"(Filter|SchemaChangeEventFilter)$",
    "values_truncated": r"EnforceRecordSize$",
    "columns_altered": r"(MaskField|ReplaceField|Cast|TimestampConverter|TimezoneConverter|InsertField|ValueToKey)\b",
}
"""Code → the class names of transforms that do it."""

_SECRET = re.compile(
    r"(password|passphrase|secret|token|credential|jaas|api[._]?key|private[._]?key|keystore\.key)", re.IGNORECASE
)


def configuration(kind: str, live: Configuration, plugin: str = "", topic: str | None = None) -> Iterator[Finding]:
    """What a configuration loses. ``plugin``: the version that runs it; ``topic``: where all records are to go."""
    for rule in RULES:
        value = live.get(rule.setting, rule.default).strip().lower()
        if kind in rule.kinds and value not in rule.right:
            shown = value if re.fullmatch(r"[a-z0-9_., -]{1,40}", value) else "something else"
            said = f"{rule.setting} is {shown}" + ("" if rule.setting in live else " by default")
            yield Finding(rule.code, f"{said}, not {rule.right[0]}", place=rule.setting)
    for code, pattern in _PRESENT.items():
        for setting in sorted(live):
            if re.fullmatch(pattern, setting) and live[setting].strip() not in {"", "0"}:
                yield Finding(code, f"{setting} is set", place=setting)
    yield from _of_more_than_a_word(kind, live, plugin)
    yield from _transforms(live, topic)
    for setting in sorted(live):
        if _SECRET.search(setting) and live[setting] and not _is_reference(setting, live[setting]):
            yield Finding("secret_plain", f"{setting} holds a secret in plain text", place=setting)


def _of_more_than_a_word(kind: str, live: Configuration, plugin: str) -> Iterator[Finding]:
    threads = live.get("snapshot.max.threads", "1")
    if kind == "postgres" and threads != "1" and (not plugin or version(plugin) < (3, 7)):
        yield Finding("snapshot_threads", "snapshot.max.threads is more than 1", place="snapshot.max.threads")
    for which in ("key", "value"):
        # Without one of its own a connector has the worker's, which nobody can ask for.
        converter = live.get(f"{which}.converter", "")
        if not converter.endswith(".JsonConverter"):
            yield Finding("converter", f"{which}.converter is not JsonConverter", place=f"{which}.converter")
    if live.get("heartbeat.interval.ms", "0") == "0" or not live.get("heartbeat.action.query"):
        problem = "there is no heartbeat that updates a table of the source"
        yield Finding("heartbeat_off", problem, place="heartbeat.action.query")
    for name in _names(live, "post.processors"):
        if "Reselect" in live.get(f"{name}.type", live.get(f"post.processors.{name}.type", "")):
            yield Finding("values_reselected", f"post-processor {name} reads values again", place=f"{name}.type")


def _transforms(live: Configuration, topic: str | None) -> Iterator[Finding]:
    routed = False
    for name in _names(live, "transforms"):
        setting = f"transforms.{name}.type"
        kind = live.get(setting, "").replace("$Value", "").replace("$Key", "")
        if kind.endswith(".RegexRouter"):
            whole = live.get(f"transforms.{name}.regex") == ".*" and not live.get(f"transforms.{name}.predicate")
            routed = routed or (whole and (topic is None or live.get(f"transforms.{name}.replacement") == topic))
            continue
        code = next((code for code, pattern in _TRANSFORMS.items() if re.search(pattern, kind)), "transform_unknown")
        last = kind.rpartition(".")[2]
        shown = last if re.fullmatch(r"\w+", last) else "of no known type"
        yield Finding(code, f"transform {name} is {shown}", place=setting)
    if not routed:
        yield Finding("topic_routing", "records do not all go into one topic", place="transforms")


def shared(live: Mapping[str, Configuration]) -> Iterator[tuple[str, Finding]]:
    """What several connectors of one Connect share and must not, by the name of each of them.

    Addresses that are references count as equal for slots, because a slot's name says enough.
    """
    place = ("database.hostname", "database.port", "database.dbname")
    rules = (
        ("slot_shared", "slot.name", "one replication slot", place, True),
        ("name_shared", "topic.prefix", "one topic.prefix", (), False),
        ("topic_shared", "transforms.one.replacement", "one topic", (), False),
        ("signal_shared", "signal.data.collection", "one signalling table", place, False),
    )
    for code, setting, what, beside, blank in rules:
        groups: dict[tuple[str, ...], list[str]] = {}
        for name, its in live.items():
            if setting in its:
                where = ("" if blank and "${" in its.get(each, "") else its.get(each, "") for each in beside)
                groups.setdefault((its[setting], *where), []).append(name)
        for names in groups.values():
            for name in names if len(names) > 1 else ():
                others = ", ".join(other for other in names if other != name)
                yield name, Finding(code, f"{name} has {what} with {others}", place=setting)


def _names(live: Configuration, setting: str) -> list[str]:
    return [name.strip() for name in live.get(setting, "").split(",") if name.strip()]


def _is_reference(setting: str, value: str) -> bool:
    if "jaas" in setting.lower():  # a sentence of which the secret is a part
        return "password" not in value.lower() or "${" in value
    return secrets.is_reference(value) or (value.startswith("${") and value.endswith("}"))

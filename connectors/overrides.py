"""What the raw settings of a definition risk, named one by one. Pure.

Each known way to lose or change data by configuration has a rule here (Debezium 3.7 documentation, "connector
configuration properties"; its issues dbz#1508, dbz#1554, dbz#2330). What no definition may override is in
:mod:`connectors.invariants`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from connectors.definition import Definition
from connectors.setting import Settings

Severity: TypeAlias = Literal["critical", "warning", "info"]
"""``critical``: changes are lost, altered or shown where they must not be. ``warning``: they may be, or what reads the
topic has to cope. ``info``: another choice than the profile's, or a setting that the profile leaves alone."""


@dataclass(frozen=True, slots=True)
class Override:
    """One raw setting of a definition. ``profile``: what the profile says; None where it says nothing."""

    setting: str
    value: str
    profile: str | None
    severity: Severity
    reason: str


@dataclass(frozen=True, slots=True)
class _Rule:
    """``names``: on the whole name. ``harmless``: on the whole value, as written in any capitals."""

    names: str
    harmless: str
    severity: Severity
    reason: str


_NEVER = r"(?!)"
_FALSE = "false"
_SKIPPED = "what cannot be handled is passed over, and nobody sees that it is missing"
_NOT_WHOLE = "the baseline lacks rows: they are in no log until they change"
_RULES = (
    _Rule("skipped.operations", "none", "critical", "operations of these kinds never reach Kafka"),
    _Rule(
        "snapshot.mode",
        "initial",
        "critical",
        "not one baseline, then the log: rows that exist may be in no log (no_data, never), be read anew without a word"
        " after a hole (when_needed) or at every start (always), or changes end with the baseline (initial_only)",
    ),
    _Rule(
        "snapshot.max.threads", "1", "critical", "a parallel snapshot is not consistent across connections (dbz#2330)"
    ),
    _Rule(
        "snapshot.isolation.mode",
        "serializable|snapshot",
        "critical",
        "the baseline may hold what was never committed together",
    ),
    _Rule(
        "snapshot.locking.mode",
        "minimal|extended|exclusive|shared",
        "critical",
        "a DDL during the snapshot falsifies it",
    ),
    _Rule(
        r"snapshot\.(?:include\.collection\.list|select\.statement\.overrides.*|collection\.filter\.overrides.*"
        r"|query\.mode.*)",
        _NEVER,
        "critical",
        _NOT_WHOLE,
    ),
    _Rule("errors.tolerance", "none", "critical", f"converters and transforms skip records: {_SKIPPED}"),
    _Rule(
        r"(?:event\.(?:processing|converting|deserialization)\.failure|inconsistent\.schema)\.handling\.mode",
        "fail",
        "critical",
        _SKIPPED,
    ),
    _Rule("cursor.oversize.handling.mode", "fail|split", "critical", _SKIPPED),
    _Rule(
        "schema.history.internal.skip.unparseable.ddl",
        _FALSE,
        "critical",
        "a table that is not understood goes on under its old columns",
    ),
    _Rule("tombstones.on.delete", "true", "warning", "who reads the topic by key does not see deletes"),
    _Rule(
        "publication.autocreate.mode",
        "disabled",
        "critical",
        "an automatic publication can leave out TRUNCATE and tables",
    ),
    _Rule("lsn.flush.mode", "connector", "critical", "the slot can move past records that Kafka does not have"),
    _Rule(
        "offset.mismatch.strategy",
        "trust_offset",
        "critical",
        "after a slot was made anew it goes on with a hole, without a word",
    ),
    _Rule("slot.drop.on.stop", _FALSE, "critical", "what changes while the connector is stopped is lost"),
    _Rule("decimal.handling.mode", "string|precise", "critical", "decimals become floating-point numbers"),
    _Rule("interval.handling.mode", "string", "critical", "a month becomes a number of microseconds"),
    _Rule("bigint.unsigned.handling.mode", "precise", "critical", "2^63 and above turns negative"),
    _Rule("enable.time.adjuster", _FALSE, "critical", "years before 100 are moved into this century"),
    _Rule(
        "time.precision.mode",
        "isostring|adaptive|adaptive_time_microseconds|microseconds",
        "critical",
        "digits are cut (connect), or times outside 1677 to 2262 overflow (nanoseconds)",
    ),
    _Rule("include.unknown.datatypes", "true", "critical", "columns of types that Debezium does not know are left out"),
    _Rule(
        r"column\.(?:include\.list|exclude\.list|mask\..*|truncate\..*)|field\.(?:exclude\.list|renames)",
        _NEVER,
        "critical",
        "values are left out or altered before anything is recorded; the policy is where they are protected",
    ),
    _Rule(
        "message.key.columns",
        _NEVER,
        "critical",
        "rows get keys that are not the table's, and may overwrite each other",
    ),
    _Rule(
        "skip.messages.without.change", _FALSE, "critical", "changes of columns that are not captured leave no trace"
    ),
    _Rule("unavailable.value.placeholder", _NEVER, "critical", "a value that was not sent is taken for a real one"),
    _Rule(
        r"replica\.identity\.autoset\.values", r"(?:[^,:]+:full,?)+", "critical", "the old row of a change is not whole"
    ),
    _Rule(
        "publish.via.partition.root", "true", "critical", "rows of partitions come under names that no definition has"
    ),
    _Rule(
        "heartbeat.interval.ms",
        r"[1-9]\d{0,5}",
        "critical",
        "silence and death look alike, and a quiet source's slot keeps its log",
    ),
    _Rule("heartbeat.action.query", _NEVER, "critical", "the source epoch is learned from the profile's statement"),
    _Rule("provide.transaction.metadata", "true", "critical", "nothing proves that a transaction arrived whole"),
    _Rule("include.query", _FALSE, "critical", "records hold statements, with values that the policy protects"),
    _Rule("errors.log.include.messages", _FALSE, "critical", "rows appear in the worker's log, in clear"),
    _Rule("include.schema.changes", "true", "warning", "where in the order of events a table changed is not told"),
    _Rule(
        "capture.mode",
        "change_streams_update_full_with_pre_image",
        "critical",
        "a change has no image before it, or none after",
    ),
    _Rule(
        "capture.mode.full.update.type",
        "post_image",
        "critical",
        "the document is looked up later: it may show a later change, or be null",
    ),
    _Rule(
        r"cursor\.pipeline(?:\.order)?|capture\.(?:scope|target|start\.op\.time)",
        _NEVER,
        "critical",
        "changes are filtered before the connector sees them",
    ),
    _Rule(r"topic\.creation\..*\.cleanup\.policy", "delete", "critical", "compaction erases history"),
    _Rule(
        r"topic\.creation\..*\.retention\.(?:ms|bytes)", "-1", "warning", "what the worker has not read by then is gone"
    ),
    _Rule(
        r"transforms\..*\.type",
        r"(?!.*(?:ExtractNew|Filter|EventRouter|ContentBasedRouter|ReplaceField|MaskField|DropHeaders))"
        r".*",
        "critical",
        "the transform takes records or parts of them away (ExtractNewRecordState: images and operation)",
    ),
    _Rule(
        r"transforms(?:\..*)?|predicates(?:\..*)?",
        _NEVER,
        "warning",
        "records are changed between Debezium and Kafka: compare them with the source",
    ),
    _Rule(
        r"converters|.*\.converter(?:\..*)?",
        _NEVER,
        "warning",
        "values are spelled by a converter that cdc does not know",
    ),
    _Rule(
        r"(?:decimal|binary|hstore|money\.fraction|geometry)\.(?:handling\.mode|digits)|column\.propagate\.source\.type"
        r"|(?:schema|field)\.name\.adjustment\.mode|time\.precision\.mode|source\.timestamp\.mode",
        _NEVER,
        "warning",
        "values or names are spelled otherwise than cdc reads them",
    ),
    _Rule(
        r"signal\.(?!poll).*|notification\..*|extended\.headers\.enabled|topic\.(?:transaction|heartbeat\.prefix|delimiter)",
        _NEVER,
        "warning",
        "what cdc sends to or reads from the connector goes another way",
    ),
    _Rule(
        r"event\.source\.position\.filter|.*truncat.*|slot\.stream\.params|.*\.initial\.statements",
        _NEVER,
        "warning",
        "what is captured may be less than the database changed",
    ),
    _Rule(
        "errors.max.retries",
        "-1",
        "warning",
        "a source that is down for longer ends the task: a person has to restart it",
    ),
)


def overrides(definition: Definition, profile: Settings) -> tuple[Override, ...]:
    """What each raw setting of the definition risks, the gravest first. ``profile``: the configuration without them.

    A setting that says what the profile says anyway is harmless, and not named.
    """
    return judge(definition.settings, profile)


def judge(settings: Iterable[tuple[str, str]], profile: Settings) -> tuple[Override, ...]:
    """The same for any settings, such as those of a connector that runs."""
    found = [_judged(name, value, profile) for name, value in settings]
    order = ("critical", "warning", "info")
    return tuple(sorted((each for each in found if each is not None), key=lambda each: order.index(each.severity)))


def _judged(name: str, value: str, profile: Settings) -> Override | None:
    present = profile.get(name)
    if present is not None and present.value == value:
        return None
    was = present.value if present is not None else None
    for named, harmless, rule in _COMPILED:
        if named(name) and not harmless(value.lower()):
            return Override(name, value, was, rule.severity, rule.reason)
    if present is not None:
        return Override(name, value, was, "info", f"in place of the profile's {was}: {present.reason}")
    return Override(name, value, None, "info", "the profile leaves it to its default")


def _whole(pattern: str) -> Callable[[str], object]:
    return re.compile(pattern, re.IGNORECASE).fullmatch


_COMPILED = tuple((_whole(rule.names), _whole(rule.harmless), rule) for rule in _RULES)

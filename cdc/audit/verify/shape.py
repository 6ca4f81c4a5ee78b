"""Which members an entry of each kind has, and how they are spelt (docs/formats.md §3)."""

from __future__ import annotations

import re
from typing import Any

from .entry import Malformed

_ALWAYS = frozenset({"format", "kind", "ordered_at", "origin", "salt", "seq"})
_IDENTITY = frozenset({"offset", "ordinal", "partition", "produced_at", "topic_id"})
_CLOCKS = frozenset({"captured_at", "committed_at"})

_Members = frozenset[str]


def _kind(must: str, may: str = "") -> tuple[_Members, _Members]:
    """Members that a kind must have, and all that it may have; ``identity`` and ``clocks`` stand for several."""
    groups = {"identity": _IDENTITY, "clocks": _CLOCKS}
    needed = _ALWAYS.union(*(groups.get(name, {name}) for name in must.split()))
    return needed, needed.union({"flags"}, *(groups.get(name, {name}) for name in may.split()))


MEMBERS = {
    "change": _kind(
        "identity clocks key operation plan position schema subject table",
        "after before epoch linked_key prev replay_of resolves transaction version",
    ),
    "truncate": _kind("identity clocks operation position table", "epoch replay_of transaction"),
    "message": _kind("identity clocks operation position content", "epoch replay_of resolves transaction"),
    "schema": _kind("identity clocks content plan schema table", "epoch resolves"),
    "baseline": _kind("identity captured_at content", "epoch"),
    "end": _kind("identity transaction", "clocks epoch position"),
    "operation": _kind("content"),
    "quarantined": _kind("identity content", "clocks epoch table transaction"),
    "resolved": _kind("content"),
    "gap": _kind("content", "identity clocks epoch transaction"),
    "absent": _kind("identity captured_at key table", "content epoch prev version"),
}
"""Kind → members it must have, members it may have. Members in a body count as the entry's."""

_OPERATIONS = {"change": frozenset("crud"), "truncate": frozenset("t"), "message": frozenset("m")}
_IMAGES = {"c": {"after"}, "r": {"after"}, "u": {"after", "before"}, "d": {"before"}}
_CONTENT = {
    "absent": {"copies"},
    "baseline": {"detail", "notification"},
    "gap": {"at", "by", "cause", "effect", "from", "lost", "reason", "through"},
    "message": {"content", "prefix"},
    "operation": {"actor", "detail", "name"},
    "quarantined": {"reason", "sealed"},
    "resolved": {"at", "by", "how", "of", "reason"},
    "schema": {"columns", "key", "plan"},
}
_FLAGS = ("", "before-missing", "keyless", "before-missing keyless")
_BODIED = frozenset({"change", "schema", "message", "baseline", "operation", "quarantined", "resolved", "gap"})

_DECIMALS = ("captured_at", "committed_at", "offset", "ordered_at", "ordinal", "partition", "produced_at", "version")
_DECIMAL = r"(?:0|[1-9][0-9]{0,39})"
_SALT_AND_DECIMALS = re.compile(rf"[0-9a-f]{{32}}(?: {_DECIMAL})*")
_TOPIC_ID = re.compile(r"[A-Za-z0-9_-]{22}")
_REPLAY_OF = re.compile(rf"(?:{_DECIMAL}|entry)/{_DECIMAL}")
_NAME = r'(?:[a-z_][a-z0-9_$]*|"(?:[^"]|"")+")'
_TABLE = re.compile(rf"{_NAME}\.{_NAME}")


class Shapes:
    """Judges entries one by one; sets of members that were found right are remembered."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], tuple[str, ...]] = {}

    def check(self, entry: dict[str, Any], *, bodied: bool) -> None:
        """Make sure that an entry has the members of its kind, spelt as the formats say.

        Raises:
            Malformed: it has not. Names members, never what is in them.
        """
        flags = entry.get("flags")
        try:
            flagged = " ".join(flags) if type(flags) is list else ""
            form = (entry.get("kind"), entry.get("operation"), flagged, type(entry.get("key")), bodied, *entry)
            spelt = self._known.get(form)
            if spelt is None:
                spelt = self._known[form] = _judged(entry, flagged, bodied=bodied)
            if _SALT_AND_DECIMALS.fullmatch(" ".join([entry[name] for name in spelt])) is None:
                raise _malformed("its salt is not 16 bytes in hex, or a number is no plain decimal")
        except TypeError:
            raise _malformed("a member is not a text where it must be one") from None
        if entry["format"] != "1":
            raise _malformed("its format is not 1")
        if entry["kind"] != "change" or "replay_of" in entry:
            _check_spelling(entry)


def is_topic_id(text: object) -> bool:
    """Whether this is a Kafka topic id (KIP-516) in base64 as Kafka prints it."""
    return _matches(_TOPIC_ID, text)


def _check_spelling(entry: dict[str, Any]) -> None:
    """Members that only some kinds have, or whose content has a form of its own."""
    content = _CONTENT.get(entry["kind"]) if "content" in entry or entry["kind"] != "absent" else None
    if content is not None and (type(entry["content"]) is not dict or entry["content"].keys() != content):
        raise _malformed("content does not have the members of its kind")
    if "table" in entry and not _matches(_TABLE, entry["table"]):
        raise _malformed("table is not a qualified name")
    if "replay_of" in entry and not _matches(_REPLAY_OF, entry["replay_of"]):
        raise _malformed("replay_of is not a source position")


def _judged(entry: dict[str, Any], flagged: str, *, bodied: bool) -> tuple[str, ...]:
    """The members that are spelt alike in every kind: the salt, and those that are numbers; once the set is right."""
    kind = entry.get("kind")
    if kind not in MEMBERS:
        raise _malformed("its kind is none of the formats'")
    must, may = MEMBERS[kind]
    present = entry.keys()
    if must - present:
        raise _malformed(f"{', '.join(sorted(must - present))}: missing from a {kind}")
    if present - may or {"resolves", "transaction"} <= present:
        raise _malformed(f"{len(present - may)} members do not belong in a {kind}")
    if len(_IDENTITY & present) not in {0, len(_IDENTITY)}:
        raise _malformed("half an identity: topic id, partition, offset, ordinal, produced_at")
    if bodied and kind not in _BODIED:
        raise _malformed(f"a {kind} has no body")
    if kind in _OPERATIONS and entry["operation"] not in _OPERATIONS[kind]:
        raise _malformed(f"operation is not one of a {kind}")
    if flagged not in _FLAGS or ("flags" in entry and not flagged):
        raise _malformed("flags are not a sorted set of known flags")
    if kind == "change":
        _check_change(entry, flagged.split())
    elif kind == "absent":
        _check_absent(entry, flagged.split())
    return ("salt", *(name for name in _DECIMALS if name in entry))


def _check_absent(entry: dict[str, Any], flags: list[str]) -> None:
    keyless = type(entry["key"]) is str
    if (not keyless and type(entry["key"]) is not list) or keyless != (flags == ["keyless"]):
        raise _malformed("key and the flag keyless disagree")
    if {"content": keyless, "version": not keyless, "prev": not keyless} != {
        name: name in entry for name in ("content", "version", "prev")
    }:
        raise _malformed("content is for rows without a key, version and prev are for those with one")


def _check_change(entry: dict[str, Any], flags: list[str]) -> None:
    keyless = type(entry["key"]) is str
    if not keyless and type(entry["key"]) is not list:
        raise _malformed("key is neither an array nor a hash")
    if keyless != ("keyless" in flags):
        raise _malformed("key and the flag keyless disagree")
    wanted = _IMAGES[entry["operation"]]
    missing = {"before"} if "before-missing" in flags else set()
    if entry.keys() & {"after", "before"} != wanted - missing or not missing <= wanted:
        raise _malformed("its images do not suit its operation and flags")
    chained = not keyless and "replay_of" not in entry
    if ("version" in entry) != chained or ("prev" in entry) != chained:
        raise _malformed("version and prev are for rows with a key, and not for replays")
    if "linked_key" in entry and (entry["operation"] not in {"c", "d"} or type(entry["linked_key"]) is not list):
        raise _malformed("linked_key is out of place")


def _matches(pattern: re.Pattern[str], text: object) -> bool:
    return isinstance(text, str) and pattern.fullmatch(text) is not None


def _malformed(why: str) -> Malformed:
    return Malformed("entry", why)

"""Which members an entry of each kind has, and how they hang together (docs/formats.md §2, §3).

A reader that accepts an entry can rely on all of it; what needs the entries around it (order, versions, continuity,
counts) is not judged here.
"""

from __future__ import annotations

from typing import Final

from msgspec import UNSET

from cdc.entry.canonical import EntryError, digest
from cdc.entry.model import Entry, Json, Subject
from cdc.entry.names import split_qualified_name

_ALWAYS = {"format", "kind", "ordered_at", "origin", "salt", "seq"}
_RECORD = {"offset", "ordinal", "partition", "produced_at", "topic_id"}
_CLOCKS = {"captured_at", "committed_at"}
_ANY = {"flags"}

_Members = frozenset[str]

MEMBERS: Final[dict[str, tuple[_Members, _Members]]] = {
    kind: (frozenset(_ALWAYS | required), frozenset(_ALWAYS | required | _ANY | optional))
    for kind, required, optional in [
        (
            "change",
            {*_RECORD, *_CLOCKS, "key", "operation", "plan", "position", "schema", "subject", "table"},
            {"after", "before", "body", "epoch", "linked_key", "prev", "replay_of", "resolves", "transaction"}
            | {"version"},
        ),
        ("end", {*_RECORD, "transaction"}, {*_CLOCKS, "epoch", "position"}),
        (
            "message",
            {*_RECORD, *_CLOCKS, "content", "operation", "position"},
            {"body", "epoch", "replay_of", "resolves", "transaction"},
        ),
        ("schema", {*_RECORD, *_CLOCKS, "content", "plan", "schema", "table"}, {"body", "epoch", "resolves"}),
        (
            "truncate",
            {*_RECORD, *_CLOCKS, "operation", "position", "table"},
            {"epoch", "replay_of", "transaction"},
        ),
        ("quarantined", {*_RECORD, "content"}, {*_CLOCKS, "body", "epoch", "table", "transaction"}),
        ("baseline", {*_RECORD, "captured_at", "content"}, {"body", "epoch"}),
        ("absent", {*_RECORD, "captured_at", "key", "table"}, {"content", "epoch", "prev", "version"}),
        ("resolved", {"content"}, set()),
        ("gap", {"content"}, {*_RECORD, *_CLOCKS, "body", "epoch"}),
        ("operation", {"content"}, {"body"}),
    ]
}
"""Kind → the members it must have, and those it may have. ``body`` stands for the members that it holds."""

_OPERATIONS: Final[dict[str, str]] = {"change": "crud", "message": "m", "truncate": "t"}

_CONTENT: Final[dict[str, set[str]]] = {
    "absent": {"copies"},
    "baseline": {"detail", "notification"},
    "gap": {"at", "by", "cause", "effect", "from", "lost", "reason", "through"},
    "message": {"content", "prefix"},
    "operation": {"actor", "detail", "name"},
    "quarantined": {"reason", "sealed"},
    "resolved": {"at", "by", "how", "of", "reason"},
    "schema": {"columns", "key", "plan"},
}
_MARKERS = {"unavailable": "toast", "dropped": ""}


def check(entry: Entry) -> None:
    """Raise :class:`EntryError`, naming members and never their content, unless the entry is whole for its kind."""
    present = {name for name in Entry.__struct_fields__ if getattr(entry, name) is not UNSET}
    required, allowed = MEMBERS[entry.kind]
    aside = {"content"} if entry.body is not UNSET else set()
    _refuse("missing from this kind", required - present - aside)
    _refuse("out of place in this kind", present - allowed)
    _refuse("missing beside the rest of the identity", _RECORD - present if _RECORD & present else set())
    _refuse("both in the entry and in its body", present & {"after", "before", "content"} if aside else set())
    _demand((entry.kind == "operation") == entry.origin.startswith("operations/"), "kind and origin disagree")
    if entry.kind in _OPERATIONS:
        _demand(str(entry.operation) in _OPERATIONS[entry.kind], "operation does not suit the kind")
    if entry.flags is not UNSET:
        _demand(bool(entry.flags) and list(entry.flags) == sorted(set(entry.flags)), "flags are not a sorted set")
    if isinstance(entry.table, str):
        split_qualified_name(entry.table)
    _check_transaction(entry)
    if entry.content is not UNSET:
        _check_content(entry)
    if entry.kind in {"absent", "change"}:
        _check_key(entry)
    if entry.kind == "absent":
        keyless = isinstance(entry.key, str)
        _demand((entry.content is not UNSET) == keyless, "content is for rows without a key")
    if entry.kind == "change":
        _check_images(entry)


def is_value(value: object) -> bool:
    """Whether this is the value of a column (docs/formats.md §2)."""
    if value is None or isinstance(value, str):
        return True
    if isinstance(value, list):
        return all(is_value(item) for item in value)
    if not isinstance(value, dict) or len(value) != 1:
        return False
    ((name, inner),) = value.items()
    if name == "struct":
        return _is_image(inner)
    if name == "token":
        return isinstance(inner, str) and inner.startswith("tok_")
    return isinstance(inner, str) and (name == "seal" or _MARKERS.get(name) == inner)


def _check_transaction(entry: Entry) -> None:
    transaction = entry.transaction
    if transaction is UNSET:
        return
    if entry.kind == "end":
        _demand(transaction.end is not UNSET, "an entry of kind end has no transaction.end")
        _demand(transaction.order is UNSET, "an entry of kind end has an order")
    _demand(entry.resolves is UNSET, "transaction is in resolves")
    if entry.kind in {"change", "truncate"}:
        _demand(transaction.order is not UNSET, "transaction.order is missing")


def _check_content(entry: Entry) -> None:
    content: Json = entry.content
    _demand(isinstance(content, dict), "content is not an object")
    members = _CONTENT.get(entry.kind)
    _demand(members is None or set(content) == members, "content does not have the members of the kind")
    if entry.kind == "schema":
        described = {"columns": content["columns"], "key": content["key"], "table": entry.table}
        _demand(digest(described) == entry.schema, "content is not what the digest of the schema names")
        _demand(digest(content["plan"]) == entry.plan, "content is not what the digest of the plan names")
    elif entry.kind == "message":
        _demand(isinstance(content["prefix"], str) and is_value(content["content"]), "content is not a message")


def _check_key(entry: Entry) -> None:
    keyless = isinstance(entry.key, str)
    if not keyless:
        whole = isinstance(entry.key, list) and bool(entry.key) and all(is_value(part) for part in entry.key)
        _demand(whole, "key is not an array of values")
    _demand(keyless == ("keyless" in (entry.flags or ())), "key and flag keyless disagree")
    chained = not keyless and entry.replay_of is UNSET
    for name in ("prev", "version"):
        _demand((getattr(entry, name) is not UNSET) == chained, f"{name} is missing, or out of place")
    if chained:
        _demand((entry.prev is None) == (entry.version == "1"), "prev and version disagree")
    if entry.linked_key is not UNSET:
        _demand(entry.operation in {"c", "d"} and isinstance(entry.linked_key, list), "linked_key is out of place")


def _check_images(entry: Entry) -> None:
    images = {"after": entry.after, "before": entry.before}
    subject = entry.subject if isinstance(entry.subject, Subject) else Subject()
    subjects = {"after": subject.after, "before": subject.before}
    if entry.body is not UNSET:
        images = subjects  # the images are in the body: their subjects tell which there are
    expected = {"c": {"after"}, "r": {"after"}, "u": {"after", "before"}, "d": {"before"}}[str(entry.operation)]
    present = {name for name, image in images.items() if image is not UNSET}
    lost = {"before"} if "before-missing" in (entry.flags or ()) else set()
    _demand(present in (expected, expected - lost), "images do not suit the operation")
    for name, image in images.items():
        _demand((image is UNSET) == (subjects[name] is UNSET), f"subject.{name} and {name} disagree")
        _demand(image is UNSET or image is subjects[name] or _is_image(image), f"{name} is not an image")


def _is_image(value: object) -> bool:
    return isinstance(value, dict) and all(is_value(column) for column in value.values())


def _refuse(why: str, members: set[str] | frozenset[str]) -> None:
    if members:
        raise EntryError(f"{', '.join(sorted(members))}: {why}")


def _demand(holds: bool, why: str) -> None:
    if not holds:
        raise EntryError(why)

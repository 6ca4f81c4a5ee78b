"""docs/formats.md §3: which members an entry has, by kind, and how each is spelt."""

from __future__ import annotations

import re

RECORD = "change end message schema truncate quarantined baseline absent"
LATER = "gap"
"""Kinds that may have the identity of a record, or none."""
ALL = f"{RECORD} {LATER} resolved operation"

# member: (kinds that must have it, kinds that may have it)
MEMBERS = {
    "after": ("", "change"),
    "before": ("", "change"),
    "body": ("", "change message schema quarantined baseline gap operation"),
    "captured_at": ("change message schema truncate baseline absent", f"end quarantined {LATER}"),
    "committed_at": ("change message schema truncate", f"end quarantined {LATER}"),
    "content": ("schema message baseline quarantined resolved gap operation", "absent"),
    "epoch": ("", f"{RECORD} {LATER}"),
    "flags": ("", ALL),
    "format": (ALL, ""),
    "key": ("change absent", ""),
    "kind": (ALL, ""),
    "linked_key": ("", "change"),
    "offset": (RECORD, LATER),
    "operation": ("change truncate message", ""),
    "ordered_at": (ALL, ""),
    "ordinal": (RECORD, LATER),
    "origin": (ALL, ""),
    "partition": (RECORD, LATER),
    "plan": ("change schema", ""),
    "position": ("change message truncate", "end"),
    "prev": ("", "change absent"),
    "produced_at": (RECORD, LATER),
    "replay_of": ("", "change truncate message"),
    "resolves": ("", "change message schema"),
    "salt": (ALL, ""),
    "schema": ("change schema", ""),
    "seq": (ALL, ""),
    "subject": ("change", ""),
    "table": ("change schema truncate absent", "quarantined"),
    "topic_id": (RECORD, LATER),
    "transaction": ("end", "change message truncate quarantined"),
    "version": ("", "change absent"),
}
MUST = {kind: {name for name, (must, _) in MEMBERS.items() if kind in must.split()} for kind in ALL.split()}
MAY = {kind: {name for name, (_, may) in MEMBERS.items() if kind in may.split()} for kind in ALL.split()}

DECIMAL = r"0|[1-9][0-9]*"
NAME = r'[a-z_][a-z0-9_$]*|"(?:[^"]|"")+"'
SPELT = {
    **dict.fromkeys(
        [
            "captured_at",
            "committed_at",
            "offset",
            "ordered_at",
            "ordinal",
            "partition",
            "produced_at",
            "seq",
            "version",
        ],
        DECIMAL,
    ),
    "format": "1",
    "operation": "[cudrtm]",
    "origin": r"[^/]+/[1-9][0-9]*",
    "plan": "[0-9a-f]{64}",
    "replay_of": rf"({DECIMAL}|entry)/({DECIMAL})",
    "salt": "[0-9a-f]{32}",
    "schema": "[0-9a-f]{64}",
    "table": rf"({NAME})\.({NAME})",
    "topic_id": "[A-Za-z0-9_-]{22}",
}
SPELT_RE = {name: re.compile(pattern) for name, pattern in SPELT.items()}
SUBJECT = re.compile(rf"[0-9a-f]{{32}}/({DECIMAL})")
FLAGS = (["before-missing"], ["keyless"], ["before-missing", "keyless"])


def faults(entry: dict, body: dict | None) -> list[str]:
    """What is wrong with the members of one entry, its body's members among them."""
    kind = entry.get("kind")
    if kind not in MUST:
        return ["unknown kind"]
    present = set(entry) | set(body or ())
    found = [f"{name} is missing" for name in sorted(MUST[kind] - present)]
    found += [f"{name} does not belong in a {kind}" for name in sorted(present - MUST[kind] - MAY[kind])]
    found += [
        f"{name} is misspelt"
        for name, pattern in SPELT_RE.items()
        if name in entry and not (isinstance(entry[name], str) and pattern.fullmatch(entry[name]))
    ]
    if ("body" in entry) != (body is not None):
        found.append("body is missing, or not wanted")
    if body is not None and set(entry) & {"after", "before", "content"}:
        found.append("a member was left beside the body")
    if "flags" in entry and entry["flags"] not in FLAGS:
        found.append("flags are not a sorted set of known flags")
    if kind == "baseline" and not _is_notification(entry.get("content", (body or {}).get("content"))):
        found.append("content is not a notification and its detail")
    identity = present & {"offset", "ordinal", "partition", "produced_at", "topic_id"}
    if len(identity) not in (0, 5):
        found.append("half an identity")
    if kind == "resolved" and not found:
        found += _resolved(entry["content"])
    if "resolves" in present and not found:
        found += _resolves(entry)
    if kind == "change" and not found:
        found += _change(entry, present)
    if kind == "absent" and not found:
        found += _absent(entry, present)
    return found


def _resolved(content: object) -> list[str]:
    if not isinstance(content, dict) or set(content) != {"at", "by", "how", "of", "reason"}:
        return ["content is not what became of a record"]
    if not re.fullmatch(DECIMAL, str(content["of"])) or not all(isinstance(content[name], str) for name in ("at", "by", "of")):
        return ["content does not say of which record, when, and who"]
    reasons = {"replayed": (str, type(None)), "dismissed": (str,)}
    return [] if isinstance(content["reason"], reasons.get(content["how"], ())) else ["a record is replayed, or dismissed with a reason"]


def _resolves(entry: dict) -> list[str]:
    resolves = entry["resolves"]
    if not isinstance(resolves, dict) or not {"seq"} <= set(resolves) <= {"seq", "transaction"}:
        return ["resolves is not the seq of an entry, and the transaction of its record"]
    if not re.fullmatch(DECIMAL, str(resolves["seq"])) or set(resolves.get("transaction", {"id": 0, "order": 0})) != {"id", "order"}:
        return ["resolves is misspelt"]
    return ["a late entry inside a transaction"] if "transaction" in entry else []


def _absent(entry: dict, present: set[str]) -> list[str]:
    keyless = isinstance(entry["key"], str)
    own = {"content", "flags"} if keyless else {"prev", "version"}
    if present & {"content", "flags", "prev", "version"} != own or entry.get("flags", ["keyless"]) != ["keyless"]:
        return ["members of a row with a key and without one are mixed"]
    if keyless and not (set(entry["content"]) == {"copies"} and re.fullmatch("-?[1-9][0-9]*", str(entry["content"]["copies"]))):
        return ["content is not a number of copies"]
    return []


def _is_notification(content: object) -> bool:
    if not isinstance(content, dict) or set(content) != {"detail", "notification"}:
        return False
    detail = content["detail"]
    texts = isinstance(detail, dict) and all(isinstance(text, str) for text in detail.values())
    return texts and content["notification"] in ("STARTED", "COMPLETED", "TABLE_SCAN_COMPLETED")


def _change(entry: dict, present: set[str]) -> list[str]:
    found = []
    images = {"c": {"after"}, "r": {"after"}, "u": {"after", "before"}, "d": {"before"}}.get(entry["operation"])
    have = present & {"after", "before"}
    missing = {"before"} if "before-missing" in entry.get("flags", ()) else set()
    if images is None or have not in (images, images - missing):
        found.append("images do not suit the operation")
    subject = entry["subject"]
    if (
        not isinstance(subject, dict)
        or set(subject) != have
        or not all(SUBJECT.fullmatch(str(s)) for s in subject.values())
    ):
        found.append("subject does not name one subject for each image")
    keyless = "keyless" in entry.get("flags", ())
    if isinstance(entry["key"], str) != keyless or not isinstance(entry["key"], str | list):
        found.append("key and flag keyless disagree")
    chained = not keyless and "replay_of" not in entry
    if ("version" in entry) != chained or ("prev" in entry) != chained:
        found.append("version and prev are for rows with a key, and not for replays")
    return found

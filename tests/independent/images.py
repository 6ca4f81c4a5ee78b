"""docs/formats.md §2, §5, §6: what one column may hold under its plan, and whether two images are of one row."""

from __future__ import annotations

import base64
import binascii
import re

TOKEN = re.compile(r"tok_[0-9a-f]{32}")
PROTECTIONS = ("clear", "token", "seal", "drop")


def content_faults(content: object) -> list[str]:
    """What is wrong with the content of a schema entry (§5)."""
    if not isinstance(content, dict) or set(content) != {"columns", "key", "plan"}:
        return ["content is not columns, key and plan"]
    columns, key, plan = content["columns"], content["key"], content["plan"]
    if not (isinstance(columns, list) and isinstance(key, list) and isinstance(plan, list) and plan):
        return ["content is not columns, key and plan"]
    if any(set(column) - {"connector", "semantic", "state"} != {"name", "type", "length", "scale", "wire", "optional"} for column in columns):
        return ["a column of the schema has other members"]
    if any(set(step) != {"column", "protect", "domain", "class", "tier"} for step in plan[:-1]):
        return ["a column of the plan has other members"]
    names = [column["name"] for column in columns]
    found = []
    if set(plan[-1]) != {"subject", "type"} or [step["column"] for step in plan[:-1]] != names:
        found.append("the plan does not follow the columns")
    if not set(key) <= set(names) or any(column["optional"] not in ("yes", "no") for column in columns):
        found.append("the schema contradicts itself")
    if any(step["protect"] not in PROTECTIONS for step in plan[:-1]):
        found.append("an unknown protection in the plan")
    return found


def image_faults(image: object, subject: str, content: dict) -> list[str]:
    """Columns of an image that are not what schema and plan say, by name; ``subject`` as in the entry."""
    if not isinstance(image, dict) or set(image) != {column["name"] for column in content["columns"]}:
        return ["image does not have the columns of its schema"]
    return [
        f"column {step['column']} is not what its plan ({step['protect']}) says"
        for step in content["plan"][:-1]
        if not _suits(image[step["column"]], step, subject)
    ]


def same(old: dict, old_subject: str, old_content: dict, new: dict, new_subject: str, new_content: dict) -> list[str]:
    """Names of the columns in which two images of one row differ, where they can be compared at all.

    Not compared: columns that a schema or plan change touched, values under different subjects or generations (keys
    and tokens of an erased subject are made anew), values that the source did not send.
    """
    before, after = _described(old_content), _described(new_content)
    differing = []
    for name in sorted(set(before) & set(after) & set(old) & set(new)):
        clear = before[name][1]["protect"] == "clear"
        if before[name] != after[name] or not (clear or old_subject == new_subject):
            continue
        if {"unavailable": "toast"} in (old[name], new[name]):
            continue
        if old[name] != new[name]:
            differing.append(name)
    return differing


def _described(content: dict) -> dict[str, tuple[dict, dict]]:
    return {
        column["name"]: (column, step) for column, step in zip(content["columns"], content["plan"][:-1], strict=True)
    }


def _suits(value: object, step: dict, subject: str) -> bool:
    if value is None or value == {"unavailable": "toast"}:
        return True
    if step["protect"] == "drop":
        return value == {"dropped": ""}
    if step["protect"] == "clear":
        return _in_clear(value)
    if not isinstance(value, dict) or len(value) != 1:
        return False
    if step["protect"] == "token":
        return bool(TOKEN.fullmatch(str(value.get("token"))))
    return _sealed_under(value.get("seal"), subject, step["tier"])


def _in_clear(value: object) -> bool:
    if value is None or isinstance(value, str):
        return True
    if isinstance(value, list):
        return all(_in_clear(item) for item in value)
    if isinstance(value, dict) and set(value) == {"struct"} and isinstance(value["struct"], dict):
        return all(_in_clear(item) for item in value["struct"].values())
    return False


def _sealed_under(seal: object, subject: str, tier: str) -> bool:
    """The header of the cell names the subject, its generation and the tier (§6)."""
    try:
        cell = base64.b64decode(str(seal), validate=True)
    except binascii.Error:
        return False
    who, _, generation = subject.partition("/")
    header = b"\x01" + bytes.fromhex(who) + bytes([int(tier)]) + int(generation).to_bytes(2, "big")
    return cell.startswith(header) and len(cell) > len(header) + 16

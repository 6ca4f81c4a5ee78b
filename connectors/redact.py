"""Texts of Connect and Debezium made fit to print: they can quote a setting's value or a row's."""

from __future__ import annotations

import re
from collections.abc import Container

_INVALID_VALUE = re.compile(r"Invalid value .*? for configuration", re.DOTALL)
_QUOTED = re.compile(
    r'\b(user|role|database|schema|relation|table|column|type|function|publication|slot|host)\s+"[^"]*"|"[^"]*"',
)
_DATA_LINES = re.compile(r"\s*(?:Detail|DETAIL|Where|Context|CONTEXT|Hint|Position):.*", re.DOTALL)
_CAUSE = re.compile(r"^(?:Caused by: )?((?:[a-zA-Z_$][\w$]*\.)+[A-Z][\w$]*)(?:: (.*))?$")
_LONGEST = 300
_SPEAKS_OF_POSITIONS = ("io.debezium.", "org.apache.kafka.", "org.postgresql.", "java.net.", "java.io.")
"""Packages whose messages are about settings, positions and servers. Others quote what they could not parse."""
MASK = "(not shown)"
"""Stands where a secret is, in every answer. No setting may have it for its value."""
_SECRET_NAME = re.compile(
    r"passw(or)?d|passphrase|secret|token|credential|jaas|(api|access|private|account|encryption|ssl|keystore|sas)[._-]?key",
    re.IGNORECASE,
)
_REFERENCE = re.compile(r"\$\{[A-Za-z][\w-]*:[^{}]*\}")
"""What Connect's configuration providers resolve (KIP-297), whichever the provider."""
_HARMLESS = re.compile(r"true|false|-?[0-9]{1,6}|(org\.apache\.kafka|io\.debezium)\.[\w.$]+")
_PASSWORD_IN = re.compile(r"((?:password|passwd|pwd|token|secret)\s*=\s*)[^\s&;,]+", re.IGNORECASE)
_USERINFO = re.compile(r"(//)[^/@\s]+@")
_FRAME = re.compile(r"\s+(at |\.\.\. \d+ )")


def message(text: str) -> str:
    """One of Connect's messages without values, on one line. Quoted texts are hidden unless they are names."""
    text = _INVALID_VALUE.sub("Invalid value … for configuration", text)
    text = _QUOTED.sub(lambda found: found[0] if found[1] else '"…"', text)
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else text[:_LONGEST] + " …"


def causes(trace: str) -> str:
    """A Java stack trace as one line: what happened, and why, outermost first. Repeated causes are folded."""
    found: list[str] = []
    for line in trace.splitlines():
        match = _CAUSE.match(line)
        if match is None:
            continue
        kind, said = match[1], match[2] or ""
        said = message(_DATA_LINES.sub("", said)) if kind.startswith(_SPEAKS_OF_POSITIONS) else ""
        short = kind.rpartition(".")[2]
        text = f"{short}: {said}" if said else short
        if not any(said and said in earlier for earlier in found):
            found.append(text)
    return " ← ".join(found) if found else "no cause given"


def trace(text: str, most: int = 400) -> str:
    """A whole Java stack trace without values: the frames as they are, what the exceptions say as in :func:`causes`."""
    lines: list[str] = []
    for line in text.splitlines():
        match = _CAUSE.match(line)
        if match is not None:
            kind, said = match[1], match[2] or ""
            said = message(_DATA_LINES.sub("", said)) if kind.startswith(_SPEAKS_OF_POSITIONS) else "…" * bool(said)
            begins = "Caused by: " if line.startswith("Caused by: ") else ""
            lines.append(f"{begins}{kind}{': ' + said if said else ''}")
        elif _FRAME.match(line):
            lines.append(line.replace("\t", "    "))
    more = len(lines) - most
    return "\n".join([*lines[:most], f"    … {more:,} more lines"] if more > 0 else lines)


def is_secret(setting: str) -> bool:
    """Whether a setting of this name holds a secret, by its name."""
    return _SECRET_NAME.search(setting) is not None


def value(setting: str, text: str, *, known: bool = True, secrets: Container[str] = ()) -> str:
    """A setting's value, fit to be shown: a reference verbatim, a secret as :data:`MASK`.

    Args:
        setting: its name.
        text: its value.
        known: whether the setting is one that we write. Of others only what cannot be a secret is shown.
        secrets: settings that the plugin itself declares as passwords.
    """
    if _REFERENCE.fullmatch(text):
        return text
    if is_secret(setting) or setting in secrets or not (known or _HARMLESS.fullmatch(text)):
        return MASK
    return _USERINFO.sub(r"\1…@", _PASSWORD_IN.sub(r"\1…", text))

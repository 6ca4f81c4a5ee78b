"""Texts of Connect and Debezium made fit to print: they can quote a setting's value or a row's."""

from __future__ import annotations

import re

_INVALID_VALUE = re.compile(r"Invalid value .*? for configuration", re.DOTALL)
_QUOTED = re.compile(
    r'\b(user|role|database|schema|relation|table|column|type|function|publication|slot|host)\s+"[^"]*"|"[^"]*"',
)
_DATA_LINES = re.compile(r"\s*(?:Detail|DETAIL|Where|Context|CONTEXT|Hint|Position):.*", re.DOTALL)
_CAUSE = re.compile(r"^(?:Caused by: )?((?:[a-zA-Z_$][\w$]*\.)+[A-Z][\w$]*)(?:: (.*))?$")
_LONGEST = 300
_SPEAKS_OF_POSITIONS = ("io.debezium.", "org.apache.kafka.", "org.postgresql.", "java.net.", "java.io.")
"""Packages whose messages are about settings, positions and servers. Others quote what they could not parse."""


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

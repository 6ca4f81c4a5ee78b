"""Writes a suggested policy as YAML, with a comment on every column: what it is, and why it is protected that way."""

from __future__ import annotations

import re
from collections.abc import Sequence

import yaml

from governance import policy
from governance.suggest import Choice, TableChoice

_HEAD = """\
# How each column of {source} is protected. `cdc policy init {source}` suggested it from the catalog: no value was
# read, so a column whose name says nothing was not recognised. Review it before the first record is replicated: who
# reads the warehouse sees what is `clear`, and changing a column's protection later suspends its table's state.
# A column that is not listed is sealed (in a key: tokenised). Equal values of one domain get equal tokens.
"""
_OWN = {
    "cdc.heartbeat": ("id", "beat_at", "system_identifier", "timeline"),
    "cdc.signal": ("id", "type", "data"),
}
"""cdc's own tables in a source (``connectors.preparation``). Nothing in them is about a person."""


def write(source: str, tables: Sequence[TableChoice]) -> str:
    """The text of the policy file, read once again by the reader that will read it.

    Raises:
        PolicyError: a name that no policy can hold.
    """
    lines = [*_HEAD.format(source=source).splitlines(), f"source: {source}", "tables:"]
    for table in tables:
        lines += _table(table)
    for title, columns in _OWN.items():
        lines += [f"  {title}:", "    retention: operational", "    key: [id]", "    columns:"]
        lines += [f"      {column}: clear" for column in columns]
    text = "\n".join(lines) + "\n"
    policy.parse(text)
    return text


def _table(choice: TableChoice) -> list[str]:
    table = choice.table
    lines = [f"  {_scalar(table.title)}:"]
    if choice.subjects:
        lines.append(
            "    # If a row belongs to one person, say so before the first record: its cells get that person's keys."
        )
    lines += [
        f"    # subject: {{type: {subject.type}, column: {_scalar(subject.column)}}}" for subject in choice.subjects
    ]
    lines.append("    retention: books-and-records")
    if table.key:
        lines.append(f"    key: [{', '.join(map(_scalar, table.key))}]")
    else:
        lines.append("    # The source gives it no key: rows are told apart by all their columns.")
    lines.append("    columns:")
    lines += [
        f"      {_scalar(column.column.name)}: {_rule(column)}   # {_comment(column)}" for column in choice.columns
    ]
    return lines


def _rule(choice: Choice) -> str:
    extra = ", class: personal" if choice.meaning and choice.protect != "clear" else ""
    if choice.protect == "token":
        return f"{{protect: token, domain: {choice.domain}{extra}}}"
    return f"{{protect: {choice.protect}{extra}}}" if extra else choice.protect


def _comment(choice: Choice) -> str:
    parts = [choice.column.type]
    if choice.meaning:
        parts.append(f"its name suggests {choice.meaning}")
    if choice.why:
        parts.append(choice.why)
    return "".join(letter if letter.isprintable() else "?" for letter in "; ".join(parts))


def _scalar(text: str) -> str:
    """A YAML scalar, within a flow list too."""
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]*(\.[A-Za-z_][A-Za-z0-9_-]*)?", text) and yaml.safe_load(text) == text:
        return text
    style = "'" if text.isprintable() else '"'
    return yaml.dump(text, default_style=style, allow_unicode=True, width=10_000).rstrip("\n")

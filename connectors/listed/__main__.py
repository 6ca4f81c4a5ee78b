# ruff: noqa: E501 - lines of a table
"""Prints ``docs/checks.md``: ``python -m connectors.listed``."""

from __future__ import annotations

from collections.abc import Iterable

from connectors.listed import GROUPS, Check

_HEAD = """# Checks

Printed by `python -m connectors.listed`; a test compares it. What `cdc check` and `cdc connectors check` look for, by the code that their answers
name. Codes are stable. `error`: evidence is lost or wrong, or will be; exit code 6. `warning`: a margin is thin, or a limit to live with; exit code 6
with `--strict`. `info`: to be known. How to run them: [connectors](connectors.md#check), [operations](operations.md#check).
"""


def document() -> str:
    """The whole text."""
    return _HEAD + "".join(f"\n## {title}\n\n{_table(group.values())}" for title, group in GROUPS.items())


def _table(checks: Iterable[Check]) -> str:
    rows = ["| code | severity | because | do |", "|---|---|---|---|"]
    rows += [f"| `{each.code}` | {each.severity} | {each.reason} | {each.remedy} |" for each in checks]
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    print(document(), end="")

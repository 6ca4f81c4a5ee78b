"""A plan as a person reads it, and as a program does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cdc.cli.output import Answer, Foot, Sheet, printable

if TYPE_CHECKING:
    from connectors.plan import Change, Plan

_SIGNS = {"create": "+", "update": "~", "resume": "▶", "restart": "↻", "delete": "-", "refuse": "!", "unchanged": "="}
_COLUMNS = ("name", "action", "topic", "edited", "setting", "before", "after")
_WIDEST = 60


def lines(found: Plan) -> list[str]:
    """The plan in lines: what changes, setting by setting, and the sum."""
    told: list[str] = []
    for change in found.pending:
        topic = f"   topic {change.topic}" if change.topic else ""
        told.append(f"{_SIGNS[change.action]} {change.name}   {change.action}{topic}")
        told += [f"    {note}" for note in change.notes]
        told += _settings(change)
    counts = found.counts()
    told += ["", summary(found)] if told else [summary(found)]
    if counts["unchanged"] and len(found.changes) > counts["unchanged"]:
        names = [change.name for change in found.changes if change.action == "unchanged"]
        more = f" and {len(names) - 5} more" if len(names) > 5 else ""
        told.append(f"Unchanged: {', '.join(names[:5])}{more}.")
    return [printable(line) for line in told]


def summary(found: Plan) -> str:
    """The sum in one line."""
    counts = found.counts()
    if not found.pending:
        return f"No changes: {counts['unchanged']} connectors are as they are defined."
    words = [f"{count} to {action}" for action, count in counts.items() if count and action != "unchanged"]
    return f"Plan: {', '.join(words)}, {counts['unchanged']} unchanged."


def _settings(change: Change) -> list[str]:
    if change.action == "create":
        return [f"    + {len(change.settings)} settings (--output json has each)"]
    width = max((len(each.setting) for each in change.settings), default=0)
    told = []
    for each in change.settings:
        sign = "+" if each.before is None else "-" if each.after is None else "~"
        said = " → ".join(_short(text) for text in (each.before, each.after) if text is not None)
        told.append(f"    {sign} {each.setting.ljust(width)}  {said}")
    return told


def _short(text: str) -> str:
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…"


def answer(found: Plan) -> Answer[Change]:
    """The plan for programs: JSON an object a connector, CSV a line a setting."""

    def rows(change: Change) -> list[Sequence[str | None]]:
        head: tuple[str | None, ...] = (change.name, change.action, change.topic, str(change.edited).lower())
        each = [(*head, s.setting, s.before, s.after) for s in change.settings]
        return list(each or [(*head, None, None, None)])

    sheet = Sheet(_COLUMNS, rows)
    return Answer(
        title="what would change",
        head={"question": "plan"},
        name="plan",
        items=found.changes,
        document=lambda change: change.document(),
        table=sheet,
        csv=sheet,
        foot=lambda: Foot({"counts": found.counts()}, [("", summary(found))]),
    )

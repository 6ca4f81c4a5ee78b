"""How findings are answered: grouped by area for people, whole for programs."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

import click

from cdc.cli.output import Answer, Foot, Sheet, printable, write
from cdc.config import Config

if TYPE_CHECKING:
    from cdc.checks.report import Found, Report

_COLUMNS = ("area", "severity", "id", "source", "place", "problem", "reason", "fix_sql", "fix")
_INDENT = " " * 11
_WORDS = {"error": ("error", "errors"), "warning": ("warning", "warnings"), "info": ("to know", "to know")}

strict_option = click.option("--strict", is_flag=True, help="Exit code 6 for warnings too.")


def answered(settings: Config, names: Sequence[str], output: str, *, everything: bool, strict: bool) -> int:
    """Look, answer on standard output, and return the exit code."""
    from cdc.checks.run import check

    report = check(settings, names, everything=everything, tell=_tell if sys.stderr.isatty() else lambda _line: None)
    found = report.ordered()
    if output == "table":
        click.echo("\n".join(_lines(report, found)))
    else:
        write(_answer(report, found), output)
    return report.exit_code(strict=strict)


def _tell(line: str) -> None:
    click.echo(f"{line} …", err=True)


def _lines(report: Report, found: Sequence[Found]) -> Iterator[str]:
    """By area and check: each finding with what mends it, then once why it matters."""
    for area, group in groupby(found, lambda each: each.finding.check.area):
        yield area
        for code, same in groupby(group, lambda each: each.finding.code):
            findings = list(same)
            check = findings[0].finding.check
            yield f"  {check.severity.ljust(7)}  {code}"
            for each in findings:
                yield f"{_INDENT}{f'{each.source}: ' if each.source else ''}{printable(each.finding.problem)}"
                if each.finding.remedy != check.remedy:
                    yield from (f"{_INDENT}  → {printable(line)}" for line in each.finding.remedy.splitlines())
            yield f"{_INDENT}because {printable(check.reason)}"
            if all(each.finding.remedy == check.remedy for each in findings):
                yield f"{_INDENT}  → {printable(check.remedy)}"
        yield ""
    yield _summary(report)


def _summary(report: Report) -> str:
    counts: Counter[str] = Counter(each.finding.severity for each in report.found)
    told = ", ".join(f"{counts[word]} {names[counts[word] != 1]}" for word, names in _WORDS.items())
    return f"{told}; {report.reached} of {report.asked} parts answered"


def _answer(report: Report, found: Sequence[Found]) -> Answer[Found]:
    def line(each: Found) -> list[list[str | None]]:
        document = each.document()
        return [[document[column] for column in _COLUMNS]]

    counts: Counter[str] = Counter(each.finding.severity for each in found)
    members = {"summary": {word: counts[word] for word in _WORDS}, "asked": report.asked, "reached": report.reached}
    return Answer(
        title="checks",
        head={"question": "check"},
        name="findings",
        items=found,
        document=lambda each: each.document(),
        table=Sheet(_COLUMNS, line),
        csv=Sheet(_COLUMNS, line),
        foot=lambda: Foot(members, [("checks", _summary(report))]),
    )

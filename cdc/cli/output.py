"""How an answer leaves the command line: a table for people, or JSON, CSV or NDJSON for programs.

Rows are written as they come, so an answer may be larger than memory. Tables shorten wide cells and escape what a
terminal would obey; the other formats have every value in full.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Generic, TextIO, TypeVar

import click

T = TypeVar("T")

FORMATS = ("table", "json", "csv", "ndjson")
SCHEMA_VERSION = 1
"""Member ``schema_version`` of JSON documents. Members may be added under one version; none changes or goes."""
WIDEST = 48
"""Characters of a cell in a table; a longer one is cut, and says how long it is."""
_PAGE = 500
"""Rows whose widths are judged together."""
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
"""Control and formatting characters: a terminal may obey them, or show other text than is there (Unicode TR 36)."""

output_option = click.option(
    "--output",
    type=click.Choice(FORMATS),
    default="table",
    show_default=True,
    help="A table, or a format for programs.",
)


@dataclass(frozen=True, slots=True)
class Sheet(Generic[T]):
    """Columns, and the lines that one item fills. None is an empty cell."""

    columns: Sequence[str]
    lines: Callable[[T], Iterable[Sequence[str | None]]]


@dataclass(frozen=True, slots=True)
class Foot:
    """What an answer ends with: ``members`` of the JSON document; ``lines`` (a word, a sentence) for people."""

    members: Mapping[str, Any]
    lines: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """Items in three forms. ``foot`` is asked after the last item."""

    title: str
    head: Mapping[str, Any]
    name: str
    items: Iterable[T]
    document: Callable[[T], Mapping[str, Any]]
    table: Sheet[T]
    csv: Sheet[T]
    foot: Callable[[], Foot]


def write(answer: Answer[T], output: str, out: TextIO | None = None) -> None:
    """Write an answer to standard output in one of :data:`FORMATS`.

    Table: title, rows, foot. JSON: one document, its rows under ``answer.name``. CSV and NDJSON: rows alone; title and
    foot go to standard error.
    """
    out = out or sys.stdout
    if hasattr(out, "reconfigure"):  # whatever the locale says: another encoding would end the answer in the middle
        out.reconfigure(encoding="utf-8")
    if output == "json":
        _json(answer, out)
        return
    if output == "table":
        _table(answer, out)
        return
    if output == "csv":
        out.write(",".join(map(_field, answer.csv.columns)) + "\n")
        out.writelines(",".join(map(_field, line)) + "\n" for item in answer.items for line in answer.csv.lines(item))
    else:
        out.writelines(_compact(answer.document(item)) + "\n" for item in answer.items)
    out.flush()
    sys.stderr.write(printable(answer.title) + "\n")
    _say(answer.foot().lines, sys.stderr)


def printable(text: str) -> str:
    """The text with every character escaped that could steer a terminal."""
    return _UNSAFE.sub(lambda found: _escaped(found[0]), text)


def _escaped(character: str) -> str:
    return {"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(character, f"\\u{ord(character):04x}")


def _compact(document: Mapping[str, Any]) -> str:
    """JSON on one line. What a terminal would obey is escaped, which JSON reads back as the same text."""
    written = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", written)


def _json(answer: Answer[T], out: TextIO) -> None:
    head = _compact({"schema_version": SCHEMA_VERSION, **answer.head})
    out.write(f"{head[:-1]},{json.dumps(answer.name)}:[")
    before = "\n"
    for item in answer.items:
        out.write(before + _compact(answer.document(item)))
        before = ",\n"
    foot = _compact(answer.foot().members)
    out.write("\n]" + ("," + foot[1:] if foot != "{}" else "}") + "\n")


def _field(text: str | None) -> str:
    """One field of CSV (RFC 4180). NULL is nothing, an empty text is two quotes."""
    if text is None:
        return ""
    if not text or re.search(r'[",\r\n]|^\s|\s$', text):
        return '"' + text.replace('"', '""') + '"'
    return text


def _table(answer: Answer[T], out: TextIO) -> None:
    lines = ([_cell(cell) for cell in line] for item in answer.items for line in answer.table.lines(item))
    out.write(printable(answer.title) + "\n\n")
    draw = _draw_rich if _is_terminal(out) else _draw_plain
    for number, page in enumerate(_pages(lines)):
        draw(answer.table.columns, page, out, number == 0)
    out.write("\n")
    _say(answer.foot().lines, out)
    out.flush()


def _pages(lines: Iterator[list[str]]) -> Iterator[list[list[str]]]:
    while page := list(islice(lines, _PAGE)):
        yield page


def _cell(text: str | None) -> str:
    if text is None:
        return ""
    shown = printable(text)
    return shown if len(shown) <= WIDEST else f"{shown[: WIDEST - 1]}… ({len(text):,} characters)"


def _is_terminal(out: TextIO) -> bool:
    return out.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _draw_plain(columns: Sequence[str], page: list[list[str]], out: TextIO, first: bool) -> None:
    heads = [_cell(column) for column in columns]
    rows = [heads, *page] if first else page
    widths = [max(len(row[n]) for row in [heads, *page]) for n in range(len(heads))]
    out.writelines(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() + "\n" for row in rows
    )


def _draw_rich(columns: Sequence[str], page: list[list[str]], out: TextIO, first: bool) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, show_header=first, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(Text(_cell(column)), overflow="fold")  # a narrow terminal loses nothing
    for row in page:
        table.add_row(*(Text(cell) for cell in row))
    Console(file=out, highlight=False, markup=False, emoji=False).print(table)


def _say(lines: Sequence[tuple[str, str]], out: TextIO) -> None:
    width = max((len(word) for word, _ in lines), default=0)
    out.writelines(f"{word.ljust(width)}  {printable(sentence)}\n" for word, sentence in lines)

"""README and picture show what the demo prints today: its acts, figures and commands, from one real run."""

from __future__ import annotations

import html
import re
from pathlib import Path

from cdc.local.demo import ACTS, next_commands, picture
from cdc.local.demo.next_commands import Next
from cdc.local.demo.scoreboard import NAMES
from cdc.local.demo.telling import WIDTH
from tests.house.test_docs import ROOT, wrong_commands

BLOCK = picture.block((ROOT / "README.md").read_text())


def acts(text: str) -> dict[str, list[str]]:
    """Heading of each act → its lines."""
    found: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in text.splitlines():
        if re.match(r"\d+ · ", line):
            lines = found[line] = []
        elif line:
            lines.append(line)
    return found


def typed(lines: list[str]) -> list[str]:
    """Commands with their meaning, however the program is reached and the columns are aligned."""
    return [re.sub(r"^  \S*cdc ", "  cdc ", re.sub(r" +# ", "  # ", line)) for line in lines]


def words(text: str) -> str:
    return "".join(text.split())


def drawn(svg: str) -> str:
    """The text of a picture, without white space."""
    return words(html.unescape("".join(re.findall(r"<text[^>]*>([^<]*)</text>", svg))))


def test_the_readme_shows_every_act_and_each_has_something_to_say():
    shown = acts(BLOCK)
    assert list(shown) == [f"{number} · {title}" for number, title in enumerate(ACTS, 1)]
    assert [heading for heading, lines in shown.items() if not lines] == []
    assert max(map(len, BLOCK.splitlines())) <= WIDTH


def test_the_readme_shows_every_figure():
    (lines,) = (lines for heading, lines in acts(BLOCK).items() if heading.endswith("Scoreboard"))
    assert [line[: len(max(NAMES, key=len)) + 2].rstrip() for line in lines] == [f"  {name}".rstrip() for name in NAMES]


def test_the_readme_shows_commands_that_the_demo_prints_and_the_program_takes(monkeypatch):
    monkeypatch.setattr(next_commands, "_program", lambda command: command)
    (order,) = re.findall(r"\$ cdc audit history orders (\d+)", BLOCK)
    lines = list(acts(BLOCK).values())[-1]
    expected = next_commands.lines(Next(next_commands.DEFAULT_STATE, order, "", ""), kept=False)
    assert typed(lines) == typed(list(expected))
    asked = [line.strip().removeprefix("$ ") for line in BLOCK.splitlines() if re.match(r" *(\$ |\S*cdc )", line)]
    assert len(asked) > 8
    assert wrong_commands("```sh\n" + "\n".join(asked) + "\n```\n") == []


def test_the_picture_shows_the_same_run():
    svg = (ROOT / picture.PICTURE).read_text()
    assert f"]({picture.PICTURE})" in (ROOT / "README.md").read_text()
    assert drawn(svg) == "makedemo" + words(BLOCK)


def test_what_the_checks_must_find():
    assert acts("1 · A\n  x\n\n2 · B\n") == {"1 · A": ["  x"], "2 · B": []}
    assert typed(["  .venv/bin/cdc status     # where"]) == ["  cdc status  # where"]
    assert drawn(picture.picture("1 · A\n  b  c\n")) == "makedemo1·Abc"
    assert isinstance(picture.PICTURE, Path)

"""What the demo prints besides facts: lines that fit, colour only where it is wanted, commands that this shell can run."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest

from cdc.local.demo import next_commands, picture
from cdc.local.demo.next_commands import Next
from cdc.local.demo.telling import WIDTH, Teller

LONG = "a worker said “" + "something that goes on and on, " * 9 + "”"
ABOUT = Next(Path(".cdc-demo"), "17", "2026-01-05T14:31:46.000001Z", "910")


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def terminal(monkeypatch):
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    return Terminal()


def told(out: io.StringIO) -> str:
    say = Teller(out)
    say.act(1, "An act")
    say(LONG)
    say.command("cdc status")
    say.text("x" * 200 + "\nFAIL")
    return out.getvalue()


def test_a_pipe_gets_plain_lines_of_at_most_120_columns():
    text = told(io.StringIO())
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= WIDTH == 120
    assert " ".join(LONG.split()) in " ".join(text.split())  # a sentence loses nothing
    assert "x" * 119 + "…\n" in text  # what a command printed is cut, visibly
    assert re.search(r"^   0\.\d s  a worker said", text, re.MULTILINE)


def test_a_terminal_gets_colour_unless_it_is_not_wanted(terminal, monkeypatch):
    plain = re.sub(r"\d\.\d s", "0.0 s", told(io.StringIO()))
    coloured = told(terminal)
    assert "\x1b[" in coloured
    assert re.sub(r"\d\.\d s", "0.0 s", re.sub(r"\x1b\[[\d;]*m", "", coloured)) == plain
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in told(Terminal())


def test_commands_are_never_cut():
    about = Next(Path("/a/long/way" * 12), "17", "2026-01-05T14:31:46.000001Z", "910")
    lines = list(next_commands.lines(about, kept=True))
    assert any(line.endswith(f"--state {about.state} --yes") for line in lines)


@pytest.mark.parametrize("kept", [True, False])
def test_each_reader_gets_a_block_that_begins_with_the_stack(kept):
    text = "\n".join(next_commands.lines(ABOUT, kept=kept))
    blocks = [block.splitlines() for block in re.split(r"^\w+:$\n?", text, flags=re.MULTILINE)[1:]]
    assert re.findall(r"^(\w+):$", text, re.MULTILINE) == ["operator", "auditor", "admin"]
    assert all(("demo --keep" in block[0]) is not kept for block in blocks)
    assert ("--at 2026" in text, "transaction 910" in text) == (kept, kept)  # another run has other instants


def test_the_program_is_named_as_this_shell_finds_it(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    bin_folder = tmp_path / ".venv" / "bin"
    bin_folder.mkdir(parents=True)
    monkeypatch.setattr(next_commands.sys, "argv", [str(bin_folder / "cdc")])
    monkeypatch.setattr(next_commands.sys, "executable", str(bin_folder / "python"))
    monkeypatch.setenv("PATH", "/nowhere")
    assert next_commands._program("cdc status") == ".venv/bin/cdc status"
    monkeypatch.setattr(next_commands.sys, "argv", ["/somewhere/cdc/__main__.py"])
    assert next_commands._program("cdc status") == ".venv/bin/python -m cdc status"
    (bin_folder / "cdc").write_text("#!/bin/sh\n")
    (bin_folder / "cdc").chmod(0o755)
    monkeypatch.setenv("PATH", str(bin_folder))
    assert next_commands._program("cdc status") == "cdc status"
    assert next_commands._program("export X=cdc") == "export X=cdc"


def test_the_picture_needs_nothing_from_elsewhere_and_the_readme_keeps_the_rest():
    drawn = picture.picture("1 · An act\n   1.0 s  <said> & done\n")
    assert "<svg" in drawn
    assert "&lt;said&gt;" in drawn
    assert [url for url in re.findall(r"https?://[^\"\s]+", drawn) if not url.startswith("http://www.w3.org/")] == []
    assert "url(" not in drawn.replace("url(#", "")
    readme = f"before\n{picture.MARK}\n```text\nold\n```\nafter\n"
    assert picture.with_block(readme, "new\n") == readme.replace("old", "new")
    with pytest.raises(ValueError, match="no text block"):
        picture.block("nothing")

"""One answer in four forms: tables for people, and three that programs read back exactly."""

from __future__ import annotations

import csv
import io
import json

import pytest

from cdc.cli.output import FORMATS, WIDEST, Answer, Foot, Sheet, printable, write

ROWS = [
    {"id": "1", "text": "plain"},
    {"id": "2", "text": None},
    {"id": "3", "text": ""},
    {"id": "4", "text": 'quotes " and, commas\nand lines\r\n'},
    {"id": "5", "text": "\x1b[31mred\x1b[0m \x9b31m \u202egnirts \x7f"},
    {"id": "6", "text": "x" * 1000},
    {"id": "7", "text": " =1+1 é😀\u2028"},
    {"id": "8", "text": "[bold]markup[/bold] :smile:"},
]


def answer(rows=ROWS, foot=None):
    sheet = Sheet(("id", "text"), lambda row: [[row["id"], row["text"]]])
    return Answer(
        title="A title \x1b[5m",
        head={"question": "test"},
        name="rows",
        items=iter(rows),
        document=lambda row: row,
        table=sheet,
        csv=sheet,
        foot=foot or (lambda: Foot({"count": 3}, [("word", "a sentence \x1b[5m"), ("longer word", "another")])),
    )


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def written(output: str, rows=ROWS) -> str:
    out = io.StringIO()
    write(answer(rows), output, out)
    return out.getvalue()


@pytest.mark.parametrize("output", FORMATS)
def test_nothing_that_a_terminal_would_obey(output, capsys):
    text = written(output) + capsys.readouterr().err
    if output == "csv":  # exact: control characters are the values' own
        assert "\x1b[31mred" in text
    else:
        assert not {c for c in text if c in "\x1b\x9b\x7f\u202e"}


def test_json_is_one_document_with_a_version():
    document = json.loads(written("json"))
    assert document == {"schema_version": 1, "question": "test", "rows": ROWS, "count": 3}
    assert json.loads(written("json", [])) == {"schema_version": 1, "question": "test", "rows": [], "count": 3}


def test_json_without_a_foot():
    out = io.StringIO()
    write(answer(foot=lambda: Foot({}, [])), "json", out)
    assert json.loads(out.getvalue())["rows"] == ROWS


def test_ndjson_is_rows_and_its_foot_is_on_standard_error(capsys):
    assert [json.loads(line) for line in written("ndjson").splitlines()] == ROWS
    assert capsys.readouterr().err == "A title \\u001b[5m\nword         a sentence \\u001b[5m\nlonger word  another\n"


def test_csv_is_exact_and_tells_null_from_empty(capsys):
    text = written("csv")
    read = list(csv.reader(io.StringIO(text, newline="")))
    assert read == [["id", "text"], *([row["id"], row["text"] or ""] for row in ROWS)]
    assert text.splitlines()[2:4] == ["2,", '3,""']
    assert "a sentence" in capsys.readouterr().err


def test_tables_are_aligned_and_cut():
    lines = written("table").splitlines()
    assert lines[0] == r"A title \u001b[5m"
    assert lines[2] == "id  text"
    assert lines[3] == "1   plain"
    assert lines[4] == "2"
    long = next(line for line in lines if "xxx" in line)
    assert long == f"6   {'x' * (WIDEST - 1)}… (1,000 characters)"
    assert lines[-2:] == ["word         a sentence \\u001b[5m", "longer word  another"]


def test_tables_go_on_page_by_page():
    lines = written("table", [{"id": str(n), "text": "t"} for n in range(1234)]).splitlines()
    assert sum(line.startswith("id") for line in lines) == 1
    assert [line.split()[0] for line in lines[3:1237]] == [str(n) for n in range(1234)]


def test_a_terminal_gets_a_table_of_rich_and_no_markup(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    out = Terminal()
    write(answer(ROWS[:1] + ROWS[-1:]), "table", out)
    assert "\x1b[1m" in out.getvalue()
    assert "[bold]markup[/bold] :smile:" in out.getvalue()


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_a_terminal_that_wants_none_gets_plain_text(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    out = Terminal()
    write(answer(), "table", out)
    assert "\x1b" not in out.getvalue()
    assert "id  text" in out.getvalue()


def test_values_of_rich_tables_are_escaped_too(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    out = Terminal()
    write(answer(), "table", out)
    assert "\x1b[31m" not in out.getvalue()
    assert "\\u001b[31m" in out.getvalue()


def test_rows_are_written_as_they_come():
    out = io.StringIO()

    def rows():
        yield ROWS[0]
        assert '"text":"plain"' in out.getvalue()
        yield ROWS[1]

    write(answer(rows()), "json", out)
    assert json.loads(out.getvalue())["rows"] == ROWS[:2]


def test_printable():
    assert printable("a\tb\nc\x00\x1b\u200b\ufeffé") == "a\\tb\\nc\\u0000\\u001b\\u200b\\ufeffé"

"""Documents and code say the same. Each check is a function of text, and is shown something wrong that it must find."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import click
import pytest

from cdc import cli
from cdc.entry.model import Entry, Kind

ROOT = Path(__file__).resolve().parents[2]
LONGEST_FILE = 300

# In pieces, so that this file does not hold what it looks for.
FORBIDDEN = re.compile(
    "|".join((
        r"(?<![\w./-])/" + r"work/", r"\.\./" + r"shared\b", r"\bdesign" + r"\.md\b", r"/home/" + r"[a-z]+/", r"/Users/" + r"\w+/",
        r"\bissues? " + r"#\d", r"\bissues " + r"show\b", r"pypi" + r"\.org", r"python" + r"hosted\.org", r"repo1?" + r"\.maven\.",
        r"maven\.apache\.org/" + r"maven2", r"proxy\.golang" + r"\.org", r"registry\.npm" + r"js", r"arti" + r"factory",
        r"\bseam" + r"less", r"\bworld-" + r"class", r"\bcutting-" + r"edge", r"\bblaz" + r"ing", r"\benterprise-" + r"grade",
    )),
    re.IGNORECASE,
)  # fmt: skip


def files(*suffixes: str) -> list[Path]:
    """Files of the repository: what git tracks or would track; without git, all but hidden folders."""
    listing = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(listing, capture_output=True, text=True, check=False)
    if done.returncode == 0 and done.stdout:
        found = {ROOT / name for name in done.stdout.split("\0") if name}
    else:
        found = {path for path in ROOT.rglob("*") if not any(part[0] == "." for part in path.relative_to(ROOT).parts)}
    return sorted(path for path in found if path.is_file() and (not suffixes or path.suffix in suffixes))


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def anchors(text: str) -> set[str]:
    """Headings as GitHub makes them addressable."""
    headings = re.findall(r"^#{1,6} (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def broken_links(path: Path, text: str) -> list[str]:
    """Relative links that lead nowhere, in Markdown at ``path``."""
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"```.*?```|`[^`]*`", "", text, flags=re.DOTALL)):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        place = (path.parent / file).resolve() if file else path
        if not place.exists() or (anchor and place.is_file() and anchor not in anchors(place.read_text())):
            broken.append(target)
    return broken


def shell_lines(text: str) -> Iterator[str]:
    """Lines of fenced shell blocks, without comments and continuations; of a session (console) those after a prompt."""
    for kind, block in re.findall(r"^```(sh|shell|bash|console)\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            if kind == "console" and not line.startswith("$ "):
                continue
            yield from re.split(r"&&|\|\||[;|]", re.sub(r"(^|\s)#.*", "", line).removeprefix("$ "))


def wrong_commands(text: str) -> list[str]:
    """``cdc …`` in shell blocks that the command line would refuse. Parses them; runs nothing."""
    wrong = []
    for line in shell_lines(text):
        words = [word for word in shlex.split(line) if not re.match(r"[A-Z_]+=", word)]
        if words and words[0].rpartition("/")[2] == "cdc" and (why := refusal(words[1:])):
            wrong.append(f"{line.strip()}: {why}")
    return wrong


def refusal(arguments: list[str]) -> str | None:
    command: click.Command = cli.root
    context = click.Context(command, info_name="cdc")
    while isinstance(command, click.Group) and arguments:
        if arguments[0].startswith("-"):
            return None if arguments[0] in {"--version", "--help", "-h"} else f"no such option {arguments[0]}"
        found = command.get_command(context, arguments[0])
        if found is None:
            return f"no such command {arguments[0]}"
        command, arguments = found, arguments[1:]
        context = click.Context(command, info_name=command.name, parent=context)
    try:
        command.make_context(command.name, list(arguments))
    except click.ClickException as error:
        return error.format_message()
    except click.exceptions.Exit:
        return None
    return None


def unknown_targets(text: str, makefile: str) -> set[str]:
    """``make …`` named in shell blocks or inline code that the Makefile does not have."""
    known = set(re.findall(r"^([a-z][a-z-]*):", makefile, re.MULTILINE))
    inline = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    named = set()
    for line in [*shell_lines(text), *inline]:
        words = line.split()
        if words and words[0] == "make":
            named |= {word for word in words[1:] if re.fullmatch(r"[a-z][a-z-]*", word)}
    return named - known


def halt_codes(source: str) -> set[str]:
    """First arguments of ``Halted(…)``. A code that is no literal cannot be documented."""
    codes = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) == "Halted":
            code = node.args[0] if node.args else None
            assert isinstance(code, ast.Constant), f"line {node.lineno}: Halted without a literal code"
            codes.add(str(code.value))
    return codes


def suspension_codes(source: str) -> set[str]:
    """First elements of returned pairs (code, sentence) with a hyphenated code."""
    returned = [node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Return)]
    firsts = [pair.elts[0] for pair in returned if isinstance(pair, ast.Tuple) and len(pair.elts) == 2]
    texts = [str(first.value) for first in firsts if isinstance(first, ast.Constant)]
    return {text for text in texts if re.fullmatch(r"[a-z]+(-[a-z]+)+", text)}


def documented_halts(text: str) -> set[str]:
    section = text.partition("\n## Halts\n")[2].partition("\n## ")[0]
    return set(re.findall(r"^### `([a-z-]+)`$", section, re.MULTILINE))


def documented_suspensions(text: str) -> set[str]:
    section = text.partition("\n## Suspended tables\n")[2].partition("\n## ")[0]
    return set(re.findall(r"^\| `([a-z-]+)` \|", section, re.MULTILINE))


def undocumented_modules(sources: dict[str, str]) -> list[str]:
    """Python files with code and without a docstring."""
    return [name for name, text in sources.items() if text.strip() and not ast.get_docstring(ast.parse(text))]


def too_long(sources: dict[str, str]) -> list[str]:
    return [f"{name}: {lines}" for name, text in sources.items() if (lines := len(text.splitlines())) > LONGEST_FILE]


def top_version(changelog: str) -> str | None:
    found = re.search(r"^## \[?(\d+\.\d+\.\d+)", changelog, re.MULTILINE)
    return found[1] if found else None


DOCUMENTS = files(".md")
OPERATIONS = (ROOT / "docs/operations.md").read_text()
GLOSSARY = (ROOT / "docs/glossary.md").read_text()
PRODUCT = {name_of(p): p.read_text() for p in files(".py") if name_of(p).split("/")[0] in {"cdc", "connectors", "governance"}}  # fmt: skip


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_relative_links_lead_somewhere(path):
    assert broken_links(path, path.read_text()) == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_commands_and_targets_that_are_named_exist(path):
    text = path.read_text()
    assert wrong_commands(text) == []
    assert unknown_targets(text, (ROOT / "Makefile").read_text()) == set()


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_tests_that_are_named_exist(path):
    """A document that says what a test shows names one that is there."""
    for file, name in re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", path.read_text(encoding="utf-8")):
        source = ROOT / file
        assert source.is_file(), f"{path}: {file}"
        assert not name or f"def {name}(" in source.read_text(encoding="utf-8"), f"{path}: {file}::{name}"


def test_hints_of_the_code_name_commands_that_exist():
    named = {line for text in PRODUCT.values() for line in re.findall(r'hint="(cdc [a-z]+(?: [a-z]+)?)', text)}
    assert len(named) > 3
    assert [line for line in named if wrong_commands(f"```sh\n{line}\n```\n")] == []


def test_every_halt_has_its_entry_and_every_entry_its_halt():
    codes = {code for name, text in PRODUCT.items() if name.startswith("cdc/") for code in halt_codes(text)}
    assert codes
    assert codes == documented_halts(OPERATIONS)


def test_every_suspension_is_explained():
    codes = {code for name, text in PRODUCT.items() if name.startswith("cdc/warehouse/") for code in suspension_codes(text)}  # fmt: skip
    assert codes
    assert codes == documented_suspensions(OPERATIONS)


def test_every_field_of_the_status_is_explained():
    from cdc.warehouse.status import StreamStatus

    assert [name for name in StreamStatus.__dataclass_fields__ if f"`{name}`" not in OPERATIONS] == []


def test_every_kind_is_in_the_glossary_and_every_member_in_the_formats():
    formats = (ROOT / "docs/formats.md").read_text()
    assert [kind for kind in get_args(Kind) if f"| **{kind}** |" not in GLOSSARY] == []
    assert [name for name in Entry.__struct_fields__ if f"`{name}`" not in formats] == []


def test_the_table_of_types_is_what_the_registries_say():
    from cdc.values.__main__ import document

    assert (ROOT / "docs/types.md").read_text() == document()  # python -m cdc.values > docs/types.md


def test_the_change_log_is_of_this_version():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert top_version((ROOT / "CHANGELOG.md").read_text()) == project["version"]


def test_every_decision_is_in_the_index_and_names_what_it_costs():
    index = (ROOT / "docs/adr/README.md").read_text()
    decisions = sorted((ROOT / "docs/adr").glob("[0-9]*.md"))
    assert [int(path.name[:4]) for path in decisions] == list(range(1, len(decisions) + 1))
    assert [path.name for path in decisions if f"]({path.name})" not in index] == []
    assert [path.name for path in decisions if "\n- Bad: " not in path.read_text()] == []


def test_nothing_names_a_machine_a_registry_or_a_superlative():
    hits = []
    for path in files():
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        hits += [f"{name_of(path)}:{text.count(chr(10), 0, hit.start()) + 1}: {hit[0]}" for hit in FORBIDDEN.finditer(text)]  # fmt: skip
    assert hits == []


def test_every_module_says_what_it_is_for():
    assert undocumented_modules({name_of(path): path.read_text() for path in files(".py")}) == []


def test_files_stay_at_a_length_that_can_be_read():
    assert too_long(PRODUCT) == []


# The checks themselves, shown what they must find.


def test_broken_links_are_found():
    text = "[a](formats.md) [b](missing.md) [c](https://example.org) [d](operations.md#halts) [e](operations.md#nowhere)\n`[f](x)`"
    assert broken_links(ROOT / "docs/x.md", text) == ["missing.md", "operations.md#nowhere"]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("cdc frobnicate", "no such command"),
        (".venv/bin/cdc local sideways", "no such command"),
        ("cdc local up && cdc keys initialise", "no such command"),
        ("cdc replicate trading --quickly", "No such option"),
        ("CDC_STATE=x cdc status --output yaml  # comment", "not one of"),
        ("cdc --wrong", "no such option"),
    ],
)
def test_wrong_commands_are_found(line, says):
    (found,) = wrong_commands(f"```sh\n{line}\n```\n")
    assert says in found


def test_right_commands_are_let_pass():
    text = "```sh\ncdc local up   # cdc frobnicate\ncdc replicate trading --batch-records 100\ncdc --version\necho cdc nothing\n```\n"
    assert wrong_commands(text + "```python\ncdc frobnicate\n```\n") == []


def test_unknown_targets_are_found():
    assert unknown_targets("`make test` `make tea`\n```sh\nmake coffee PYTHON=x\n```\n", "test: check\n\tx\n") == {"tea", "coffee"}  # fmt: skip


def test_codes_are_read_from_code_and_document():
    assert halt_codes('raise Halted("a-b", "x")\nraise errors.Halted("c", "y", hint="z")') == {"a-b", "c"}
    with pytest.raises(AssertionError, match="literal"):
        halt_codes("raise Halted(code, text)")
    assert suspension_codes('def f():\n    return "a-b", f"x{1}"\ndef g():\n    return "word", 1') == {"a-b"}
    assert documented_halts("x\n## Halts\n### `a-b`\nx\n### c\n## Next\n### `d`\n") == {"a-b"}
    assert documented_suspensions("x\n## Suspended tables\n\n| `a-b` | x |\n## Next\n| `d` | x |\n") == {"a-b"}


def test_missing_docstrings_long_files_and_versions_are_found():
    sources = {"bare.py": "x = 1\n", "told.py": '"""Told."""\n', "empty.py": "", "long.py": '"""."""\n' + "x = 1\n" * LONGEST_FILE}  # fmt: skip
    assert undocumented_modules(sources) == ["bare.py"]
    assert too_long(sources) == ["long.py: 301"]
    assert top_version("# Changelog\n## 1.2.3 - x\n## 1.2.2\n") == "1.2.3"
    assert top_version("# Changelog\n") is None


@pytest.mark.parametrize("text", ["in /" + "work/main", "see " + "design" + ".md", "https://pypi" + ".org/simple", "seam" + "less"])  # fmt: skip
def test_forbidden_words_are_found(text):
    assert FORBIDDEN.search(text)
    assert not FORBIDDEN.search("framework/main, redesign, at work, /home of the free")

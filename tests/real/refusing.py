"""What the tests of refusals share: a configuration in which all is well, and a command that must end with one line."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from governance.roots import keyring

REPOSITORY = Path(__file__).parents[2]
DEAD = "127.0.0.1:1"
CONFIGURATION = f"""\
[kafka]
"bootstrap.servers" = "{DEAD}"
[connect]
url = "http://{DEAD}"
[warehouse]
dsn = "host=127.0.0.1 port=1 dbname=warehouse user=cdc_replicator password=hush-hush"
[privacy]
dsn = "host=127.0.0.1 port=1 dbname=privacy user=cdc_privacy password=hush-hush"
[keyring]
path = "keyring.json"
[sources.trading]
definition = "trading.definition.yaml"
policy = "trading.policy.yaml"
topic = "trading"
"""
SAYS = re.compile(r"cdc: \S.*\n(  → .+\n)?")


@dataclass(frozen=True, slots=True)
class Said:
    """What a refused command said: ``line`` with its ``hint`` beneath, after any lines of progress."""

    line: str
    hint: str


def refused(path: Path, code: int, *arguments: str) -> Said:
    """Run a command that must end with this exit code, one line, and no word more."""
    command = [sys.executable, "-m", "cdc", *arguments, "--config", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == code, done.stderr[-600:]
    assert SAYS.fullmatch(done.stderr), done.stderr[-600:]
    assert "hush-hush" not in done.stderr
    assert done.stdout == ""
    line, _, hint = done.stderr.removeprefix("cdc: ").partition("\n")
    return Said(line, hint.removeprefix("  → ").rstrip("\n"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A configuration whose files are all well."""
    (tmp_path / "cdc.toml").write_text(CONFIGURATION)
    keyring.create(tmp_path / "keyring.json")
    for kind, place in (("policy", "governance/policies"), ("definition", "connectors/definitions")):
        (tmp_path / f"trading.{kind}.yaml").write_text((REPOSITORY / place / "trading.yaml").read_text())
    return tmp_path


Change = Callable[[Path], object]


def edit(name: str, was: str, now: str) -> Change:
    def change(folder: Path) -> None:
        text = (folder / name).read_text()
        assert text.count(was) >= 1
        (folder / name).write_text(text.replace(was, now, 1))

    return change

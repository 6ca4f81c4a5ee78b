"""What the command line shows before it does anything: help that teaches, loads little, and completes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest

from cdc import cli
from cdc.cli.examples import EXAMPLES
from tests.house.test_docs import wrong_commands

HEAVY = {"confluent_kafka", "cryptography", "httpx", "psycopg2", "rich", "yaml"}
"""What takes time to import. None of it is needed to show help."""


def commands(group: click.Group = cli.root, path: str = "cdc") -> Iterator[tuple[str, click.Command]]:
    """Every command that does something."""
    context = click.Context(group, info_name=path.rpartition(" ")[2])
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


def run(*words: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "cdc", *words], capture_output=True, text=True, check=False, env=os.environ | environment
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_command_shows_examples_and_only_of_commands_that_there_are():
    assert {path for path, _command in commands()} | {"cdc"} == set(EXAMPLES)


def test_every_example_is_a_command_line_that_would_be_accepted():
    lines = [line for examples in EXAMPLES.values() for line, _meaning in examples]
    assert wrong_commands("```sh\n" + "\n".join(line.partition(" >")[0] for line in lines) + "\n```\n") == []
    assert wrong_commands("```sh\ncdc statsu\n```\n") != []


@pytest.mark.parametrize("words", [["--help"], ["audit", "--help"], ["connectors", "--help"], ["completion", "--help"]], ids=" ".join)
def test_help_of_groups_loads_nothing_heavy(words):
    script = (
        "import sys; from cdc.cli import root\n"
        f"try: root.main({words!r}, prog_name='cdc')\nexcept SystemExit: pass\n"
        "print(sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "Usage: cdc" in done.stdout
    assert {name for name in HEAVY if f"'{name}'" in done.stderr} == set()


def test_the_end_of_help_is_examples():
    assert run("status", "--help").rstrip().splitlines()[-4] == "  Examples:"


def test_the_tab_key_completes_commands_and_sources(tmp_path):
    def completed(words: str, at: int) -> list[str]:
        told = run(COMP_WORDS=words, COMP_CWORD=str(at), _CDC_COMPLETE="bash_complete", CDC_CONFIG=str(tmp_path / "cdc.toml"))
        return [line.partition(",")[2] for line in told.splitlines() if line]

    assert completed("cdc sta", 1) == ["status"]
    assert {"history", "as-of", "verify"} <= set(completed("cdc audit ", 2))
    assert completed("cdc replicate ", 2) == []
    (tmp_path / "cdc.toml").write_text(
        '[kafka]\n"bootstrap.servers" = "h:1"\n[connect]\nurl = "http://h:1"\n[warehouse]\ndsn = "host=h"\n[privacy]\n'
        'dsn = "host=h"\n[keyring]\npath = "k"\n[sources.shop]\npolicy = "p"\ndefinition = "d"\n'
    )
    assert completed("cdc replicate ", 2) == ["shop"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_scripts_name_the_program(shell):
    assert "_CDC_COMPLETE" in run("completion", shell)

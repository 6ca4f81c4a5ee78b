"""Errors of the command line for programs: one line of JSON on standard error where JSON was asked for, else for people."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest


def cdc(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "cdc", *words], capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("output", [("--output", "json"), ("--output=json",)])
def test_an_error_is_json_where_json_was_asked_for(output: tuple[str, ...]) -> None:
    done = cdc("status", "--config", "/nowhere/cdc.toml", *output)
    assert done.returncode == 2
    assert done.stdout == ""
    error = json.loads(done.stderr)["error"]
    assert error["code"] == 2
    assert "/nowhere/cdc.toml" in error["message"]
    assert error["hint"].startswith("cdc local up")


def test_a_usage_error_too() -> None:
    done = cdc("audit", "history", "--output", "json")
    assert json.loads(done.stderr)["error"]["code"] == done.returncode == 2


def test_for_people_it_is_a_line_and_what_to_do() -> None:
    done = cdc("status", "--config", "/nowhere/cdc.toml")
    assert done.stderr.startswith("cdc: ")
    assert "\n  → cdc local up" in done.stderr

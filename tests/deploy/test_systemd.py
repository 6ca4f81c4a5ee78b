"""The systemd units: valid, hardened."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fix_stack import missing_service

FOLDER = Path(__file__).resolve().parents[2] / "deploy/systemd"
UNITS = sorted(FOLDER.glob("*.service"))
MOST_EXPOSED = 2.0
"""Of systemd-analyze's 0 (nothing to attack) to 10; a unit without any hardening has 9.6."""


@pytest.fixture
def analyze(tmp_path):
    """Runs systemd-analyze on a unit whose program is where this machine has one."""
    program = shutil.which("systemd-analyze")
    if program is None:
        missing_service("no systemd-analyze (apt-get install systemd)")

    def run(verb: str, unit: Path, *options: str) -> str:
        text = unit.read_text().replace("/opt/cdc/bin/cdc", str(Path(sys.executable).with_name("cdc")))
        placed = tmp_path / unit.name.replace("@.", "@trading.")
        placed.write_text(text)
        done = subprocess.run([program, verb, *options, placed], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    return run


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_finds_nothing_wrong(analyze, unit):
    said = analyze("verify", unit, "--man=no")
    assert [line for line in said.splitlines() if unit.name.partition("@")[0] in line] == []


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_little_is_exposed(analyze, unit):
    said = analyze("security", unit, "--offline=true", "--no-pager")
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", said)
    assert found
    assert float(found[1]) <= MOST_EXPOSED


def test_a_worker_that_needs_a_person_is_not_started_again():
    text = (FOLDER / "cdc-replicate@.service").read_text()
    assert "Restart=on-failure" in text
    assert (
        "RestartPreventExitStatus=1 2 3 4\n" in text
    )  # 5, unreachable, and a signal are left (docs/operations.md, Run)

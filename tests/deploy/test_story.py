"""The demo's story through real containers: `deploy/compose/story.sh`, where a Docker engine answers and the images are there."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.fix_stack import missing_service

ROOT = Path(__file__).resolve().parents[2]
IMAGES = ("cdc-audit:0.1.0", "cdc-kafka:4.3.1", "cdc-connect:3.7.0")


def ask(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["docker", *words], capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.timeout(1200)
def test_the_story_holds_in_containers():
    if shutil.which("docker") is None or ask("info").returncode:
        missing_service("no Docker engine answers")
    if ask("compose", "version").returncode:
        missing_service("Docker has no Compose v2")
    if ask("image", "inspect", *IMAGES).returncode:
        missing_service(f"Docker has not built {', '.join(IMAGES)} (docs/deploy.md)")
    done = subprocess.run(
        ["bash", "deploy/compose/story.sh"], cwd=ROOT, capture_output=True, text=True, check=False, env=os.environ
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    assert done.stdout.rstrip().endswith("story held")

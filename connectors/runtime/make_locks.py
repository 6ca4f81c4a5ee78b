"""Makes the lock files beside it: exact Maven coordinates with the SHA-256 of each jar.

Only whoever moves a version runs this (it needs Maven; nothing else here does)::

    python connectors/runtime/make_locks.py

``worker.pom.xml`` holds the broker and the Connect worker; every other ``<plugin>.pom.xml`` becomes one plugin folder.
A plugin's lock leaves out what the worker already has and whatever the worker must be the only one to load
(kafka-*, connect-*, jackson-*, slf4j-*): a second copy in the plugin's class loader breaks the JSON converter.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
WORKERS_OWN = ("kafka-", "connect-", "jackson-", "slf4j-")


def resolved(pom: Path) -> dict[str, tuple[str, Path]]:
    """``group:artifact[:classifier]`` → (coordinate, jar) for everything that a pom needs at run time."""
    with tempfile.TemporaryDirectory() as folder:
        listing = Path(folder, "list.txt")
        subprocess.run(
            ["mvn", "-q", "-B", "-f", str(pom), "dependency:list", "-DincludeScope=runtime",
             "-DoutputAbsoluteArtifactFilename=true", f"-DoutputFile={listing}"],
            check=True,
        )  # fmt: skip
        lines = [line.split(" -- ")[0].strip() for line in listing.read_text().splitlines() if ":jar:" in line]
    found = {}
    for line in lines:
        *coordinate, _scope, path = line.split(":")
        group, artifact, _jar, *classifier, version = coordinate
        found[":".join([group, artifact, *classifier])] = (
            ":".join([group, artifact, version, *classifier]),
            Path(path),
        )
    return found


def write_lock(name: str, jars: dict[str, tuple[str, Path]]) -> None:
    """One sorted line per jar: ``group:artifact:version[:classifier] sha256``."""
    lines = [f"{coordinate} {hashlib.sha256(path.read_bytes()).hexdigest()}\n" for coordinate, path in jars.values()]
    (HERE / f"{name}.lock").write_text("".join(sorted(lines)))
    sys.stdout.write(f"{name}.lock: {len(lines)} jars\n")


def main() -> None:
    """Write ``worker.lock`` first, then one lock per plugin without the worker's jars."""
    worker = resolved(HERE / "worker.pom.xml")
    write_lock("worker", worker)
    for pom in sorted(HERE.glob("*.pom.xml")):
        name = pom.name.removesuffix(".pom.xml")
        if name != "worker":
            own = {key: jar for key, jar in resolved(pom).items()
                   if key not in worker and not key.split(":")[1].startswith(WORKERS_OWN)}  # fmt: skip
            write_lock(name, own)


if __name__ == "__main__":
    main()

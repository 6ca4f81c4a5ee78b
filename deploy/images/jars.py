"""Puts the pinned jars where the Kafka and Connect images have them; run while those are built (`connect.Dockerfile`).

``worker/``: the class path of broker and Connect worker. ``plugins/NAME/``: one folder a plugin, as ``plugin.path``
wants it: every kind of database that a definition can be of. Every jar is fetched and checked by the local stack's own
code: an image has the same bytes.
"""

import shutil
import sys
from pathlib import Path

from cdc.local import artifacts


def folders(target: Path) -> dict[str, Path]:
    """Lock → where its jars go."""
    plugins = sorted(lock.stem for lock in artifacts.runtime_folder().glob("debezium-connector-*.lock"))
    return {"worker": target / "worker"} | {name: target / "plugins" / name for name in plugins}


def main(target: Path) -> None:
    """Fill ``target``; ends with an error of ``artifacts.ensure`` when a jar cannot be had or is another one."""
    for name, folder in folders(target).items():
        lock = artifacts.read_lock(artifacts.runtime_folder() / f"{name}.lock")
        shutil.copytree(artifacts.ensure(lock, print), folder)
        folder.chmod(0o755)
        print(f"{name}: {len(lock.jars)} jars")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

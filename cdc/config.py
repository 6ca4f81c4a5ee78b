"""The configuration file, read once by the command line and handed down as frozen settings.

Nothing else reads the environment, but for the secret that ``[supervise]`` names. Order of look-up: ``--config``,
``$CDC_CONFIG``, ``./cdc.toml``, ``./.cdc/cdc.toml``. Sources are in that file, and in files beside it:
``sources/NAME/source.toml`` holds the table ``[sources.NAME]`` of one source, its relative paths counted from its own
folder. ``cdc connectors init`` writes such files; ``cdc local up``, which writes ``cdc.toml`` anew, leaves them alone.

A text may stand elsewhere: ``dsn = { file = "/run/secrets/warehouse" }`` or ``{ env = "WAREHOUSE_DSN" }``.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg2

from cdc import kept_elsewhere
from cdc.connect_config import ConnectConfig
from cdc.connect_config import parse as parse_connect
from cdc.errors import ConfigError, NotFound

_SOURCE = re.compile(r"(?!pg_)[a-z][a-z0-9_]{0,40}")
_TAKEN = frozenset({"audit", "information_schema", "migration", "operations", "pipeline", "privacy", "public"})
SOURCE_FOLDER = "sources"
SOURCE_FILE = "source.toml"
SEARCHED = (Path("cdc.toml"), Path(".cdc/cdc.toml"))


@dataclass(frozen=True, slots=True)
class SourceConfig:
    """One source database and the topic its connector writes to. The log has the source's name.

    ``declared``: the file that holds its ``[sources.NAME]``.
    """

    name: str
    declared: Path
    topic: str
    policy: Path
    definition: Path
    dsn: str | None = field(default=None, repr=False)
    admin_dsn: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Config:
    """Effective settings. DSNs hold passwords, so none of them is in the ``repr``."""

    path: Path
    kafka: Mapping[str, str] = field(repr=False)
    connect: ConnectConfig = field(repr=False)
    warehouse_dsn: str = field(repr=False)
    warehouse_admin_dsn: str = field(repr=False)
    warehouse_auditor_dsn: str = field(repr=False)
    privacy_dsn: str = field(repr=False)
    privacy_admin_dsn: str = field(repr=False)
    keyring: Path
    sources: Mapping[str, SourceConfig]
    supervise: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """The table ``[supervise]`` as it stands; ``cdc.supervise.settings`` reads it."""

    @property
    def state(self) -> Path:
        """Folder of the configuration file; the local stack keeps its secrets and logs there."""
        return self.path.parent

    def source_folder(self, name: str) -> Path:
        """Where the files of a source are that is not declared in the configuration file itself."""
        return self.state / SOURCE_FOLDER / name

    @property
    def connect_url(self) -> str:
        """The first worker of the Connect cluster that was chosen."""
        return self.connect.urls[0]

    @property
    def unfinished(self) -> tuple[str, ...]:
        """Sources beside the configuration file that have no policy yet: what runs all sources passes them over."""
        return tuple(s.name for s in self.sources.values() if s.declared != self.path and not s.policy.exists())

    def source(self, name: str) -> SourceConfig:
        """Settings of one source.

        Raises:
            NotFound: no such source; the message lists those there are.
        """
        try:
            return self.sources[name]
        except KeyError:
            known = ", ".join(sorted(self.sources)) or "none"
            raise NotFound(
                f"{self.path}: no source {name!r}; there are: {known}",
                hint="to add a database: cdc connectors init NAME",
            ) from None


def find(explicit: Path | None = None) -> Path:
    """The configuration file to use.

    Raises:
        ConfigError: none found, or the one that was named does not exist.
    """
    named = explicit or (Path(os.environ["CDC_CONFIG"]) if os.environ.get("CDC_CONFIG") else None)
    if named is not None:
        if not named.is_file():
            raise ConfigError(
                f"no configuration file at {named}", hint="cdc local up   (writes one for the local stack)"
            )
        return named
    for candidate in SEARCHED:
        if candidate.is_file():
            return candidate
    raise ConfigError(
        "no configuration: neither --config, $CDC_CONFIG, ./cdc.toml nor ./.cdc/cdc.toml", hint="cdc local up"
    )


def load(explicit: Path | None = None, context: str | None = None) -> Config:
    """Read and check the configuration. ``context``: Connect cluster; default ``$CDC_CONTEXT``, else ``[connect]``.

    Raises:
        ConfigError: missing or malformed; the message names the file and the setting.
        NotFound: no such context.
    """
    path = find(explicit).absolute()
    table = _read(path)
    table.only("kafka", "connect", "warehouse", "privacy", "keyring", "sources", "supervise")
    warehouse, privacy = table.table("warehouse"), table.table("privacy")
    warehouse.only("dsn", "admin_dsn", "auditor_dsn")
    privacy.only("dsn", "admin_dsn")
    connect = parse_connect(table.table("connect").raw, path, context or os.environ.get("CDC_CONTEXT") or None)
    keyring = table.table("keyring")
    keyring.only("path")
    return Config(
        path=path,
        kafka=table.table("kafka").texts(),
        connect=connect,
        warehouse_dsn=warehouse.dsn("dsn"),
        warehouse_admin_dsn=warehouse.dsn("admin_dsn", fallback="dsn"),
        warehouse_auditor_dsn=warehouse.dsn("auditor_dsn", fallback="dsn"),
        privacy_dsn=privacy.dsn("dsn"),
        privacy_admin_dsn=privacy.dsn("admin_dsn", fallback="dsn"),
        keyring=keyring.file("path"),
        sources=_sources(table),
        supervise=table.table("supervise").raw if "supervise" in table.raw else {},
    )


def demand_source_name(name: str) -> None:
    """See that a source can have this name: its log and its schemas in the warehouse get it.

    Raises:
        ConfigError: it cannot.
    """
    if not _SOURCE.fullmatch(name) or name in _TAKEN or name.endswith(("_state", "_history")):
        raise ConfigError(
            "a source is named [a-z][a-z0-9_]{0,40}, and not like a part of cdc",
            hint="small letters, digits and _, such as shop",
        )


def _read(path: Path) -> _Table:
    try:
        return _Table(path, "", tomllib.loads(path.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not TOML: {error}") from None
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None


def _sources(table: _Table) -> dict[str, SourceConfig]:
    """Those of the configuration file, then those of the files beside it by name."""
    here = table.table("sources") if "sources" in table.raw else _Table(table.path, "sources", {})
    found = {name: _source(name, here.named(name)) for name in here.raw}
    for path in sorted((table.path.parent / SOURCE_FOLDER).glob(f"*/{SOURCE_FILE}")):
        beside = _read(path)
        beside.only("sources")
        name, sources = path.parent.name, beside.table("sources")
        if set(sources.raw) != {name}:
            raise ConfigError(f"{path}: [sources.{name}] and nothing else is needed: the folder is named after it")
        if name in found:
            raise ConfigError(f"{path}: source {name} is in {table.path} too", hint="take one of the two away")
        found[name] = _source(name, sources.named(name))
    return found


def _source(name: str, table: _Table) -> SourceConfig:
    table.only("dsn", "admin_dsn", "definition", "policy", "topic")
    return SourceConfig(
        name=name,
        declared=table.path,
        topic=table.text("topic") if "topic" in table.raw else name,
        policy=table.file("policy"),
        definition=table.file("definition"),
        dsn=table.dsn("dsn") if "dsn" in table.raw else None,
        admin_dsn=table.dsn("admin_dsn") if "admin_dsn" in table.raw else None,
    )


@dataclass(frozen=True, slots=True)
class _Table:
    """One TOML table with its place in the file, for errors that say where."""

    path: Path
    name: str
    raw: Mapping[str, Any] = field(repr=False)

    def _at(self, key: str) -> str:
        return f"{self.path}: [{self.name}] {key}" if self.name else f"{self.path}: [{key}]"

    def only(self, *known: str) -> None:
        for key in self.raw:
            if key not in known:
                raise ConfigError(f"{self._at(key)}: unknown setting; known here: {', '.join(known)}")

    def table(self, key: str) -> _Table:
        value = self.raw.get(key)
        if not isinstance(value, dict):
            raise ConfigError(
                f"{self._at(key)}: missing table", hint="cdc local up   (writes a complete file for the local stack)"
            )
        return _Table(self.path, f"{self.name}.{key}" if self.name else key, value)

    def named(self, name: str) -> _Table:
        """The table of a source, whose log and schemas get its name."""
        try:
            demand_source_name(name)
        except ConfigError as error:
            raise ConfigError(f"{self._at(name)}: {error}", hint=error.hint) from None
        return self.table(name)

    def text(self, key: str) -> str:
        value = self.raw.get(key)
        if isinstance(value, dict):
            value = kept_elsewhere.text(value, self._at(key), self.path.parent)
        if not isinstance(value, str) or not value or "\0" in value:
            raise ConfigError(f"{self._at(key)}: a non-empty text is needed")
        return value

    def texts(self) -> dict[str, str]:
        return {key: self.text(key) for key in self.raw}

    def dsn(self, key: str, fallback: str | None = None) -> str:
        if fallback is not None and key not in self.raw:
            key = fallback
        value = self.text(key)
        if value.startswith("mariadb://"):
            return value  # a source's; whoever connects takes it apart
        try:
            ports = psycopg2.extensions.parse_dsn(value).get("port", "")
        except psycopg2.ProgrammingError:
            raise ConfigError(
                f"{self._at(key)}: not a libpq connection string", hint="host=… port=… dbname=… user=…"
            ) from None
        if not all(port.isdecimal() or not port for port in str(ports).split(",")):
            raise ConfigError(f"{self._at(key)}: the port is not a number", hint="host=… port=… dbname=… user=…")
        return value

    def file(self, key: str) -> Path:
        path = Path(self.text(key))
        if path.is_absolute():
            return path
        beside = self.path.parent / path
        return beside if beside.exists() or self.path.name == SOURCE_FILE else path.absolute()

"""``[connect]`` of the configuration file: where the Connect clusters are, and how one gets in.

::

    [connect]
    url = "http://a:8083"                    # or a list of workers, asked in turn
    kafka_cluster_id = "…"                   # optional: refuse to write to any other
    ca = "ca.pem"                            # optional, PEM; certificate and key are of this client
    username = "admin"                       # HTTP basic; or a bearer token
    password_file = "connect.password"       # or password_env, token_file, token_env
    installation = "desk-a"                         # optional: this installation, as `plan --prune` knows it

    [connect.contexts.staging]               # the same settings, for `cdc connectors --context staging`
    url = "https://connect.staging:8443"

Credentials are read from files and the environment, never from arguments, which show in the process list.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cdc.errors import ConfigError, NotFound

_KNOWN = (
    "url", "kafka_cluster_id", "ca", "certificate", "key", "username", "password_file", "password_env",
    "token_file", "token_env", "installation",
)  # fmt: skip
_CONTEXT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


@dataclass(frozen=True, slots=True)
class ConnectConfig:
    """One Connect cluster. ``context`` is its name; None for the one that is used without a name."""

    context: str | None
    urls: tuple[str, ...] = field(repr=False)
    kafka_cluster_id: str | None = None
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    username: str | None = None
    password_file: Path | None = None
    password_env: str | None = None
    token_file: Path | None = None
    token_env: str | None = None
    installation: str | None = None

    def password(self) -> str | None:
        """The password, read now.

        Raises:
            ConfigError: its file or variable is missing or empty.
        """
        return _secret("password", self.password_file, self.password_env)

    def token(self) -> str | None:
        """The bearer token, read now.

        Raises:
            ConfigError: as :meth:`password`.
        """
        return _secret("token", self.token_file, self.token_env)


def parse(raw: Mapping[str, Any], path: Path, context: str | None) -> ConnectConfig:
    """The table ``[connect]`` of the file at ``path``, and of it the cluster of that context.

    Raises:
        ConfigError: malformed; the message names the file and the setting.
        NotFound: no such context; the message lists those there are.
    """
    contexts = raw.get("contexts", {})
    if not isinstance(contexts, dict):
        raise ConfigError(f"{path}: [connect] contexts: a table is needed", hint="[connect.contexts.staging]")
    named = {}
    for name, members in contexts.items():
        if not _CONTEXT.fullmatch(name):
            raise ConfigError(f"{path}: [connect.contexts] {name}: letters, digits and ._- only")
        if not isinstance(members, dict):
            raise ConfigError(f"{path}: [connect.contexts] {name}: a table is needed")
        named[name] = _one(members, _Place(path, f"connect.contexts.{name}"), name)
    own = _one({key: value for key, value in raw.items() if key != "contexts"}, _Place(path, "connect"), None)
    if context is None:
        return own
    try:
        return named[context]
    except KeyError:
        raise NotFound(
            f"{path}: no context {context!r}; there are: {', '.join(sorted(named)) or 'none'}",
            hint="[connect.contexts.NAME] in that file",
        ) from None


@dataclass(frozen=True, slots=True)
class _Place:
    path: Path
    table: str

    def wrong(self, key: str, problem: str, hint: str | None = None) -> ConfigError:
        return ConfigError(f"{self.path}: [{self.table}] {key}: {problem}", hint=hint)

    def text(self, raw: Mapping[str, Any], key: str) -> str | None:
        if key not in raw:
            return None
        value = raw[key]
        if not isinstance(value, str) or not value or "\0" in value:
            raise self.wrong(key, "a non-empty text is needed")
        return value

    def file(self, raw: Mapping[str, Any], key: str) -> Path | None:
        value = self.text(raw, key)
        return None if value is None else self.path.parent / value


def _one(raw: Mapping[str, Any], place: _Place, context: str | None) -> ConnectConfig:
    for key in raw:
        if key not in _KNOWN:
            raise place.wrong(key, f"unknown setting; known here: {', '.join(_KNOWN)}")
    found = ConnectConfig(
        context=context,
        urls=_urls(raw, place),
        kafka_cluster_id=place.text(raw, "kafka_cluster_id"),
        ca=place.file(raw, "ca"),
        certificate=place.file(raw, "certificate"),
        key=place.file(raw, "key"),
        username=place.text(raw, "username"),
        password_file=place.file(raw, "password_file"),
        password_env=place.text(raw, "password_env"),
        token_file=place.file(raw, "token_file"),
        token_env=place.text(raw, "token_env"),
        installation=place.text(raw, "installation"),
    )
    if found.username is not None and (found.token_file or found.token_env):
        raise place.wrong("username", "either username and password, or a token")
    if found.key is not None and found.certificate is None:
        raise place.wrong("key", "a certificate is needed with it")
    return found


def _urls(raw: Mapping[str, Any], place: _Place) -> tuple[str, ...]:
    value = raw.get("url")
    given = [value] if isinstance(value, str) else value
    if not isinstance(given, list) or not given or not all(isinstance(url, str) and url for url in given):
        raise place.wrong("url", "a non-empty text is needed", hint=f'[{place.table}] url = "http://HOST:PORT"')
    if not all(url.startswith(("http://", "https://")) for url in given):
        raise place.wrong("url", "not an HTTP URL", hint=f'[{place.table}] url = "http://HOST:PORT"')
    return tuple(given)


def _secret(what: str, file: Path | None, variable: str | None) -> str | None:
    if file is not None:
        try:
            text = file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "not UTF-8"
            raise ConfigError(f"[connect] {what}_file: {file}: {reason}") from None
        if not text:
            raise ConfigError(f"[connect] {what}_file: {file}: it is empty")
        return text
    if variable is not None:
        value = os.environ.get(variable)
        if not value:
            raise ConfigError(f"[connect] {what}_env: ${variable} is not set", hint=f"export {variable}=…")
        return value
    return None

"""The table ``[supervise]`` of the configuration file, every setting optional. Read once, before anything is opened."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from cdc.config import Config
from cdc.errors import ConfigError

T = TypeVar("T")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_BYTES = {"MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
_HEADER = re.compile(r"[A-Za-z0-9-]{1,64}")


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where alerts are posted, and a header that proves who posts. URL and secret are in no ``repr``, log or error."""

    url: str = field(repr=False)
    header: str = "Authorization"
    secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Settings:
    """What ``[supervise]`` says. Times are seconds.

    ``stable_s``: running so long, a connector's next failure begins anew. ``slot_budget_bytes``: WAL that a slot may
    retain where the server sets no limit. ``forecast_within_s``: what runs out sooner is told; ``window_s``: what is
    fitted. ``fresh_within_s``: how old the last committed instant of a stream may be. ``checks``: name → interval.
    """

    every_s: float = 15
    checks: Mapping[str, float] = field(default_factory=lambda: {"verify": 86_400.0})
    repeat_s: float = 4 * 3600
    max_restarts: int = 8
    stable_s: float = 1800
    slot_budget_bytes: int = 10 * 2**30
    forecast_within_s: float = 6 * 3600
    window_s: float = 3600
    fresh_within_s: float = 900
    retention_within_s: float = 86_400
    partitions_ahead: int = 5_000_000
    webhook: Webhook | None = None
    hook: tuple[str, ...] = ()


def load(config: Config) -> Settings:
    """Read and check the table.

    Raises:
        ConfigError: a setting is unknown or malformed; the message names the file and the setting, never its value.
    """
    table = _Table(config.path, config.supervise)
    given: dict[str, Any] = {}
    for name, (setting, read) in _READ.items():
        if name in table.raw:
            given[setting] = read(table, name)
    known = (*_READ, *_CHECKS, "webhook", *_WEBHOOK)
    for name in table.raw:
        if name not in known:
            raise table.wrong(name, f"unknown setting; known here: {', '.join(known)}")
    given["checks"] = {check: table.seconds(name) for name, check in _CHECKS.items() if name in table.raw}
    if "verify_every" not in table.raw:
        given["checks"]["verify"] = 86_400.0
    return Settings(**given, webhook=_webhook(table))


def _webhook(table: _Table) -> Webhook | None:
    if "webhook" not in table.raw:
        for name in _WEBHOOK:
            if name in table.raw:
                raise table.wrong(name, "without webhook it has no use")
        return None
    url = table.text("webhook")
    if not url.startswith(("http://", "https://")):
        raise table.wrong("webhook", "not an HTTP URL")
    header = table.text("webhook_header") if "webhook_header" in table.raw else "Authorization"
    if _HEADER.fullmatch(header) is None:
        raise table.wrong("webhook_header", "not the name of an HTTP header")
    return Webhook(url, header, _secret(table))


def _secret(table: _Table) -> str | None:
    if "webhook_secret_env" in table.raw:
        secret = os.environ.get(table.text("webhook_secret_env"), "")
        name, why = "webhook_secret_env", "this environment variable is not set, or holds more than one line"
    elif "webhook_secret_file" in table.raw:
        path = table.path.parent / table.text("webhook_secret_file")
        try:
            secret = path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            secret = ""
        name, why = "webhook_secret_file", "this file cannot be read, is empty, or holds more than one line"
    else:
        return None
    if not secret or not secret.isprintable() or not secret.isascii():
        raise table.wrong(name, why)
    return secret


@dataclass(frozen=True, slots=True)
class _Table:
    path: Path
    raw: Mapping[str, Any] = field(repr=False)

    def wrong(self, name: str, why: str, hint: str | None = None) -> ConfigError:
        return ConfigError(f"{self.path}: [supervise] {name}: {why}", hint=hint)

    def text(self, name: str) -> str:
        value = self.raw[name]
        if not isinstance(value, str) or not value or "\0" in value:
            raise self.wrong(name, "a non-empty text is needed")
        return value

    def count(self, name: str) -> int:
        value = self.raw[name]
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 15_000_000:
            raise self.wrong(name, "a whole number from 0 to 15000000 is needed")
        return value

    def seconds(self, name: str) -> float:
        return self._with_unit(name, _SECONDS, f'{name} = "15s", "30m", "24h" or "7d"')

    def bytes(self, name: str) -> int:
        return int(self._with_unit(name, _BYTES, f'{name} = "512MiB", "10GiB" or "1TiB"'))

    def _with_unit(self, name: str, units: Mapping[str, int], hint: str) -> float:
        found = re.fullmatch(rf"(\d{{1,9}})({'|'.join(units)})", self.text(name))
        if found is None or int(found[1]) == 0:
            raise self.wrong(name, "a number above 0 with its unit is needed", hint=hint)
        return float(int(found[1]) * units[found[2]])

    def command(self, name: str) -> tuple[str, ...]:
        value = self.raw[name]
        if not isinstance(value, list) or not value or not all(isinstance(word, str) and word for word in value):
            raise self.wrong(name, "a list of texts is needed", hint=f'{name} = ["/path/to/program", "argument"]')
        if not Path(value[0]).is_absolute():
            raise self.wrong(name, "the program's path is not absolute: it is not looked for")
        return tuple(value)


_READ: dict[str, tuple[str, Callable[[_Table, str], object]]] = {
    "every": ("every_s", _Table.seconds),
    "repeat_every": ("repeat_s", _Table.seconds),
    "max_restarts": ("max_restarts", _Table.count),
    "stable_after": ("stable_s", _Table.seconds),
    "slot_budget": ("slot_budget_bytes", _Table.bytes),
    "forecast_within": ("forecast_within_s", _Table.seconds),
    "forecast_window": ("window_s", _Table.seconds),
    "fresh_within": ("fresh_within_s", _Table.seconds),
    "retention_within": ("retention_within_s", _Table.seconds),
    "partitions_ahead": ("partitions_ahead", _Table.count),
    "hook": ("hook", _Table.command),
}
"""Setting in the file → field, and how it is read."""
_CHECKS = {"verify_every": "verify", "drift_every": "drift", "policy_every": "policy", "check_every": "check"}
_WEBHOOK = ("webhook_header", "webhook_secret_env", "webhook_secret_file")

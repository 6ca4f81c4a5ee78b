"""Log levels of Connect's workers (KIP-495, KIP-976)."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from connectors.client import ConnectClient

LEVELS = ("OFF", "FATAL", "ERROR", "WARN", "INFO", "DEBUG", "TRACE", "ALL")
TALKATIVE = frozenset({"DEBUG", "TRACE", "ALL"})
"""At these Debezium and Kafka write rows and settings into the log, in clear."""


@dataclass(frozen=True, slots=True)
class Logger:
    """A logger whose level was set somewhere; ``changed``: when it was over REST, milliseconds, else None."""

    name: str
    level: str
    changed: int | None


def loggers(client: ConnectClient) -> tuple[Logger, ...]:
    """``GET /admin/loggers``, of the worker that answers, sorted by name."""
    answer = client.ask("GET", "/admin/loggers")
    return tuple(_logger(name, found) for name, found in sorted(answer.items()))


def logger(client: ConnectClient, name: str) -> Logger:
    """``GET /admin/loggers/{name}``: also of one that inherits its level.

    Raises:
        NotFound: the worker has no such logger.
    """
    return _logger(name, client.ask("GET", f"/admin/loggers/{quote(name, safe='')}"))


def set_level(client: ConnectClient, name: str, level: str, *, cluster: bool) -> tuple[str, ...]:
    """``PUT /admin/loggers/{name}``: of this worker, or with ``cluster`` of all; until they are restarted.

    Returns the loggers that changed; with ``cluster`` Connect does not say.

    Raises:
        Rejected, NotFound: no such level.
    """
    scope = "cluster" if cluster else "worker"
    answer = client.ask("PUT", f"/admin/loggers/{quote(name, safe='')}?scope={scope}", {"level": level})
    return tuple(answer or ())


def _logger(name: str, found: dict[str, object]) -> Logger:
    changed = found.get("last_modified")
    return Logger(name, str(found.get("level") or ""), changed if isinstance(changed, int) else None)

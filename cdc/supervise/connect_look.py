"""What Kafka Connect says of the configured connectors."""

from __future__ import annotations

from collections.abc import Iterable

from cdc.config import Config
from cdc.connect_client import opened
from cdc.supervise.seen import ConnectorSeen
from connectors.client import ConnectClient

TIMEOUT_S = 10.0


def client(settings: Config) -> ConnectClient:
    """A client that does not wait out a rebalance: the next round asks again."""
    return opened(settings, timeout_s=TIMEOUT_S, patience_s=0)


def look(settings: Config, names: Iterable[str]) -> dict[str, ConnectorSeen]:
    """The connectors of these names; one that Connect does not have is ``ABSENT``.

    Raises:
        connectors.errors.ConnectorError: Connect does not answer, or not as Connect does.
    """
    with client(settings) as asked:
        listed = {info.name: info.status for info in asked.connectors()}
    found = {}
    for name in names:
        status = listed.get(name)
        if status is None:
            found[name] = ConnectorSeen(name, "ABSENT")
        else:
            found[name] = ConnectorSeen(
                name, status.state, tuple(task.state for task in status.tasks), status.failed_traces
            )
    return found


def restart_failed(settings: Config, name: str) -> None:
    """Restart what is FAILED of a connector.

    Raises:
        connectors.errors.ConnectorError: Connect does not answer or refuses.
    """
    with client(settings) as asked:
        asked.restart(name, only_failed=True)

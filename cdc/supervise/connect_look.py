"""What Kafka Connect says of the configured connectors."""

from __future__ import annotations

from collections.abc import Iterable

from cdc.supervise.seen import ConnectorSeen
from connectors.client import ConnectClient

TIMEOUT_S = 10.0


def client(url: str) -> ConnectClient:
    """A client that does not wait out a rebalance: the next round asks again."""
    return ConnectClient(url, timeout_s=TIMEOUT_S, patience_s=0)


def look(url: str, names: Iterable[str]) -> dict[str, ConnectorSeen]:
    """The connectors of these names; one that Connect does not have is ``ABSENT``.

    Raises:
        connectors.errors.ConnectorError: Connect does not answer, or not as Connect does.
    """
    with client(url) as asked:
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


def restart_failed(url: str, name: str) -> None:
    """Restart what is FAILED of a connector.

    Raises:
        connectors.errors.ConnectorError: Connect does not answer or refuses.
    """
    with client(url) as asked:
        asked.restart_failed(name)

"""The topics that a connector has written to since it was created, or since that was forgotten (KIP-558)."""

from __future__ import annotations

from urllib.parse import quote

from connectors.client import ConnectClient


def active_topics(client: ConnectClient, name: str) -> tuple[str, ...]:
    """``GET /connectors/{name}/topics``.

    Raises:
        NotFound: no such connector.
        ConnectorError: the workers do not keep track (``topic.tracking.enable``).
    """
    client.config(name)  # of a connector that there is not Connect says that it has written to none
    answer = client.ask("GET", f"/connectors/{quote(name, safe='')}/topics")
    return tuple(sorted(answer[name]["topics"]))


def forget_topics(client: ConnectClient, name: str) -> None:
    """``PUT /connectors/{name}/topics/reset``. The topics stay; Connect begins to note anew."""
    client.ask("PUT", f"/connectors/{quote(name, safe='')}/topics/reset")

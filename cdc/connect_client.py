"""A client of the Connect cluster that the configuration file chose: its workers, TLS and credentials."""

from __future__ import annotations

from cdc.config import Config
from connectors.access import Access
from connectors.client import ConnectClient


def opened(settings: Config, *, timeout_s: float = 100, patience_s: float = 60) -> ConnectClient:
    """A context manager. ``timeout_s`` bounds one request, ``patience_s`` the wait for a rebalance.

    Raises:
        ConfigError: a credential's file or variable is missing.
        ConnectorError: a URL or a certificate cannot be used.
    """
    chosen = settings.connect
    access = Access(
        chosen.urls,
        kafka_cluster_id=chosen.kafka_cluster_id,
        ca=chosen.ca,
        certificate=chosen.certificate,
        key=chosen.key,
        username=chosen.username,
        password=chosen.password(),
        token=chosen.token(),
    )
    return ConnectClient(access, timeout_s=timeout_s, patience_s=patience_s)

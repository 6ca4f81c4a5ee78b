"""How Connect's REST interface is reached: one worker or the next, credentials, patience; failures become one error.

Status codes alone do not say what happened: 409 is both "a rebalance is going on" and "exists already", and 500 both a
fault and a rebalance. Both are told apart here, by Connect's fixed texts (Kafka 4.3, ``AbstractHerder`` and
``DistributedHerder``), and nowhere else.
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx

from connectors import redact
from connectors.access import Access, Worker
from connectors.errors import (
    Conflict,
    ConnectorError,
    Forbidden,
    NoAnswer,
    NotFound,
    Rebalancing,
    Rejected,
    Unreachable,
)

_PASSES = (
    "rebalance",
    "no known leader URL",
    "stale configuration",
    "Request timed out",
    "can be safely retried",
    "conflicting operation",
)
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
"""Failures before the request left: another worker may be asked, whatever the request is."""


class Transport:
    """Requests to the workers of one Connect cluster. Use it as a context manager.

    Args:
        access: a URL, or several workers with credentials. A URL may hold ``user:password@``, which no message shows.
            Proxies from the environment are not used.
        timeout_s: bounds one request (Connect itself gives up after 90 s).
        patience_s: how long a rebalance is waited for.
    """

    def __init__(self, access: str | Access, *, timeout_s: float = 100, patience_s: float = 60) -> None:
        given = Access((access,)) if isinstance(access, str) else access
        self._workers = given.workers()
        self._at = 0
        self._patience = patience_s
        self._cluster = given.kafka_cluster_id
        self._http = httpx.Client(
            timeout=httpx.Timeout(timeout_s, connect=min(timeout_s, 10)),
            trust_env=False,
            verify=given.tls(),
            auth=given.basic(),
            headers=given.headers(),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    @property
    def address(self) -> str:
        """The worker that answered last, without credentials."""
        return self._workers[self._at].address

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Any other endpoint: its answer as JSON, None where it answers without a body. ``path`` is quoted already.

        Raises:
            ConnectorError: as the methods for single endpoints.
        """
        response = self._send(method, path, body)
        return self._json(response) if response.content else None

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        return self._json(self._send(method, path, body))

    def _json(self, response: httpx.Response) -> Any:
        try:
            return response.json()
        except ValueError:
            raise ConnectorError(
                f"{self.address}: this is not Kafka Connect's REST interface", hint="[connect] url in cdc.toml"
            ) from None

    def _send(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> httpx.Response:
        """One request, repeated with jittered back-off while the workers rebalance."""
        if method != "GET":
            self._demand_cluster()
        deadline, pause = time.monotonic() + self._patience, 0.25
        while True:
            try:
                return self._once(method, path, body)
            except Rebalancing:
                if time.monotonic() + pause > deadline:
                    raise
            time.sleep(pause * random.uniform(0.5, 1))  # noqa: S311  (jitter)
            pause = min(pause * 2, 5)

    def _demand_cluster(self) -> None:
        """See, once and before anything is written, that the workers serve the Kafka cluster that is meant."""
        if self._cluster is None:
            return
        found = self._ask("GET", "/")["kafka_cluster_id"]
        if found != self._cluster:
            raise Conflict(
                f"{self.address} serves the Kafka cluster {found}, not {self._cluster}: nothing was written",
                hint="[connect] url or kafka_cluster_id in cdc.toml, or another --context",
            )
        self._cluster = None

    def _once(self, method: str, path: str, body: Mapping[str, Any] | None) -> httpx.Response:
        """One request to the worker that answered last, or to the next ones where that does no harm."""
        failed: list[Unreachable] = []
        for step in range(len(self._workers)):
            at = (self._at + step) % len(self._workers)
            try:
                response = self._exchange(self._workers[at], method, path, body)
            except Unreachable as error:
                if isinstance(error, NoAnswer) and method != "GET":
                    raise
                failed.append(error)
                continue
            self._at = at
            if response.is_success:
                return response
            raise self._failure(response)
        if len(failed) == 1:
            raise failed[0]
        raise Unreachable(f"none of {len(failed)} workers answers: " + "; ".join(map(str, failed)), hint=failed[0].hint)

    def _exchange(self, worker: Worker, method: str, path: str, body: Mapping[str, Any] | None) -> httpx.Response:
        try:
            return self._http.request(
                method, worker.base + path, json=body, auth=worker.auth or httpx.USE_CLIENT_DEFAULT
            )
        except _NOT_SENT as error:
            raise Unreachable(
                f"{worker.address}: Kafka Connect does not answer ({_why(error)})", hint="cdc local status"
            ) from None
        except httpx.HTTPError as error:
            raise NoAnswer(
                f"{worker.address}: no answer from Kafka Connect ({_why(error)}); whether it acted is not known",
                hint="cdc connectors list",
            ) from None

    def _failure(self, response: httpx.Response) -> ConnectorError:
        status = response.status_code
        try:
            said = str(response.json()["message"])
        except (ValueError, KeyError, TypeError):
            said = None
        if status == httpx.codes.UNAUTHORIZED or (said is None and status == httpx.codes.FORBIDDEN):
            return Forbidden(
                f"{self.address}: HTTP {status}: these credentials are refused",
                hint="[connect] username and password_file, or token_file, in cdc.toml",
            )
        if said is None and status == httpx.codes.BAD_REQUEST and response.request.url.path.startswith("/connectors/"):
            return Rejected(
                f"{self.address}: Kafka Connect's web server refuses the connector's name in a path (HTTP 400)",
                hint="names with / \\ % cannot be asked for one by one since Kafka 4; cdc connectors list shows them",
            )
        if said is None:
            return ConnectorError(
                f"{self.address}: HTTP {status}, and not from Kafka Connect's REST interface",
                hint="is there a proxy between? [connect] url in cdc.toml names a worker",
            )
        return _meaning(status, said)


def _meaning(status: int, said: str) -> ConnectorError:
    """What one of Connect's own errors means."""
    text = redact.message(said)
    if status in {httpx.codes.CONFLICT, httpx.codes.INTERNAL_SERVER_ERROR} and any(word in said for word in _PASSES):
        return Rebalancing(f"Kafka Connect is rebalancing: {text}", hint="try again in a minute")
    if status == httpx.codes.CONFLICT:
        return Conflict(f"Kafka Connect refuses: {text}")
    if status == httpx.codes.NOT_FOUND:
        return NotFound(f"Kafka Connect: {text}", hint="cdc connectors list")
    if status == httpx.codes.BAD_REQUEST:
        return Rejected(f"Kafka Connect rejects it: {_without_frame(text)}")
    return ConnectorError(f"Kafka Connect answers HTTP {status}: {text}", hint="the worker's log has the cause")


def _why(error: httpx.HTTPError) -> str:
    """The kind of failure; of TLS's, which certificate is not trusted."""
    text = str(error)
    return f"{type(error).__name__}: {text}" if "CERTIFICATE" in text or "SSL" in text else type(error).__name__


def connector_path(name: str) -> str:
    """The path of one connector; a name may hold spaces and slashes."""
    return f"/connectors/{quote(name, safe='')}"


def _without_frame(text: str) -> str:
    """Connect's list of errors without the sentences around it."""
    text = text.partition(" error(s): ")[2] or text
    return text.partition(" You can also find the above list")[0]

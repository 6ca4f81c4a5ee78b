"""Kafka Connect's REST interface: one method per endpoint that is used; failures become a :class:`ConnectorError` once.

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
from connectors.errors import Conflict, ConnectorError, NotFound, Rebalancing, Rejected, Unreachable
from connectors.model import ConnectorInfo, ConnectorStatus, Plugin, TaskStatus, WorkerInfo

_PASSES = (
    "rebalance",
    "no known leader URL",
    "stale configuration",
    "Request timed out",
    "can be safely retried",
    "conflicting operation",
)


class ConnectClient:
    """Talks to one Connect worker; any worker of a cluster will do. Use it as a context manager.

    ``timeout_s`` bounds one request (Connect itself gives up after 90 s), ``patience_s`` the wait for a rebalance.
    The URL may hold ``user:password@``, which no message shows. Proxies from the environment are not used.
    """

    def __init__(self, url: str, *, timeout_s: float = 100, patience_s: float = 60) -> None:
        try:
            base = httpx.URL(url)
        except httpx.InvalidURL:
            raise Unreachable(
                "the URL of Kafka Connect is malformed", hint="[connect] url = http://HOST:8083"
            ) from None
        if base.scheme not in {"http", "https"} or not base.host:
            raise Unreachable("the URL of Kafka Connect is malformed", hint="[connect] url = http://HOST:8083")
        self.address = f"{base.scheme}://{base.netloc.decode()}"
        self._patience = patience_s
        self._http = httpx.Client(base_url=base, timeout=httpx.Timeout(timeout_s, connect=10), trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def worker(self) -> WorkerInfo:
        """``GET /``."""
        answer = self._ask("GET", "/")
        return WorkerInfo(answer["version"], answer["kafka_cluster_id"])

    def plugins(self) -> tuple[Plugin, ...]:
        """``GET /connector-plugins``."""
        return tuple(
            Plugin(item["class"], item.get("version") or "") for item in self._ask("GET", "/connector-plugins")
        )

    def connectors(self) -> tuple[ConnectorInfo, ...]:
        """``GET /connectors?expand=status&expand=info``, sorted by name."""
        answer = self._ask("GET", "/connectors?expand=status&expand=info")
        return tuple(
            ConnectorInfo(name, _status(item["status"]), item["info"]["config"])
            for name, item in sorted(answer.items())
            if "status" in item and "info" in item
        )

    def config(self, name: str) -> dict[str, str]:
        """``GET /connectors/{name}/config``. References are not resolved.

        Raises:
            NotFound: no such connector.
        """
        return dict(self._ask("GET", f"{_path(name)}/config"))

    def put_config(self, name: str, config: Mapping[str, str]) -> bool:
        """``PUT /connectors/{name}/config``: create or replace. True if it was created. Restarts its tasks.

        Raises:
            Rejected: a setting is invalid, or the source database refuses.
        """
        response = self._send("PUT", f"{_path(name)}/config", {**config, "name": name})
        return response.status_code == httpx.codes.CREATED

    def validate(self, plugin: str, name: str, config: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
        """``PUT /connector-plugins/{plugin}/config/validate``: setting → what is wrong with it. Empty: all is well."""
        class_name = plugin.rpartition(".")[2]
        body = {**config, "name": name}
        answer = self._ask("PUT", f"/connector-plugins/{quote(class_name, safe='')}/config/validate", body)
        found = ((item["value"]["name"], item["value"]["errors"]) for item in answer["configs"])
        return {setting: tuple(redact.message(error) for error in errors) for setting, errors in found if errors}

    def status(self, name: str) -> ConnectorStatus:
        """``GET /connectors/{name}/status``.

        Raises:
            NotFound: no such connector, or created so recently that its status has not come round.
        """
        return _status(self._ask("GET", f"{_path(name)}/status"))

    def restart_failed(self, name: str) -> None:
        """``POST /connectors/{name}/restart?includeTasks=true&onlyFailed=true`` (KIP-745)."""
        self._send("POST", f"{_path(name)}/restart?includeTasks=true&onlyFailed=true")

    def resume(self, name: str) -> None:
        """``PUT /connectors/{name}/resume``: out of PAUSED or STOPPED."""
        self._send("PUT", f"{_path(name)}/resume")

    def stop(self, name: str) -> None:
        """``PUT /connectors/{name}/stop``: end its tasks and keep it (KIP-875)."""
        self._send("PUT", f"{_path(name)}/stop")

    def delete(self, name: str) -> None:
        """``DELETE /connectors/{name}``. Its stored offsets stay; its replication slot too."""
        self._send("DELETE", _path(name))

    def offsets(self, name: str) -> list[dict[str, Any]]:
        """``GET /connectors/{name}/offsets``: the positions that Connect has stored for it."""
        return list(self._ask("GET", f"{_path(name)}/offsets")["offsets"])

    def delete_offsets(self, name: str) -> None:
        """``DELETE /connectors/{name}/offsets``: forget its positions; it must be STOPPED."""
        self._send("DELETE", f"{_path(name)}/offsets")

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Any other endpoint: its answer as JSON, None where it answers without a body. ``path`` is quoted already.

        Raises:
            ConnectorError: as the methods for single endpoints.
        """
        response = self._send(method, path, body)
        if not response.content:
            return None
        try:
            return response.json()
        except ValueError:
            raise ConnectorError(f"{self.address}: this is not Kafka Connect's REST interface") from None

    def _ask(self, method: str, path: str, body: Mapping[str, str] | None = None) -> Any:
        response = self._send(method, path, body)
        try:
            return response.json()
        except ValueError:
            raise ConnectorError(f"{self.address}: this is not Kafka Connect's REST interface") from None

    def _send(self, method: str, path: str, body: Mapping[str, str] | None = None) -> httpx.Response:
        """One request, repeated with jittered back-off while the workers rebalance."""
        deadline, pause = time.monotonic() + self._patience, 0.25
        while True:
            try:
                return self._once(method, path, body)
            except Rebalancing:
                if time.monotonic() + pause > deadline:
                    raise
            time.sleep(pause * random.uniform(0.5, 1))  # noqa: S311  (jitter)
            pause = min(pause * 2, 5)

    def _once(self, method: str, path: str, body: Mapping[str, str] | None) -> httpx.Response:
        try:
            response = self._http.request(method, path, json=body)
        except httpx.TimeoutException:
            raise Unreachable(
                f"{self.address}: no answer from Kafka Connect in time; whether it acted is not known"
            ) from None
        except httpx.HTTPError as error:
            name = type(error).__name__
            raise Unreachable(
                f"{self.address}: Kafka Connect does not answer ({name})", hint="cdc local status"
            ) from None
        if response.is_success:
            return response
        raise self._failure(response)

    def _failure(self, response: httpx.Response) -> ConnectorError:
        try:
            said = str(response.json()["message"])
        except (ValueError, KeyError, TypeError):
            return ConnectorError(
                f"{self.address}: HTTP {response.status_code}, and not from Kafka Connect's REST interface"
            )
        status, text = response.status_code, redact.message(said)
        if status in {httpx.codes.CONFLICT, httpx.codes.INTERNAL_SERVER_ERROR} and any(
            word in said for word in _PASSES
        ):
            return Rebalancing(f"Kafka Connect is rebalancing: {text}", hint="try again in a minute")
        if status == httpx.codes.CONFLICT:
            return Conflict(f"Kafka Connect refuses: {text}")
        if status == httpx.codes.NOT_FOUND:
            return NotFound(f"Kafka Connect: {text}", hint="cdc connectors list")
        if status == httpx.codes.BAD_REQUEST:
            return Rejected(f"Kafka Connect rejects it: {_without_frame(text)}")
        return ConnectorError(f"Kafka Connect answers HTTP {status}: {text}", hint="the worker's log has the cause")


def _path(name: str) -> str:
    return f"/connectors/{quote(name, safe='')}"


def _without_frame(text: str) -> str:
    """Connect's list of errors without the sentences around it."""
    text = text.partition(" error(s): ")[2] or text
    return text.partition(" You can also find the above list")[0]


def _status(answer: Mapping[str, Any]) -> ConnectorStatus:
    connector = answer["connector"]
    tasks = tuple(
        TaskStatus(task["id"], task["state"], task.get("worker_id", ""), task.get("trace", ""))
        for task in answer["tasks"]
    )
    return ConnectorStatus(
        answer["name"], connector["state"], connector.get("worker_id", ""), tasks, connector.get("trace", "")
    )

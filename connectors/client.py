"""Kafka Connect's REST interface: one method per endpoint that is used; :mod:`connectors.transport` reaches it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import httpx

from connectors import redact
from connectors.errors import ConnectorError, Forbidden, NotFound, Unreachable
from connectors.model import ConnectorInfo, ConnectorStatus, Plugin, TaskStatus, WorkerInfo
from connectors.transport import Transport
from connectors.transport import connector_path as _path


class ConnectClient(Transport):
    """Talks to the workers of one Connect cluster; any worker will do. Use it as a context manager."""

    def worker(self) -> WorkerInfo:
        """``GET /``."""
        answer = self._ask("GET", "/")
        return WorkerInfo(answer["version"], answer["kafka_cluster_id"])

    def health(self) -> str | None:
        """``GET /health`` (KIP-1017): what the worker says is the matter with it. None: nothing, or it is older than
        Kafka 3.9 and does not say.
        """
        try:
            self._send("GET", "/health")
        except (Unreachable, Forbidden):
            raise
        except NotFound:
            return None
        except ConnectorError as error:
            return str(error)
        return None

    def plugins(self) -> tuple[Plugin, ...]:
        """``GET /connector-plugins``."""
        return tuple(
            Plugin(item["class"], item.get("version") or "") for item in self._ask("GET", "/connector-plugins")
        )

    def connectors(self) -> tuple[ConnectorInfo, ...]:
        """``GET /connectors?expand=status&expand=info``, sorted by name: one request, however many there are.

        Connect leaves out one whose status has not come round yet, a moment after it was made.
        """
        answer = self._ask("GET", "/connectors?expand=status&expand=info")
        return tuple(
            ConnectorInfo(name, _status(item["status"]), item["info"]["config"], item["info"].get("type") or "source")
            for name, item in sorted(answer.items())
            if "status" in item and "info" in item
        )

    def names(self) -> list[str]:
        """``GET /connectors``: the names alone."""
        return [str(name) for name in self._ask("GET", "/connectors")]

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

    def secret_settings(self, plugin: str) -> frozenset[str]:
        """``GET /connector-plugins/{plugin}/config``: the settings that the plugin itself declares as passwords."""
        class_name = plugin.rpartition(".")[2]
        answer = self._ask("GET", f"/connector-plugins/{quote(class_name, safe='')}/config")
        return frozenset(item["name"] for item in answer if item.get("type") == "PASSWORD")

    def validate(self, plugin: str, name: str, config: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
        """``PUT /connector-plugins/{plugin}/config/validate``: setting → what is wrong with it. Empty: all is well."""
        class_name = plugin.rpartition(".")[2]
        body = {**config, "name": name}
        answer = self._ask("PUT", f"/connector-plugins/{quote(class_name, safe='')}/config/validate", body)
        items = (item["value"] for item in answer["configs"])  # MySQL's plugin answers one null (3.6.1)
        found = ((item["name"], item["errors"]) for item in items if item is not None)
        return {setting: tuple(redact.message(error) for error in errors) for setting, errors in found if errors}

    def status(self, name: str) -> ConnectorStatus:
        """``GET /connectors/{name}/status``.

        Raises:
            NotFound: no such connector, or created so recently that its status has not come round.
        """
        return _status(self._ask("GET", f"{_path(name)}/status"))

    def resume(self, name: str) -> None:
        """``PUT /connectors/{name}/resume``: out of PAUSED or STOPPED."""
        self._send("PUT", f"{_path(name)}/resume")

    def restart(self, name: str, *, only_failed: bool) -> None:
        """``POST /connectors/{name}/restart?includeTasks=true``: the connector and its tasks, or those that FAILED.

        A worker before Kafka 3.0 passes over the parameters, restarts the connector alone, and answers 204 in place of
        202 (KIP-745): then the tasks are restarted one by one.
        """
        query = f"includeTasks=true&onlyFailed={str(only_failed).lower()}"
        response = self._send("POST", f"{_path(name)}/restart?{query}")
        if response.status_code == httpx.codes.NO_CONTENT:
            for task in self.status(name).tasks:
                if task.state == "FAILED" or not only_failed:
                    self.restart_task(name, task.id)

    def restart_task(self, name: str, task: int) -> None:
        """``POST /connectors/{name}/tasks/{task}/restart``.

        Raises:
            NotFound: no such connector or task.
        """
        self._send("POST", f"{_path(name)}/tasks/{task}/restart")

    def pause(self, name: str) -> None:
        """``PUT /connectors/{name}/pause``: its tasks stay, and read nothing. Asynchronous (HTTP 202)."""
        self._send("PUT", f"{_path(name)}/pause")

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


def _status(answer: Mapping[str, Any]) -> ConnectorStatus:
    connector = answer["connector"]
    tasks = tuple(
        TaskStatus(task["id"], task["state"], task.get("worker_id", ""), task.get("trace", ""))
        for task in answer["tasks"]
    )
    return ConnectorStatus(
        answer["name"],
        connector["state"],
        connector.get("worker_id", ""),
        tasks,
        connector.get("trace", ""),
        connector.get("version") or "",
    )

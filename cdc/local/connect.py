"""One Kafka Connect worker in distributed mode, with exactly-once source support (KIP-618)."""

from __future__ import annotations

import json
import signal
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cdc.local import artifacts
from cdc.local.artifacts import Lock
from cdc.local.broker import LARGEST_MESSAGE
from cdc.local.jvm import LOG4J, Jvm, java_environment, properties
from cdc.local.part import Report
from cdc.local.private_file import private_folder, write_private

_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""Loopback is never reached through a proxy, whatever the environment says."""


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker. ``plugins`` are what ``plugin.path`` will name; ``secrets`` the folder that ``${file:…}`` may read.
    ``group`` and ``topics`` (what its three topics begin with) tell worker clusters on one broker apart.
    """

    folder: Path
    log_folder: Path
    port: int
    bootstrap: str
    cluster_id: str
    plugins: tuple[Lock, ...]
    secrets: Path
    jvm: Jvm
    name: str = "connect"
    group: str = "cdc-connect"
    topics: str = "connect"
    patience: float = 120
    stop_signal: signal.Signals = signal.SIGTERM

    @property
    def logs(self) -> tuple[Path, ...]:
        """What the JVM prints, and Connect's own log."""
        return (self.log_folder / "connect.out", self.log_folder / "connect.log")

    @property
    def url(self) -> str:
        """Its REST interface."""
        return f"http://127.0.0.1:{self.port}"

    def settings(self) -> str:
        """``worker.properties``."""
        provider = "org.apache.kafka.common.config.provider"
        return properties(
            {
                "bootstrap.servers": self.bootstrap,
                "group.id": self.group,
                "listeners": self.url,
                "rest.advertised.host.name": "127.0.0.1",
                "rest.advertised.port": str(self.port),
                "config.storage.topic": f"{self.topics}-configs",
                "config.storage.replication.factor": "1",
                "offset.storage.topic": f"{self.topics}-offsets",
                "offset.storage.replication.factor": "1",
                "offset.storage.partitions": "1",
                "status.storage.topic": f"{self.topics}-status",
                "status.storage.replication.factor": "1",
                "status.storage.partitions": "1",
                "key.converter": "org.apache.kafka.connect.json.JsonConverter",
                "value.converter": "org.apache.kafka.connect.json.JsonConverter",
                "key.converter.schemas.enable": "true",
                "value.converter.schemas.enable": "true",
                "plugin.path": ",".join(str(artifacts.plugin_path(plugin)) for plugin in self.plugins),
                "plugin.discovery": "service_load",
                "exactly.once.source.support": "enabled",
                # One worker: nobody to wait for when it comes back.
                "scheduled.rebalance.max.delay.ms": "0",
                "producer.max.request.size": str(LARGEST_MESSAGE),
                "producer.compression.type": "zstd",
                "consumer.max.partition.fetch.bytes": str(LARGEST_MESSAGE),
                # Passwords are references (KIP-297, KIP-421): Connect's own topics and REST answers never hold them.
                "config.providers": "env,file,directory",
                "config.providers.env.class": f"{provider}.EnvVarConfigProvider",
                "config.providers.env.param.allowlist.pattern": "CDC_.*",
                "config.providers.file.class": f"{provider}.FileConfigProvider",
                "config.providers.file.param.allowed.paths": str(self.secrets),
                "config.providers.directory.class": f"{provider}.DirectoryConfigProvider",
                "config.providers.directory.param.allowed.paths": str(self.secrets),
            }
        )

    def command(self) -> list[str]:
        """The worker."""
        return self.jvm.command(
            "org.apache.kafka.connect.cli.ConnectDistributed", str(self.folder / "worker.properties"),
            logging=self.folder / "log4j2.xml",
        )  # fmt: skip

    def environment(self) -> Mapping[str, str]:
        """A fixed one."""
        return java_environment()

    def fetch(self, report: Report) -> None:
        """Fetch the plugins. The worker's own jars are the broker's, which is up before."""
        for plugin in self.plugins:
            artifacts.ensure(plugin, report)

    def prepare(self) -> None:
        """Write the configuration."""
        private_folder(self.folder)
        write_private(self.folder / "worker.properties", self.settings())
        write_private(self.folder / "log4j2.xml", LOG4J.format(log=self.logs[1]))

    def ready(self) -> str | None:
        """Ask its health endpoint (KIP-1017), whose cluster it is, and whether Debezium was found."""
        try:
            if self._get("/")["kafka_cluster_id"] != self.cluster_id:
                return f"another worker answers on port {self.port}"
            health = self._get("/health")
            if health["status"] != "healthy":
                return str(health["message"])
            plugins = [plugin["class"] for plugin in self._get("/connector-plugins")]
        except urllib.error.HTTPError as error:
            return f"HTTP {error.code}"
        except (OSError, ValueError, KeyError, TypeError):
            return f"no answer on port {self.port}"
        return None if any("debezium" in plugin for plugin in plugins) else "the Debezium plugin was not found"

    def _get(self, path: str) -> Any:
        with _DIRECT.open(self.url + path, timeout=5) as answer:
            return json.load(answer)

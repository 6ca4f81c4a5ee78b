"""One Kafka broker in KRaft mode that is its own controller (KIP-595), on loopback."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cdc.local.addresses import is_free
from cdc.local.jvm import LOG4J, Jvm, java_environment, properties
from cdc.local.part import PartFailed, Report
from cdc.local.private_file import private_folder, write_private

LARGEST_MESSAGE = 32 * 1024 * 1024
"""Bytes. One change event with both images of a row that holds large values; the same in the worker's producers."""


@dataclass(frozen=True, slots=True)
class Broker:
    """A broker. ``cluster_id`` is a Kafka uuid (22 characters of base64)."""

    folder: Path
    log_folder: Path
    port: int
    controller_port: int
    cluster_id: str
    jvm: Jvm
    name: str = "broker"
    patience: float = 90
    stop_signal: signal.Signals = signal.SIGTERM

    @property
    def logs(self) -> tuple[Path, ...]:
        """What the JVM prints, and Kafka's own log."""
        return (self.log_folder / "broker.out", self.log_folder / "broker.log")

    @property
    def address(self) -> str:
        """For ``bootstrap.servers``."""
        return f"127.0.0.1:{self.port}"

    def settings(self) -> str:
        """``server.properties``."""
        return properties(
            {
                "process.roles": "broker,controller",
                "node.id": "1",
                "controller.quorum.voters": f"1@127.0.0.1:{self.controller_port}",
                "controller.listener.names": "CONTROLLER",
                "listeners": f"PLAINTEXT://{self.address},CONTROLLER://127.0.0.1:{self.controller_port}",
                "advertised.listeners": f"PLAINTEXT://{self.address}",
                "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
                "log.dirs": str(self.folder / "data"),
                "auto.create.topics.enable": "false",
                "num.partitions": "1",
                "default.replication.factor": "1",
                "offsets.topic.replication.factor": "1",
                "offsets.topic.num.partitions": "1",
                "transaction.state.log.replication.factor": "1",
                "transaction.state.log.min.isr": "1",
                "transaction.state.log.num.partitions": "4",
                "share.coordinator.state.topic.replication.factor": "1",
                "share.coordinator.state.topic.min.isr": "1",
                "log.retention.ms": "-1",
                # A killed broker may register again once its last session is over: 9 s by default.
                "broker.heartbeat.interval.ms": "500",
                "broker.session.timeout.ms": "5000",
                "message.max.bytes": str(LARGEST_MESSAGE),
                "replica.fetch.max.bytes": str(LARGEST_MESSAGE),
                "group.initial.rebalance.delay.ms": "0",
            }
        )

    def command(self) -> list[str]:
        """The broker."""
        configuration = str(self.folder / "server.properties")
        return self.jvm.command("kafka.Kafka", configuration, logging=self.folder / "log4j2.xml", quick_start=True)

    def environment(self) -> Mapping[str, str]:
        """A fixed one."""
        return java_environment()

    def fetch(self, report: Report) -> None:
        """Fetch the worker's jars: the broker is among them."""
        self.jvm.fetch(report)

    def prepare(self) -> None:
        """Write the configuration; format the data folder once."""
        private_folder(self.folder)
        write_private(self.folder / "server.properties", self.settings())
        write_private(self.folder / "log4j2.xml", LOG4J.format(log=self.logs[1]))
        if not (self.folder / "data" / "meta.properties").exists():
            self._format()

    def _format(self) -> None:
        command = self.jvm.command(
            "kafka.tools.StorageTool", "format", "--ignore-formatted",
            "--cluster-id", self.cluster_id, "--config", str(self.folder / "server.properties"), quick_start=True,
        )  # fmt: skip
        done = subprocess.run(
            command, env=java_environment(), cwd=self.folder, capture_output=True, text=True, umask=0o077, check=False
        )
        if done.returncode:
            lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
            raise PartFailed(
                "broker: formatting its data folder failed:" + "".join(f"\n    {line}" for line in lines[-10:])
            )

    def ready(self) -> str | None:
        """Ask for the cluster's id: another broker on this port does not pass."""
        from confluent_kafka import KafkaException
        from confluent_kafka.admin import AdminClient

        if is_free(self.port):  # librdkafka would wait longer and longer between its own attempts
            return f"nobody listens on port {self.port}"
        client = AdminClient({"bootstrap.servers": self.address, "log_level": 0, "socket.timeout.ms": 3000})
        try:
            found: str | None = client.list_topics(timeout=3).cluster_id
        except KafkaException as error:
            return str(error.args[0].name())
        if found != self.cluster_id:
            return f"another broker answers on port {self.port}"
        return None

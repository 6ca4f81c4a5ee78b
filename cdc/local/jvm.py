"""How the two Java parts are started: class path, heap, and a log that rolls instead of growing for ever."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from cdc.local import artifacts
from cdc.local.artifacts import Lock
from cdc.local.java import Java
from cdc.local.part import Report

LOG4J = """\
<Configuration status="ERROR">
  <Appenders>
    <RollingFile name="log" fileName="{log}" filePattern="{log}.%i">
      <PatternLayout pattern="%d{{ISO8601}}{{UTC}} %p %X{{connector.context}}%m (%c{{1}})%n"/>
      <Policies><SizeBasedTriggeringPolicy size="20 MB"/></Policies>
      <DefaultRolloverStrategy max="3"/>
    </RollingFile>
  </Appenders>
  <Loggers>
    <Root level="INFO"><AppenderRef ref="log"/></Root>
    <!-- These print whole configurations and inventories at every start. -->
    <Logger name="org.apache.kafka.clients" level="WARN"/>
    <Logger name="org.apache.kafka.common.config" level="WARN"/>
    <Logger name="org.glassfish.jersey" level="ERROR"/>
    <Logger name="org.eclipse.jetty" level="WARN"/>
    <Logger name="org.apache.kafka.connect.runtime.isolation" level="WARN"/>
  </Loggers>
</Configuration>
"""


@dataclass(frozen=True, slots=True)
class Jvm:
    """One Java virtual machine with Kafka's jars."""

    java: Java
    lock: Lock
    heap: str

    def fetch(self, report: Report) -> None:
        """Make sure that the jars are there and are the ones that were pinned."""
        artifacts.ensure(self.lock, report)

    def command(self, main: str, *arguments: str, logging: Path | None = None, quick_start: bool = False) -> list[str]:
        """The command line that runs a main class.

        ``quick_start`` leaves out the optimising compiler: a third less processor time until a broker answers (5.5 s
        instead of 8.5 s, Java 17), for a program that mostly moves bytes.
        """
        # The serial collector starts quicker and takes less memory and processor time than G1 in heaps of this size.
        options = [f"-Xmx{self.heap}", "-Xms128m", "-XX:+UseSerialGC", "-XX:+ExitOnOutOfMemoryError"]
        if quick_start:
            options.append("-XX:TieredStopAtLevel=1")
        if logging is not None:
            options.append(f"-Dlog4j2.configurationFile={logging}")
        return [
            str(self.java.executable),
            *options,
            "-cp",
            f"{artifacts.jar_folder(self.lock)}{os.sep}*",
            main,
            *arguments,
        ]


def java_environment() -> dict[str, str]:
    """Nothing of the caller's: ``JAVA_TOOL_OPTIONS``, ``KAFKA_OPTS`` and ``CLASSPATH`` must not matter."""
    return {"PATH": os.defpath, "LC_ALL": "C.UTF-8", "TZ": "UTC"}


def properties(values: dict[str, str]) -> str:
    r"""Java properties text: backslashes doubled, and ``\uXXXX`` for what Latin-1 would garble."""
    text = "".join(f"{key}={value}\n" for key, value in values.items()).replace("\\", "\\\\")
    units = text.encode("utf-16-be")
    return "".join(
        chr(unit) if unit < 128 else f"\\u{unit:04x}"
        for unit in (int.from_bytes(units[at : at + 2], "big") for at in range(0, len(units), 2))
    )

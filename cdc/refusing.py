"""What Kafka refused connections for, which a client's time-out alone would hide.

librdkafka goes on trying for as long as it is asked to, whatever the reason, and tells its ``error_cb`` at once.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any, TypeVar

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._metadata import ClusterMetadata  # not re-exported for type checkers

from cdc.errors import CdcError, ConfigError, Unreachable

_T = TypeVar("_T")
_LOOK_S = 0.1
_SLICE_S = 1.0
"""Seconds: longer than one answer takes on a connection that stands; one that does not goes on being made."""


class Refusals:
    """Those of one client, which is made with :meth:`settings`."""

    def __init__(self, kafka: Mapping[str, str]) -> None:
        """``kafka``: the settings of ``[kafka]``."""
        self._kafka = kafka
        self._said: list[KafkaError] = []

    def settings(self, client: str) -> dict[str, Any]:
        """For librdkafka; ``client`` is the name by which the broker logs it."""
        return {**self._kafka, "client.id": client, "log_level": 0, "error_cb": self._said.append}

    def result(self, admin: AdminClient, asked: Future[_T], timeout_s: float) -> _T:
        """The answer; or, as soon as no broker is left that would not refuse, the cause.

        A broker that is down, or goes down in a handshake, may come back: that is waited for.

        Raises:
            ConfigError: the broker refuses the credentials.
            Unreachable: its certificate is refused.
            KafkaException: what the client library raises.
            TimeoutError: no answer in time.
        """
        ends = time.monotonic() + timeout_s
        while True:
            admin.poll(0)
            cause = self.cause()
            if cause is not None and self._for_good():
                raise cause
            left = ends - time.monotonic()
            if left <= 0:
                raise TimeoutError
            try:
                return asked.result(timeout=min(_LOOK_S, left))
            except TimeoutError:
                continue

    def metadata(self, admin: AdminClient, timeout_s: float) -> ClusterMetadata:
        """Topics and brokers, from whichever broker answers; or the cause, as soon as :meth:`result` would say it.

        Raises:
            ConfigError, Unreachable, KafkaException: as :meth:`result`.
        """
        ends = time.monotonic() + timeout_s
        while True:
            left = ends - time.monotonic()
            try:
                return admin.list_topics(timeout=max(0.1, min(_SLICE_S, left)))
            except KafkaException:
                admin.poll(0)
                cause, over = self.cause(), left <= _SLICE_S
                if cause is not None and (over or self._for_good()):
                    raise cause from None
                if over:
                    raise

    def cause(self) -> CdcError | None:
        """Why connections were refused, as far as it was said; ``admin.poll(0)`` has it said."""
        servers = self._kafka.get("bootstrap.servers")
        for error in self._said:
            if error.code() == KafkaError._AUTHENTICATION:  # noqa: SLF001 - the client library's name
                return ConfigError(
                    f"Kafka at {servers} refuses the credentials: {_reason(error)}",
                    hint="sasl.mechanism, sasl.username, sasl.password under [kafka]",
                )
            if error.code() == KafkaError._SSL:  # noqa: SLF001 - likewise
                return Unreachable(
                    f"no TLS with Kafka at {servers}: {_reason(error)}",
                    hint="security.protocol, ssl.ca.location under [kafka]",
                )
        return None

    def _for_good(self) -> bool:
        codes = {error.code() for error in self._said}
        certificate = any(error.code() == KafkaError._SSL and "certificate" in error.str() for error in self._said)  # noqa: SLF001
        refused = certificate or KafkaError._AUTHENTICATION in codes  # noqa: SLF001
        return refused and KafkaError._ALL_BROKERS_DOWN in codes  # noqa: SLF001


def _reason(error: KafkaError) -> str:
    """Without librdkafka's name of the connection and its timing."""
    said = error.str().split(": ", 1)[-1]
    return said.split(" (after ", 1)[0]

"""``/metrics``, ``/livez`` and ``/readyz`` over HTTP, in threads of their own: they answer while a round waits."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import AF_INET6
from typing import TypeAlias

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from cdc.errors import ConfigError
from cdc.supervise.metrics import Metrics

Probe: TypeAlias = Callable[[], tuple[bool, dict[str, object]]]
"""Whether all is well, and what to say of it."""


class Answers:
    """The server. ``live``: the loop turns. ``ready``: every part answered in the last round, and that is recent."""

    def __init__(self, host: str, port: int, metrics: Metrics, live: Probe, ready: Probe) -> None:
        """Listen.

        Raises:
            ConfigError: the address is taken or is none of this machine.
        """
        try:
            self._server = _server(host, port, metrics, {"/livez": live, "/readyz": ready})
        except OSError as error:
            raise ConfigError(
                f"--listen {host}:{port}: {error.strerror}", hint="--listen HOST:PORT, --listen 127.0.0.1:0 for any"
            ) from None
        self._thread = threading.Thread(target=self._server.serve_forever, name="answers", daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        """Where it listens."""
        host, port = self._server.server_address[:2]
        return f"{host!s}:{port}"

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


def _server(host: str, port: int, metrics: Metrics, probes: dict[str, Probe]) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        timeout = 10  # of a client that says nothing

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path == "/metrics":
                self._say(200, CONTENT_TYPE_LATEST, generate_latest(metrics.registry))
            elif path in probes:
                well, said = probes[path]()
                self._say(200 if well else 503, "application/json", json.dumps(said).encode() + b"\n")
            else:
                self._say(404, "text/plain; charset=utf-8", b"/metrics /livez /readyz\n")

        def _say(self, code: int, kind: str, body: bytes) -> None:
            self.send_response(code)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            """Say nothing: a line a scrape is not what the log is for."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        address_family = AF_INET6 if ":" in host else ThreadingHTTPServer.address_family

    return Server((host, port), Handler)

"""A relay between a client and a server that keeps what the client sent."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator


class Recorder:
    """Listens on ``host``, of loopback, and passes on to port ``to`` of it. ``sent``: all bytes that clients sent."""

    def __init__(self, to: int, host: str) -> None:
        self._to = to
        self._listener = socket.create_server((host, 0))
        self.port = self._listener.getsockname()[1]
        self.sent = b""
        self.connections = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Accept nobody any more."""
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._to))
                self.connections += 1
                threading.Thread(target=self._pass, args=(client, server, True), daemon=True).start()
                threading.Thread(target=self._pass, args=(server, client, False), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, keep: bool) -> None:
        with contextlib.suppress(OSError), source, target:
            while some := source.recv(65536):
                if keep:
                    self.sent += some
                target.sendall(some)


@contextlib.contextmanager
def recorder(to: int, host: str = "127.0.0.1") -> Iterator[Recorder]:
    """One, for as long as it is needed."""
    found = Recorder(to, host)
    try:
        yield found
    finally:
        found.close()

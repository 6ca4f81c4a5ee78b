"""A TCP proxy before the warehouse that breaks connections around the COMMIT of a batch.

A worker whose connection breaks there cannot know whether its batch is in. What it sees is the same whether the request
or the answer was lost; what it must do is not.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping

COMMIT = b"Q\x00\x00\x00\x0bCOMMIT\x00"
"""A simple query (PostgreSQL documentation, "Message Formats"); the client sends it on its own."""
COPY = b"COPY audit."


class Link:
    """One connection: a client's socket and a server's."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self._client, self._server = client, server
        self._muted = threading.Event()

    def mute(self) -> None:
        """What the server says from now on reaches nobody."""
        self._muted.set()

    def forward(self, data: bytes = COMMIT) -> None:
        self._server.sendall(data)

    def hang_up(self) -> None:
        """The client finds its connection broken; the server does not know yet."""
        _close(self._client)

    def requests(self) -> Iterator[bytes]:
        while data := self._client.recv(1 << 20):
            yield data

    def answer(self) -> None:
        """Bring the server's answers to the client until the server ends the connection."""
        with contextlib.suppress(OSError):
            while data := self._server.recv(1 << 20):
                if not self._muted.is_set():
                    self._client.sendall(data)
        if not self._muted.is_set():
            _close(self._client)

    def close(self) -> None:
        _close(self._client)
        _close(self._server)


Cut = Callable[[Link], None]
"""Takes the place of forwarding a COMMIT; the connection is closed afterwards."""


def request_lost(_link: Link) -> None:
    """The COMMIT never reaches the server."""


def answer_lost(link: Link) -> None:
    """The server commits, and nobody is told."""
    link.mute()
    link.forward()
    time.sleep(0.3)


def request_late(link: Link) -> None:
    """The COMMIT arrives after the client has given its connection up."""
    link.mute()
    link.hang_up()
    time.sleep(1.5)
    link.forward()
    time.sleep(0.3)


class Proxy:
    """``cuts`` says what happens to which batch's COMMIT, counted from 1 over all connections."""

    def __init__(self, upstream_port: int, cuts: Mapping[int, Cut]) -> None:
        self._upstream, self._cuts = upstream_port, cuts
        self.commits = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                try:
                    link = Link(client, socket.create_connection(("127.0.0.1", self._upstream)))
                except OSError:  # the server is down: so are we
                    client.close()
                    continue
                threading.Thread(target=link.answer, daemon=True).start()
                threading.Thread(target=self._serve, args=(link,), daemon=True).start()

    def _serve(self, link: Link) -> None:
        """Forward what the client says; count its COMMITs that follow a COPY of entries."""
        batch = False
        with contextlib.suppress(OSError):
            for data in link.requests():
                batch = batch or COPY in data
                if batch and data == COMMIT:
                    batch = False
                    self.commits += 1
                    cut = self._cuts.get(self.commits)
                    if cut is not None:
                        cut(link)
                        break
                link.forward(data)
        link.close()


def _close(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()


@contextlib.contextmanager
def proxy(upstream_port: int, cuts: Mapping[int, Cut]) -> Iterator[Proxy]:
    made = Proxy(upstream_port, cuts)
    try:
        yield made
    finally:
        made.close()

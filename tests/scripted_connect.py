"""A Connect that answers as it is told, for what a real one cannot be made to say; and a proxy before a real one."""

from __future__ import annotations

import json
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = tuple[int, object]


@dataclass
class Scripted:
    """``answer(method, path, body)`` gives status and body; None hangs up without an answer. ``asked`` keeps requests."""

    answer: Callable[[str, str, bytes], Answer | None]
    asked: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    delay_s: float = 0
    url: str = ""

    @property
    def writes(self) -> list[str]:
        return [request for request in self.asked if not request.startswith("GET") and "validate" not in request]


@contextmanager
def serving(scripted: Scripted, tls: ssl.SSLContext | None = None) -> Iterator[Scripted]:
    class Handler(BaseHTTPRequestHandler):
        def respond(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            scripted.asked.append(f"{self.command} {self.path}")
            scripted.headers.append(dict(self.headers.items()))
            time.sleep(scripted.delay_s)
            answered = scripted.answer(self.command, self.path, body)
            if answered is None:
                self.close_connection = True
                return
            status, said = answered
            content = said.encode() if isinstance(said, str) else b"" if status == 204 else json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PUT = do_POST = do_DELETE = respond  # noqa: N815

        def log_message(self, *_args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a client that gave up is no news
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    scripted.url = f"http{'s' if tls else ''}://127.0.0.1:{server.server_port}"
    try:
        yield scripted
    finally:
        server.shutdown()
        server.server_close()


def forward(to: str) -> Callable[[str, str, bytes], Answer]:
    """Answers of the real worker at ``to``."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def ask(method: str, path: str, body: bytes) -> Answer:
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(to + path, data=body or None, method=method, headers=headers)  # noqa: S310
        try:
            with opener.open(request, timeout=100) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    return ask

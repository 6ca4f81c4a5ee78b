"""Where a Connect cluster is, and how one gets in: several workers, TLS, credentials. No ``repr`` holds a secret."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from connectors.errors import AddressError, Unreachable

_HINT = "[connect] url = http://HOST:8083"


@dataclass(frozen=True, slots=True)
class Worker:
    """One worker: ``base`` is its URL without credentials, ``address`` what messages show."""

    base: str
    address: str
    auth: tuple[str, str] | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Access:
    """A Connect cluster. Any of its workers will do; the others are asked when one does not answer.

    ``kafka_cluster_id``: the Kafka cluster that it must serve, looked at before the first write.
    ``ca``: PEM file of the certificates that sign the workers'; else the system's. ``certificate`` and ``key``: of this
    client, PEM. ``username`` and ``password``: HTTP basic; ``token``: a bearer token.
    """

    urls: tuple[str, ...]
    kafka_cluster_id: str | None = None
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)

    def workers(self) -> tuple[Worker, ...]:
        """The workers in the order in which they are tried.

        Raises:
            Unreachable: a URL is malformed. The message holds no part of it.
        """
        return tuple(map(_worker, self.urls))

    def tls(self) -> ssl.SSLContext | bool:
        """What TLS trusts and shows.

        Raises:
            AddressError: a file is missing, or holds no certificate or key.
        """
        if not any(url.startswith("https") for url in self.urls):
            return False  # making a context takes tens of milliseconds
        try:
            context = ssl.create_default_context(cafile=None if self.ca is None else str(self.ca))
            if self.certificate is not None:
                context.load_cert_chain(self.certificate, self.key, password="")  # an encrypted key: no prompt
        except FileNotFoundError as error:
            raise AddressError(f"[connect]: no such file among ca, certificate, key: {error.strerror}") from None
        except (ssl.SSLError, OSError) as error:
            reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or "malformed"
            raise AddressError(
                f"[connect] ca, certificate or key cannot be used: {reason}",
                hint="PEM files; a key without pass phrase",
            ) from None
        return context

    def basic(self) -> httpx.BasicAuth | None:
        """HTTP basic authentication."""
        return httpx.BasicAuth(self.username, self.password or "") if self.username is not None else None

    def headers(self) -> dict[str, str]:
        """Headers of every request."""
        return {"Authorization": f"Bearer {self.token}"} if self.token is not None else {}


def _worker(url: str) -> Worker:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        raise Unreachable("the URL of Kafka Connect is malformed", hint=_HINT) from None
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise Unreachable("the URL of Kafka Connect is malformed", hint=_HINT)
    auth = (parsed.username, parsed.password) if parsed.username or parsed.password else None
    bare = parsed.copy_with(username=None, password=None)
    return Worker(str(bare).rstrip("/"), f"{bare.scheme}://{bare.netloc.decode()}", auth)

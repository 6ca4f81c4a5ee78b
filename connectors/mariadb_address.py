"""Where a MariaDB is and how one gets in: ``mariadb://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=…&sslrootcert=…``.

``sslmode`` has the words of a definition (:data:`connectors.kinds.MARIADB_SSL_MODES`), which are those of MariaDB's
Java driver; without it ``disable`` on loopback, ``verify-full`` anywhere else. ``sslrootcert``: a PEM file of the
authorities that are trusted, as libpq's; without it those of the system.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from connectors.errors import AddressError
from connectors.kinds import MARIADB_SSL_MODES

_FORM = "mariadb://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=verify-full&sslrootcert=FILE"
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_VERIFYING = ("verify-ca", "verify-full")


@dataclass(frozen=True, slots=True)
class Address:
    """The parts of such a URL. ``database`` may be empty."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    database: str
    sslmode: str
    sslrootcert: Path | None = None

    def tls(self) -> ssl.SSLContext | None:
        """How its server is checked; None where the connection is in clear.

        Raises:
            AddressError: ``sslrootcert`` cannot be read, or holds no certificate.
        """
        if self.sslmode == "disable":
            return None
        try:
            context = ssl.create_default_context(cafile=self.sslrootcert)
        except OSError as error:  # ssl.SSLError is one
            reason = "no certificate in it" if isinstance(error, ssl.SSLError) else error.strerror
            raise AddressError(
                f"the DSN's sslrootcert {self.sslrootcert}: {reason}", hint="a PEM file of the authority's certificate"
            ) from None
        # From Python 3.13 on authorities must have extensions that neither libpq nor Java asks for.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        context.check_hostname = self.sslmode == "verify-full"
        if self.sslmode not in _VERIFYING:
            context.verify_mode = ssl.CERT_NONE
        return context


def parse(dsn: str) -> Address:
    """Take it apart.

    Raises:
        AddressError: it is no such URL, or says something of TLS that does not go. No message repeats a part of it.
    """
    try:
        parts = urlsplit(dsn)
        port = parts.port or 3306
        given = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError:
        parts, port, given = urlsplit(""), 0, []
    if parts.scheme != "mariadb" or not parts.hostname or not parts.username:
        raise AddressError("the DSN is no URL of a MariaDB database", hint=_FORM)
    options = dict(given)
    if len(options) != len(given) or not options.keys() <= {"sslmode", "sslrootcert"}:
        raise AddressError("the DSN has a parameter that is unknown, or one twice", hint=_FORM)
    mode = options.get("sslmode", "disable" if parts.hostname in _LOOPBACK else "verify-full")
    if mode not in MARIADB_SSL_MODES:
        raise AddressError("the DSN's sslmode is unknown", hint=f"one of {', '.join(MARIADB_SSL_MODES)}")
    root = options.get("sslrootcert")
    if root is not None and (not root or mode not in _VERIFYING):
        raise AddressError(
            "the DSN's sslrootcert would not be looked at" if root else "the DSN's sslrootcert is empty",
            hint=f"sslmode={' or sslmode='.join(_VERIFYING)} with it",
        )
    return Address(
        host=parts.hostname,
        port=port,
        user=unquote(parts.username),
        password=unquote(parts.password or ""),
        database=unquote(parts.path.lstrip("/")),
        sslmode=mode,
        sslrootcert=Path(root) if root else None,
    )

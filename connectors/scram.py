"""A password's SCRAM verifier: what PostgreSQL keeps of it, so that a file of SQL sets a password without holding it.

RFC 5803 §3 as PostgreSQL writes it (documentation, ``pg_authid.rolpassword``):
``SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>``.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets

ITERATIONS = 4096
"""PostgreSQL's own default."""
_VERIFIER = re.compile(r"SCRAM-SHA-256\$(\d+):([A-Za-z0-9+/=]+)\$[A-Za-z0-9+/=]+:[A-Za-z0-9+/=]+")


def verifier(password: str, salt: bytes | None = None, iterations: int = ITERATIONS) -> str:
    """The verifier of an ASCII password, with a random salt unless one is given (RFC 5802 §3)."""
    salt = secrets.token_bytes(16) if salt is None else salt
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, iterations)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    return f"SCRAM-SHA-256${iterations}:{_b64(salt)}${_b64(stored)}:{_b64(server)}"


def known(text: str, password: str) -> str | None:
    """A verifier of this password that stands in ``text``, so that writing the text again need not change it."""
    for found in _VERIFIER.finditer(text):
        if hmac.compare_digest(verifier(password, base64.b64decode(found[2]), int(found[1])), found[0]):
            return found[0]
    return None


def masked(text: str) -> str:
    """The text without its verifiers, for a terminal."""
    return _VERIFIER.sub("SCRAM-SHA-256$…", text)


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()

"""Tokens, version 1 (``docs/formats.md`` §7): random surrogates, found again by a keyed digest of the value.

Pure but for the randomness of :func:`mint`. Values are taken exactly as they are: no case or space folding.
"""

from __future__ import annotations

import hmac
import re
import secrets

from governance.canonical import canonical, utf8
from governance.seal import TEXT

PATTERN = re.compile(r"tok_[0-9a-f]{32}")


def mint() -> str:
    """A new token: 128 random bits. It says nothing about the value it will stand for."""
    return "tok_" + secrets.token_hex(16)


def digest(index_key: bytes, text: str) -> bytes:
    """HMAC-SHA256 under an index key: how the store finds a token's value or a subject again without holding it."""
    return hmac.digest(index_key, utf8(text), "sha256")


def value_tail(domain: str, token: str) -> bytes:
    """What the value cell beside a token is bound to, after its header."""
    return canonical(["", "", domain, [token]])


def value_plaintext(text: str) -> bytes:
    """The plaintext of the value cell beside a token."""
    return TEXT + utf8(text)

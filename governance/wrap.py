"""Keys wrapped under keys (``docs/formats.md`` §8): AES-256-SIV, deterministic, bound to their use by associated data.

Pure. A key that opens with the wrong associated data does not exist: nothing can be passed off as something else.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from governance.seal import KEY_BYTES, header

SECRET_BYTES = 32  # index keys and salt keys (HMAC-SHA256)


def kek_binding(epoch: int) -> bytes:
    """Associated data under which the root wraps the key-encryption key of ``epoch``."""
    return b"cdc-audit/kek/v1\x00" + str(epoch).encode()


def data_key_binding(subject_id: bytes, tier: int, generation: int) -> bytes:
    """Associated data under which a key-encryption key wraps one data key."""
    return b"cdc-audit/data-key/v1\x00" + header(subject_id, tier, generation)[1:]


def secret_binding(purpose: str, name: str) -> bytes:
    """Associated data under which a key-encryption key wraps an index key or salt key."""
    if "\x00" in purpose or "\x00" in name:
        raise ValueError("purpose and name of a secret have no NUL")
    return b"cdc-audit/secret/v1\x00" + purpose.encode() + b"\x00" + name.encode()


class KeyEncryptionKey:
    """The key-encryption key of one epoch. Lives in memory only."""

    __slots__ = ("_siv", "epoch")

    def __init__(self, epoch: int, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError("a key-encryption key has 64 bytes")
        self.epoch = epoch
        self._siv = AESSIV(key)

    def wrap(self, key: bytes, binding: bytes) -> bytes:
        """``key`` wrapped: 16 bytes longer."""
        return self._siv.encrypt(key, [binding])

    def unwrap(self, wrapped: bytes, binding: bytes) -> bytes | None:
        """The key in ``wrapped``, or None when it was wrapped under another key or for another use."""
        try:
            return self._siv.decrypt(wrapped, [binding])
        except InvalidTag:
            return None

    def __repr__(self) -> str:
        return f"KeyEncryptionKey(epoch={self.epoch})"

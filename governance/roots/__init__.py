"""Root keys. A root wraps the key-encryption key of each epoch and does nothing else; it never leaves its root."""

from __future__ import annotations

from typing import Protocol


class Root(Protocol):
    """What every root offers. Implementations: ``keyring`` (a local file)."""

    @property
    def name(self) -> str:
        """Where this root lives, for messages."""

    def wrap(self, key: bytes, binding: bytes) -> bytes:
        """``key`` wrapped under the root key, bound to ``binding``."""

    def unwrap(self, wrapped: bytes, binding: bytes) -> bytes:
        """The key in ``wrapped``. KeyringError when this root did not wrap it, or not for this use."""

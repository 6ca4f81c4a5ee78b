"""The hash tree of RFC 6962 §2.1 over the entries of a log, kept as its right edge.

A log of *n* entries is never re-hashed: its *edge*, the roots of its perfect subtrees (one per bit of *n* that is
set, largest first), is all that appending and the root need. At most 64 hashes, so it lives in one row beside the log.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from cdc.errors import LedgerError

HASH_SIZE: Final = 32
"""Bytes of a SHA-256 digest: of every leaf, node and root."""

EMPTY_ROOT: Final = sha256(b"").digest()
"""Root of the tree without entries (RFC 6962 §2.1)."""


def leaf_hash(entry: bytes) -> bytes:
    """Hash of one entry's bytes: SHA-256(0x00 ‖ entry), RFC 6962 §2.1."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node: SHA-256(0x01 ‖ left ‖ right), RFC 6962 §2.1."""
    return sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True, slots=True)
class Edge:
    """The right edge of a tree: the number of its leaves, and the roots of its perfect subtrees, largest first.

    Raises :class:`~cdc.errors.LedgerError` when the hashes cannot be the edge of a tree of that size: what was stored
    is damaged, and nothing may be appended to it.
    """

    size: int
    hashes: tuple[bytes, ...]

    def __post_init__(self) -> None:
        if self.size < 0:
            raise LedgerError(f"a tree cannot have {self.size} leaves")
        if len(self.hashes) != self.size.bit_count():
            raise LedgerError(
                f"the edge of a tree of {self.size} leaves has {self.size.bit_count()} hashes, not {len(self.hashes)}"
            )
        if any(len(digest) != HASH_SIZE for digest in self.hashes):
            raise LedgerError(f"the edge of the tree of {self.size} leaves holds a hash that is not {HASH_SIZE} bytes")

    @classmethod
    def empty(cls) -> Edge:
        """The edge of a log without entries."""
        return cls(0, ())

    def append(self, leaf_hashes: Sequence[bytes]) -> Edge:
        """The edge after these leaves, in order; this one is left as it is.

        Works level by level, so that a batch costs one hash per leaf (amortised) and no bookkeeping per leaf.
        """
        edge = list(self.hashes)  # smallest subtree last: popped as its level is reached
        remaining = self.size
        level: list[bytes] = list(leaf_hashes)
        if any(len(digest) != HASH_SIZE for digest in level):
            raise LedgerError(f"a leaf hash is not {HASH_SIZE} bytes")
        size = self.size + len(level)
        smallest_first: list[bytes] = []
        while level or remaining:
            if remaining & 1:
                level.insert(0, edge.pop())
            if len(level) & 1:
                smallest_first.append(level.pop())
            ahead = iter(level)
            level = [sha256(b"\x01" + left + right).digest() for left, right in zip(ahead, ahead, strict=True)]
            remaining >>= 1
        return Edge(size, tuple(reversed(smallest_first)))

    def root(self) -> bytes:
        """The root of the tree: the head that a checkpoint signs."""
        if not self.hashes:
            return EMPTY_ROOT
        digest = self.hashes[-1]
        for left in reversed(self.hashes[:-1]):
            digest = node_hash(left, digest)
        return digest

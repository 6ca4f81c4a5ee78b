"""The hash tree of a log (docs/formats.md §9, RFC 6962 §2.1), grown leaf by leaf."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256

EMPTY_ROOT = sha256(b"").digest()
"""Root of the tree without leaves."""


def leaf_hash(entry: bytes) -> bytes:
    """SHA-256(0x00 ‖ entry)."""
    return sha256(b"\x00" + entry).digest()


class Tree:
    """Grows by one leaf at a time; keeps the roots of its perfect subtrees, and its root at the sizes in ``marks``."""

    def __init__(self, marks: Iterable[int] = ()) -> None:
        self.size = 0
        self.edge: list[bytes] = []
        self.roots: dict[int, bytes] = {}
        self._marks = frozenset(marks)
        if 0 in self._marks:
            self.roots[0] = EMPTY_ROOT

    def append(self, leaf: bytes) -> None:
        """One more leaf: two subtrees of one size become one, for each bit that carries."""
        edge = self.edge
        carry = self.size
        while carry & 1:
            leaf = sha256(b"\x01" + edge.pop() + leaf).digest()
            carry >>= 1
        edge.append(leaf)
        self.size += 1
        if self.size in self._marks:
            self.roots[self.size] = self.root()

    def root(self) -> bytes:
        """The root of the tree as it is."""
        return root_of(self.edge)


def root_of(edge: Sequence[bytes]) -> bytes:
    """The root of the tree with this edge (roots of the perfect subtrees, largest first)."""
    if not edge:
        return EMPTY_ROOT
    root = edge[-1]
    for left in reversed(edge[:-1]):
        root = sha256(b"\x01" + left + root).digest()
    return root


def subtrees(size: int) -> list[tuple[int, int]]:
    """First and last leaf of each perfect subtree of a tree of ``size`` leaves, in the order of its edge."""
    spans = []
    start = 0
    for bit in reversed(range(size.bit_length())):
        if size >> bit & 1:
            spans.append((start, start + (1 << bit) - 1))
            start += 1 << bit
    return spans

"""docs/formats.md §9: the tree of RFC 6962 §2.1, by its recursive definitions."""

from __future__ import annotations

import hashlib


def leaf(entry: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + entry).digest()


def node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def root(leaves: list[bytes]) -> bytes:
    """MTH(D[n])."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    half = split(len(leaves))
    return node(root(leaves[:half]), root(leaves[half:]))


def edge(leaves: list[bytes]) -> list[bytes]:
    """Roots of the perfect subtrees, largest first."""
    hashes = []
    start = 0
    for bit in reversed(range(len(leaves).bit_length())):
        width = 1 << bit
        if len(leaves) & width:
            hashes.append(root(leaves[start : start + width]))
            start += width
    return hashes


def inclusion(index: int, leaves: list[bytes]) -> list[bytes]:
    """PATH(m, D[n]), RFC 6962 §2.1.1."""
    if len(leaves) == 1:
        return []
    half = split(len(leaves))
    if index < half:
        return [*inclusion(index, leaves[:half]), root(leaves[half:])]
    return [*inclusion(index - half, leaves[half:]), root(leaves[:half])]


def consistency(first: int, leaves: list[bytes], *, whole: bool = True) -> list[bytes]:
    """PROOF(m, D[n]) = SUBPROOF(m, D[n], true), RFC 6962 §2.1.2; 0 < first <= n."""
    if first == len(leaves):
        return [] if whole else [root(leaves)]
    half = split(len(leaves))
    if first <= half:
        return [*consistency(first, leaves[:half], whole=whole), root(leaves[half:])]
    return [*consistency(first - half, leaves[half:], whole=False), root(leaves[:half])]


def split(size: int) -> int:
    """The largest power of two smaller than ``size``."""
    half = 1
    while half * 2 < size:
        half *= 2
    return half

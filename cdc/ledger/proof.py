"""Proofs about a tree: that an entry is in it, and that a later tree only added to an earlier one.

Made as RFC 6962 §2.1.1 (inclusion) and §2.1.2 (consistency) define them; checked by the iterative algorithms of
RFC 9162 §2.1.3.2 and §2.1.4.2, which share no code with the making.
"""

from __future__ import annotations

from collections.abc import Sequence

from cdc.errors import LedgerError
from cdc.ledger.merkle import EMPTY_ROOT, Edge, node_hash


def inclusion_proof(leaf_hashes: Sequence[bytes], index: int) -> list[bytes]:
    """The audit path of leaf ``index`` in the tree of these leaves, lowest sibling first (RFC 6962 §2.1.1).

    Raises :class:`~cdc.errors.LedgerError` when there is no such leaf.
    """
    if not 0 <= index < len(leaf_hashes):
        raise LedgerError(f"leaf {index} is not in a tree of {len(leaf_hashes)} leaves")
    path: list[bytes] = []
    start, end = 0, len(leaf_hashes)
    while end - start > 1:
        middle = start + _largest_subtree(end - start)
        if index < middle:
            path.append(_root(leaf_hashes[middle:end]))
            end = middle
        else:
            path.append(_root(leaf_hashes[start:middle]))
            start = middle
    return path[::-1]


def consistency_proof(leaf_hashes: Sequence[bytes], first: int) -> list[bytes]:
    """That the tree of the first ``first`` of these leaves is a prefix of the tree of all of them (RFC 6962 §2.1.2).

    Empty for ``first`` = 0 (every tree continues the empty one) and for ``first`` = all. Raises
    :class:`~cdc.errors.LedgerError` when there are not that many leaves.
    """
    size = len(leaf_hashes)
    if not 0 <= first <= size:
        raise LedgerError(f"a tree of {first} leaves cannot precede a tree of {size} leaves")
    if first in {0, size}:
        return []
    path: list[bytes] = []
    start, end = 0, size
    while end > first:  # SUBPROOF(first - start, D[start:end], start == 0)
        middle = start + _largest_subtree(end - start)
        if first <= middle:
            path.append(_root(leaf_hashes[middle:end]))
            end = middle
        else:
            path.append(_root(leaf_hashes[start:middle]))
            start = middle
    if start:  # the remaining subtree is not the whole first tree, whose root the verifier knows
        path.append(_root(leaf_hashes[start:end]))
    return path[::-1]


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether ``proof`` shows the leaf hash ``leaf`` at ``index`` of the tree of ``size`` leaves under ``root``.

    RFC 9162 §2.1.3.2.
    """
    if not 0 <= index < size:
        return False
    climbed = _climb(index, size - 1, leaf, proof)
    return climbed is not None and climbed[1] == root


def verify_consistency(first: int, second: int, first_root: bytes, second_root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether ``proof`` shows that the tree of ``second`` leaves begins with the tree of ``first`` leaves.

    RFC 9162 §2.1.4.2; the empty tree, which the RFC leaves out, is a prefix of every tree and needs an empty proof.
    """
    if not 0 <= first <= second:
        return False
    if first == second:
        return not proof and first_root == second_root and (first > 0 or first_root == EMPTY_ROOT)
    if first == 0:
        return not proof and first_root == EMPTY_ROOT
    path = list(proof)
    if first & (first - 1) == 0:  # a perfect tree: its root is the first node of the path, left out of the proof
        path.insert(0, first_root)
    if not path:
        return False
    node, last = first - 1, second - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    return _climb(node, last, path[0], path[1:]) == (first_root, second_root)


def _climb(node: int, last: int, digest: bytes, path: Sequence[bytes]) -> tuple[bytes, bytes] | None:
    """From ``digest``, node ``node`` of a level whose last is ``last``, up to two roots.

    They are the root of the tree that ends in that node, and of the whole tree; None for a path of the wrong length.
    """
    old = new = digest
    for sibling in path:
        if last == 0:
            return None
        if node & 1 or node == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        node, last = node >> 1, last >> 1
    return (old, new) if last == 0 else None


def _largest_subtree(size: int) -> int:
    """The largest power of two smaller than ``size`` (``size`` > 1): where RFC 6962 splits a tree."""
    return 1 << ((size - 1).bit_length() - 1)


def _root(leaf_hashes: Sequence[bytes]) -> bytes:
    return Edge.empty().append(leaf_hashes).root()

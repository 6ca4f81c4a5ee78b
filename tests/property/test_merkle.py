"""Edge and proofs against the recursive definitions of RFC 6962 (``tests/independent/tree.py``)."""

from __future__ import annotations

import hashlib

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cdc.ledger.merkle import Edge, leaf_hash, node_hash
from cdc.ledger.proof import consistency_proof, inclusion_proof, verify_consistency, verify_inclusion
from tests.independent import tree

UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # other programs share the machine

LEAVES = [leaf_hash(str(number).encode()) for number in range(300)]
SIZES = st.integers(0, len(LEAVES))


@UNHURRIED
@given(st.lists(st.integers(0, 70), max_size=12))
def test_batches_of_any_sizes_give_the_edge_of_all_their_leaves(batches):
    edge, size = Edge.empty(), 0
    for batch in batches:
        leaves = LEAVES[size : size + batch]
        edge, size = edge.append(leaves), size + len(leaves)
        assert edge.size == size
        assert list(edge.hashes) == tree.edge(LEAVES[:size])
        assert edge.root() == tree.root(LEAVES[:size])


def test_a_large_batch_gives_the_root_of_the_naive_tree():
    leaves = [hashlib.sha256(str(number).encode()).digest() for number in range(5_001)]
    assert Edge.empty().append(leaves[:1_234]).append(leaves[1_234:]).root() == tree.root(leaves)


@UNHURRIED
@given(st.data())
def test_inclusion(data):
    size = data.draw(st.integers(1, len(LEAVES)))
    index = data.draw(st.integers(0, size - 1))
    leaves, root = LEAVES[:size], tree.root(LEAVES[:size])
    proof = inclusion_proof(leaves, index)
    assert proof == tree.inclusion(index, leaves)
    assert verify_inclusion(LEAVES[index], index, size, proof, root)
    other = data.draw(st.integers(0, size - 1).filter(lambda number: number != index) if size > 1 else st.just(size))
    assert not verify_inclusion(LEAVES[index], other, size, proof, root)
    assert not verify_inclusion(leaf_hash(b"another entry"), index, size, proof, root)
    assert not verify_inclusion(LEAVES[index], index, size, [*proof, root], root)
    for damaged in _damaged(proof, data.draw(st.randoms(use_true_random=False))):
        assert not verify_inclusion(LEAVES[index], index, size, damaged, root)


@UNHURRIED
@given(st.data())
def test_consistency(data):
    second = data.draw(st.integers(1, len(LEAVES)))
    first = data.draw(st.integers(1, second))
    old, new = tree.root(LEAVES[:first]), tree.root(LEAVES[:second])
    proof = consistency_proof(LEAVES[:second], first)
    assert proof == tree.consistency(first, LEAVES[:second])
    assert verify_consistency(first, second, old, new, proof)
    forged = node_hash(old, new)
    assert not verify_consistency(first, second, forged, new, proof)
    assert not verify_consistency(first, second, old, forged, proof)
    assert not verify_consistency(first, second, old, new, [*proof, new])
    for damaged in _damaged(proof, data.draw(st.randoms(use_true_random=False))):
        assert not verify_consistency(first, second, old, new, damaged)


@UNHURRIED
@given(SIZES, SIZES, st.lists(st.sampled_from(LEAVES), max_size=12))
def test_made_up_proofs_do_not_verify(first, second, proof):
    forged = hashlib.sha256(b"forged").digest()
    assert not verify_consistency(first, second, forged, tree.root(LEAVES[:second]), proof)
    assert not verify_inclusion(forged, first, second, proof, tree.root(LEAVES[:second]))


def _damaged(proof, random):
    """The proof with one hash changed, left out, or swapped with another."""
    for place in range(len(proof)):
        flipped = bytes([proof[place][0] ^ (1 << random.randrange(8))]) + proof[place][1:]
        yield [*proof[:place], flipped, *proof[place + 1 :]]
        yield [*proof[:place], *proof[place + 1 :]]
    if len(proof) > 1:
        yield [proof[1], proof[0], *proof[2:]]

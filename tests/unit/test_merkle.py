"""The tree against published roots, against the vectors, and against damage."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from cdc.errors import LedgerError
from cdc.ledger.merkle import EMPTY_ROOT, Edge, leaf_hash, node_hash
from cdc.ledger.proof import consistency_proof, inclusion_proof, verify_consistency, verify_inclusion

VECTORS = Path(__file__).parent.parent / "vectors"
TREE = json.loads((VECTORS / "tree-v1.json").read_text())
LEAVES = [bytes.fromhex(leaf) for leaf in TREE["leaves"]]
ROOTS = [bytes.fromhex(tree["root"]) for tree in TREE["trees"]]

# Roots of the trees of 0 to 8 reference leaves, as Certificate Transparency's implementations publish them.
PUBLISHED = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def test_the_vectors_have_the_published_roots():
    assert [tree["root"] for tree in TREE["trees"]] == PUBLISHED


def test_leaf_hashes_are_those_of_the_vectors():
    for leaf in json.loads((VECTORS / "leaf-v1.json").read_text())["leaves"]:
        assert leaf_hash(bytes.fromhex(leaf["entry"])).hex() == leaf["leaf"]


@pytest.mark.parametrize("size", range(9))
def test_edge_and_root_are_those_of_the_vectors_however_the_leaves_arrive(size):
    tree = TREE["trees"][size]
    for cut in range(size + 1):
        edge = Edge.empty().append(LEAVES[:cut]).append(LEAVES[cut:size])
        assert (edge.size, edge.root().hex()) == (size, tree["root"])
        assert [digest.hex() for digest in edge.hashes] == tree["edge"]


def test_appending_leaves_the_edge_as_it_was():
    edge = Edge.empty().append(LEAVES[:3])
    edge.append(LEAVES[3:])
    assert edge == Edge.empty().append(LEAVES[:3])
    assert edge.append([]) == edge


def test_leaf_and_node_are_told_apart():
    """Without the prefixes an inner node could pass for an entry (RFC 6962 §2.1)."""
    left, right = LEAVES[:2]
    assert node_hash(left, right) != leaf_hash(left + right)
    assert EMPTY_ROOT == hashlib.sha256(b"").digest() == Edge.empty().root()


@pytest.mark.parametrize(
    ("size", "hashes"),
    [(1, ()), (0, (LEAVES[0],)), (3, (LEAVES[0],)), (4, tuple(LEAVES[:2])), (-1, ()), (1, (b"short",)), (1, (b"",))],
)
def test_an_edge_that_no_tree_has_is_refused(size, hashes):
    with pytest.raises(LedgerError):
        Edge(size, hashes)


def test_a_leaf_hash_of_another_length_is_refused():
    with pytest.raises(LedgerError):
        Edge.empty().append([LEAVES[0], LEAVES[1][:31]])


def test_proofs_are_those_of_the_vectors():
    for vector in TREE["inclusion"]:
        proof = inclusion_proof(LEAVES[: vector["size"]], vector["index"])
        assert [digest.hex() for digest in proof] == vector["proof"]
    for vector in TREE["consistency"]:
        proof = consistency_proof(LEAVES[: vector["second"]], vector["first"])
        assert [digest.hex() for digest in proof] == vector["proof"]


def test_every_proof_of_the_vectors_verifies():
    for vector in TREE["inclusion"]:
        index, size, proof = vector["index"], vector["size"], [bytes.fromhex(digest) for digest in vector["proof"]]
        assert verify_inclusion(LEAVES[index], index, size, proof, ROOTS[size])
    for vector in TREE["consistency"]:
        first, second, proof = vector["first"], vector["second"], [bytes.fromhex(digest) for digest in vector["proof"]]
        assert verify_consistency(first, second, ROOTS[first], ROOTS[second], proof)


def test_the_empty_tree_precedes_every_tree_and_needs_no_proof():
    assert consistency_proof(LEAVES, 0) == []
    assert verify_consistency(0, 8, EMPTY_ROOT, ROOTS[8], [])
    assert verify_consistency(0, 0, EMPTY_ROOT, EMPTY_ROOT, [])
    assert not verify_consistency(0, 8, ROOTS[1], ROOTS[8], [])
    assert not verify_consistency(0, 0, ROOTS[1], ROOTS[1], [])
    assert not verify_consistency(0, 8, EMPTY_ROOT, ROOTS[8], [LEAVES[0]])


def test_nonsense_sizes_are_refused():
    for index in (-1, 8):
        with pytest.raises(LedgerError):
            inclusion_proof(LEAVES, index)
        assert not verify_inclusion(LEAVES[0], index, 8, [], ROOTS[8])
    for first in (-1, 9):
        with pytest.raises(LedgerError):
            consistency_proof(LEAVES, first)
        assert not verify_consistency(first, 8, ROOTS[1], ROOTS[8], [])

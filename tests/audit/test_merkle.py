from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit import merkle
from audit.merkle import Frontier, ProofRefused, leaf_hash, verify_consistency, verify_inclusion
from tests.audit import naive

# the reference vectors of Certificate Transparency: eight entries, the root after each
ENTRIES = [
    bytes.fromhex(entry)
    for entry in (
        "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
    )
]  # fmt: skip
ROOTS = [
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
LEAVES = [leaf_hash(entry) for entry in ENTRIES]
FIRST_OF_EIGHT = [
    "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
    "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
    "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
]


def _leaves(count: int) -> list[bytes]:
    return [naive.leaf(count.to_bytes(4, "big") + n.to_bytes(4, "big")) for n in range(count)]


def test_the_roots_are_those_that_certificate_transparency_publishes() -> None:
    frontier = Frontier()
    for size, known in enumerate(ROOTS):
        assert (frontier.size, frontier.root().hex()) == (size, known)
        assert merkle.root(size, naive.nodes(LEAVES)).hex() == known
        assert merkle.root_of(LEAVES[:size]).hex() == known
        frontier.extend(LEAVES[size : size + 1])


def test_a_proof_is_the_one_that_certificate_transparency_publishes() -> None:
    proof = merkle.inclusion(0, 8, naive.nodes(LEAVES))
    assert [one.hex() for one in proof] == FIRST_OF_EIGHT
    verify_inclusion(LEAVES[0], 0, 8, proof, bytes.fromhex(ROOTS[8]))


def test_the_example_tree_of_the_rfc_has_the_proofs_that_it_lists() -> None:
    """RFC 6962 section 2.1.3: seven leaves a b c d e f j; g h i above pairs, k above g and h."""
    a, b, c, d, e, f, j = LEAVES[:7]
    g, h, i = naive.node(a, b), naive.node(c, d), naive.node(e, f)
    k, m = naive.node(g, h), naive.node(i, j)
    nodes = naive.nodes(LEAVES)
    paths = [merkle.inclusion(index, 7, nodes) for index in (0, 3, 4, 6)]
    assert paths == [[b, h, m], [c, g, m], [f, j, k], [i, k]]
    assert merkle.consistency(3, 7, nodes) == [c, d, g, m]
    assert merkle.consistency(4, 7, nodes) == [m]
    assert merkle.consistency(6, 7, nodes) == [i, j, k]


def test_a_leaf_and_a_node_are_never_the_same() -> None:
    left, right = LEAVES[:2]
    assert leaf_hash(left + right) != merkle.node_hash(left, right)
    assert merkle.node_hash(left, right) == hashlib.sha256(b"\x01" + left + right).digest()


@given(st.integers(0, 70), st.data())
def test_every_root_and_proof_is_that_of_the_naive_tree(size: int, data: st.DataObject) -> None:
    leaves = _leaves(size)
    nodes, root = naive.nodes(leaves), naive.mth(leaves)
    assert merkle.root(size, nodes) == merkle.root_of(leaves) == root
    first = data.draw(st.integers(0, size))
    proof = merkle.consistency(first, size, nodes)
    assert proof == naive.proof(first, leaves)
    verify_consistency(first, size, proof, naive.mth(leaves[:first]), root)
    if size:
        index = data.draw(st.integers(0, size - 1))
        path = merkle.inclusion(index, size, nodes)
        assert path == naive.path(index, leaves)
        verify_inclusion(leaves[index], index, size, path, root)


@given(st.integers(0, 300), st.integers(0, 300))
def test_a_frontier_goes_on_from_where_another_stood(size: int, more: int) -> None:
    leaves = _leaves(size + more)
    begun = Frontier.of(size, naive.nodes(leaves))
    assert len(begun.peaks) == size.bit_count()
    again = Frontier(begun.size, begun.peaks)
    again.extend(leaves[size:])
    assert (again.size, again.root()) == (size + more, naive.mth(leaves))
    assert begun.size == size  # the other one is left alone


def test_a_proof_costs_as_many_nodes_as_the_tree_has_levels() -> None:
    leaves, asked = _leaves(1000), 0
    read = naive.nodes(leaves)

    def nodes(level: int, index: int) -> bytes:
        nonlocal asked
        asked += 1
        return read(level, index)

    merkle.inclusion(500, 1000, nodes)
    assert asked <= 20
    frontier = Frontier(0)
    frontier.extend(leaves)
    assert len(frontier.peaks) == 6


@pytest.mark.parametrize(("index", "size"), [(0, 0), (1, 1), (-1, 1), (9, 8)])
def test_there_is_no_proof_of_a_leaf_that_is_not_there(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="no such leaf"):
        merkle.inclusion(index, size, naive.nodes(LEAVES))


@pytest.mark.parametrize(("first", "second"), [(1, 0), (8, 7), (-1, 4)])
def test_a_tree_that_shrinks_has_no_proof(first: int, second: int) -> None:
    with pytest.raises(ValueError, match="shrink"):
        merkle.consistency(first, second, naive.nodes(LEAVES))


@pytest.mark.parametrize(("size", "peaks"), [(1, []), (3, [b""]), (-1, []), (2**63, [b""])])
def test_a_frontier_needs_the_hashes_of_its_size(size: int, peaks: list[bytes]) -> None:
    with pytest.raises(ValueError, match="one hash for each bit"):
        Frontier(size, peaks)


def test_from_nothing_and_to_itself_only_the_empty_proof_will_do() -> None:
    empty, root = bytes.fromhex(ROOTS[0]), bytes.fromhex(ROOTS[8])
    verify_consistency(0, 0, [], empty, empty)
    verify_consistency(0, 8, [], empty, root)
    verify_consistency(8, 8, [], root, root)
    for first, second, proof, old, new in (
        (0, 0, [], root, root),
        (0, 8, [], root, root),
        (0, 8, [root], empty, root),
        (8, 8, [root], root, root),
        (8, 8, [], root, empty),
        (4, 8, [], bytes.fromhex(ROOTS[4]), root),
        (8, 0, [], root, empty),
    ):
        with pytest.raises(ProofRefused):
            verify_consistency(first, second, proof, old, new)


@given(st.integers(1, 2**63 - 1), st.data())
def test_the_largest_trees_are_proven_as_well(size: int, data: st.DataObject) -> None:
    """Every node the same in the reader's eyes but one by its place: enough to follow the way up."""

    def nodes(level: int, index: int) -> bytes:
        return hashlib.sha256(b"%d %d" % (level, index)).digest()

    index = data.draw(st.integers(0, size - 1))
    proof = merkle.inclusion(index, size, nodes)
    assert len(proof) <= 63
    with pytest.raises(ProofRefused, match="another root"):  # neither too short nor too long
        verify_inclusion(nodes(0, index), index, size, proof, bytes(32))
    first = data.draw(st.integers(1, size))
    grown = merkle.consistency(first, size, nodes)
    assert len(grown) <= 64
    if first < size:
        with pytest.raises(ProofRefused, match="other roots"):
            verify_consistency(first, size, grown, bytes(32), bytes(32))

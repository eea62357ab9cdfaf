"""The Merkle tree over the entries (RFC 6962 section 2.1): hashes, roots and proofs, and checking them.

Pure. Whoever makes proofs gives a reader of nodes: ``nodes(level, index)`` is the hash of the complete
subtree over the leaves ``index * 2**level`` up to ``(index + 1) * 2**level``; level 0 are the leaf hashes.
Whoever checks proofs needs nothing but them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import reduce
from typing import Final

HASH: Final = 32  # bytes of SHA-256
EMPTY: Final = hashlib.sha256().digest()  # MTH({})
LARGEST: Final = 2**63 - 1  # a tree; what readers that count in signed 64 bits can say

LEAF: Final = b"\x00"
NODE: Final = b"\x01"

Nodes = Callable[[int, int], bytes]

_sha256 = hashlib.sha256


class ProofRefused(ValueError):
    """A proof does not prove what it is given for."""


def leaf_hash(entry: bytes) -> bytes:
    """``MTH({d(0)})``: a leaf can never be taken for a node of the tree above it."""
    return _sha256(LEAF + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of a node above two others."""
    return _sha256(NODE + left + right).digest()


class Frontier:
    """The right edge of a growing tree: as many hashes as the size has bits, and from them the root.

    ``peaks``: the roots of the complete subtrees that the leaves fall into, the largest (leftmost) first.
    """

    __slots__ = ("_peaks", "size")

    def __init__(self, size: int = 0, peaks: Iterable[bytes] = ()) -> None:
        self.size, self._peaks = size, list(peaks)
        if not 0 <= size <= LARGEST or len(self._peaks) != size.bit_count():
            raise ValueError("a frontier has one hash for each bit set in its size")

    @classmethod
    def of(cls, size: int, nodes: Nodes) -> Frontier:
        """The edge of the first ``size`` leaves of a tree whose nodes are kept."""
        return cls(size, [nodes(level, index) for level, index in _complete(0, size)])

    @property
    def peaks(self) -> tuple[bytes, ...]:
        """What is kept of the leaves so far."""
        return tuple(self._peaks)

    def append(self, leaf: bytes) -> None:
        """Add the hash of a leaf."""
        peaks, size = self._peaks, self.size
        while size & 1:
            leaf = _sha256(NODE + peaks.pop() + leaf).digest()
            size >>= 1
        peaks.append(leaf)
        self.size += 1

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Add the hashes of leaves, in order."""
        for leaf in leaves:
            self.append(leaf)

    def root(self) -> bytes:
        """The root over all leaves so far."""
        return _folded(self._peaks)


def root_of(leaves: Iterable[bytes]) -> bytes:
    """The root over leaves given by their hashes."""
    frontier = Frontier()
    frontier.extend(leaves)
    return frontier.root()


def root(size: int, nodes: Nodes) -> bytes:
    """The root over the first ``size`` leaves."""
    return _range(0, size, nodes)


def inclusion(index: int, size: int, nodes: Nodes) -> list[bytes]:
    """The proof that leaf ``index`` (from 0) is in the tree of ``size`` (RFC 6962 section 2.1.1).

    From the leaf's sibling up to the root's child. Raises ``ValueError`` where there is no such leaf.
    """
    if not 0 <= index < size:
        raise ValueError("there is no such leaf in a tree of that size")
    start, end, proof = 0, size, []
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            proof.append(_range(middle, end, nodes))
            end = middle
        else:
            proof.append(_range(start, middle, nodes))
            start = middle
    return proof[::-1]


def consistency(first: int, second: int, nodes: Nodes) -> list[bytes]:
    """The proof that the tree of ``first`` leaves begins that of ``second`` (RFC 6962 section 2.1.2).

    Empty from nothing and from a tree to itself. Raises ``ValueError`` where ``first`` is larger.
    """
    if not 0 <= first <= second:
        raise ValueError("a tree does not shrink")
    if first in (0, second):
        return []
    start, end, proof, whole = 0, second, [], True
    while first != end:
        middle = start + _split(end - start)
        if first <= middle:
            proof.append(_range(middle, end, nodes))
            end = middle
        else:
            proof.append(_range(start, middle, nodes))
            start, whole = middle, False
    if not whole:
        proof.append(_range(start, end, nodes))
    return proof[::-1]


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """That the leaf hash stands at ``index`` in the tree of ``size`` with that root.

    RFC 9162 section 2.1.3.2, step by step. Raises ``ProofRefused``.
    """
    _well_formed([leaf, root, *proof], index, size)
    if index >= size:
        raise ProofRefused("the index lies outside of the tree")
    at, last, found = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise ProofRefused("the proof is too long")
        if at & 1 or at == last:
            found = node_hash(sibling, found)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            found = node_hash(found, sibling)
        at, last = at >> 1, last >> 1
    if last:
        raise ProofRefused("the proof is too short")
    if found != root:
        raise ProofRefused("the proof leads to another root")


def verify_consistency(
    first: int, second: int, proof: Sequence[bytes], first_root: bytes, second_root: bytes
) -> None:
    """That the tree of ``first`` leaves, with its root, begins that of ``second``, with its own.

    RFC 9162 section 2.1.4.2; from nothing and from a size to itself only the empty proof will do, as
    tlog-witness asks, and the roots must be those of such trees. Raises ``ProofRefused``.
    """
    _well_formed([first_root, second_root, *proof], first, second)
    if first > second:
        raise ProofRefused("the tree has shrunk")
    if (first == 0 and first_root != EMPTY) or (second == 0 and second_root != EMPTY):
        raise ProofRefused("a tree without leaves has another root")
    if first in (0, second):
        if proof:
            raise ProofRefused("the proof is too long")
        if first == second and first_root != second_root:
            raise ProofRefused("two roots for one size")
        return
    if _climbed(first, second, proof, first_root) != (first_root, second_root):
        raise ProofRefused("the proof leads to other roots")


def _climbed(first: int, second: int, proof: Sequence[bytes], first_root: bytes) -> tuple[bytes, bytes]:
    """The two roots that a consistency proof leads to (steps 1 to 6; its length is checked)."""
    if not proof:
        raise ProofRefused("the proof is too short")
    path = [first_root, *proof] if first & (first - 1) == 0 else list(proof)
    at, last = first - 1, second - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    old = new = path[0]
    for hashed in path[1:]:
        if last == 0:
            raise ProofRefused("the proof is too long")
        if at & 1 or at == last:
            old, new = node_hash(hashed, old), node_hash(hashed, new)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            new = node_hash(new, hashed)
        at, last = at >> 1, last >> 1
    if last:
        raise ProofRefused("the proof is too short")
    return old, new


def _well_formed(hashes: Sequence[bytes], *sizes: int) -> None:
    if any(len(one) != HASH for one in hashes):
        raise ProofRefused("a hash has 32 bytes")
    if any(not 0 <= one <= LARGEST for one in sizes):
        raise ProofRefused("a number that no tree has")


def _split(size: int) -> int:
    """The largest power of two below ``size`` (at least 2)."""
    return 1 << (size - 1).bit_length() - 1


def _complete(start: int, end: int) -> Iterator[tuple[int, int]]:
    """The complete subtrees that leaves fall into, the largest first; ``start`` is where one may begin."""
    while start < end:
        level = (end - start).bit_length() - 1
        yield level, start >> level
        start += 1 << level


def _range(start: int, end: int, nodes: Nodes) -> bytes:
    """``MTH(D[start:end])`` of a range that is a subtree of some tree."""
    level = (end - start).bit_length() - 1
    if end - start == 1 << max(level, 0):
        return nodes(level, start >> level)
    return _folded([nodes(level, index) for level, index in _complete(start, end)])


def _folded(peaks: Sequence[bytes]) -> bytes:
    if not peaks:
        return EMPTY
    return reduce(lambda right, left: node_hash(left, right), reversed(peaks))

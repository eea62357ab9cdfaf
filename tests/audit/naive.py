"""The tree as RFC 6962 section 2.1 defines it, word for word: slow, recursive, all leaves in memory.

Nothing of ``audit`` is used here, so that the two can be held against each other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence


def leaf(entry: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + entry).digest()


def node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def split(n: int) -> int:
    """The largest power of two smaller than ``n``."""
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def mth(leaves: Sequence[bytes]) -> bytes:
    """The Merkle Tree Hash over leaf hashes."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return leaves[0]
    k = split(len(leaves))
    return node(mth(leaves[:k]), mth(leaves[k:]))


def path(m: int, leaves: Sequence[bytes]) -> list[bytes]:
    """Section 2.1.1, PATH(m, D[n])."""
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if m < k:
        return [*path(m, leaves[:k]), mth(leaves[k:])]
    return [*path(m - k, leaves[k:]), mth(leaves[:k])]


def proof(m: int, leaves: Sequence[bytes]) -> list[bytes]:
    """Section 2.1.2, PROOF(m, D[n])."""
    return _subproof(m, leaves, True) if m else []


def _subproof(m: int, leaves: Sequence[bytes], whole: bool) -> list[bytes]:
    if m == len(leaves):
        return [] if whole else [mth(leaves)]
    k = split(len(leaves))
    if m <= k:
        return [*_subproof(m, leaves[:k], whole), mth(leaves[k:])]
    return [*_subproof(m - k, leaves[k:], False), mth(leaves[:k])]


def nodes(leaves: Sequence[bytes]) -> Callable[[int, int], bytes]:
    """A reader of complete nodes, each computed anew."""

    def read(level: int, index: int) -> bytes:
        below = leaves[index << level : index + 1 << level]
        assert len(below) == 1 << level, "no complete node of this tree"
        return mth(below)

    return read

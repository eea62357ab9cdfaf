"""Makes the vectors: every proof of small trees, some of large ones, and each spoilt in every way we know.

Field names and base 64 are those of transparency-dev/merkle's testdata, one vector a line. The good ones come
from the naive tree, so that nothing of the code under test has a hand in them.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from tests.audit import naive

LEAVES: Final = [naive.leaf(b"entry %d" % n) for n in range(300)]
ROOTS: Final = [naive.mth(LEAVES[:n]) for n in range(len(LEAVES) + 1)]
SMALL: Final = 9  # all pairs up to this size
WRITTEN: Final = 5  # likewise, of those that are written down
PAIRS: Final = ((0, 17), (16, 17), (255, 256), (100, 257), (256, 257), (299, 300))  # index, size
GROWTHS: Final = ((1, 17), (16, 17), (16, 32), (255, 256), (256, 300), (257, 300), (299, 300))
OTHER: Final = naive.leaf(b"of another log")

Vector = dict[str, Any]


class Inclusion(NamedTuple):
    index: int
    size: int
    root: bytes
    leaf: bytes
    proof: tuple[bytes, ...]

    def vector(self, desc: str, *, bad: bool) -> Vector:
        named = {"leafIdx": self.index, "treeSize": self.size, "root": said(self.root)}
        return {**named, "leafHash": said(self.leaf), **_rest(self.proof, desc, bad)}


class Consistency(NamedTuple):
    first: int
    second: int
    first_root: bytes
    second_root: bytes
    proof: tuple[bytes, ...]

    def vector(self, desc: str, *, bad: bool) -> Vector:
        named = {"size1": self.first, "size2": self.second, "root1": said(self.first_root)}
        return {**named, "root2": said(self.second_root), **_rest(self.proof, desc, bad)}


def _rest(proof: tuple[bytes, ...], desc: str, bad: bool) -> Vector:
    return {"proof": [said(one) for one in proof], "desc": desc, "wantErr": bad}


def said(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")


def good_inclusions(small: int = SMALL) -> Iterator[Inclusion]:
    all_small = ((index, size) for size in range(1, small + 1) for index in range(size))
    for index, size in (*all_small, *PAIRS):
        proof = naive.path(index, LEAVES[:size])
        yield Inclusion(index, size, ROOTS[size], LEAVES[index], tuple(proof))


def good_consistencies(small: int = SMALL) -> Iterator[Consistency]:
    all_small = ((first, second) for second in range(small + 1) for first in range(second + 1))
    for first, second in (*all_small, *GROWTHS):
        proof = naive.proof(first, LEAVES[:second])
        yield Consistency(first, second, ROOTS[first], ROOTS[second], tuple(proof))


Change = tuple[str, Any]


def spoilt_proofs(proof: tuple[bytes, ...], root: bytes, bits: Iterable[int]) -> Iterator[Change]:
    """What can be done to the list of hashes."""
    bits = tuple(bits)
    for at, hashed in enumerate(proof):
        before, after = proof[:at], proof[at + 1 :]
        for bit in bits:
            yield f"bit {bit} of hash {at} modified", (*before, flipped(hashed, bit), *after)
        yield f"hash {at} removed", before + after
        yield f"hash {at} twice", (*before, hashed, hashed, *after)
        yield f"hash {at} replaced", (*before, OTHER, *after)
        yield f"hash {at} emptied", (*before, b"", *after)
        yield f"hash {at} cut short", (*before, hashed[:-1], *after)
        yield f"hash {at} with a byte behind it", (*before, hashed + b"\x00", *after)
    for at in range(len(proof) - 1):
        yield f"hashes {at} and {at + 1} swapped", (*proof[:at], proof[at + 1], proof[at], *proof[at + 2 :])
    if proof:
        yield "all hashes removed", ()
    if len(proof) > 1:
        yield "the hashes in reverse", proof[::-1]
        yield "the hashes as one", (b"".join(proof),)
    for name, rest in (("nothing", b""), ("zeroes", bytes(32)), ("the root", root), ("a hash", OTHER)):
        yield f"{name} in front", (rest, *proof)
        yield f"{name} behind", (*proof, rest)


def _near(number: int) -> list[int]:
    return [number + step for step in (-2, -1, 1, 2)]


def flipped(hashed: bytes, bit: int) -> bytes:
    return (int.from_bytes(hashed, "big") ^ (1 << bit)).to_bytes(len(hashed), "big")


def bad_inclusions(bits: Iterable[int], small: int = SMALL) -> Iterator[tuple[str, Inclusion]]:
    bits = tuple(bits)
    for good in good_inclusions(small):
        name = f"{good.index} of {good.size}"
        for desc, proof in spoilt_proofs(good.proof, good.root, bits):
            yield f"{name}: {desc}", good._replace(proof=proof)
        for field, value in (("root", good.root), ("leaf", good.leaf)):
            for desc, other in _hashes(value, bits):
                yield f"{name}: {field} {desc}", good._replace(**{field: other})
        yield from _forged(name, good)
        for index in (*_near(good.index), good.size, good.index + (1 << 63), -1):
            if index != good.index:
                yield f"{name}: index {index}", good._replace(index=index)
        for size in (*_near(good.size), 0, -1, good.size * 2 + 1, 1 << 63):
            if not _same_way(good.index, good.size, size):
                yield f"{name}: size {size}", good._replace(size=size)
    yield "0 of 0", Inclusion(0, 0, ROOTS[0], LEAVES[0], ())
    yield "0 of 0, the root as leaf", Inclusion(0, 0, ROOTS[0], ROOTS[0], ())


def _forged(name: str, good: Inclusion) -> Iterator[tuple[str, Inclusion]]:
    """What leads to the root that is given, and yet is no proof: only its form gives it away."""
    longer = (*good.proof, OTHER)
    for side, root in (("right", naive.node(good.root, OTHER)), ("left", naive.node(OTHER, good.root))):
        yield f"{name}: longer, under a root made for it ({side})", good._replace(proof=longer, root=root)
    if good.proof:
        first, *rest = good.proof
        for to, leaf, hashed in (
            ("the leaf", good.leaf + first[:1], first[1:]),
            ("the leaf's end", first[-1:] + good.leaf, first[:-1]),
            ("the hash", good.leaf[1:], first + good.leaf[:1]),
            ("the hash's front", good.leaf[:-1], good.leaf[-1:] + first),
        ):
            yield f"{name}: a byte moved to {to}", good._replace(leaf=leaf, proof=(hashed, *rest))


def _same_way(index: int, size: int, other: int) -> bool:
    """Whether a proof for one size is, by its definition, one for another: the same turns on the way up.

    The root binds the leaves and not the size; that is what the checkpoint is signed for.
    """
    return index < other < 1 << 63 and _turns(index, size) == _turns(index, other)


def _turns(index: int, size: int) -> list[bool]:
    turns: list[bool] = []
    while size > 1:
        k = naive.split(size)
        turns.append(index < k)
        index, size = (index, k) if index < k else (index - k, size - k)
    return turns


def bad_consistencies(bits: Iterable[int], small: int = SMALL) -> Iterator[tuple[str, Consistency]]:
    bits = tuple(bits)
    for good in good_consistencies(small):
        name = f"{good.first} to {good.second}"
        for desc, proof in spoilt_proofs(good.proof, good.second_root, bits):
            yield f"{name}: {desc}", good._replace(proof=proof)
        for field in ("first_root", "second_root"):
            if field == "second_root" and good.first == 0 and good.second:
                continue  # everything begins with nothing
            for desc, other in _hashes(getattr(good, field), bits):
                yield f"{name}: {field} {desc}", good._replace(**{field: other})
        yield from _other_sizes(name, good)
        if 0 < good.first < good.second:
            for side, over in (
                ("right", lambda r: naive.node(r, OTHER)),
                ("left", lambda r: naive.node(OTHER, r)),
            ):
                made = Consistency(
                    *good[:2], over(good.first_root), over(good.second_root), (*good.proof, OTHER)
                )
                yield f"{name}: longer, under roots made for it ({side})", made
                made = made._replace(first_root=good.first_root)
                yield f"{name}: longer, under a second root made for it ({side})", made
        if good.first != good.second:
            turned = Consistency(good.second, good.first, good.second_root, good.first_root, good.proof)
            yield f"{name}: backwards", turned
            if good.first:
                yield f"{name}: roots swapped", good._replace(first_root=good[3], second_root=good[2])


def _other_sizes(name: str, good: Consistency) -> Iterator[tuple[str, Consistency]]:
    for first in (*_near(good.first), good.second + 1, -1, 1 << 63):
        if not _same_growth(good, first, good.second):
            yield f"{name}: first size {first}", good._replace(first=first)
    for second in (*_near(good.second), -1, 1 << 63):
        if not _same_growth(good, good.first, second):
            yield f"{name}: second size {second}", good._replace(second=second)
    for step in (-1, 1):
        first, second = good.first + step, good.second + step
        if not _same_growth(good, first, second):
            yield f"{name}: both sizes {step:+d}", good._replace(first=first, second=second)


def _same_growth(good: Consistency, first: int, second: int) -> bool:
    """Whether the proof for one pair of sizes is, by its definition, one for another pair."""
    if not 0 <= first <= second < 1 << 63:
        return False
    if first == 0:  # everything begins with nothing, if nothing is what the first root says
        return good.first_root == ROOTS[0] and (second > 0 or good.second_root == ROOTS[0])
    if first == second:  # nothing to prove, if the roots are the same
        return good.first_root == good.second_root and not good.proof
    return good.first > 0 and _shape(first, second) == _shape(good.first, good.second)


def _shape(m: int, n: int) -> tuple[object, ...]:
    """How PROOF(m, D[n]) is put together: which side each hash stands on, and where it begins."""
    turns: list[object] = []
    whole = True
    while m != n:
        k = naive.split(n)
        turns.append(m <= k)
        m, n, whole = (m, k, whole) if m <= k else (m - k, n - k, False)
    return (*turns, whole)


def _hashes(value: bytes, bits: tuple[int, ...]) -> Iterator[tuple[str, bytes]]:
    for bit in bits:
        yield f"with bit {bit} modified", flipped(value, bit)
    yield "of another", OTHER
    yield "emptied", b""
    yield "cut short", value[:-1]
    yield "with a byte behind it", value + b"\x00"
    if value != ROOTS[0]:
        yield "of the empty tree", ROOTS[0]


FEW: Final = (0, 255)  # of the 256 bits of a hash: those that are written down
ALL: Final = range(256)


def inclusions() -> Iterator[Vector]:
    for good in good_inclusions():
        yield good.vector(f"{good.index} of {good.size}", bad=False)
    for desc, bad in bad_inclusions(FEW, WRITTEN):
        yield bad.vector(desc, bad=True)


def consistencies() -> Iterator[Vector]:
    for good in good_consistencies():
        yield good.vector(f"{good.first} to {good.second}", bad=False)
    for desc, bad in bad_consistencies(FEW, WRITTEN):
        yield bad.vector(desc, bad=True)


HERE: Final = Path(__file__).parent
FILES: Final[dict[Path, Callable[[], Iterator[Vector]]]] = {
    HERE / "inclusion.jsonl": inclusions,
    HERE / "consistency.jsonl": consistencies,
}


def lines(vectors: Iterable[Vector]) -> str:
    return "".join(f"{json.dumps(vector, separators=(',', ':'))}\n" for vector in vectors)

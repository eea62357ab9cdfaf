"""The proofs of many entries at once, as files (C2SP tlog-proof); and which tiles they are made from.

Entries below the same tile share all of the way but its lowest eight steps.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from audit import merkle
from audit.merkle import node_hash
from audit.notes import encoded
from audit.proofs import FIRST
from audit.tiles import HEIGHT, WIDTH, Read, Tile, TileNodes, hashes, read_tile

_WIDTH_BITS: Final = 8


class Prover:
    """Proofs under one signed checkpoint of ``size`` entries, whose tiles ``read`` gives."""

    def __init__(self, size: int, checkpoint: bytes, read: Read) -> None:
        self._size, self._read = size, read
        self._nodes = TileNodes(size, read)
        self._tail = b"\n" + checkpoint
        self._tile, self._rows, self._above = -1, list[list[str]](), ""

    def proof(self, index: int) -> bytes:
        """The file for the entry at an index. Raises ``TilesRefused``."""
        tile, at = index >> _WIDTH_BITS, index & WIDTH - 1
        if (tile + 1) * WIDTH > self._size:
            lines = "".join(f"{encoded(one)}\n" for one in merkle.inclusion(index, self._size, self._nodes))
        else:
            if tile != self._tile:
                self._open(tile)
            lines = "".join([row[at >> level ^ 1] for level, row in enumerate(self._rows)]) + self._above
        return f"{FIRST}\nindex {index}\n{lines}".encode("ascii") + self._tail

    def _open(self, tile: int) -> None:
        row = hashes(read_tile(Tile(0, tile), self._read))
        rows = []
        for _ in range(HEIGHT):
            rows.append([f"{encoded(one)}\n" for one in row])
            row = [node_hash(*row[at : at + 2]) for at in range(0, len(row), 2)]
        above = merkle.inclusion(tile * WIDTH, self._size, self._nodes)[HEIGHT:]
        self._tile, self._rows = tile, rows
        self._above = "".join(f"{encoded(one)}\n" for one in above)


def needed(size: int, indexes: Iterable[int]) -> list[Tile]:
    """The tiles of a tree of ``size`` through which its root, and the ways of these entries to it, go.

    In the order of their paths' levels and numbers.
    """
    found: set[tuple[int, int]] = set()
    for index in (*_sparse(indexes), size - 1):
        level = 0
        while size >> HEIGHT * level:
            at = (level, index >> HEIGHT * (level + 1))
            if at in found:
                break  # so are those above
            if _width(size, *at) > 0:
                found.add(at)
            level += 1
    found |= {(level, size >> HEIGHT * (level + 1)) for level in _edges(size)}
    return [Tile(level, number, _width(size, level, number)) for level, number in sorted(found)]


def _sparse(indexes: Iterable[int]) -> Iterator[int]:
    """One of those that lie below the same tile."""
    last = -1
    for index in indexes:
        if index >> _WIDTH_BITS != last:
            last = index >> _WIDTH_BITS
            yield index


def _edges(size: int) -> list[int]:
    """The levels whose last tile is partial."""
    return [level for level in range(8) if size >> HEIGHT * level & WIDTH - 1]


def _width(size: int, level: int, number: int) -> int:
    return min(WIDTH, (size >> HEIGHT * level) - number * WIDTH)

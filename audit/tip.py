"""Where the sealed log ends: the newest checkpoint, held against the tiles that it was made from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from audit import merkle
from audit.checkpoint import Checkpoint, CheckpointRefused
from audit.directory import ANNOUNCED, CHECKPOINT, Shard, shards
from audit.following import place
from audit.merkle import Frontier, Nodes
from audit.notes import Key, NoteRefused
from audit.primitives import check
from audit.refusals import OtherSite, TilesChanged
from audit.signing import Trust, opened
from audit.tiles import WIDTH, Tile, TileNodes, TilesRefused, read_entries


class Tip(NamedTuple):
    """The end of a shard. ``first``: the number of its first entry; ``leaf``: the hash of its last one;
    ``signed``: the checkpoint as it was published."""

    shard: Shard
    first: int
    head: Checkpoint
    signed: bytes
    peaks: tuple[bytes, ...]
    leaf: bytes

    @property
    def last(self) -> int:
        """The number of the last entry under the checkpoint."""
        return self.first + self.head.size - 1

    @property
    def frontier(self) -> Frontier:
        """The right edge of its tree, to go on from."""
        return Frontier(self.head.size, self.peaks)


def sealed(directory: Path) -> list[Shard]:
    """The shards that have a checkpoint, the oldest first.

    One that has none yet was begun when the process ended; it is begun again. Raises ``TilesChanged`` where
    one had a checkpoint and has none, ``DirectoryRefused``, ``OSError``.
    """
    found = []
    for shard in shards(directory):
        if shard.checkpoint() is not None:
            found.append(shard)
        elif (shard.root / ANNOUNCED).exists():
            raise TilesChanged(f"{shard.root / CHECKPOINT}: it is missing")
    return found


def site_of(found: Sequence[Shard], site: str) -> None:
    """That shards belong to a site. Raises ``OtherSite``, ``DirectoryRefused``."""
    for shard in found:
        if shard.site != site:
            raise OtherSite(f"{shard.root.parent}: it belongs to the site {shard.site}")


def head_of(shard: Shard, keys: tuple[Key, ...] = ()) -> tuple[Checkpoint, bytes]:
    """The checkpoint of a shard, its signature checked, and as it is written.

    ``keys``: one of them must have signed; without any, one of those that the shard names. Raises
    ``TilesChanged``, ``DirectoryRefused``, ``OSError``.
    """
    signed = shard.checkpoint()
    if signed is None:
        raise TilesChanged(f"{shard.root / CHECKPOINT}: there is none")
    try:
        return opened(signed, Trust(shard.origin, keys or shard.keys()), check).checkpoint, signed
    except (NoteRefused, CheckpointRefused) as error:
        raise TilesChanged(f"{shard.root / CHECKPOINT}: {error}") from None


def tip_of(shard: Shard) -> Tip:
    """The end of a shard, read from the disk: the root over the right edge of its tiles is that of the
    checkpoint, and the last bundle holds what the tiles say.

    Raises ``TilesChanged``, ``DirectoryRefused``, ``OSError``.
    """
    head, signed = head_of(shard)
    if head.size == 0:
        raise TilesChanged(f"{shard.root / CHECKPOINT}: of an empty tree")
    try:
        nodes = TileNodes(head.size, shard.read)
        frontier = Frontier.of(head.size, nodes)
        if frontier.root() != head.root:
            raise TilesChanged(f"{shard.root}: the tiles do not lead to the root of the checkpoint")
        _same(shard, nodes, head.size - 1)
        first = first_of(shard, head.size)
    except (TilesRefused, ValueError) as error:
        raise TilesChanged(f"{shard.root}: {error}") from None
    return Tip(shard, first, head, signed, frontier.peaks, nodes(0, head.size - 1))


def first_of(shard: Shard, size: int) -> int:
    """The number of the first entry of a shard of that size. Raises ``ValueError``, ``TilesRefused``."""
    return place(read_entries(Tile(None, 0, min(size, WIDTH)), shard.read)[0]).seq


def _same(shard: Shard, nodes: Nodes, last: int) -> None:
    """That the bundle of the last entry holds what the tile beside it says."""
    bundle, width = last // WIDTH, last % WIDTH + 1
    tile = Tile(None, bundle, width)
    held = [merkle.leaf_hash(entry) for entry in read_entries(tile, shard.read)]
    if held != [nodes(0, bundle * WIDTH + at) for at in range(width)]:
        raise TilesChanged(f"{shard.root / tile.path}: other entries than those of the tile")

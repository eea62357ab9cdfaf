"""The tree and the entries as files: C2SP tlog-tiles. Pure: paths and bytes, no disk.

A tile holds 256 hashes of one level out of eight; a bundle holds the entries below one tile of level 0.
The last of each kind may be partial; it then has its width in its name.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from audit.entry import EntryRefused
from audit.merkle import HASH, LARGEST, leaf_hash, node_hash

WIDTH: Final = 256
HEIGHT: Final = 8  # levels of the tree that one tile stands for
ENTRIES: Final = "entries"  # instead of a level, in the path of a bundle
LONGEST: Final = 65_535  # bytes of one entry, since a bundle gives its length in 16 bits
LEVELS: Final = 63

_PATH: Final = re.compile(
    r"tile/(?P<level>0|[1-9][0-9]?|entries)/(?P<index>(?:x[0-9]{3}/)*[0-9]{3})(?:\.p/(?P<width>[1-9][0-9]{0,2}))?"
)

Read = Callable[[str], bytes | None]  # what lies at a path, or None


class TilesRefused(ValueError):
    """A tile, a bundle or its path is not as the specification has it, or it is not there."""


class EntryTooLong(EntryRefused):
    """An entry does not fit into a bundle, so it must not get into the tree."""


class Tile(NamedTuple):
    """Where a tile lies. ``level`` None: a bundle of entries."""

    level: int | None
    number: int
    width: int = WIDTH

    @property
    def path(self) -> str:
        """``tile/<L>/<N>[.p/<W>]``, or ``tile/entries/...``."""
        level = ENTRIES if self.level is None else str(self.level)
        partial = "" if self.width == WIDTH else f".p/{self.width}"
        return f"tile/{level}/{_elements(self.number)}{partial}"


def parse_path(path: str) -> Tile:
    """The tile of a path. Raises ``TilesRefused`` for anything that ``Tile.path`` would not write."""
    found = _PATH.fullmatch(path)
    if not found:
        raise TilesRefused("no path of a tile")
    level = None if found["level"] == ENTRIES else int(found["level"])
    if len(found["index"]) > 40:  # longer than any number of 63 bits; digits by the thousand are refused
        raise TilesRefused("no path of a tile")
    tile = Tile(level, int(re.sub("[x/]", "", found["index"])), int(found["width"] or WIDTH))
    if tile.path != path or (level or 0) > LEVELS or (found["width"] and tile.width >= WIDTH):
        raise TilesRefused("no path of a tile")
    return tile


def _elements(index: int) -> str:
    """``1234067`` -> ``x001/x234/067``."""
    last = f"{index % 1000:03}"
    while index >= 1000:
        index //= 1000
        last = f"x{index % 1000:03}/{last}"
    return last


def tiles_of(size: int, level: int | None = 0) -> Iterator[Tile]:
    """All tiles of a level (None: the bundles) of a tree of ``size``; the last one may be partial."""
    count = size >> HEIGHT * (level or 0)
    for index in range(count // WIDTH):
        yield Tile(level, index)
    if count % WIDTH:
        yield Tile(level, count // WIDTH, count % WIDTH)


def layout(size: int) -> Iterator[Tile]:
    """Every tile of a tree of ``size``, level by level, without the bundles."""
    level = 0
    while size >> HEIGHT * level:
        yield from tiles_of(size, level)
        level += 1


def hashes(tile: bytes, width: int = WIDTH) -> list[bytes]:
    """The hashes in a tile. Raises ``TilesRefused`` where it has another width."""
    if len(tile) != width * HASH:
        raise TilesRefused("a tile of another width")
    return [tile[at : at + HASH] for at in range(0, len(tile), HASH)]


def tile_hash(tile: bytes) -> bytes:
    """The root over a full tile: what stands for it in the level above. Raises ``TilesRefused``."""
    return _unfolded(hashes(tile))[HEIGHT][0]


def _unfolded(lowest: list[bytes]) -> list[list[bytes]]:
    """The levels of the tree within a tile, as far as they are complete."""
    levels = [lowest]
    for _ in range(HEIGHT):
        below = levels[-1]
        levels.append([node_hash(*below[at : at + 2]) for at in range(0, len(below) - 1, 2)])
    return levels


class TileNodes:
    """The nodes of a tree of ``size``, read out of its tiles (``merkle.Nodes``).

    Where the partial tile of that size is gone, the full one is read, as the specification allows. Keeps
    the last tiles that it read. What it reads is not proven: compare the root with a checkpoint for that.
    """

    def __init__(self, size: int, read: Read, *, keep: int = 64) -> None:
        self.size, self._read, self._keep = size, read, keep
        self._known: OrderedDict[tuple[int, int], list[list[bytes]]] = OrderedDict()

    def __call__(self, level: int, index: int) -> bytes:
        """Raises ``TilesRefused`` where a tile is missing or of another width."""
        if not 0 <= index < self.size >> level:
            raise TilesRefused("no complete node of this tree")
        high, low = divmod(level, HEIGHT)
        per_tile = HEIGHT - low
        return self._tile(high, index >> per_tile)[low][index & (1 << per_tile) - 1]

    def _tile(self, level: int, index: int) -> list[list[bytes]]:
        known = self._known.get((level, index))
        if known is None:
            known = self._known[level, index] = _unfolded(self._lowest(level, index))
            if len(self._known) > self._keep:
                self._known.popitem(last=False)
        else:
            self._known.move_to_end((level, index))
        return known

    def _lowest(self, level: int, index: int) -> list[bytes]:
        width = min(WIDTH, (self.size >> HEIGHT * level) - index * WIDTH)
        return hashes(read_tile(Tile(level, index, width), self._read), width)


def read_tile(tile: Tile, read: Read) -> bytes:
    """The hashes of a tile, out of the full one where the partial one is gone. Raises ``TilesRefused``."""
    found = read(tile.path)
    if found is None and tile.width < WIDTH:
        found = read(tile._replace(width=WIDTH).path)
        found = found and found[: tile.width * HASH]
    if found is None:
        raise TilesRefused(f"{tile.path} is missing")
    return found


def grown(size: int, leaves: Sequence[bytes], read: Read) -> Iterator[tuple[Tile, bytes]]:
    """The tiles that are new when leaf hashes come to a tree of ``size``, in the order to write them in.

    ``read`` gives the tiles of ``size`` (only the last partial ones are asked for). Each full tile, and the
    partial one that ends its level; lower levels first, so that what stands for a tile is never there
    before it. Raises ``TilesRefused`` where a tile of ``size`` is missing or of another width.
    """
    level, more, after = 0, list(leaves), size + len(leaves)
    if after > LARGEST:
        raise TilesRefused("a larger tree than can be said")
    while more:
        first, width = divmod(size >> HEIGHT * level, WIDTH)
        kept = hashes(read_tile(Tile(level, first, width), read), width) if width else []
        row, more = kept + more, []
        for at in range(0, len(row), WIDTH):
            part = row[at : at + WIDTH]
            tile = Tile(level, first + at // WIDTH, len(part))
            yield tile, b"".join(part)
            if tile.width == WIDTH:
                more.append(_unfolded(part)[HEIGHT][0])
        level += 1


def bundle(entries: Iterable[bytes]) -> bytes:
    """Entries as a bundle, each behind its length. Raises ``EntryTooLong``."""
    return b"".join(part for entry in entries for part in (fitting(entry).to_bytes(2, "big"), entry))


def fitting(entry: bytes) -> int:
    """The length of an entry that a bundle can hold. Raises ``EntryTooLong``."""
    if len(entry) > LONGEST:
        raise EntryTooLong(f"an entry of {len(entry)} bytes; {LONGEST} is the most")
    return len(entry)


def unbundle(packed: bytes, width: int) -> list[bytes]:
    """The entries of a bundle of ``width``. Raises ``TilesRefused`` for fewer, more, or a rest."""
    found, at, end = [], 0, len(packed)
    while at < end:
        start = at + 2
        at = start + int.from_bytes(packed[at:start], "big")
        found.append(packed[start:at])
    if at != end or len(found) != width:
        raise TilesRefused("a bundle that does not hold its entries and nothing else")
    return found


def bundle_hashes(packed: bytes, width: int) -> list[bytes]:
    """The leaf hashes of the entries of a bundle: the tile of level 0 beside it. Raises ``TilesRefused``."""
    return [leaf_hash(entry) for entry in unbundle(packed, width)]


def read_entries(tile: Tile, read: Read) -> list[bytes]:
    """The entries of a bundle, out of the full one where the partial one is gone. Raises ``TilesRefused``."""
    found = read(tile.path)
    if found is not None:
        return unbundle(found, tile.width)
    full = read(tile._replace(width=WIDTH).path)
    if full is None:
        raise TilesRefused(f"{tile.path} is missing")
    return unbundle(full, WIDTH)[: tile.width]


def bundled(size: int, entries: Sequence[bytes], read: Read) -> Iterator[tuple[Tile, bytes]]:
    """The bundles that are new when entries come to a tree of ``size``: what ``grown`` is for tiles.

    Raises ``EntryTooLong``, and ``TilesRefused`` where the last bundle is missing or of another width.
    """
    first, width = divmod(size, WIDTH)
    row = list(entries)
    if row and width:
        row = read_entries(Tile(None, first, width), read) + row
    for at in range(0, len(row), WIDTH):
        part = row[at : at + WIDTH]
        yield Tile(None, first + at // WIDTH, len(part)), bundle(part)

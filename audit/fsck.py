"""Deriving everything again: the table, and from it every bundle, tile and root that the directory holds.

One walk along the table, with a tile of each level in memory, however long the log is. The first place that
is not as it must be is named, and nothing after it: after it nothing hangs together.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from audit import schema
from audit.checkpoint import Checkpoint, CheckpointRefused
from audit.directory import CHECKPOINT, COSIGNED, KEYS, DirectoryRefused, Shard, origin_of
from audit.following import Row, place
from audit.merkle import Frontier
from audit.notes import NoteRefused
from audit.primitives import check
from audit.refusals import TilesChanged
from audit.signing import Trust, opened
from audit.tiles import HEIGHT, WIDTH, Tile, bundle, tile_hash
from audit.tip import head_of, sealed
from audit.verify import Unreadable, Walk, altered, reading

__all__ = ["Found", "Unreadable", "fsck"]
_NUMBER: Final = frozenset("0123456789")


class Found(NamedTuple):
    """What was looked at. ``fault``: the first bad place, "" for none; ``unsealed``: entries that no
    checkpoint covers yet, which is no fault; ``signed``: checkpoints and cosigned ones."""

    entries: int
    shards: int
    files: int
    signed: int
    unsealed: int
    fault: str = ""

    @property
    def good(self) -> bool:
        """Whether nothing was found."""
        return not self.fault

    def __str__(self) -> str:
        lines = [
            f"entries      {self.entries}, {self.unsealed} of them under no checkpoint yet",
            f"shards       {self.shards}",
            f"checkpoints  {self.signed}",
            f"files        {self.files} tiles and bundles",
            *([f"FAULT        {self.fault}"] if self.fault else []),
            "everything is as it was signed" if self.good else "NOT everything is as it was signed",
        ]
        return "\n".join(lines)


class _Bad(Exception):
    """The first bad place; its text names it."""


def fsck(store: Path, directory: Path) -> Found:
    """Check the log in an SQLite file and its directory against each other, while others may write to both.

    Raises ``Unreadable``, ``OSError``.
    """
    look = _Look()
    try:
        # the heads are read before the table, which so has all that they count
        trees = [_Tree(shard) for shard in sealed(directory)]
        look.trees, look.signed = trees, sum(len(tree.heads) for tree in trees)
        with reading(store) as connection:
            walk = Walk()
            rows = connection.execute(schema.ENTRIES)
            fault = next(walk.faults(look.watched(rows)), None) or walk.missing(connection)
            wrong = [fault] if fault else altered(connection)
            if not wrong:
                look.end()
    except _Bad as bad:
        wrong = [str(bad)]
    except (DirectoryRefused, TilesChanged) as error:
        wrong = [str(error)]
    return look.found(wrong[0] if wrong else "")


class _Look:
    """Shares the entries of the table out to the trees of the shards."""

    def __init__(self) -> None:
        self.trees: Sequence[_Tree] = ()
        self.signed = self.entries = self.unsealed = 0
        self._year, self._at, self._begun = 0, 0, 0

    def watched(self, rows: Iterator[tuple[int, bytes, bytes]]) -> Iterator[tuple[int, bytes, bytes]]:
        """The rows; each goes into its tree once the walk along the chain found nothing wrong with it."""
        before: Row | None = None
        for row in rows:
            if before is not None:
                self._add(before)
            yield row
            before = Row(*row)
        if before is not None:
            self._add(before)

    def end(self) -> None:
        """The shards that no entry belongs to any more, and the end of the last one."""
        for tree in self.trees[self._at :]:
            self._ended(tree)

    def _ended(self, tree: _Tree) -> None:
        """The oldest shards may have no entry left, but never the newest: it is not disposed of."""
        tree.end()
        if tree.frontier.size == 0 and (self.entries or tree is self.trees[-1]):
            raise _Bad(f"{tree.shard.root / CHECKPOINT}: {tree.head.size} entries are signed and 0 are there")

    def found(self, fault: str) -> Found:
        files = sum(tree.files for tree in self.trees)
        return Found(self.entries, len(self.trees), files, self.signed, self.unsealed, fault)

    def _add(self, row: Row) -> None:
        year = place(row.entry).year
        if year > self._year:
            self._begin(year)
        self.entries += 1
        tree = self.trees[self._at] if self._at < len(self.trees) else None
        if tree is None or tree.shard.year != self._year:
            self.unsealed += 1
            if tree is not None:
                raise _Bad(f"entry {row.seq}: it belongs to {self._year}, which has no checkpoint")
            return
        tree.add(row)
        self.unsealed += tree.frontier.size > tree.head.size

    def _begin(self, year: int) -> None:
        self._year = year
        while self._at < len(self.trees) and self.trees[self._at].shard.year < year:
            tree = self.trees[self._at]
            self._ended(tree)
            if tree.frontier.size > tree.head.size:
                raise _Bad(f"{tree.shard.root / CHECKPOINT}: it does not cover the whole year")
            self._at += 1


class _Tree:
    """One shard: what its files must be is derived while its entries come by."""

    def __init__(self, shard: Shard) -> None:
        self.shard, self.files, self.frontier = shard, 0, Frontier()
        self.head, _ = head_of(shard)
        self.heads = {CHECKPOINT: self.head, **self._cosigned()}
        if self.head.origin != origin_of(shard.site, shard.year):
            raise _Bad(f"{shard.root / KEYS}: of another shard")
        self._sizes = {head.size for head in self.heads.values()}
        self._roots: dict[int, bytes] = {}
        self._entries: list[bytes] = []
        self._levels: list[list[bytes]] = [[]]
        self._counts = [0]  # of the full tiles before, by level

    def add(self, row: Row) -> None:
        """The next entry."""
        self.frontier.append(row.hash)
        self._entries.append(row.entry)
        self._push(0, row.hash)
        if self.frontier.size in self._sizes:
            self._roots[self.frontier.size] = self.frontier.root()

    def end(self) -> None:
        """No entry comes any more: the tiles that are not full, and the roots that were signed.

        A shard of which no entry is left is disposed of, and its files are about to go."""
        if self.frontier.size == 0:
            return
        self._bundle()
        for level, row in enumerate(self._levels):
            if row:
                self._tile(level, row)
        for name, head in self.heads.items():
            where = self.shard.root / name
            if head.size not in self._roots:
                raise _Bad(f"{where}: {head.size} entries are signed and {self.frontier.size} are there")
            if self._roots[head.size] != head.root:
                raise _Bad(f"{where}: another root than that of the entries")

    def _push(self, level: int, hashed: bytes) -> None:
        if level == len(self._levels):
            self._levels.append([])
            self._counts.append(0)
        row = self._levels[level]
        row.append(hashed)
        if len(row) == WIDTH:
            if level == 0:
                self._bundle()
            self._tile(level, row)
            self._levels[level] = []
            self._counts[level] += 1
            self._push(level + 1, tile_hash(b"".join(row)))

    def _bundle(self) -> None:
        """Checked before the tile beside it: it names an entry, and the tile only a hash."""
        if self._entries:
            self._hold(Tile(None, self._counts[0]), self.head.size, [bundle([one]) for one in self._entries])
        self._entries = []

    def _tile(self, level: int, row: list[bytes]) -> None:
        self._hold(Tile(level, self._counts[level]), self.head.size >> HEIGHT * level, row)

    def _hold(self, tile: Tile, signed: int, parts: list[bytes]) -> None:
        """The file of a tile that the checkpoint needs, and all partial ones that are still beside it."""
        need = min(signed - tile.number * WIDTH, WIDTH)
        if need <= 0:
            return
        seen = {width for width in self._widths(tile) if self._partial(tile._replace(width=width), parts)}
        content = self.shard.read(tile.path)  # after the partial ones, in whose place it may come just now
        if content is not None:
            self._same(tile, content, parts)
        elif need not in seen:
            raise _Bad(f"{self.shard.root / tile._replace(width=need).path}: it is missing")

    def _partial(self, tile: Tile, parts: list[bytes]) -> bool:
        """Whether it is there, and then as it must be as far as the table is read."""
        found = self.shard.read(tile.path)
        if found is not None and tile.width <= len(parts):
            self._same(tile, found, parts[: tile.width])
        return found is not None

    def _same(self, tile: Tile, content: bytes, parts: list[bytes]) -> None:
        """What is there; where the table is not read that far, its beginning."""
        self.files += 1
        expected = b"".join(parts)
        if content != expected and not (len(parts) < tile.width and content.startswith(expected)):
            raise _Bad(f"{self.shard.root / tile.path}: not what the entries of the table lead to")

    def _widths(self, tile: Tile) -> list[int]:
        folder = self.shard.root / f"{tile.path}.p"
        names = os.listdir(folder) if folder.is_dir() else []
        return sorted(int(name) for name in names if name and _NUMBER.issuperset(name))

    def _cosigned(self) -> dict[str, Checkpoint]:
        raw = self.shard.cosigned()
        if raw is None:
            return {}
        try:
            head = opened(raw, Trust(self.shard.origin, self.shard.keys()), check).checkpoint
        except (NoteRefused, CheckpointRefused) as error:
            raise _Bad(f"{self.shard.root / COSIGNED}: {error}") from None
        if head.size > self.head.size:
            raise _Bad(f"{self.shard.root / COSIGNED}: of a larger tree than the checkpoint")
        return {COSIGNED: head}

"""Sealing: what was appended to the table goes into tiles and bundles, and then under a signed checkpoint.

The sealer follows the table, whose commits are on the disk before anybody can read them, and keeps its state
in its own files alone: whatever moment it is killed at, the next one goes on from the last checkpoint that
was published. Nothing is signed that is not held against the table, the tiles and the checkpoint before.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Final, NamedTuple

from audit import merkle, tiles
from audit.checkpoint import Checkpoint
from audit.directory import ANNOUNCED, CHECKPOINT, KEYS, DirectoryRefused, Shard, origin_of
from audit.following import Place, Row, Table, chained
from audit.keyfile import SigningKey
from audit.merkle import EMPTY, Frontier
from audit.notes import Kind
from audit.refusals import Forked, KeyRefused, TableShorter, TilesChanged
from audit.restoring import never_sealed
from audit.signing import Signer, sign
from audit.tiles import WIDTH, Tile, TileNodes, TilesRefused
from audit.tip import Tip, sealed, site_of, tip_of
from audit.writing import Batch, lock, put

MOST: Final = 100 * WIDTH  # entries under one checkpoint, so that catching up stays small in memory

Year = tuple[int, list[tuple[Row, Place]]]


class Began(NamedTuple):
    """A shard that was opened, and of which the log does not tell yet."""

    shard: Shard
    first: int


class Sealer:
    """The one sealer of a log. Its calls may come from any thread, one at a time.

    Everything may raise ``SealingRefused``, ``OSError``, ``sqlite3.Error``; nothing is signed then, and the
    next call reads the state from the disk again.
    """

    def __init__(
        self,
        store: Path,
        directory: Path,
        site: str,
        key: SigningKey,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Hold the log. Raises ``Busy`` where another holds it. ``clock``: POSIX seconds."""
        self._directory, self._site, self._key, self._clock = directory, site, key, clock
        self._tip: Tip | None = None
        self._reached = 0
        self._told = 0  # the newest year that the log tells of
        self._signers: tuple[str, list[Signer]] = ("", [])
        self._lock = lock(directory)
        try:
            self._table = Table(store)
        except BaseException:
            os.close(self._lock)
            raise
        try:
            self._take_up()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let another one seal."""
        self._table.close()
        os.close(self._lock)

    @property
    def last(self) -> int:
        """The number of the last entry that is sealed, as far as is known; 0: none is."""
        return self._reached

    @property
    def signed(self) -> bytes:
        """The newest checkpoint, as it was published; nothing where there is none."""
        return self._tip.signed if self._tip else b""

    def waiting(self) -> int:
        """How many entries no checkpoint covers yet."""
        first = self.last or self._table.first() - 1
        return max(self._table.last() - first, 0)

    def seal(self) -> int:
        """Seal all that the table has now; how many entries that were."""
        count = 0
        try:
            self._tip = self._tip or self._take_up()
            until = self._table.last()
            while new := self._new():
                for year, part in self._years(new):
                    self._tip = self._grown(year, part)
                    self._reached = self._tip.last
                count += len(new)
                if self.last >= until:
                    break
        except (TilesRefused, DirectoryRefused) as error:
            self._tip = None
            raise TilesChanged(str(error)) from None
        except BaseException:
            self._tip = None
            raise
        return count

    def unannounced(self) -> list[Began]:
        """The shards that have a checkpoint, and of whose opening the log does not tell yet."""
        if self._tip is None or self._tip.shard.year == self._told:
            return []
        missing = [one for one in sealed(self._directory) if not (one.root / ANNOUNCED).exists()]
        if not missing:
            self._told = self._tip.shard.year
        return [Began(shard, tip_of(shard).first) for shard in missing]

    def announced(self, shard: Shard) -> None:
        """The log tells of its opening now."""
        put(shard.root / ANNOUNCED, b"")

    def _take_up(self) -> Tip | None:
        """Where the one before left off, held against key and table."""
        try:
            found = sealed(self._directory)
            site_of(found, self._site)
            if not found:
                never_sealed(self._table.connection, self._site)
                self._key.make()
                self._key.signers(origin_of(self._site, 0))
                return None
            tip = tip_of(found[-1])
            self._signing(tip.shard)
        except (TilesRefused, DirectoryRefused) as error:
            raise TilesChanged(str(error)) from None
        self._tip, self._reached = tip, tip.last
        self._follows(tip, self._table.since(tip.last, 1))
        return tip

    def _new(self) -> list[tuple[Row, Place]]:
        """What follows the last sealed entry, each row held against the one before."""
        tip = self._tip
        if tip is None:
            first = self._table.first()
            return list(chained(self._table.since(first, MOST), (0, bytes(32)) if first == 1 else None))
        rows = self._table.since(tip.last, MOST + 1)
        self._follows(tip, rows)
        return list(chained(rows[1:], (tip.last, tip.leaf)))

    def _follows(self, tip: Tip, rows: Sequence[Row]) -> None:
        """That the table still has the last sealed entry as it was sealed."""
        if not rows:
            raise TableShorter(f"entry {tip.last}: it was signed and is gone")
        if rows[0].seq != tip.last or rows[0].hash != tip.leaf:
            raise Forked(f"entry {tip.last}: another one was signed")
        next(chained(rows[:1], None))

    def _years(self, new: list[tuple[Row, Place]]) -> Iterator[Year]:
        """An entry belongs to the greatest year that was seen so far."""
        greatest = self._tip.shard.year if self._tip else 0

        def of(one: tuple[Row, Place]) -> int:
            nonlocal greatest
            greatest = max(greatest, one[1].year)
            return greatest

        for year, part in groupby(new, of):
            yield year, list(part)

    def _grown(self, year: int, part: list[tuple[Row, Place]]) -> Tip:
        """Write the files, hold them against what they should say, sign, publish."""
        before = self._tip if self._tip and self._tip.shard.year == year else None
        shard = before.shard if before else Shard(self._directory / f"{year:04}", year)
        signers = self._signing(shard)
        frontier, size = (before.frontier, before.head.size) if before else (Frontier(), 0)
        rows = [row for row, _ in part]
        batch = Batch()
        written = _write(batch, shard, size, rows)
        frontier.extend(row.hash for row in rows)
        head = Checkpoint(origin_of(self._site, year), frontier.size, frontier.root())
        self._hold(shard, before, head)
        signed = sign(head, signers, int(self._clock()))
        batch.publish(shard.root / CHECKPOINT, signed)
        _tidy(shard, written)
        first = before.first if before else rows[0].seq
        return Tip(shard, first, head, signed, frontier.peaks, rows[-1].hash)

    def _hold(self, shard: Shard, before: Tip | None, head: Checkpoint) -> None:
        """That what lies on the disk leads to the new root, and goes on from the last checkpoint."""
        published = shard.checkpoint()
        if published != (before.signed if before else None):
            raise TilesChanged(f"{shard.root}: its checkpoint is not the one published last")
        nodes = TileNodes(head.size, shard.read)
        size, root = (before.head.size, before.head.root) if before else (0, EMPTY)
        try:
            if merkle.root(head.size, nodes) != head.root:
                raise merkle.ProofRefused("another root")
            proof = merkle.consistency(size, head.size, nodes)
            merkle.verify_consistency(size, head.size, proof, root, head.root)
        except merkle.ProofRefused as error:
            raise TilesChanged(f"{shard.root}: the tiles are not those that were written ({error})") from None

    def _signing(self, shard: Shard) -> list[Signer]:
        """Who signs for a shard; its list of public keys says so before anything is signed."""
        origin = origin_of(self._site, shard.year)
        if self._signers[0] == origin:
            return self._signers[1]
        signers = self._key.signers(origin)
        known = shard.keys() if (shard.root / KEYS).exists() else ()
        new = [one.key for one in signers if one.key not in known]
        if known and any(key.kind is Kind.ED25519 for key in new):
            raise KeyRefused(f"{self._key.path}: not the key that signed so far")
        if new:
            put(shard.root / KEYS, "".join(f"{key}\n" for key in (*known, *new)).encode("ascii"))
        self._signers = origin, signers
        return signers


def _write(batch: Batch, shard: Shard, size: int, rows: Sequence[Row]) -> list[Tile]:
    """The bundles and tiles that are new."""
    files = [
        *tiles.bundled(size, [row.entry for row in rows], shard.read),
        *tiles.grown(size, [row.hash for row in rows], shard.read),
    ]
    batch.add((shard.root / tile.path, content) for tile, content in files)
    return [tile for tile, _ in files]


def _tidy(shard: Shard, written: Sequence[Tile]) -> None:
    """Take the partial tiles away that have become full ones. One that stays is in nobody's way."""
    for tile in written:
        if tile.width == WIDTH:
            path = shard.root / tile.path
            with contextlib.suppress(OSError):
                shutil.rmtree(path.with_name(f"{path.name}.p"))

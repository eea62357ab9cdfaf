"""A log in an SQLite file with its sealer, and everything that it ever signed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

from audit import merkle
from audit.checkpoint import Checkpoint
from audit.directory import Shard, shards
from audit.keyfile import SigningKey
from audit.notes import Key
from audit.primitives import check
from audit.sealing import Sealer
from audit.signing import Trust, opened
from audit.tiles import TileNodes

from . import site as log

SITE = "site.example/log"


class Place:
    """Where a log and its directory lie."""

    def __init__(self, folder: Path, entries: int = 0) -> None:
        self.store, self.directory = folder / "store.db", folder / "store.audit"
        self.key = SigningKey(folder / "store.audit.key")
        log.make(self.store, entries)

    @contextmanager
    def sealer(self, site: str = SITE) -> Iterator[Sealer]:
        made = Sealer(self.store, self.directory, site, self.key, lambda: 1_795_000_000.0)
        try:
            yield made
        finally:
            made.close()

    def seal(self) -> int:
        with self.sealer() as sealer:
            return sealer.seal()

    def write(self, count: int, year: int = 2026) -> None:
        log.write(self.store, [in_year(log.draft(n), year) for n in range(count)])

    @property
    def shards(self) -> list[Shard]:
        return shards(self.directory)

    @property
    def shard(self) -> Shard:
        return self.shards[-1]

    def head(self) -> Checkpoint:
        raw = self.shard.checkpoint()
        assert raw is not None
        return believed(raw, self.shard.keys())


def in_year(draft: Any, year: int) -> Any:
    return draft._replace(time=f"{year:04}{draft.time[4:]}")


def believed(raw: bytes, keys: Sequence[Key]) -> Checkpoint:
    return opened(raw, Trust(keys[0].name, tuple(keys)), check).checkpoint


def consistent(shard: Shard, signed: Iterable[bytes]) -> int:
    """That all checkpoints of a shard are of one tree, whose tiles lie on the disk now; how many there are.

    Each is proven against the next larger one; that relation carries on to any two of them.
    """
    heads = sorted({believed(raw, shard.keys())[1:3] for raw in signed})
    assert len({size for size, _ in heads}) == len(heads), "two roots for one size"
    nodes = TileNodes(heads[-1][0] if heads else 0, shard.read)
    for (size, root), (more, larger) in pairwise(heads):
        proof = merkle.consistency(size, more, nodes)
        merkle.verify_consistency(size, more, proof, root, larger)
    if heads:
        assert merkle.root(heads[-1][0], nodes) == heads[-1][1]
    return len(heads)

"""Putting entries back that were signed and are not in the table: a store out of a backup is shorter.

What lies in the bundles below a signed checkpoint is put back byte for byte before anything is appended, so
that the log goes on where it was signed. Where the table went another way, nothing is done.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

from audit import schema
from audit.checkpoint import Checkpoint
from audit.directory import DirectoryRefused, Shard
from audit.disposing import DISPOSED, cut, up_to
from audit.following import Row, chained, head, place, row_at, tagged
from audit.keyfile import SigningKey
from audit.merkle import Frontier, leaf_hash
from audit.notes import Key
from audit.refusals import ChainBroken, DirectoryLost, Forked, TableShorter, TilesChanged
from audit.tiles import TilesRefused, read_entries, tiles_of
from audit.tip import Tip, first_of, head_of, sealed, site_of, tip_of

OPENED = "audit:shard:opened"
_DISPOSED = DISPOSED.encode()
_BEGINNING = (0, bytes(32))


def put_back(
    connection: sqlite3.Connection, directory: Path, site: str = "", key: SigningKey | None = None
) -> int:
    """See that the table has all that was signed, and put back what it lacks; how many entries those were.

    ``site``: whose log it must be; "": that of the directory. ``key``: what is put back must be signed with
    it; without one, with the keys that the directory names, which whoever can write there can change.

    Must run in a transaction that may write, with which the caller does what else must go along. Raises
    ``SealingRefused`` of the kind that it is (``Forked``: the table went on otherwise), ``OSError`` and
    ``sqlite3.Error``.
    """
    try:
        found = sealed(directory)
        if not found:
            never_sealed(connection, site)
            return 0
        site_of(found, site or found[0].site)
        tip = tip_of(found[-1])
        if not _lacks(connection, tip):
            return 0
        return _appended(connection, found, key)
    except (DirectoryRefused, TilesRefused) as error:
        raise TilesChanged(str(error)) from None


def never_sealed(connection: sqlite3.Connection, site: str) -> None:
    """Raises ``DirectoryLost`` where the table says that this site's log (""; any) was sealed."""
    for entry in tagged(connection, OPENED):
        if f'"origin":"{site and f"{site}/"}'.encode() in entry:
            number = place(entry).seq
            raise DirectoryLost(f"entry {number} says that the log was sealed, and there are no checkpoints")


def _lacks(connection: sqlite3.Connection, tip: Tip) -> bool:
    """Whether the table ends before the checkpoint. Raises ``Forked`` where it says otherwise at its end."""
    there = row_at(connection, tip.last)
    if there is None and head(connection)[0] < tip.last:
        return True
    if there is None or there.hash != tip.leaf or leaf_hash(there.entry) != tip.leaf:
        raise Forked(f"entry {tip.last}: another one was signed")
    return False


def _appended(connection: sqlite3.Connection, found: Sequence[Shard], key: SigningKey | None) -> int:
    last, hashed = head(connection)
    count = gone = 0
    try:
        for row, _ in chained(_signed(found, last, key), (last, hashed) if last else _BEGINNING):
            connection.execute(schema.APPEND, (row.seq, row.entry.decode("utf-8"), row.hash))
            count += 1
            if _DISPOSED in row.entry:
                gone = max(gone, up_to(row.entry))
    except ChainBroken as error:
        if not count and last:
            raise Forked(f"entry {last}: another one was signed") from None
        raise TilesChanged(f"a bundle: {error}") from None
    if gone:  # since the backup: it is gone again
        cut(connection, gone)
    return count


def _signed(found: Sequence[Shard], after: int, key: SigningKey | None) -> Iterator[Row]:
    """The entries that come after a number, out of the bundles, each shard held against its checkpoint."""
    heads = [head_of(shard, _keys(shard, key))[0] for shard in found]
    firsts = [first_of(shard, head.size) for shard, head in zip(found, heads)]
    if firsts[0] > after + 1:
        raise TableShorter(f"entry {after + 1}: it was signed and disposed of since; take a later backup")
    for shard, checkpoint, first in zip(found, heads, firsts):
        if first + checkpoint.size > after + 1:
            yield from _whole(shard, checkpoint, after)


def _keys(shard: Shard, key: SigningKey | None) -> tuple[Key, ...]:
    return tuple(one.key for one in key.signers(shard.origin)) if key else shard.keys()


def _whole(shard: Shard, checkpoint: Checkpoint, after: int) -> Iterator[Row]:
    """Everything is hashed before anything is given on: a bundle that was changed puts nothing back."""
    frontier = Frontier()
    frontier.extend(leaf_hash(entry) for entry in _entries(shard, checkpoint.size))
    if (frontier.size, frontier.root()) != (checkpoint.size, checkpoint.root):
        raise TilesChanged(f"{shard.root}: the bundles do not lead to the root of the checkpoint")
    for entry in _entries(shard, checkpoint.size):
        try:
            seq = place(entry).seq
        except (ValueError, KeyError, TypeError):
            raise TilesChanged(f"{shard.root}: a bundle holds what is no entry") from None
        if seq > after:
            yield Row(seq, entry, leaf_hash(entry))


def _entries(shard: Shard, size: int) -> Iterator[bytes]:
    for tile in tiles_of(size, None):
        yield from read_entries(tile, shard.read)

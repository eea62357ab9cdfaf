"""Disposing of whole shards that are past their retention: the rows of the table, and then the files.

The one way around the triggers that refuse every deletion. It is gone in one transaction, with the entry that
tells of it: what the shard was (origin, first and last entry, size, root), how it ended (hash, checkpoint).
With that, whoever verifies the rest knows that nothing but this is missing.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any, Final, NamedTuple

from audit import schema
from audit.directory import DirectoryRefused, Shard, shards
from audit.following import number, row_at
from audit.merkle import Frontier, leaf_hash
from audit.refusals import Forked, SealingRefused, TilesChanged
from audit.tiles import TilesRefused, read_entries, tiles_of
from audit.tip import first_of, head_of, sealed, tip_of
from audit.writing import synced

DISPOSED: Final = "audit:shard:disposed"
_NO_DELETE: Final = "audit_entry_no_delete"
_DROP: Final = f"DROP TRIGGER {_NO_DELETE}"
_DELETE: Final = "DELETE FROM audit_entry WHERE seq <= ?"
_FIRST: Final = "SELECT min(seq) FROM audit_entry"


class Account(NamedTuple):
    """What is told of a shard that is disposed of."""

    origin: str
    first: int
    last: int
    size: int
    root: str
    hash: str
    checkpoint: str

    def said(self) -> dict[str, Any]:
        """As the fields of an entry."""
        return self._asdict()


def due(directory: Path, year: int, keep: int) -> list[Shard]:
    """The shards that ended more than ``keep`` whole years before ``year``, the oldest first.

    Never the newest one, which the log goes on from.
    """
    return [shard for shard in sealed(directory)[:-1] if year - shard.year > keep]


def account(connection: sqlite3.Connection, shard: Shard) -> Account:
    """What a shard is, everything of it looked at: bundles, root, signature, and its end in the table.

    Raises ``SealingRefused``, ``OSError``, ``sqlite3.Error``: then it stays.
    """
    try:
        tip = tip_of(shard)
        frontier = Frontier()
        for tile in tiles_of(tip.head.size, None):
            frontier.extend(leaf_hash(entry) for entry in read_entries(tile, shard.read))
    except (DirectoryRefused, TilesRefused) as error:
        raise TilesChanged(str(error)) from None
    if frontier.root() != tip.head.root:
        raise TilesChanged(f"{shard.root}: the bundles do not lead to the root of the checkpoint")
    said = Account(
        tip.head.origin,
        tip.first,
        tip.last,
        tip.head.size,
        tip.head.root.hex(),
        tip.leaf.hex(),
        tip.signed.decode("utf-8"),
    )
    _ends(connection, said)
    return said


def _ends(connection: sqlite3.Connection, said: Account) -> None:
    row = row_at(connection, said.last)
    if row is None or row.hash.hex() != said.hash or number(connection, _FIRST) != said.first:
        raise Forked(f"entry {said.last}: the table does not have this shard as it was signed")


def remove_rows(connection: sqlite3.Connection, said: Account) -> None:
    """Take the rows of a shard away. Must run in the transaction that appends the entry which tells of it.

    The trigger is back before it ends, word for word, or nothing happened. Raises ``SealingRefused``,
    ``sqlite3.Error``.
    """
    _ends(connection, said)
    cut(connection, said.last)


def cut(connection: sqlite3.Connection, last: int) -> None:
    """Take all entries up to ``last`` away, and see that the triggers are as they were."""
    connection.execute(_DROP)
    connection.execute(_DELETE, (last,))
    connection.execute(schema.CREATE[_NO_DELETE])
    if wrong := schema.altered(dict(connection.execute(schema.PRESENT))):
        raise SealingRefused(f"altered: {', '.join(wrong)}")


def up_to(entry: bytes) -> int:
    """Up to which entry the log is gone by an entry; 0: it tells of no disposal."""
    said = json.loads(entry)
    return int(said["object"]["last"]) if said["tag"] == DISPOSED else 0


def remove_files(directory: Path, shard: Shard) -> None:
    """Take the files of a shard away, all at once for who looks. Raises OSError."""
    aside = directory / f".{shard.year:04}.disposed"
    shutil.rmtree(aside, ignore_errors=True)
    shard.root.rename(aside)
    synced(directory)
    shutil.rmtree(aside)


def left_over(connection: sqlite3.Connection, directory: Path) -> list[Shard]:
    """Shards whose rows are gone and whose files are still there: the process ended in between."""
    first = number(connection, _FIRST)
    found = []
    for shard in shards(directory):
        head = head_of(shard)[0] if shard.checkpoint() is not None else None
        if head is not None and first_of(shard, head.size) + head.size <= first:
            found.append(shard)
    return found

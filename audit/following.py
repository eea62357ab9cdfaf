"""Reading the log's table while others append to it: its rows, each held against the one before."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import quote

from audit import schema
from audit.entry import TIME
from audit.merkle import leaf_hash
from audit.refusals import ChainBroken

_SINCE: Final = "SELECT seq, CAST(entry AS BLOB), hash FROM audit_entry WHERE seq >= ? ORDER BY seq LIMIT ?"
_FIRST: Final = "SELECT min(seq) FROM audit_entry"
_LAST: Final = "SELECT max(seq) FROM audit_entry"
_TAGGED: Final = "SELECT CAST(entry AS BLOB) FROM audit_entry WHERE entry LIKE ? ORDER BY seq"
_BUSY: Final = 5.0  # seconds

# The canonical form sorts its members, so an entry ends in these; a string cannot hold a bare quote.
_END: Final = re.compile(
    rb'"previous":"(?P<previous>[0-9a-f]{64})","reason":"(?:[^"\\]|\\.)*","seq":(?P<seq>[1-9][0-9]*),'
    rb'"tag":"[a-z0-9:]+","time":"(?P<year>[0-9]{4})-[0-9T:.-]+Z"(?:,"uncertainty":(?:null|[0-9]+))?\}\Z'
)
_PREVIOUS: Final = b'"previous":"'


class Row(NamedTuple):
    """One entry as it lies in the table; ``hash``: that of its leaf in the tree."""

    seq: int
    entry: bytes
    hash: bytes


class Place(NamedTuple):
    """Where an entry says that it stands. ``previous``: the hash of the one before; ``year``: of its time."""

    seq: int
    previous: bytes
    year: int


class Table:
    """The table of a log in an SQLite file, for reading only. Threads may take turns with it."""

    def __init__(self, store: Path) -> None:
        """Raises ``sqlite3.Error`` where there is no such file."""
        where = f"file:{quote(str(store))}?mode=rw"
        self.connection = sqlite3.connect(
            where, uri=True, isolation_level=None, check_same_thread=False, timeout=_BUSY
        )
        self.connection.execute("PRAGMA query_only = ON")

    def close(self) -> None:
        """Read no more."""
        self.connection.close()

    def first(self) -> int:
        """The number of the first entry that is kept; 0: there is none."""
        return number(self.connection, _FIRST)

    def last(self) -> int:
        """The number of the last entry; 0: there is none."""
        return number(self.connection, _LAST)

    def since(self, seq: int, most: int) -> list[Row]:
        """Entries from that one on, in order."""
        return [Row(*row) for row in self.connection.execute(_SINCE, (seq, most))]

    def tagged(self, tag: str) -> Iterator[bytes]:
        """All entries of a tag, in order."""
        return tagged(self.connection, tag)


def number(connection: sqlite3.Connection, asked: str) -> int:
    """The one number that a query finds; 0 where it finds none."""
    row = connection.execute(asked).fetchone()
    return int(row[0] or 0) if row else 0


def tagged(connection: sqlite3.Connection, tag: str) -> Iterator[bytes]:
    """All entries of a tag, in order."""
    for (entry,) in connection.execute(_TAGGED, (f'%"tag":"{tag}","time":%',)):
        if json.loads(entry)["tag"] == tag:
            yield entry


def row_at(connection: sqlite3.Connection, seq: int) -> Row | None:
    """The entry of a number, if it is there."""
    found = connection.execute(_SINCE, (seq, 1)).fetchone()
    return Row(*found) if found and found[0] == seq else None


def head(connection: sqlite3.Connection) -> tuple[int, bytes]:
    """Number and hash of the last entry; 0 and nothing if there is none."""
    row = connection.execute(schema.HEAD).fetchone()
    return (int(row[0]), bytes(row[1])) if row else (0, b"")


def place(entry: bytes) -> Place:
    """Where an entry says that it stands. Raises ``ValueError`` for what is no entry."""
    found = _END.match(entry, max(entry.rfind(_PREVIOUS), 0))
    if found:
        return Place(int(found["seq"]), bytes.fromhex(found["previous"].decode()), int(found["year"]))
    said = json.loads(entry)  # of a later format, with other members
    if not isinstance(said, dict) or not TIME.fullmatch(str(said.get("time"))):
        raise ValueError("no entry")
    return Place(int(said["seq"]), bytes.fromhex(said["previous"]), int(said["time"][:4]))


def chained(rows: Iterable[Row], after: tuple[int, bytes] | None) -> Iterator[tuple[Row, Place]]:
    """The rows, each held against its own hash and the row before; ``after``: number and hash of the one
    before the first, None for a log whose beginning is not here.

    Raises ``ChainBroken`` with the number of the first entry that does not hold.
    """
    for row in rows:
        try:
            said = place(row.entry)
        except (ValueError, KeyError, TypeError):
            raise ChainBroken(f"entry {row.seq}: not the form of an entry") from None
        if leaf_hash(row.entry) != row.hash:
            raise ChainBroken(f"entry {row.seq}: its hash is another")
        if said.seq != row.seq or (after and (row.seq != after[0] + 1 or said.previous != after[1])):
            raise ChainBroken(f"entry {row.seq}: it does not follow the one before")
        after = row.seq, row.hash
        yield row, said

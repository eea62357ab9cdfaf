"""Checking a log with nothing but the standard library: every hash, number and link is computed again."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from audit import schema
from audit.canonical import NotCanonical, canonical, parsed
from audit.entry import Tag, whole
from audit.log import BEFORE_THE_FIRST
from audit.merkle import leaf_hash


@dataclass(frozen=True, slots=True)
class Report:
    """What was found. ``faults`` is empty for a good log; the first names the first bad entry."""

    entries: int
    first: str  # time of the first entry
    last: str  # time of the last entry
    head: str  # hash of the last entry, hexadecimal
    faults: tuple[str, ...] = ()

    @property
    def good(self) -> bool:
        """Whether nothing was found."""
        return not self.faults

    def __str__(self) -> str:
        lines = [
            f"entries  {self.entries}",
            f"first    {self.first or '-'}",
            f"last     {self.last or '-'}",
            f"head     sha256:{self.head}",
            *(f"FAULT    {fault}" for fault in self.faults),
            "the log is as it was written" if self.good else "the log is NOT as it was written",
        ]
        return "\n".join(lines)


class Unreadable(Exception):
    """The file cannot be opened or is no store with an audit log."""


def verify(store: Path) -> Report:
    """Check the log in the SQLite file ``store``, opened read-only. Raises ``Unreadable``.

    Within one read transaction, so a log that is being written to is checked up to one commit.
    """
    with reading(store) as connection:
        walk = Walk()
        fault = next(walk.faults(connection.execute(schema.ENTRIES)), None) or walk.missing(connection)
        faults = ([fault] if fault else []) + altered(connection)
    return Report(walk.count, walk.first, walk.last, walk.previous.hex(), tuple(faults))


@contextmanager
def reading(store: Path) -> Iterator[sqlite3.Connection]:
    """A store as it is at one moment, its texts as bytes. Raises ``Unreadable``, also while it is read."""
    if not store.is_file():
        raise Unreadable("there is no such file")
    try:
        connection = sqlite3.connect(f"file:{quote(str(store))}?mode=ro", uri=True, isolation_level=None)
        connection.text_factory = bytes  # as it lies there: what is no UTF-8 is a fault of its entry
        try:
            connection.execute("BEGIN")
            if schema.TABLE.encode() not in {name for name, _ in connection.execute(schema.PRESENT)}:
                raise Unreadable("it holds no audit log")
            yield connection
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise Unreadable(f"SQLite cannot read it ({error.sqlite_errorname})") from None


def altered(connection: sqlite3.Connection) -> list[str]:
    """What is wrong with the table and its triggers."""
    present = {name.decode(): sql.decode() for name, sql in connection.execute(schema.PRESENT)}
    return [f"{name}: the table or trigger is missing or altered" for name in schema.altered(present)]


class Walk:
    """The way along the chain; stops at the first fault, since after it nothing hangs together.

    Where the log does not begin with entry 1, an entry of it must tell that what came before was disposed
    of, and name the hash that it ended in.
    """

    def __init__(self) -> None:
        self.seq, self.previous, self.count = 0, BEFORE_THE_FIRST, 0
        self.first = self.last = ""
        self._begins: tuple[int, str] | None = None  # after which entry, and its hash
        self._told = False

    def missing(self, connection: sqlite3.Connection) -> str | None:
        """What is not there at the end of the way: entries at the end, or an account of the beginning."""
        row = connection.execute(schema.LENGTH).fetchone()
        length = int(row[0]) if row else 0
        if length != self.seq:
            return f"entry {self.seq + 1}: removed (the log once had {length} entries, now {self.seq})"
        if self._begins and not self._told:
            return f"entry 1: removed (the log begins with entry {self._begins[0] + 1}, and none says why)"
        return None

    def faults(self, rows: Iterator[tuple[Any, Any, Any]]) -> Iterator[str]:
        """What is wrong with the entries, in their order."""
        for seq, leaf, hashed in rows:
            fault = self._fault(seq, leaf, hashed)
            if fault:
                yield fault
            self.seq, self.previous = seq, hashed
            self.count += 1

    def _fault(self, seq: int, leaf: Any, hashed: Any) -> str | None:
        expected = self.seq + 1
        if seq != expected and (self.count or seq < 1):
            return f"entry {expected}: removed (entry {seq} follows entry {self.seq})"
        if not isinstance(leaf, bytes) or leaf_hash(leaf) != hashed:
            return f"entry {seq}: modified (its hash is another)"
        return self._inside(seq, leaf)

    def _inside(self, seq: int, leaf: bytes) -> str | None:
        entry = _read(leaf)
        if entry is None:
            return f"entry {seq}: modified (not the canonical form of an entry)"
        if entry["seq"] != seq:
            return f"entry {seq}: reordered (it says that it is entry {entry['seq']})"
        if seq > 1 and not self.count:
            self._begins = seq - 1, entry["previous"]
        elif entry["previous"] != self.previous.hex():
            return f"entry {seq}: it does not follow entry {seq - 1} as that now is"
        if self._begins and entry["tag"] == Tag.AUDIT_SHARD_DISPOSED:
            self._told |= _disposed(entry["object"]) == self._begins
        self.first, self.last = self.first or entry["time"], entry["time"]
        return None


def _disposed(said: Any) -> tuple[Any, Any] | None:
    """Up to which entry, and its hash."""
    return (said.get("last"), said.get("hash")) if isinstance(said, dict) else None


def _read(leaf: bytes) -> dict[str, Any] | None:
    try:
        entry = parsed(leaf)
        same = isinstance(entry, dict) and whole(entry) and canonical(entry) == leaf
    except (ValueError, NotCanonical, RecursionError):
        return None
    return entry if same else None

"""Reading a sealed log out of its bundles, in order and as a stream."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from audit import checkpoint as checkpoints
from audit import notes
from audit.checkpoint import Checkpoint, CheckpointRefused
from audit.directory import DirectoryRefused, Shard
from audit.notes import NoteRefused
from audit.tiles import WIDTH, Tile, read_entries

_TIME: Final = b'"time":"'


class Span(NamedTuple):
    """The sealed entries of a shard: ``first`` to ``last``, by their numbers, under its newest checkpoint.

    ``head``: what that says; ``raw``: the signed note.
    """

    shard: Shard
    first: int
    head: Checkpoint
    raw: bytes

    @property
    def last(self) -> int:
        """The number of the newest entry; one less than ``first`` where there is none."""
        return self.first + self.head.size - 1

    def place(self, seq: int) -> int:
        """Where an entry stands in the shard's tree."""
        return seq - self.first


def spans(shards: Sequence[Shard]) -> list[Span]:
    """What is sealed of each shard that has entries. Nothing is proven by that.

    Raises ``DirectoryRefused`` for a checkpoint that cannot be read, ``TilesRefused`` for a missing bundle.
    """
    found = []
    for shard in shards:
        raw = shard.checkpoint()
        head = _head(raw, shard) if raw else None
        if raw and head and head.size:
            first = read_entries(Tile(None, 0, min(WIDTH, head.size)), shard.read)[0]
            found.append(Span(shard, number(first), head, raw))
    return found


def _head(raw: bytes, shard: Shard) -> Checkpoint:
    try:
        head = checkpoints.parse(notes.parse(raw).text)
    except (NoteRefused, CheckpointRefused):
        raise DirectoryRefused(f"{shard.root}: the checkpoint cannot be read") from None
    if head.origin != shard.origin:
        raise DirectoryRefused(f"{shard.root}: the checkpoint of another log")
    return head


def entries(shards: Sequence[Shard], first: int, last: int) -> Iterator[tuple[int, bytes]]:
    """The sealed entries from number ``first`` to number ``last``, as they lie in the log."""
    return within(spans(shards), first, last)


def within(sealed: Sequence[Span], first: int, last: int) -> Iterator[tuple[int, bytes]]:
    """The same of spans that are known; what was sealed later is not read."""
    for span in sealed:
        for bundle in bundles(span, first, last):
            yield from bundle


def bundles(span: Span, first: int, last: int, *, back: bool = False) -> Iterator[list[tuple[int, bytes]]]:
    """The entries of one shard, a bundle at a time; ``back``: the last bundle first."""
    low, high = max(span.place(first), 0), min(span.place(last), span.head.size - 1)
    if low > high:
        return
    numbers = range(low // WIDTH, high // WIDTH + 1)
    for number in reversed(numbers) if back else numbers:
        start = number * WIDTH
        width = min(WIDTH, span.head.size - start)
        held = read_entries(Tile(None, number, width), span.shard.read)
        chosen = range(max(low - start, 0), min(high - start, width - 1) + 1)
        yield [(span.first + start + at, held[at]) for at in chosen]


def number(entry: bytes) -> int:
    """The number of an entry. Raises ``DirectoryRefused`` where it is none."""
    try:
        return int(json.loads(entry)["seq"])
    except (ValueError, KeyError, TypeError):
        raise DirectoryRefused("a bundle holds what is no entry") from None


def time(entry: bytes) -> str:
    """The time of an entry, made for comparing (``moment``), without reading the rest of it.

    The members of an entry are in order, and behind its time stands no other text.
    """
    at = entry.rfind(_TIME) + len(_TIME)
    return moment(entry[at : entry.find(b'"', at)].decode("ascii"))


def moment(said: str) -> str:
    """An RFC 3339 time in UTC as text that compares as the time does."""
    bare = said[:-1]
    return bare.rstrip("0").rstrip(".") if "." in bare else bare

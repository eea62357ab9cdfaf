"""Counting by key, with the way back to the entries, in memory that only new keys take."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from audit.review.plain import Entry, moment
from audit.review.report import Cell, Refs, Row

SOME: Final = 6  # entry numbers that are kept of each key
KEYS: Final = 10_000  # of one tally; a flood of new ones (addresses, names) must not fill the memory
OTHERS: Final = "(others)"

Key = tuple[Cell, ...]


@dataclass(slots=True)
class Counted:
    """What came under one key. ``times``: an entry may stand for more than one."""

    times: int = 0
    count: int = 0
    first: int = 0
    last: int = 0
    began: str = ""
    ended: str = ""
    some: list[int] = field(default_factory=list)

    def add(self, entry: Entry, times: int = 1) -> None:
        """One more entry."""
        seq, time = entry["seq"], entry["time"]
        if not self.count:
            self.first, self.began = seq, time
        self.last, self.ended = seq, time
        self.count += 1
        self.times += times
        if self.count <= SOME:
            self.some.append(seq)

    @property
    def refs(self) -> Refs:
        """The way back."""
        return Refs(self.count, self.first, self.last, tuple(self.some))

    @property
    def lasted(self) -> tuple[str, str]:
        """First and last time, to show."""
        return moment(self.began), moment(self.ended)


class Tally:
    """``keeps``: how many leading parts of a key stay where there is no room for another key.

    Then the other parts are put together as ``OTHERS``: counted still, and said to be so.
    """

    def __init__(self, keeps: int = 0, most: int = KEYS) -> None:
        self.found: dict[Key, Counted] = {}
        self._keeps, self._most = keeps, most

    def add(self, key: Key, entry: Entry, times: int = 1) -> None:
        """One more entry under a key."""
        counted = self.found.get(key)
        if counted is None:
            if len(self.found) >= self._most:
                key = (*key[: self._keeps], *[OTHERS] * (len(key) - self._keeps))
            counted = self.found.setdefault(key, Counted())
        counted.add(entry, times)

    @property
    def note(self) -> str:
        """What must be known where a flood of keys came."""
        if len(self.found) < self._most:
            return ""
        return f"There are more than {self._most:,} different lines; the further ones stand as {OTHERS}."

    @property
    def times(self) -> int:
        """All together."""
        return sum(one.times for one in self.found.values())

    def rows(self, *, most_first: bool = False) -> list[Row]:
        """``(*key, times, first, last)`` of each, in the order of first sight, or what came most first."""
        found = [*self.found.items()]
        if most_first:
            found.sort(key=lambda pair: -pair[1].times)
        return [Row((*key, one.times, *one.lasted), one.refs) for key, one in found]

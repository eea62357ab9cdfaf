"""A report as plain values: what a page, a terminal or a test makes of it is theirs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

Cell = str | int


class Refs(NamedTuple):
    """The entries behind a line. ``some``: their numbers; all of them where ``entries`` is no more."""

    entries: int
    first: int
    last: int
    some: tuple[int, ...] = ()

    def __str__(self) -> str:
        if self.entries == len(self.some):
            return ", ".join(map(str, self.some)) or "none"
        return f"{self.first} to {self.last} ({self.entries} entries)"


NONE = Refs(0, 0, 0)


class Row(NamedTuple):
    """One line; ``cells`` has one value for each column."""

    cells: tuple[Cell, ...]
    refs: Refs = NONE


class Table(NamedTuple):
    """``left_out``: lines for which there was no room; ``note``: what else must be known to read it."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    note: str = ""
    left_out: int = 0
    entries: bool = True  # whether the entries behind each line are shown


class Section(NamedTuple):
    """``key``: its address within the page. ``lead``: what stands here, and by what rule, in paragraphs."""

    key: str
    title: str
    lead: tuple[str, ...]
    tables: tuple[Table, ...] = ()


class Finding(NamedTuple):
    """What somebody should look at: how many, of what, in which section."""

    number: int
    what: str
    section: str


class Report(NamedTuple):
    """``facts``: what was looked at, by whom, when: name and value."""

    title: str
    facts: tuple[tuple[str, str], ...]
    findings: tuple[Finding, ...]
    sections: tuple[Section, ...]

    def section(self, key: str) -> Section:
        """The section of this key."""
        return next(one for one in self.sections if one.key == key)


MOST: Final = 5_000  # lines of a table; nobody reads more, and a page must open


def table(
    caption: str,
    columns: Sequence[str],
    rows: Sequence[Row],
    note: str = "",
    *,
    entries: bool = True,
    most: int = MOST,
) -> Table:
    """A table of not more than ``most`` lines, which says how many more there were."""
    return Table(caption, tuple(columns), tuple(rows[:most]), note, max(0, len(rows) - most), entries=entries)

"""What partners and people did, day by day; every entry of the period is counted here once by its tag."""

from __future__ import annotations

from operator import itemgetter
from typing import Final

from audit.review.plain import Entry, partner, person
from audit.review.report import Row, Section, table
from audit.review.tally import Counted, Tally

TRAFFIC: Final = ("received", "repeated", "refused", "delivered", "tried again", "not delivered", "other")
_COLUMN: Final = {  # by the last word of a tag of message and delivery
    "message": {
        "received": 0,
        "reused": 0,
        "duplicate": 1,
        "refused": 2,
        "quarantined": 2,
    },
    "delivery": {"acknowledged": 3, "deferred": 4, "refused": 5},
}
ACTS: Final = ("content seen", "searches", "acts", "refused", "other")
_LEAD: Final = (
    "A partner is a link by the name in its profile. Repeated: the same message again, answered as before. "
    "Tried again: a delivery that did not work and is repeated. Not delivered: the other side never took it. "
    "Other: every further entry about the link, such as translations and intentions to send. "
    "All columns of a line together are its entries.",
)


class Activity:
    """Counts by partner and day, by person and day, and by tag."""

    def __init__(self) -> None:
        self._partners = _Days(len(TRAFFIC))
        self._people = _Days(len(ACTS))
        self._tags = Tally()

    def see(self, entry: Entry) -> None:
        """One entry of the period."""
        tag, day = entry["tag"], entry["time"][:10]
        self._tags.add((tag,), entry)
        name = entry["object"].get("link")
        if name is not None and (shown := partner(entry)):
            self._partners.add(shown, day, traffic(tag), entry)
        if entry["actor"].get("role") == "operator":
            self._people.add(person(entry), day, _act(entry), entry)

    @property
    def partners(self) -> list[str]:
        """Their names, in order."""
        return self._partners.names

    @property
    def people(self) -> list[str]:
        """Their names, in order."""
        return self._people.names

    def section(self) -> Section:
        """Both by name, then by name and day."""
        tables = (
            table("Each partner", ("Partner", *TRAFFIC), self._partners.totals()),
            table("Each partner, day by day", ("Day", "Partner", *TRAFFIC), self._partners.rows()),
            table("Each person", ("Person", *ACTS), self._people.totals()),
            table("Each person, day by day", ("Day", "Person", *ACTS), self._people.rows()),
        )
        return Section("activity", "Activity by partner, person and day", _LEAD, tables)

    def tags(self) -> Section:
        """Everything, so that what no other section speaks of is seen to be there."""
        rows = [
            Row((*key, one.count, *one.lasted), one.refs)
            for key, one in sorted(self._tags.found.items(), key=itemgetter(0))
        ]
        lead = ("Every entry of the period stands under one of these tags; together they are all of them.",)
        columns = ("Tag", "Entries in all", "First", "Last")
        return Section(
            "tags", "All entries by tag", lead, (table("Entries of each tag", columns, rows, entries=False),)
        )


def traffic(tag: str) -> int:
    """The column of ``TRAFFIC`` for a tag."""
    subject, _, rest = tag.partition(":")
    return _COLUMN.get(subject, {}).get(rest.rpartition(":")[2], len(TRAFFIC) - 1)


def _act(entry: Entry) -> int:
    tag = entry["tag"]
    if entry["outcome"] == "refused":
        return 3
    if tag in ("operator:content:viewed", "operator:content:searched"):
        return 0 if tag.endswith("viewed") else 1
    return 2 if tag.startswith(("operator:", "conflict:")) else 4


class _Days:
    """Columns of counts by name and day, with the entries behind each line."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._found: dict[tuple[str, str], tuple[list[int], Counted]] = {}

    def add(self, name: str, day: str, column: int, entry: Entry) -> None:
        found = self._found.get((day, name))
        if found is None:
            found = self._found[day, name] = ([0] * self._width, Counted())
        found[0][column] += 1
        found[1].add(entry)

    @property
    def names(self) -> list[str]:
        return sorted({name for _, name in self._found})

    def rows(self) -> list[Row]:
        return [
            Row((*key, *counts), one.refs)
            for key, (counts, one) in sorted(self._found.items(), key=itemgetter(0))
        ]

    def totals(self) -> list[Row]:
        sums = {name: ([0] * self._width, Counted()) for name in self.names}
        for (_, name), (counts, one) in self._found.items():
            columns, whole = sums[name]
            columns[:] = [a + b for a, b in zip(columns, counts)]
            _join(whole, one)
        return [Row((name, *counts), one.refs) for name, (counts, one) in sums.items()]


def _join(whole: Counted, one: Counted) -> None:
    if not whole.count or one.first < whole.first:
        whole.first, whole.began = one.first, one.began
    if one.last > whole.last:
        whole.last, whole.ended = one.last, one.ended
    whole.count, whole.times = whole.count + one.count, whole.times + one.times
    whole.some = sorted([*whole.some, *one.some]) if whole.count <= 6 else []

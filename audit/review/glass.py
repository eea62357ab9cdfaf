"""Each use of break-glass, with all that the person did while it lasted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from audit.review.plain import Entry, because, moment, person, said, shown
from audit.review.report import Refs, Row, Section, table
from audit.review.tally import Tally

GRANTED: Final = "access:emergency:granted"
ENDED: Final = "access:emergency:ended"
_LEAD: Final = (
    "In an emergency a person may get, for a time and a reason, what the roles do not grant. Each use is "
    "listed with everything that the person did until it ended, also what the roles grant anyway.",
)
_DONE: Final = ("What", "About", "Reason given", "Needed the glass", "Times", "First", "Last")


@dataclass(slots=True)
class _Use:
    person: str
    because: str
    granted: str
    until: str
    seq: int
    ended: str = ""
    inside: bool = False  # granted, or something done, in the period
    done: Tally = field(default_factory=lambda: Tally(keeps=1))


class Glass:
    """Uses by person; a second one begins only after the first has ended."""

    def __init__(self) -> None:
        self._uses: list[_Use] = []
        self._open: dict[str, _Use] = {}

    @property
    def uses(self) -> int:
        """How many touch the period."""
        return sum(one.inside for one in self._uses)

    def before(self, entry: Entry) -> None:
        """An entry from before the period: a use may last into it."""
        if entry["tag"] in (GRANTED, ENDED):
            self._take(entry, inside=False)

    def see(self, entry: Entry) -> None:
        """One entry of the period."""
        if entry["tag"] in (GRANTED, ENDED):
            self._take(entry, inside=True)
        elif self._open or entry["actor"].get("emergency"):
            self._done(entry)

    def _take(self, entry: Entry, *, inside: bool) -> None:
        name = person(entry)
        if entry["tag"] == GRANTED:
            until = shown(entry["object"].get("until", ""))
            use = _Use(name, because(entry), entry["time"], until, entry["seq"], inside=inside)
            self._open[name] = use
            self._uses.append(use)
        elif name in self._open:
            use = self._open.pop(name)
            use.ended, use.inside = entry["time"], use.inside or inside

    def _done(self, entry: Entry) -> None:
        flagged = entry["actor"].get("emergency") is True
        use = self._open.get(person(entry))
        if use is not None and not flagged and entry["time"][:19] > use.until[:19]:
            del self._open[use.person]  # it ended by itself
            return
        if use is None and flagged:  # granted before all that was read
            use = self._open[person(entry)] = _Use(person(entry), "", "", "", 0)
            self._uses.append(use)
        if use is not None:
            use.inside = True
            about = said(entry, "emergency", "size")
            what = (entry["tag"], about, because(entry), "yes" if flagged else "no")
            use.done.add(what, entry)

    def section(self) -> Section:
        """The uses, then what was done under each."""
        uses = [one for one in self._uses if one.inside]
        rows = [
            Row(
                (
                    at,
                    use.person,
                    use.because or "(granted before what was read)",
                    moment(use.granted),
                    moment(use.until),
                    moment(use.ended) or "by itself, or not yet",
                    sum(one.count for one in use.done.found.values()),
                ),
                Refs(1, use.seq, use.seq, (use.seq,)) if use.seq else Refs(0, 0, 0),
            )
            for at, use in enumerate(uses, 1)
        ]
        columns = ("Use", "Person", "Reason given", "Granted", "Until at most", "Ended", "Entries under it")
        tables = [table("Uses of break-glass", columns, rows)]
        for at, use in enumerate(uses, 1):
            caption = f"Done under use {at}, by {use.person}"
            tables.append(table(caption, _DONE, use.done.rows()))
        return Section("glass", "Break-glass", _LEAD, tuple(tables))

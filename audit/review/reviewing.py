"""A period of the log in one pass, and what is to be looked at first."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from audit.review import unusual
from audit.review.activity import Activity
from audit.review.changes import Audited, Changes
from audit.review.content import Content
from audit.review.glass import Glass
from audit.review.looks import Looks, widened
from audit.review.period import END, Asked, second
from audit.review.plain import Entry, shown
from audit.review.refusals import Refusals
from audit.review.report import Finding, Report, Section
from audit.review.running import Running
from audit.review.seals import Seal
from audit.review.seals import section as sealed
from audit.review.unusual import Volumes

TITLE: Final = "Review of the audit log"
_FILTER: Final = (
    "Only entries about this link: people's other acts, keys, the service and refused connections of nobody "
    "known are left out."
)
See = Callable[[Entry], None]


class Review:
    """Takes entries in their order; ``report`` says what they amount to."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._bounds = second(asked.history), second(asked.since), second(asked.until)
        self._activity, self._refusals, self._content = Activity(), Refusals(), Content()
        self._glass, self._changes, self._audited = Glass(), Changes(), Audited()
        self._running, self._volumes, self._looks = Running(), Volumes(), Looks(asked.hours)
        self._of: dict[str, tuple[See, ...]] = {}
        self._count, self._first, self._last = 0, 0, 0
        self._times = ["", ""]

    def see(self, entry: Entry) -> None:
        """One entry, also one from outside the period: those before it tell what is usual."""
        at = entry["time"][:19]
        history, since, until = self._bounds
        if at < history or at >= until or not self._asked.about(entry):
            return
        self._volumes.see(entry)
        if at < since:
            for part in (self._glass, self._changes, self._running):
                part.before(entry)
            return
        for see in self._of.get(entry["tag"]) or self._parts(entry["tag"]):
            see(entry)
        self._first = self._first or entry["seq"]
        self._last, self._count = entry["seq"], self._count + 1
        self._times = [self._times[0] or entry["time"], entry["time"]]

    def _parts(self, tag: str) -> tuple[See, ...]:
        """Who takes entries of a tag; asked once of each."""
        every: list[See] = [self._activity.see, self._glass.see, self._running.see]
        for part in (self._refusals, self._content, self._changes, self._audited):
            every += [part.see] if part.wants(tag) else []
        found = self._of[tag] = (*every, self._looks.see)
        return found

    def report(self, seals: tuple[Seal, ...] = ()) -> Report:
        """What all of them amount to."""
        asked = self._asked
        end = min(asked.until, END)
        odd = widened(unusual.section(self._volumes.tables(asked.since, end)), self._looks.tables())
        parts = (
            self._refusals.section(),
            self._content.section(),
            self._glass.section(),
            odd,
            self._audited.section(),
            self._changes.section(),
            self._running.section(),
            sealed(seals, self._last),
            self._activity.section(),
            self._activity.tags(),
        )
        return Report(TITLE, self._facts(), tuple(self._findings(odd)), parts)

    def _facts(self) -> tuple[tuple[str, str], ...]:
        asked = self._asked
        entries = f"{self._count}, numbers {self._first} to {self._last}" if self._count else "none"
        facts = [
            ("Period (UTC)", asked.period),
            ("Entries", entries),
            ("First and last", " and ".join(one[:19].replace("T", " ") for one in self._times if one)),
            ("Partners", shown(", ".join(self._activity.partners)) or "none"),
            ("People", shown(", ".join(self._activity.people)) or "none"),
            ("Link", f"{shown(asked.partner)}. {_FILTER}" if asked.partner else "all"),
            *((name, shown(value)) for name, value in asked.facts),
        ]
        return tuple((name, value) for name, value in facts if value)

    def _findings(self, odd: Section) -> list[Finding]:
        more, silent, _, late, bursts, often = odd.tables
        found = [
            Finding(self._glass.uses, "Uses of break-glass", "glass"),
            Finding(self._running.unclean, "Unclean ends of the service", "service"),
            Finding(self._running.back.count, "Times that the clock went back", "service"),
            Finding(self._running.trouble.times, "Entries about trouble, or its end", "service"),
            Finding(len(more.rows), "Volumes above the usual", "unusual"),
            Finding(len(silent.rows), "Silences", "unusual"),
            Finding(len(bursts.rows), "Bursts of views", "unusual"),
            Finding(len(often.rows), "Patients seen by many, or often", "unusual"),
            Finding(len(late.rows), "Lines of views out of hours", "unusual"),
            Finding(self._refusals.access.times, "Times that somebody was not let in", "refused"),
            Finding(self._refusals.messages.times, "Times that something was not taken", "refused"),
            Finding(self._content.looks.times, "Views and searches of content", "content"),
        ]
        return [one for one in found if one.number]


def reviewed(entries: Iterable[Entry], asked: Asked, seals: tuple[Seal, ...] = ()) -> Report:
    """The review of a period. ``entries``: in their order, from ``asked.history`` on; more do no harm."""
    review = Review(asked)
    for entry in entries:
        review.see(entry)
    return review.report(seals)

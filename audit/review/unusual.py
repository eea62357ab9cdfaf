"""More than usual, or nothing where there is always something: by one rule, with the numbers that it used.

The usual of an hour is what the same hour of the same weekday brought in the weeks before; of a day, what the
same weekday brought. Nothing is learned and nothing is weighed, so every line can be checked by hand.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from statistics import median
from typing import Final, NamedTuple

from audit.review.content import LOOKS
from audit.review.plain import Entry, partner, person
from audit.review.refusals import times
from audit.review.report import Refs, Row, Section, Table, table

WEEKS: Final = 8  # that are looked back
NEEDED: Final = 3  # of them that the log must cover before a partner is judged
FOLD: Final = 3  # times the median
ALWAYS: Final = 10  # in the same hour of each week before, so that none at all is told
_HOUR: Final = dt.timedelta(hours=1)
_DAY: Final = dt.timedelta(days=1)
_WEEK: Final = dt.timedelta(weeks=1)


class Measure(NamedTuple):
    """What is counted, for whom, in which steps. ``least``: how far above the median it must lie."""

    what: str
    step: dt.timedelta
    least: int
    needed: int  # weeks of history without which nothing is said
    silence: bool = False

    @property
    def named(self) -> str:
        """One step in words."""
        return "hour" if self.step == _HOUR else "day"


RECEIVED: Final = Measure("messages received", _HOUR, 50, NEEDED, silence=True)
REFUSED: Final = Measure("messages refused", _HOUR, 20, NEEDED)
SEEN: Final = Measure("content views and searches", _DAY, 10, 0)
ACTED: Final = Measure("acts on messages and links", _DAY, 20, 0)
_ARTICLE: Final = {"hour": "an hour", "day": "a day"}
MEASURES: Final = (RECEIVED, REFUSED, SEEN, ACTED)
_LEASTS: Final = "; ".join(f"{one.what} in {_ARTICLE[one.named]}: {one.least}" for one in MEASURES)
RULES: Final = (
    f"More than usual: more than {FOLD} times the median of what the {WEEKS} weeks before brought in the "
    "same hour of the same weekday (of people: on the same weekday), and by at least so much above it: "
    f"{_LEASTS}.",
    f"Silence: no message of a partner in an hour that brought at least {ALWAYS} in each of those weeks.",
    f"A partner is judged once the log knows it for {NEEDED} of those weeks. All hours and days are UTC; "
    "steps that follow each other are one line, with the numbers of the one that stands out most.",
)


class Slot:
    """What one step brought."""

    __slots__ = ("count", "entries", "first", "last")

    def __init__(self, seq: int) -> None:
        self.count, self.entries, self.first, self.last = 0, 0, seq, seq


Slots = dict[dt.datetime, Slot]


class _Out(NamedTuple):
    """A step that stands out."""

    at: dt.datetime
    brought: int
    before: list[int]

    @property
    def above(self) -> float:
        return self.brought - median(self.before or [0])


class Volumes:
    """Counts by measure, name and step; entries of the weeks before the period come in as well."""

    def __init__(self) -> None:
        self._found: dict[tuple[Measure, str], Slots] = {}
        self._hours: dict[str, dt.datetime] = {}
        self._covers: dt.datetime | None = None
        self._until: dt.datetime | None = None

    def see(self, entry: Entry) -> None:
        """One entry, of the period or of the weeks before."""
        hour = self._hour(entry["time"])
        if self._covers is None or hour < self._covers:
            self._covers = hour
        if self._until is None or hour > self._until:
            self._until = hour
        measure = _measure(entry)
        if measure is None:
            return
        name = partner(entry) if measure.step == _HOUR else person(entry)
        if name:
            self._add(measure, name, hour, entry)

    def _hour(self, time: str) -> dt.datetime:
        found = self._hours.get(time[:13])
        if found is None:
            found = self._hours[time[:13]] = dt.datetime.fromisoformat(f"{time[:13]}:00:00+00:00")
        return found

    def _add(self, measure: Measure, name: str, hour: dt.datetime, entry: Entry) -> None:
        at = hour if measure.step == _HOUR else hour.replace(hour=0)
        slots = self._found.setdefault((measure, name), {})
        slot = slots.get(at)
        if slot is None:
            slot = slots[at] = Slot(entry["seq"])
        slot.count += times(entry["object"]) if measure is REFUSED else 1
        slot.entries += 1
        slot.last = entry["seq"]

    # --- what stands out

    def tables(self, since: dt.datetime, until: dt.datetime) -> tuple[Table, Table, Table]:
        """More than usual; nothing at all; and who could not be judged. ``since``, ``until``: the period."""
        most, none, unjudged = list[Row](), list[Row](), list[Row]()
        for (measure, name), slots in sorted(
            self._found.items(), key=lambda one: (one[0][1], one[0][0].what)
        ):
            if not self._covered(measure, slots, max(slots)) and max(slots) >= since:
                unjudged.append(Row((name, measure.what, f"{min(slots):%Y-%m-%d %H:%M}")))
            over = [one for one in self._over(measure, slots) if since <= one.at < until]
            most += [_most(measure, name, slots, run) for run in _runs(measure, over)]
            if measure.silence:
                silent = self._silent(measure, slots, since, until)
                none += [_none(name, run) for run in _runs(measure, silent)]
        who, numbers = "Partner or person", ("The weeks before, latest first", "Median")
        from_to = ("From", "To, inclusive")
        columns = (who, "What", *from_to, "In all", "Step that stands out", "Count in it", *numbers)
        silence = (who, *from_to, "Hours", *numbers)
        return (
            table("More than usual", columns, most),
            table("Nothing where there is always something", silence, none, entries=False),
            table("Too new to be judged", (who, "What", "First seen"), unjudged, entries=False),
        )

    def _over(self, measure: Measure, slots: Slots) -> Iterator[_Out]:
        for at in sorted(slots):
            count, before = slots[at].count, self._before(measure, slots, at)
            if len(before) < measure.needed:
                continue
            usual = median(before or [0])
            if count > FOLD * usual and count >= usual + measure.least:
                yield _Out(at, count, before)

    def _silent(
        self, measure: Measure, slots: Slots, since: dt.datetime, until: dt.datetime
    ) -> Iterator[_Out]:
        """Only whole hours that the log covers; looked for behind the hours that were busy a week before, so
        that a clock that was years off costs nothing."""
        end = min(until, self._until or until)
        after = sorted(at + _WEEK for at, slot in slots.items() if slot.count >= ALWAYS)
        for at in after:
            if at not in slots and since <= at < end:
                before = self._before(measure, slots, at)
                if len(before) >= measure.needed and min(before) >= ALWAYS:
                    yield _Out(at, 0, before)

    def _before(self, measure: Measure, slots: Slots, at: dt.datetime) -> list[int]:
        """The counts of the weeks before that the log covers, and in which the name was known."""
        weeks = (at - _WEEK * back for back in range(1, WEEKS + 1))
        since = min(slots) if measure.needed else (self._covers or at)
        start = since if measure.step == _HOUR else since.replace(hour=0)
        return [slots[one].count if one in slots else 0 for one in weeks if one >= start]

    def _covered(self, measure: Measure, slots: Slots, at: dt.datetime) -> bool:
        return len(self._before(measure, slots, at)) >= measure.needed


def _measure(entry: Entry) -> Measure | None:
    tag = entry["tag"]
    if tag in ("message:v2:received", "message:fhir:received"):
        return RECEIVED
    if tag in LOOKS:
        return SEEN
    if tag.startswith("message:"):
        return REFUSED if entry["outcome"] == "refused" else None
    acted = tag.startswith(("operator:", "conflict:decided")) and entry["outcome"] == "success"
    return ACTED if acted else None


def _runs(measure: Measure, found: Iterator[_Out] | list[_Out]) -> Iterator[list[_Out]]:
    """Steps that follow each other."""
    run: list[_Out] = []
    for one in found:
        if run and one.at - run[-1].at != measure.step:
            yield run
            run = []
        run.append(one)
    if run:
        yield run


def _most(measure: Measure, name: str, slots: Slots, run: list[_Out]) -> Row:
    peak = max(run, key=lambda one: one.above)
    inside = [slots[one.at] for one in run]
    refs = Refs(
        sum(one.entries for one in inside), min(one.first for one in inside), max(one.last for one in inside)
    )
    total = sum(one.brought for one in run)
    span = (_said(measure, run[0].at), _said(measure, run[-1].at))
    return Row((name, measure.what, *span, total, _said(measure, peak.at), peak.brought, *_usual(peak)), refs)


def _none(name: str, run: list[_Out]) -> Row:
    span = (_said(RECEIVED, run[0].at), _said(RECEIVED, run[-1].at))
    return Row((name, *span, len(run), *_usual(run[0])))


def _usual(one: _Out) -> tuple[str, str]:
    if not one.before:
        return "none in the log", "0"
    return " ".join(map(str, one.before)), f"{median(one.before):g}"


def _said(measure: Measure, at: dt.datetime) -> str:
    return f"{at:%a %Y-%m-%d %H:00}" if measure.step == _HOUR else f"{at:%a %Y-%m-%d}"


def section(tables: tuple[Table, ...]) -> Section:
    """The rules stand above what they found."""
    return Section("unusual", "Unusual volumes", RULES, tables)

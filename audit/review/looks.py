"""Views of content that somebody should ask about: out of hours, many in a short time, many of one person."""

from __future__ import annotations

import datetime as dt
import re
from collections import deque
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from audit.review.content import LOOKS, patients
from audit.review.plain import Entry, because, person, shown, who
from audit.review.report import Row, Section, Table, table
from audit.review.tally import Counted, Tally

MANY: Final = 20  # views and searches ...
WITHIN: Final = 600.0  # ... in so many seconds are a burst
PEOPLE: Final = 4  # who see one patient
OFTEN: Final = 20  # views of one patient in a day (UTC)
PATIENTS: Final = 100_000  # that are told apart
_OFFICE: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")


class Hours(NamedTuple):
    """When people usually work: Monday to Friday, from and until a time of day in a zone."""

    begin: dt.time = dt.time(7)
    end: dt.time = dt.time(19)
    zone: str = "UTC"

    def __str__(self) -> str:
        return f"Monday to Friday, {self.begin:%H:%M} to {self.end:%H:%M} {self.zone}"

    def local(self, time: str) -> dt.datetime:
        """A time of an entry, there."""
        return dt.datetime.fromisoformat(time).astimezone(ZoneInfo(self.zone))

    def within(self, at: dt.datetime) -> bool:
        """Whether a local time lies in them; hours over midnight count as of the day they begin."""
        now, day = at.time(), at.weekday()
        if self.begin <= self.end:
            return day < 5 and self.begin <= now < self.end
        return (now >= self.begin and day < 5) or (now < self.end and (day - 1) % 7 < 5)


def hours_of(text: str, zone: str = "UTC") -> Hours:
    """``07:00-19:00`` in a zone of the IANA. Raises ``ValueError``."""
    found = _OFFICE.fullmatch(text)
    if not found:
        raise ValueError("hours are written as 07:00-19:00")
    begin_hour, begin, end_hour, end = map(int, found.groups())
    try:
        ZoneInfo(zone)
    except (OSError, ValueError, KeyError):
        raise ValueError("there is no such time zone on this machine") from None
    return Hours(dt.time(begin_hour, begin), dt.time(end_hour, end), zone)


class _Burst:
    """The last ``MANY`` looks of one person, and the burst that they are in."""

    def __init__(self) -> None:
        self.window: deque[tuple[float, Entry]] = deque(maxlen=MANY)
        self.open: Counted | None = None

    def add(self, entry: Entry) -> Counted | None:
        """A burst that begins with this look."""
        at = dt.datetime.fromisoformat(entry["time"]).timestamp()
        self.window.append((at, entry))
        full = len(self.window) == MANY and at - self.window[0][0] <= WITHIN
        if not full:
            self.open = None
            return None
        if self.open is not None:
            self.open.add(entry)
            return None
        self.open = Counted()
        for _, one in self.window:
            self.open.add(one)
        return self.open


class _Seen:
    """Who saw one patient."""

    __slots__ = ("by", "counted", "day", "most", "today")

    def __init__(self) -> None:
        self.by: dict[str, int] = {}
        self.counted = Counted()
        self.day, self.today, self.most = "", 0, 0

    def add(self, entry: Entry) -> None:
        name, day = person(entry) or who(entry), entry["time"][:10]
        self.by[name] = self.by.get(name, 0) + 1
        self.counted.add(entry)
        self.day, self.today = day, (self.today + 1 if day == self.day else 1)
        self.most = max(self.most, self.today)


class Looks:
    """What stands out among views and searches."""

    def __init__(self, hours: Hours) -> None:
        self._hours = hours
        self._late = Tally(keeps=1)
        self._bursts: dict[str, _Burst] = {}
        self._found: list[tuple[str, Counted]] = []
        self._patients: dict[str, _Seen] = {}
        self._untold = 0

    def see(self, entry: Entry) -> None:
        """One view or search of the period; any other entry is passed over."""
        if entry["tag"] not in LOOKS or entry["outcome"] != "success":
            return
        name = person(entry) or who(entry)
        local = self._hours.local(entry["time"])
        if not self._hours.within(local):
            self._late.add((name, f"{local:%a %Y-%m-%d}", because(entry)), entry)
        if (burst := self._bursts.setdefault(name, _Burst()).add(entry)) is not None:
            self._found.append((name, burst))
        for one in patients(entry):
            self._of_patient(one, entry)

    def _of_patient(self, patient: str, entry: Entry) -> None:
        seen = self._patients.get(patient)
        if seen is None:
            if len(self._patients) >= PATIENTS:
                self._untold += 1
                return
            seen = self._patients[patient] = _Seen()
        seen.add(entry)

    def tables(self) -> tuple[Table, ...]:
        """Out of hours; bursts; patients whom many saw, or who were seen often."""
        bursts = [Row((name, one.times, *one.lasted), one.refs) for name, one in self._found]
        often = [
            _patient(name, one)
            for name, one in self._patients.items()
            if len(one.by) >= PEOPLE or one.most >= OFTEN
        ]
        note = f"{self._untold} views of further patients had no room here." if self._untold else ""
        return (
            table(
                "Views and searches out of hours",
                ("Person", "Day", "Reason given", "Times", "First (UTC)", "Last (UTC)"),
                self._late.rows(),
                f"Hours: {self._hours}.",
            ),
            table(
                "Many views in a short time",
                ("Person", "Times", "First", "Last"),
                bursts,
                f"Told where one person looks {MANY} times or more within {WITHIN / 60:.0f} minutes.",
            ),
            table(
                "One patient seen by many, or often",
                ("Patient", "People", "Who, and how often", "Times", "Most in a day", "First", "Last"),
                often,
                f"Told where {PEOPLE} people or more saw or looked for one patient, or where it happened "
                f"{OFTEN} times or more in a day. {note}".strip(),
            ),
        )


def _patient(name: str, one: _Seen) -> Row:
    by = sorted(one.by.items(), key=lambda pair: (-pair[1], pair[0]))
    listed = ", ".join(f"{person}: {count}" for person, count in by)
    counted = one.counted
    return Row((name, len(by), shown(listed), counted.times, one.most, *counted.lasted), counted.refs)


def widened(section: Section, tables: tuple[Table, ...]) -> Section:
    """A section with further tables."""
    return section._replace(tables=(*section.tables, *tables))

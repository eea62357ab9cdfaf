"""The section ``[delivery.windows]``: when a partner may be delivered to, such as a nightly bulk."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from typing import Annotated, Final, NamedTuple
from zoneinfo import ZoneInfo

from pydantic import AfterValidator

from connector.profile.section import Section, fault

DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_DAY: Final = dt.timedelta(days=1)
_FORM: Final = re.compile(
    rf"(?:(?P<first>{'|'.join(DAYS)})(?:-(?P<last>{'|'.join(DAYS)}))? )?"
    r"(?P<start>([01]\d|2[0-3]):[0-5]\d)-(?P<end>([01]\d|2[0-3]):[0-5]\d|24:00)"
)


class Window(NamedTuple):
    """From one time of day to another, on some days; over midnight, where the end is not after the start."""

    days: frozenset[int]  # on which it begins, Monday is 0
    start: int  # minutes of the day
    end: int

    def open(self, at: dt.datetime) -> bool:
        """Whether it is open at a local time."""
        minutes = at.hour * 60 + at.minute
        if self.start < self.end:
            return at.weekday() in self.days and self.start <= minutes < self.end
        began_today = at.weekday() in self.days and minutes >= self.start
        return began_today or ((at - _DAY).weekday() in self.days and minutes < self.end)


def read(text: str) -> Window | None:
    """``22:00-05:00``, ``Sat 00:00-24:00``, ``Mon-Fri 18:00-06:00``; None for anything else."""
    found = _FORM.fullmatch(text)
    if found is None:
        return None
    first = DAYS.index(found["first"]) if found["first"] else 0
    last = DAYS.index(found["last"]) if found["last"] else first if found["first"] else len(DAYS) - 1
    days = range(first, last + 1) if first <= last else [*range(first, len(DAYS)), *range(last + 1)]
    return Window(frozenset(days), _minutes(found["start"]), _minutes(found["end"]))


def _minutes(clock: str) -> int:
    hours, _, minutes = clock.partition(":")
    return int(hours) * 60 + int(minutes)


def _known(text: str) -> str:
    if read(text) is None:
        raise fault("this is no window", fix='write it as "22:00-05:00" or "Mon-Fri 18:00-06:00"')
    return text


WindowText = Annotated[str, AfterValidator(_known)]


class Windows(Section):
    """When messages go out; outside of it they wait, and new ones still come in. Empty: at any time."""

    to_fhir: tuple[WindowText, ...] = ()
    """To the FHIR side: `"22:00-05:00"`, `"Mon-Fri 18:00-06:00"`, `"Sun 00:00-24:00"`, in the zone of
    `v2.time_zone` (without one, UTC)."""
    to_v2: tuple[WindowText, ...] = ()
    """To the v2 side."""


def open_at(windows: Sequence[str], now: dt.datetime, zone: ZoneInfo | None) -> bool:
    """Whether one of them is open at an instant; without any, always."""
    local = now.astimezone(zone or dt.UTC)
    return not windows or any(window.open(local) for window in map(read, windows) if window)

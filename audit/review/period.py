"""What a review is asked for, and which entries that is."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Final

from audit.review.looks import Hours
from audit.review.plain import Entry
from audit.review.unusual import WEEKS

USUAL: Final = Hours()
BEGINNING: Final = dt.datetime(1, 1, 1, tzinfo=dt.UTC)
END: Final = dt.datetime(9999, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class Asked:
    """From ``since`` until before ``until``, in UTC. ``partner``: entries about this link alone.

    ``facts``: what else is to be shown, such as who asks, and why: names and values.
    """

    since: dt.datetime
    until: dt.datetime = END
    partner: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    hours: Hours = USUAL

    @property
    def period(self) -> str:
        """In words."""
        since = "the beginning of the log" if self.since == BEGINNING else f"{self.since:%Y-%m-%d %H:%M:%S}"
        until = "the end of the log" if self.until >= END else f"before {self.until:%Y-%m-%d %H:%M:%S}"
        return f"from {since} until {until}"

    @property
    def history(self) -> dt.datetime:
        """Entries from here on are needed, to know what is usual."""
        return self.since - dt.timedelta(weeks=WEEKS) if self.since > BEGINNING else self.since

    def about(self, entry: Entry) -> bool:
        """Whether an entry is about the partner, where one is named."""
        return not self.partner or entry["object"].get("link") == self.partner


def second(at: dt.datetime) -> str:
    """As the first nineteen characters of an entry's time, with which it can be compared."""
    return at.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0")

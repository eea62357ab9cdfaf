"""How the service ran: starts, stops, ends that were none, steps of the clock, and trouble with the log."""

from __future__ import annotations

import datetime as dt
from typing import Final

from audit.review.changes import Audited
from audit.review.plain import Entry, moment, partner, said, shown
from audit.review.report import Refs, Row, Section, table
from audit.review.tally import Counted, Tally

STARTED: Final = "service:started"
STOPPED: Final = "service:stopped"
BACK: Final = 5  # seconds that an entry's time may lie before that of the one before it
_TROUBLE: Final = ("clock:", "store:refused", "tls:validity:", "disk:", *Audited.TROUBLE)
_LEAD: Final = (
    "An end is unclean where the service started again without having said that it stopped: a crash, a kill "
    "or a loss of power. What had been acknowledged by then is in the log all the same.",
    f"The log's order is that of its numbers. A time that lies more than {BACK} s before the one of the "
    "entry before it shows a clock that was set back.",
)
_UNSURE: Final = "entries under a clock that was not known to be right"
_COLUMNS: Final = ("What", "Link", "Outcome", "Why", "Details", "Times", "First", "Last")


class Running:
    """The service and what it complained of."""

    def __init__(self) -> None:
        self._up: Entry | None = None
        self._last: Entry | None = None
        self._time = ""
        self.unclean = 0
        self._runs: list[Row] = []
        self.back = Counted()
        self._furthest = 0.0
        self._uncertain, self._unsure = 0, Counted()
        self.trouble = Tally(keeps=1)

    def before(self, entry: Entry) -> None:
        """An entry from before the period: whether the service was running."""
        if entry["tag"] in (STARTED, STOPPED):
            self._up = entry if entry["tag"] == STARTED else None
        self._last, self._time = entry, entry["time"]

    def see(self, entry: Entry) -> None:
        """One entry of the period."""
        tag, time = entry["tag"], entry["time"]
        if time < self._time and (back := seconds(time, self._time)) > BACK:
            self.back.add(entry)
            self._furthest = max(self._furthest, back)
        self._clock(entry)
        if tag == STARTED:
            self._started(entry)
        elif tag == STOPPED:
            self._stopped(entry)
        elif tag.startswith(_TROUBLE):
            why = shown(entry["reason"])
            key = (tag, partner(entry), entry["outcome"], why, said(entry))
            self.trouble.add(key, entry)
        self._last, self._time = entry, time

    def _clock(self, entry: Entry) -> None:
        if "uncertainty" not in entry:
            return
        known = entry["uncertainty"]
        if known is None:
            self._unsure.add(entry)
        elif isinstance(known, int | float):
            self._uncertain = max(self._uncertain, int(known))

    def _started(self, entry: Entry) -> None:
        if self._up is not None and self._last is not None:
            self.unclean += 1
            last = self._last
            what = f"unclean end; the last entry before it is of {moment(last['time'])}"
            self._row(last, what)
        self._up = entry
        self._row(entry, "start")

    def _stopped(self, entry: Entry) -> None:
        drained = entry["object"].get("drained", True)
        self._up = None
        self._row(entry, "stop" if drained else "stop, with work still in hand")

    def _row(self, entry: Entry, what: str) -> None:
        seq = entry["seq"]
        self._runs.append(Row((moment(entry["time"]), what), Refs(1, seq, seq, (seq,))))

    def section(self) -> Section:
        """Runs, clock, trouble."""
        furthest = f"by {self._furthest:.0f} s at most"
        clock = [
            Row(("times that go back", self.back.count, furthest), self.back.refs),
            Row((_UNSURE, self._unsure.count, ""), self._unsure.refs),
            Row(("largest known error of the clock, in milliseconds", self._uncertain, "")),
        ]
        tables = (
            table("Starts and ends of the service", ("When", "What"), self._runs),
            table("The clock", ("What", "Figure", "How far"), clock),
            table("Trouble, and its end", _COLUMNS, self.trouble.rows(), self.trouble.note),
        )
        return Section("service", "The service, its clock and its log", _LEAD, tables)


def seconds(earlier: str, later: str) -> float:
    """Between two times of entries; negative where the first is the later one."""
    return (dt.datetime.fromisoformat(later) - dt.datetime.fromisoformat(earlier)).total_seconds()

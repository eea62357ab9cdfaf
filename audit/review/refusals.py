"""Who was not let in, and what was not taken: how often, from where, why, first and last."""

from __future__ import annotations

from typing import Any, Final

from audit.review.plain import Entry, host, shown, who
from audit.review.report import Section, table
from audit.review.tally import Tally

ACCESS: Final = ("tls:", "access:", "oauth:", "operator:", "audit:")
_OURS: Final = frozenset({"tls:file:refused", "profile:refused", "store:refused"})  # told elsewhere
_CYCLE: Final = ("message:", "delivery:")
_COLUMNS: Final = ("What", "Why", "Where", "Who", "From", "Times", "First", "Last")
_FAILED: Final = ("What", "Why", "Where", "Times", "First", "Last")
_NAMES: Final = (
    "People and machines that were not let in",
    "What was not taken",
    "What could not be translated or delivered, each attempt",
)
_LEAD: Final = (
    "Everybody who was not let in, and everything that was not taken, alike ones put together. From: the "
    "address without its port. In a flood an entry may stand for many, so the times may be more than the "
    "entries.",
)


class Refusals:
    """Of people and machines, and of messages."""

    def __init__(self) -> None:
        self.access, self.messages, self.failed = Tally(keeps=3), Tally(keeps=3), Tally(keeps=1)

    def wants(self, tag: str) -> bool:
        """By its outcome, so all but what is told elsewhere."""
        return tag not in _OURS

    def see(self, entry: Entry) -> None:
        """One entry of the period."""
        tag, what, outcome = entry["tag"], entry["object"], entry["outcome"]
        if outcome == "failure" and tag.startswith(_CYCLE):
            self.failed.add((tag, _why(entry), _where(what)), entry)
        elif outcome == "refused":
            tally = self.access if tag.startswith(ACCESS) else self.messages
            tally.add((tag, _why(entry), _where(what), who(entry), host(entry)), entry, times(what))

    def section(self) -> Section:
        """What came most often first."""
        failed = self.failed.rows(most_first=True)
        tables = (
            table(_NAMES[0], _COLUMNS, self.access.rows(most_first=True), self.access.note),
            table(_NAMES[1], _COLUMNS, self.messages.rows(most_first=True), self.messages.note),
            table(_NAMES[2], _FAILED, failed, self.failed.note),
        )
        return Section("refused", "Refused attempts", _LEAD, tables)


def times(what: dict[str, Any]) -> int:
    """How many a refusal stands for."""
    count = what.get("count", 1)
    return int(count) if isinstance(count, int | float) and 0 < count < 2**53 else 1


def _why(entry: Entry) -> str:
    more = entry["object"].get("why") or entry["object"].get("location") or ""
    return ": ".join(filter(None, (shown(entry["reason"]), shown(more) if more else "")))


def _where(what: dict[str, Any]) -> str:
    for name in ("operation", "listener", "end", "link"):
        if what.get(name):
            return shown(what[name])
    return ""

"""How long to leave a partner alone: pauses between attempts, and a breaker when it is away as a whole. Pure.

Pauses grow from attempt to attempt and are spread by full jitter (a share, by chance, of what the attempt's
number allows), so that many lanes do not come back at the same moment. The breaker is Nygard's (Release It!,
2007): closed, everything goes out; open, nothing; half-open, one message as a probe.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from enum import StrEnum

from connector.errors import ConnectorError, PartnerBusy, PartnerUnreachable

_STATUSES = frozenset({429, 502, 503, 504})  # RFC 9110, RFC 6585: the server, not this request


@dataclass(frozen=True, slots=True)
class Pauses:
    """Seconds between attempts: after the first failure, by how much each is longer, and the longest."""

    first: float = 0.5
    factor: float = 2.0
    most: float = 300.0

    def longest(self, attempt: int) -> float:
        """The longest pause after an attempt; the first has the number 1."""
        return min(self.first * self.factor ** min(attempt - 1, 40), self.most)

    def after(self, attempt: int, error: ConnectorError, share: float = 1.0) -> float:
        """What the partner asked for, else ``share`` (0 to 1, by chance) of the longest pause."""
        asked = asked_for(error)
        return self.longest(attempt) * share if asked is None else asked


def asked_for(error: ConnectorError) -> float | None:
    """The seconds after which the partner wants to see us again, if it said so (Retry-After, RFC 9110)."""
    asked = getattr(error, "after", None)
    return None if asked is None else float(asked)


def of_the_partner(error: ConnectorError) -> bool:
    """Whether a failure that may pass is of the whole partner, and not of the one message that met it."""
    if isinstance(error, PartnerBusy):
        return error.status in _STATUSES or error.after is not None
    return isinstance(error, PartnerUnreachable)


class Going(StrEnum):
    """What a breaker lets out."""

    CLOSED = "closed"  # everything
    OPEN = "open"  # nothing
    HALF_OPEN = "half-open"  # one probe


@dataclass(frozen=True, slots=True)
class Breaker:
    """The breaker of one partner; every change gives a new one.

    ``limit``: failures in a row after which it opens; ``until``: while it is open, when a probe may go;
    ``probing``: one is on its way.
    """

    limit: int = 5
    failures: int = 0
    until: dt.datetime | None = None
    probing: bool = False

    def going(self, now: dt.datetime) -> Going:
        """What it lets out now."""
        if self.until is None:
            return Going.CLOSED
        return Going.HALF_OPEN if self.probing or now >= self.until else Going.OPEN

    def places(self, now: dt.datetime) -> int | None:
        """How many more messages may go out; None: as many as there are."""
        if self.until is None:
            return None
        return int(not self.probing and now >= self.until)

    def begun(self, now: dt.datetime) -> Breaker:
        """A message goes out: through a breaker that is half-open it is the probe."""
        return replace(self, probing=True) if self.going(now) is Going.HALF_OPEN else self

    def answered(self) -> Breaker:
        """The partner said something, be it that it will never take this message: it is there."""
        return Breaker(self.limit)

    def given_up(self) -> Breaker:
        """What was on its way came to nothing that says anything about the partner."""
        return replace(self, probing=False)

    def failed(self, now: dt.datetime, error: ConnectorError, pauses: Pauses, share: float = 1.0) -> Breaker:
        """The whole partner failed: once more in a row, or it asked us to stay away for a time."""
        failures, asked = self.failures + 1, asked_for(error)
        if failures < self.limit and asked is None:
            return replace(self, failures=failures, probing=False)
        seconds = pauses.after(max(failures - self.limit + 1, 1), error, share)
        until = now + dt.timedelta(seconds=seconds)
        if self.until is not None and not self.probing:  # it was sent before the breaker opened
            until = max(until, self.until)
        return replace(self, failures=failures, until=until, probing=False)

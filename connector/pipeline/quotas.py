"""What one partner may take of the listener, so that a noisy one does not slow the others.

Over its connections it is not let in; over its frames in hand or its rate its connections are not read on,
and TCP tells the sender: nothing is dropped, and nothing of it is held in memory but one frame a connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

from connector.pipeline.links import Link, Quota

Seconds = Callable[[], float]
Sleep = Callable[[float], Awaitable[None]]
TOLD: Final = 5  # refused connections of a partner that are told one by one in a second


class Bucket:
    """A token bucket: ``rate`` a second, ``burst`` at once; without I/O and without a clock."""

    __slots__ = ("_at", "_burst", "_level", "_rate")

    def __init__(self, rate: float, burst: int, at: float) -> None:
        self._rate, self._burst = rate, burst
        self._level, self._at = float(burst), at

    def take(self, now: float) -> float:
        """Take one; the seconds until it is there, whoever asks later waits longer."""
        self._level = min(self._burst, self._level + (now - self._at) * self._rate) - 1
        self._at = now
        return max(0.0, -self._level / self._rate)

    def ask(self, now: float) -> float:
        """Take one if it is there: 0; else the seconds until it is, and nothing is taken."""
        level = min(self._burst, self._level + (now - self._at) * self._rate)
        taken = level >= 1
        self._level, self._at = level - taken, now
        return 0.0 if taken else (1 - level) / self._rate


class Share:
    """One partner's part."""

    def __init__(self, quota: Quota, seconds: Seconds, sleep: Sleep = asyncio.sleep) -> None:
        self._quota, self._seconds, self._sleep = quota, seconds, sleep
        self._bucket = Bucket(quota.rate, quota.burst, seconds()) if quota.rate else None
        self._in_hand = asyncio.Semaphore(quota.in_hand)
        self._second, self._refused = 0, 0
        self.connections = 0

    def enter(self) -> bool:
        """One connection more, if there may be."""
        if self.connections >= self._quota.connections:
            return False
        self.connections += 1
        return True

    def leave(self) -> None:
        """One connection less."""
        self.connections -= 1

    def refused(self) -> int | None:
        """A connection was refused: how many this stands for in the audit trail; None: not told now."""
        second, unsaid = int(self._seconds()), 0
        if second != self._second:
            self._second, unsaid, self._refused = second, max(0, self._refused - TOLD), 0
        self._refused += 1
        return 1 + unsaid if self._refused <= TOLD else None

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """One frame in hand; waits while there are as many as there may be."""
        async with self._in_hand:
            yield

    async def pace(self) -> None:
        """One message; waits until its time has come."""
        wait = self._bucket.take(self._seconds()) if self._bucket else 0.0
        if wait > 0:
            await self._sleep(wait)


class Shares:
    """The shares of all partners, by link."""

    def __init__(self, seconds: Seconds) -> None:
        self._seconds = seconds
        self._shares: dict[str, Share] = {}

    def of(self, link: Link) -> Share:
        """The share of a link's partner."""
        found = self._shares.get(link.name)
        if found is None:
            found = self._shares[link.name] = Share(link.quota, self._seconds)
        return found

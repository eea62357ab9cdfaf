"""Whether a link takes anything now: not while people have closed it, nor before the disk is full."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import Final

from connector.errors import IntakeClosed, Overloaded
from connector.pipeline.links import Link
from connector.pipeline.ports import Clock
from connector.store import Counts, Direction, Store

FRESH: Final = dt.timedelta(seconds=1)  # how old the counts may be


class Backlog:
    """The counts and the pauses of the store, looked at once a second at most."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._counts: dict[tuple[str, Direction], Counts] = {}
        self._closed: frozenset[str] = frozenset()
        self._looked: dt.datetime | None = None

    async def check(self, link: Link, direction: Direction) -> None:
        """Raises ``IntakeClosed``, and ``Overloaded`` where as much waits as the profile allows."""
        now = self._clock()
        if self._looked is None or now - self._looked > FRESH:
            counts, pauses = await asyncio.gather(self._store.counts(), self._store.pauses())
            self._counts, self._looked = counts, now
            self._closed = frozenset(one.link for one in pauses if one.intake)
        if link.name in self._closed:
            raise IntakeClosed("the intake of this link is closed", fix="send it again later")
        found = self._counts.get((link.name, direction))
        if found and found.waiting >= link.waiting:
            raise Overloaded("too many messages wait for delivery", fix="send it again later")

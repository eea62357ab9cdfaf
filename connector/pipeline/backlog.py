"""How much waits in each lane, so that new messages are turned away before the disk is full."""

from __future__ import annotations

import datetime as dt
from typing import Final

from connector.errors import Overloaded
from connector.pipeline.links import Link
from connector.pipeline.ports import Clock
from connector.store import Counts, Direction, Store

FRESH: Final = dt.timedelta(seconds=1)  # how old the counts may be


class Backlog:
    """The counts of the store, looked at once a second at most."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._counts: dict[tuple[str, Direction], Counts] = {}
        self._looked: dt.datetime | None = None

    async def check(self, link: Link, direction: Direction) -> None:
        """Raises ``Overloaded`` where as much waits as the profile allows."""
        now = self._clock()
        if self._looked is None or now - self._looked > FRESH:
            self._looked = now
            self._counts = await self._store.counts()
        found = self._counts.get((link.name, direction))
        if found and found.waiting_translation + found.waiting_delivery >= link.waiting:
            raise Overloaded("too many messages wait for delivery", fix="send it again later")

"""What is done is forgotten after its time: the profile says how long it is kept.

Only what is done and owed no answer; what waits, is held, was refused or is a dead letter stays. With a
message goes the memory that it was taken, so the time must be longer than any partner repeats one.
"""

from __future__ import annotations

import datetime as dt
from typing import Final

from connector.pipeline.entries import Trail, instant
from connector.pipeline.ports import Clock
from connector.store import Direction, Store

AT_ONCE: Final = 200  # messages in one transaction: others wait for the writer meanwhile


class Retention:
    """Forgets what one link did in one direction, once it is older than ``keep``."""

    def __init__(
        self, link: str, direction: Direction, store: Store, clock: Clock, keep: dt.timedelta
    ) -> None:
        self.link, self.direction = link, direction
        self._store, self._clock, self._keep = store, clock, keep
        self._trail = Trail(clock, link, direction)
        self.ending = False

    async def step(self) -> int:
        """Forget all whose time has passed; how many there were. Raises ``StoreUnavailable``."""
        before, gone = self._clock() - self._keep, 0
        while not self.ending:
            entry = self._trail.did("store:pruned", before=instant(before), most=AT_ONCE)
            some = await self._store.prune(self.link, self.direction, before, AT_ONCE, [entry])
            gone += some
            if some < AT_ONCE:
                break
        return gone

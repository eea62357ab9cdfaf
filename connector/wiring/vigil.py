"""Watches what an audit log depends on: that the clock goes evenly, and that the disk takes entries."""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from collections.abc import Callable
from typing import Final

import structlog

from audit.clock import KnownError
from connector.errors import ConnectorError
from connector.pipeline.entries import instant
from connector.pipeline.ports import Clock, Entry
from connector.store import Store

LOOK: Final = 1.0  # seconds between two looks
STEP: Final = 0.128  # seconds in one look: what ntpd does not slew any more; no clock drifts that fast
_SURE: Final = 0.01  # seconds that reading both clocks may take
_TRIES: Final = 5
_US: Final = {"role": "connector"}

_log: Final = structlog.get_logger(__name__)


def steady() -> float:
    """Seconds since the start of the machine, also while it slept: a clock that nobody sets."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Pace:
    """Compares two clocks: one that is set, and one that never steps."""

    def __init__(self, wall: Callable[[], float] = time.time, even: Callable[[], float] = steady) -> None:
        self._wall, self._even = wall, even
        self._ahead = self._apart()

    def stepped(self) -> int:
        """By how many milliseconds the clock was set since the last look; 0: it was not."""
        before, self._ahead = self._ahead, self._apart()
        by = self._ahead - before
        return round(by * 1000) if abs(by) >= STEP else 0

    def _apart(self) -> float:
        """How far the one is ahead of the other, read so close together that nothing came in between."""
        apart = 0.0
        for _ in range(_TRIES):
            begun, wall, ended = self._even(), self._wall(), self._even()
            apart = wall - (begun + ended) / 2
            if ended - begun <= _SURE:
                break
        return apart


class Vigil:
    """Tells the audit log of steps of the clock, its synchronisation, and what the store did not take."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        pace: Pace | None = None,
        known_error: Callable[[], int | None] | None = None,
    ) -> None:
        self._store, self._clock = store, clock
        self._pace, self._known_error = pace or Pace(), known_error or KnownError()
        self._synchronised: bool | None = None
        self._stepped = 0  # milliseconds that are not told yet
        self._task: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """What a start shows: entries that are later than now, and a clock that nobody keeps. Raises
        ``StoreUnavailable``, ``AuditRefused``."""
        last, now = await self._store.last_recorded(), self._clock()
        if last is not None and (ahead := last - now) >= dt.timedelta(seconds=STEP):
            self._stepped -= round(ahead.total_seconds() * 1000)
        await self._tell()

    def start(self) -> None:
        """Begin to watch."""
        self._task = asyncio.create_task(self._watch(), name="vigil")

    async def stop(self) -> None:
        """Watch no more, after a last look."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            await self._turn()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK)
            await self._turn()

    async def _turn(self) -> None:
        self._stepped += self._pace.stepped()
        try:
            await self._tell()
        except ConnectorError as error:  # told with the next look: nothing of it is forgotten
            _log.error("what happened to clock or store could not be recorded", exc=error)

    async def _tell(self) -> None:
        entries, said = [], self._stepped
        synchronised = self._known_error() is not None
        if said:
            _log.warning("the clock was set", seconds=said / 1000)
            entries.append(self._entry("clock:stepped", milliseconds=said))
        if synchronised is not self._synchronised and (self._synchronised is not None or not synchronised):
            _log.warning("the synchronisation of the clock changed", state=synchronised)
            entries.append(self._entry("clock:synchronised" if synchronised else "clock:unsynchronised"))
        if entries:
            await self._store.record(entries)
        self._stepped -= said
        self._synchronised = synchronised
        await self._store.tell_trouble(self._trouble)

    def _trouble(self, error: str, count: int) -> Entry:
        return self._entry("store:refused", count=count)._replace(outcome="failure", reason=error)

    def _entry(self, tag: str, **what: int) -> Entry:
        return Entry(instant(self._clock()), tag, _US, what, "success", "", "")

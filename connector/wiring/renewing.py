"""Takes up what changes in the files of TLS while the service runs, and tells of it.

The files are looked at several times a second; on SIGHUP they are read in any case. What is read is in force
before it is audited: a guard does not wait for the log.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any, Final

import structlog

from connector.errors import ConfigurationError, ConnectorError
from connector.pipeline.entries import PLACE, instant, placed, seen, short
from connector.pipeline.ports import Clock, Entry
from connector.store import Store
from connector.wiring.endings import Ending, endings
from connector.wiring.secured import Cut, Looked, Secured

LOOK: Final = 0.2  # seconds between two looks at the files
SETTLED: Final = 0.1  # seconds without a change before files are read: certificate and key come one by one
MOST: Final = 5  # times that is waited for
COUNTED: Final = 3600.0  # seconds between two looks at what will end

_log: Final = structlog.get_logger(__name__)


class Renewing:
    """Watches the files of ``secured``. ``renewed``: called when connections that we make changed."""

    def __init__(
        self, secured: Secured, store: Store, clock: Clock, warn_days: int, renewed: Callable[[], None]
    ) -> None:
        self._secured, self._store, self._clock, self._renewed = secured, store, clock, renewed
        self._warned = dt.timedelta(days=warn_days)
        self._woken = asyncio.Event()
        self._counted = 0.0
        self._told: dict[str, dt.date] = {}
        self._faults: dict[str, str] = {}
        self._soon: dict[str, str] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to watch."""
        self._task = asyncio.create_task(self._watch(), name="tls files")

    def wake(self) -> None:
        """Read the files now, whether they changed or not."""
        self._woken.set()

    async def stop(self) -> None:
        """Watch no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def ready(self) -> Mapping[str, bool | str]:
        """``tls``: True, or why handshakes with everybody fail."""
        now = self._clock()
        over = [one for one in endings(self._secured) if one.everybody and one.until <= now]
        return {"tls": over[0].said if over else True}

    def warnings(self) -> Mapping[str, str]:
        """What will end soon, and files that cannot be used while what was before stays in force."""
        return {**self._soon, **self._faults}

    async def _watch(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), LOOK)
            try:
                await self._turn()
            except Exception as error:
                _log.error("the files of tls could not be looked at", exc=error)

    async def _turn(self) -> None:
        told = self._woken.is_set()
        self._woken.clear()
        if told or await asyncio.to_thread(self._secured.changed):
            await self._settle()
            await self._renew(await asyncio.to_thread(self._secured.look))
        await self._tell_cut(self._secured.sweep(self._clock()))
        loop_time = asyncio.get_running_loop().time()
        if not self._counted or loop_time - self._counted >= COUNTED:
            self._counted = loop_time
            await self._warn()

    async def _settle(self) -> None:
        before: object = None
        for _ in range(MOST):
            now = await asyncio.to_thread(self._secured.stamps)
            if now == before:
                return
            before = now
            await asyncio.sleep(SETTLED)

    async def _renew(self, looked: Looked) -> None:
        cut = self._secured.apply(looked)
        self._counted = 0.0
        entries = [*self._broken(looked.faults)]
        if looked.ends or looked.removed:
            _log.info("tls reloaded", count=len(looked.ends) + len(looked.removed))
            what = {"ends": sorted(looked.ends), "removed": sorted(looked.removed)}
            entries.append(self._entry("tls:reloaded", what, "success"))
            self._renewed()
        await self._record(entries)
        await self._tell_cut(cut)

    def _broken(self, faults: Mapping[str, ConfigurationError]) -> list[Entry]:
        """What is wrong now and was not before; and what is right again is told of no more."""
        entries = []
        for place, fault in faults.items():
            if self._faults.get(place) != fault.what:
                _log.error("a file of tls cannot be used; what was before stays in force", exc=fault)
                what = placed(fault.location or place)
                entries.append(
                    self._entry("tls:file:refused", what, "refused", reason=short(fault.what, PLACE))
                )
        self._faults = {place: fault.what for place, fault in faults.items()}
        return entries

    async def _tell_cut(self, cut: list[Cut]) -> None:
        for one in cut:
            address = one.peer.address if one.peer else ""
            _log.warning("connection cut", task=one.end, code=one.reason, address=address)
        await self._record(
            [
                self._entry(
                    "tls:connection:cut",
                    {"end": one.end},
                    "refused",
                    seen(one.peer),
                    one.reason,
                )
                for one in cut
            ]
        )

    async def _warn(self) -> None:
        """Once a day for each that ends within the time, and for each that has ended."""
        now = self._clock()
        soon = [one for one in endings(self._secured) if one.until - self._warned <= now]
        self._soon = {one.name: one.said for one in sorted(soon, key=lambda one: one.until, reverse=True)}
        entries = []
        for one in soon:
            if self._told.get(one.key) != now.date():
                self._told[one.key] = now.date()
                _log.warning("it ends soon", task=one.name, code=one.said, path=one.location)
                entries.append(self._ends(one))
        await self._record(entries)

    def _ends(self, one: Ending) -> Entry:
        what = {"what": one.name, "until": instant(one.until), **placed(one.location)}
        return self._entry("tls:validity:ends", what, "success")

    async def _record(self, entries: list[Entry]) -> None:
        if not entries:
            return
        try:
            await self._store.record(entries)
        except ConnectorError as error:  # it happened all the same
            _log.error("what happened to tls could not be recorded", count=len(entries), exc=error)

    def _entry(
        self,
        tag: str,
        what: Mapping[str, Any],
        outcome: str,
        actor: Mapping[str, Any] | None = None,
        reason: str = "",
    ) -> Entry:
        return Entry(instant(self._clock()), tag, actor or {"role": "connector"}, what, outcome, reason, "")

"""Sealing beside the service: at least each second while something is new, sooner where much is."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping
from typing import Final

import structlog

from audit.sealing import Sealer
from audit.writing import Busy
from connector.errors import AuditRefused, ConnectorError, ShuttingDown
from connector.pipeline.entries import instant, reason
from connector.pipeline.ports import Clock, Entry
from connector.profile.audit import Audit
from connector.store import Store
from connector.wiring.auditing import TROUBLE, Kept, announce, refused

EVERY: Final = 0.9  # seconds between two looks; with the sealing itself, a checkpoint each second
SOON: Final = 100  # entries that wait: seal at once
HELD: Final = 5.0  # seconds to wait at the start for a command that seals
_AGAIN: Final = 0.05
_PAUSE: Final = 0.3  # seconds before the next attempt after one that failed

_log: Final = structlog.get_logger(__name__)


class Sealing:
    """Seals the audit log of a store while the service runs.

    ``seconds``: a clock that never steps.
    """

    def __init__(
        self,
        kept: Kept,
        store: Store,
        clock: Clock,
        chosen: Audit,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._kept, self._store, self._clock = kept, store, clock
        self._patience, self._seconds = chosen.refuse_unsealed_seconds, seconds
        self._sealer: Sealer | None = None
        self._task: asyncio.Task[None] | None = None
        self._woken, self._waiting, self._ending = asyncio.Event(), 0, False
        self._sealed_at = seconds()
        self._trouble: ConnectorError | None = None
        self._since = 0.0

    async def begin(self) -> None:
        """Hold the log, and look whether it is as it was signed. Raises ``ConnectorError``: do not start."""
        until = self._seconds() + HELD
        while self._sealer is None:
            try:
                self._sealer = await asyncio.to_thread(self._kept.sealer)
            except Busy as error:
                if self._seconds() >= until:
                    raise refused(error) from None
                await asyncio.sleep(_AGAIN)
            except TROUBLE as error:
                raise refused(error) from None

    def start(self) -> None:
        """Begin to follow the log."""
        loop = asyncio.get_running_loop()
        self._woken.set()

        def appended(entries: int) -> None:
            self._waiting += entries
            if self._waiting >= SOON and not self._ending:
                with contextlib.suppress(RuntimeError):  # the loop has ended
                    loop.call_soon_threadsafe(self._woken.set)

        self._store.watch(appended)
        self._store.at_end(None)
        self._task = asyncio.create_task(self._follow(), name="audit sealing")

    async def stop(self) -> None:
        """Seal the rest, and let others seal."""
        self._ending = True
        self._woken.set()
        if self._task is not None:
            await self._task
        if self._sealer is not None:
            await self._turn()
            self._sealer.close()
            self._sealer = None

    def ready(self) -> Mapping[str, bool | str]:
        """``audit``: True, or the name of what keeps it from being sealed."""
        return {"audit": reason(self._trouble) if self._trouble else True}

    def figures(self) -> Mapping[str, float]:
        """How many entries wait for a checkpoint, and how many seconds ago everything had one."""
        since = round(self._seconds() - self._sealed_at, 1)
        return {"audit_unsealed": self._waiting, "audit_sealed_seconds": since}

    def barred(self) -> ConnectorError | None:
        """Why nothing new is taken in; None: it is."""
        if self._trouble is None or self._seconds() - self._since < self._patience:
            return None
        return AuditRefused(
            "the audit log could not be sealed for too long", fix='see "connector audit status"'
        )

    async def _follow(self) -> None:
        while not self._ending:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), EVERY)
            if self._ending:
                return
            self._woken.clear()
            await self._turn()
            if self._trouble is not None:
                await asyncio.sleep(_PAUSE)

    async def _turn(self) -> None:
        assert self._sealer is not None  # noqa: S101 - begun before it is started
        taken, self._waiting = self._waiting, 0
        try:
            new = await asyncio.to_thread(self._sealer.seal)
            if new and await announce(self._sealer, self._store, self._clock):
                self._waiting = 0
        except Exception as error:  # whatever it is, nothing is sealed until it works again
            self._waiting += taken
            await self._failed(error if isinstance(error, ConnectorError) else refused(error))
            return
        self._sealed_at = self._seconds()
        await self._works()

    async def _failed(self, error: ConnectorError) -> None:
        first = self._trouble is None
        told, self._trouble = self._trouble, error
        if first:
            self._since = self._seconds()
        if first or type(told) is not type(error):
            _log.error("the audit log cannot be sealed", exc=error, waiting=self._waiting)
            await self._record("audit:sealing:failed", "failure", reason(error))

    async def _works(self) -> None:
        if self._trouble is not None:
            self._trouble = None
            _log.warning("the audit log is sealed again", seconds=round(self._seconds() - self._since))
            await self._record("audit:sealing:resumed", "success", "")

    async def _record(self, tag: str, outcome: str, why: str) -> None:
        what = {"sealed": self._sealer.last if self._sealer else 0}
        entry = Entry(instant(self._clock()), tag, {"role": "connector"}, what, outcome, why, "")
        try:
            await self._store.record([entry])
        except ShuttingDown:
            return
        except ConnectorError as error:
            _log.error("trouble with the audit log could not be recorded", exc=error)

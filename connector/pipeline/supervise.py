"""Keeps the lanes running: wakes them, restarts what fails with a growing pause, drains them at the end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol

import structlog

from connector.errors import ConnectorError
from connector.pipeline.dispatch import Delivering, woken
from connector.pipeline.entries import reason
from connector.pipeline.links import Link
from connector.pipeline.ports import Clock
from connector.pipeline.retention import Retention
from connector.pipeline.translate import BATCH
from connector.store import Direction

FIRST_PAUSE: Final = 0.1  # seconds before a lane that failed starts again; doubled up to LONGEST_PAUSE
LONGEST_PAUSE: Final = 10.0
FORGET: Final = 600.0  # seconds between two looks for what may be forgotten
TELL: Final = 0.05  # seconds between two calls that something is settled
LOOK: Final = 2.0  # seconds after which a lane looks into the store although nobody woke it

_log: Final = structlog.get_logger(__name__)


class Making(Protocol):
    """What makes the messages that a lane delivers: a translation, or the answers to what is settled."""

    link: Link
    ending: bool  # take up nothing more

    @property
    def direction(self) -> Direction:
        """Which way they go."""
        ...

    async def step(self) -> int:
        """Work off what is there, at most ``BATCH``; how many there were."""
        ...


def _nobody() -> None:
    """Nobody waits for what is settled."""


class Lane:
    """One link in one direction: its translation and its delivery, each a task of its own.

    ``settled``: called when something may have been delivered, or may have become a dead letter.
    """

    def __init__(
        self,
        translating: Making,
        delivering: Delivering,
        clock: Clock,
        settled: Callable[[], None] = _nobody,
    ) -> None:
        self.translating, self.delivering, self._clock = translating, delivering, clock
        self._settled = settled
        self.arrived, self.translated, self.ending = asyncio.Event(), delivering.woken, asyncio.Event()
        self.failed: dict[str, BaseException] = {}  # by task
        self._told_at, self._telling = -TELL, False

    @property
    def name(self) -> str:
        """``demo to_fhir``."""
        return f"{self.translating.link.name} {self.translating.direction.value}"

    async def translate(self) -> None:
        """Translate what arrives, until the end."""
        while not self.ending.is_set():
            self.arrived.clear()
            count = await self.translating.step()
            self.failed.pop("translate", None)
            if count:
                self.translated.set()
                self._settled()
            if count < BATCH:
                await woken(self.arrived, LOOK)

    async def deliver(self) -> None:
        """Deliver what is translated, until the end; then see through what is in hand."""
        try:
            while not self.ending.is_set():
                gone = await self.delivering.step()
                self.failed.pop("deliver", None)
                self._tell()
                if not gone:
                    await woken(self.translated, self._until_next())
        except asyncio.CancelledError:
            self.delivering.cancel()
            raise
        finally:
            if self.ending.is_set():
                await self.delivering.finish()

    def _tell(self) -> None:
        """Something may be settled: say so now, or in a moment where that was said just now."""
        if self._telling:
            return
        loop = asyncio.get_running_loop()
        self._told_at = max(loop.time(), self._told_at + TELL)
        self._telling = True
        loop.call_at(self._told_at, self._told)

    def _told(self) -> None:
        self._telling = False
        self._settled()

    def end(self) -> None:
        """Finish what is in hand and take up nothing new."""
        self.ending.set()
        self.translating.ending = self.delivering.ending = True
        self.arrived.set()
        self.translated.set()

    def state(self) -> bool | str:
        """True, or why nothing moves: the name of the error."""
        stopped = self.delivering.held or next(iter(self.failed.values()), None)
        if stopped is None:
            return True
        return reason(stopped) if isinstance(stopped, ConnectorError) else type(stopped).__name__

    def _until_next(self) -> float:
        again = self.delivering.again_at
        if again is None:
            return LOOK
        return min(max((again - self._clock()).total_seconds(), 0.01), LOOK)


class Supervisor:
    """Runs the lanes of all links."""

    def __init__(self, lanes: Sequence[Lane], retentions: Sequence[Retention] = ()) -> None:
        self.lanes = {(lane.translating.link.name, lane.translating.direction): lane for lane in lanes}
        self._retentions = retentions
        self._tasks: list[asyncio.Task[None]] = []
        self._forgetting: list[asyncio.Task[None]] = []

    def arrived(self, link: str, direction: Direction) -> None:
        """Something was accepted for this lane."""
        self.lanes[link, direction].arrived.set()

    def start(self) -> None:
        """Start every lane."""
        for lane in self.lanes.values():
            for name, work in (("translate", lane.translate), ("deliver", lane.deliver)):
                self._tasks.append(asyncio.create_task(self._keep(lane, name, work)))
        self._forgetting = [asyncio.create_task(_forget(one)) for one in self._retentions]

    async def drain(self, seconds: float) -> bool:
        """End every lane after the work in hand; whether all ended within ``seconds``."""
        for lane in self.lanes.values():
            lane.end()
        for one, task in zip(self._retentions, self._forgetting):
            one.ending = task.cancel()
        await asyncio.gather(*self._forgetting, return_exceptions=True)
        if not self._tasks:
            return True
        _, late = await asyncio.wait(self._tasks, timeout=seconds)
        for task in late:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        return not late

    def resume(self) -> None:
        """Let the lanes go on that wait for a person, who says that what held them is mended."""
        for lane in self.lanes.values():
            lane.delivering.resume()
            lane.translated.set()

    def conditions(self) -> dict[str, str]:
        """What keeps messages of a lane back on purpose or for a while, by its name; "": nothing."""
        return {lane.name: lane.delivering.condition() for lane in self.lanes.values()}

    def ready(self) -> dict[str, bool | str]:
        """The state of every lane by its name."""
        return {lane.name: lane.state() for lane in self.lanes.values()}

    async def _keep(self, lane: Lane, name: str, work: Callable[[], Awaitable[None]]) -> None:
        pause = FIRST_PAUSE
        while not lane.ending.is_set():
            try:
                await work()
            except Exception as error:
                pause = min(pause * 2, LONGEST_PAUSE) if name in lane.failed else FIRST_PAUSE
                lane.failed[name] = error
                _log.error("lane failed", task=f"{name} {lane.name}", exc=error, seconds=pause)
                await woken(lane.ending, pause)


async def _forget(retention: Retention) -> None:
    """Forget what is done, again and again; what cannot be forgotten now is so later."""
    while True:
        try:
            await retention.step()
        except Exception as error:
            _log.error("nothing was forgotten", link=retention.link, exc=error)
        await asyncio.sleep(FORGET)

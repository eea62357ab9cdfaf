"""Dispatch: many lanes at once, strict order in each.

The intent is on the disk before a message is sent and its outcome after; a crash between the two sends
it again, under the same control id or to the same resource ids, which changes nothing at the partner.

An error that may pass makes the message's own lanes wait. One that is of the whole partner counts for the
breaker too. What the partner will never take becomes a dead letter or stops its lanes, as the profile says;
what a person must mend holds everything until ``resume``.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol

from connector.errors import (
    AnswerNotUnderstood,
    ConnectorError,
    DeliveryError,
    JournalMoved,
    PartnerUnreachable,
    Retry,
)
from connector.pipeline.breaker import Breaker, Going, Pauses, of_the_partner
from connector.pipeline.deliver import Told
from connector.pipeline.entries import Trail, about_whom, reason
from connector.pipeline.ports import Clock
from connector.store import Acknowledgment, Direction, OutboxItem, Store

AHEAD: Final = 8  # how many of one lane are read at once
USUAL: Final = Pauses()
LOOK: Final = 0.5  # seconds for which what people have paused is believed to be so still


class Way(Protocol):
    """How a message reaches the partner."""

    async def send(self, item: OutboxItem) -> Told:
        """Raises ``DeliveryError``."""
        ...


def always(now: dt.datetime) -> bool:
    """The window of a link that delivers at any time."""
    return True


def longest() -> float:
    """Chance that gives the longest pause each time."""
    return 1.0


@dataclass(frozen=True, slots=True)
class Rules:
    """How one link delivers in one direction, as its profile says.

    ``open``: whether the link delivers at this time.
    """

    lane: Literal["link", "patient"] = "link"
    parallel: int = 8
    stop: bool = False  # a refusal stops its lanes
    breaker_failures: int = 5
    open: Callable[[dt.datetime], bool] = always


class Delivering:
    """What one link sends in one direction. ``chance``: numbers from 0 to 1, for the jitter."""

    def __init__(
        self,
        link: str,
        direction: Direction,
        store: Store,
        clock: Clock,
        way: Way,
        pauses: Pauses = USUAL,
        rules: Rules = Rules(),
        chance: Callable[[], float] = longest,
    ) -> None:
        self.link, self.direction = link, direction
        self._store, self._clock, self._way = store, clock, way
        self._pauses, self._rules, self._chance = pauses, rules, chance
        self._trail = Trail(clock, link, direction)
        self._tag = "delivery:fhir" if direction is Direction.TO_FHIR else "delivery:v2"
        self._hands: dict[asyncio.Task[bool], frozenset[int]] = {}
        self._breaker = Breaker(rules.breaker_failures)
        self._paused, self._looked = False, -1.0
        self._settled = rules.lane != "link"  # else what stands in other lanes is to be moved first
        self.woken = asyncio.Event()  # something was queued, ended, or changed by a person
        self.held: ConnectorError | None = None
        self.ending = False  # take up nothing more
        self.again_at: dt.datetime | None = None  # when something that waits is tried again

    async def step(self) -> bool:
        """Begin what may go out and wait until something of it ends; whether there may be more at once.

        After an error that a person must mend everything is ``held``: nothing is sent until ``resume``.
        """
        self.woken.clear()
        self.again_at = None
        await self._begin()
        if not self._hands:
            self.again_at = await self._next()
            return False
        return await self._ended()

    def resume(self) -> None:
        """Try again after an error that a person has mended."""
        self.held = None
        self._breaker = self._breaker.answered()
        self._looked = -1.0
        self.woken.set()

    def condition(self) -> str:
        """What keeps messages back: ``held``, ``paused``, ``window``, ``open``, ``half-open``, or ""."""
        if self.held is not None:
            return "held"
        if self._paused:
            return "paused"
        if not self._rules.open(self._clock()):
            return "window"
        going = self._breaker.going(self._clock())
        return "" if going is Going.CLOSED else going.value

    async def finish(self) -> None:
        """See through what is in hand."""
        await asyncio.gather(*self._hands, return_exceptions=True)
        self._hands.clear()

    def cancel(self) -> None:
        """Give up what is in hand; what becomes of it at the partner is not known."""
        for hand in self._hands:
            hand.cancel()

    async def _begin(self) -> None:
        """Take up as many lanes as there are free hands."""
        now = self._clock()
        free = self._free(now)
        if free < 1 or not await self._may_go():
            return
        for items in await self._found(now, free):
            self._breaker = self._breaker.begun(now)
            hand = asyncio.create_task(self._hand(items))
            hand.add_done_callback(self._done)
            self._hands[hand] = frozenset(one.id for one in items)

    def _done(self, hand: asyncio.Task[bool]) -> None:
        self.woken.set()

    def _free(self, now: dt.datetime) -> int:
        """How many lanes may be taken up besides those in hand."""
        free = (1 if self._rules.lane == "link" else self._rules.parallel) - len(self._hands)
        places = self._breaker.places(now)
        return free if places is None else min(free, places)

    async def _found(self, now: dt.datetime, free: int) -> list[list[OutboxItem]]:
        """What each free hand may send: of the link's lane several, of a patient's its head."""
        if self._rules.lane == "link":
            if not self._settled:
                await self._store.into_one_lane(self.link, self.direction)
                self._settled = True
            items = await self._store.queue(self.link, self.direction, now, AHEAD)
            return [items] if items else []
        mine = frozenset[int]().union(*self._hands.values())
        return [[one] for one in await self._store.heads(self.link, self.direction, now, free, mine)]

    async def _ended(self) -> bool:
        """Wait until something in hand ends, or there may be more to begin; raises what a hand raised."""
        if not any(hand.done() for hand in self._hands):
            await woken(self.woken, LOOK)
        ended = [hand for hand in self._hands if hand.done()]
        for hand in ended:
            del self._hands[hand]
        failed = [hand for hand in ended if not hand.cancelled() and hand.exception() is not None]
        if failed:
            raise failed[0].exception() or AssertionError
        return bool(self._hands) or any(hand.result() for hand in ended if not hand.cancelled())

    async def _next(self) -> dt.datetime | None:
        """When to look again; None: when something comes."""
        now = self._clock()
        if self.held is not None:
            return None
        if self._paused or not self._rules.open(now):
            return now + dt.timedelta(seconds=LOOK)
        if self._breaker.going(now) is Going.OPEN:
            return self._breaker.until
        return await self._store.next_due(self.link, self.direction, now)

    async def _may_go(self) -> bool:
        if self.ending or self.held is not None or not self._rules.open(self._clock()):
            return False
        at = asyncio.get_running_loop().time()
        if at - self._looked > LOOK or self._looked < 0:
            self._looked = at
            found = await self._store.pauses()
            self._paused = any(
                one.link == self.link and not one.intake and one.direction in (None, self.direction)
                for one in found
            )
        return not self._paused

    async def _hand(self, items: Sequence[OutboxItem]) -> bool:
        """Send what is of one lane, one after the other; whether any got away."""
        try:
            return await self._run(items)
        except BaseException:
            self._breaker = self._breaker.given_up()
            raise

    async def _run(self, items: Sequence[OutboxItem]) -> bool:
        outcome: list[Awaitable[None]] = []  # of the one before: nothing is sent until it is on the disk
        gone = False
        for item in items:
            if gone and not await self._may_go():
                break
            await _all(*outcome, self._intend(item))
            outcome = []
            try:
                told = await self._way.send(item)
            except ConnectorError as error:
                if not await self._failed(item, error):
                    return gone
            else:
                self._breaker = self._breaker.answered()
                outcome = [self._record(item, told)]
            gone = True
        await _all(*outcome)
        return gone

    async def _intend(self, item: OutboxItem) -> None:
        attempt = item.attempts + 1
        entry = self._trail.did(f"{self._tag}:intended", _correlation(item), **_which(item))
        await self._store.intent(item.id, attempt, self._clock(), [entry])

    async def _record(self, item: OutboxItem, told: Told) -> None:
        entry = self._trail.did(f"{self._tag}:acknowledged", _correlation(item), **_which(item), **told.facts)
        while True:
            try:
                await self._store.delivered(
                    item.id, self._clock(), told.journal, [entry], told.acknowledgment, told.saw
                )
                break
            except (
                JournalMoved
            ):  # it was written meanwhile: what is to be written over it is another thing now
                if told.again is None:
                    raise
                told = await told.again()
        if told.recorded is not None:
            told.recorded()

    async def _failed(self, item: OutboxItem, error: ConnectorError) -> bool:
        """Record what went wrong; whether the lane may go on with the next."""
        attempt, way = item.attempts + 1, self._way_of(error)
        never = way in (Retry.NEVER, Retry.STOP)
        tag = f"{self._tag}:refused" if never else f"{self._tag}:deferred"
        entry = self._trail.failed(tag, error, _correlation(item), **_which(item))
        self._told(error, way)
        if way is Retry.NEVER:
            await self._store.dead(item.id, reason(error), [entry], _said(error))
            return True
        if way is Retry.STOP:
            await self._store.refused(item.id, reason(error), [entry], _said(error))
            return False
        seconds = 0.0 if way is Retry.HOLD else self._pauses.after(attempt, error, self._chance())
        self.again_at = self._clock() + dt.timedelta(seconds=seconds)
        await self._store.retry(item.id, self.again_at, reason(error), [entry])
        return False

    def _way_of(self, error: ConnectorError) -> Retry:
        """What is done about an error: what its partner's table says, else what its class says."""
        way = error.answer.retry
        return Retry.STOP if way is Retry.NEVER and error.way is None and self._rules.stop else way

    def _told(self, error: ConnectorError, way: Retry) -> None:
        """What an error says about the partner as a whole."""
        if way is Retry.HOLD:
            self.held = error
            self._breaker = self._breaker.given_up()
        elif way is Retry.LATER and of_the_partner(error):
            self._breaker = self._breaker.failed(self._clock(), error, self._pauses, self._chance())
        elif isinstance(error, DeliveryError):
            self._breaker = self._breaker.answered()
        else:
            self._breaker = self._breaker.given_up()


def _said(error: ConnectorError) -> Acknowledgment:
    """Whether the partner said no, or said nothing that can be understood."""
    unsaid = isinstance(error, PartnerUnreachable | AnswerNotUnderstood) or not isinstance(
        error, DeliveryError
    )
    return Acknowledgment.PENDING if unsaid else Acknowledgment.NEGATIVE


def _which(item: OutboxItem) -> dict[str, Any]:
    return {"number": item.id, "attempt": item.attempts + 1, **about_whom(item.meta)}


def _correlation(item: OutboxItem) -> str:
    return str(item.meta.get("correlation", ""))


async def woken(event: asyncio.Event, seconds: float) -> None:
    """Wait for an event, not for ever."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


async def _all(*steps: Awaitable[None]) -> None:
    """Steps that share one commit: all of them end before the first error, if there is one, goes on."""
    if len(steps) == 1:
        await steps[0]
        return
    for failure in await asyncio.gather(*steps, return_exceptions=True):
        if failure is not None:
            raise failure

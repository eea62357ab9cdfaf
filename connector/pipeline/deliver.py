"""What was translated is delivered, strictly in order, one lane for each link and direction.

The intent is on the disk before a message is sent and its outcome after; a crash between the two sends
it again, under the same control id or to the same resource ids, which changes nothing at the partner.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from connector.errors import ConnectorError, DeliveryError, Retry
from connector.pipeline.entries import Trail, reason
from connector.pipeline.ports import Clock, V2Sender
from connector.pipeline.replies import USUAL, Replies, decide
from connector.store import Direction, JournalEntry, OutboxItem, Store

AHEAD: Final = 8  # how many of a lane are read at once


@dataclass(frozen=True, slots=True)
class Pauses:
    """Seconds between attempts: after the first failure, by how much each is longer, and the longest."""

    first: float = 0.5
    factor: float = 2.0
    most: float = 300.0

    def after(self, attempt: int, error: ConnectorError) -> float:
        """What the partner asked for, else the next longer pause."""
        asked = getattr(error, "after", None)
        return (
            float(asked)
            if asked is not None
            else min(self.first * self.factor ** min(attempt - 1, 40), self.most)
        )


@dataclass(frozen=True, slots=True)
class Told:
    """What the partner said: facts for the audit trail, the versions it gave to resources, and what the
    journal keeps of it."""

    facts: Mapping[str, Any]
    versions: Mapping[str, str]
    journal: Sequence[JournalEntry] = ()


class ToV2:
    """Sends by MLLP; the partner's reply table says what an answer or a failure does."""

    def __init__(self, sender: V2Sender, replies: Replies = USUAL) -> None:
        self._sender, self._replies = sender, replies

    async def send(self, item: OutboxItem) -> Told:
        """Raises ``DeliveryError``, with the way the table gives it, for whatever does not say "taken"."""
        again = item.unsure or item.attempts > 0
        try:
            answer = await self._sender.send(item.payload, str(item.meta.get("control_id", "")))
        except DeliveryError as failure:
            raise decide(failure, self._replies) or failure from None
        refused = decide(answer, self._replies, again=again)
        if refused is not None:
            raise refused
        return Told({"acknowledgment": answer.code}, {})


class Way(Protocol):
    """Sends one message to a partner."""

    async def send(self, item: OutboxItem) -> Told:
        """What the partner said. Raises ``ConnectorError`` for whatever does not say "taken"."""
        ...


class Delivering:
    """One lane of delivery."""

    def __init__(
        self,
        link: str,
        direction: Direction,
        store: Store,
        clock: Clock,
        way: Way,
        pauses: Pauses = Pauses(),
    ) -> None:
        self.link, self.direction = link, direction
        self._store, self._clock, self._way = store, clock, way
        self._pauses = pauses
        self._trail = Trail(clock, link, direction)
        self._tag = "delivery:fhir" if direction is Direction.TO_FHIR else "delivery:v2"
        self.held: ConnectorError | None = None
        self.ending = False  # take up nothing more
        self.again_at: dt.datetime | None = None  # when the head of the lane is tried again

    async def step(self) -> bool:
        """Deliver the head of the lane and what is behind it, as far as it is due; whether any got away.

        After an error that a person must mend the lane is ``held``: nothing is sent until ``resume``.
        """
        if self.held is not None:
            return False
        self.again_at = None
        items = await self._store.queue(self.link, self.direction, self._clock(), AHEAD)
        outcome: list[Awaitable[None]] = []  # of the one before: nothing is sent until it is on the disk
        for gone, item in enumerate(items):
            if self.ending:
                break
            await _all(*outcome, self._intend(item))
            outcome = []
            try:
                outcome = [self._record(item, await self._way.send(item))]
            except ConnectorError as error:
                if not await self._failed(item, error):
                    return gone > 0
        await _all(*outcome)
        return bool(items)

    def resume(self) -> None:
        """Try again after an error that a person has mended."""
        self.held = None

    async def _intend(self, item: OutboxItem) -> None:
        attempt = item.attempts + 1
        entry = self._trail.did(f"{self._tag}:intended", _correlation(item), attempt=attempt)
        await self._store.intent(item.id, attempt, self._clock(), [entry])

    async def _record(self, item: OutboxItem, told: Told) -> None:
        attempt = item.attempts + 1
        entry = self._trail.did(
            f"{self._tag}:acknowledged", _correlation(item), attempt=attempt, **told.facts
        )
        await self._store.delivered(item.id, self._clock(), told.journal, [entry])

    async def _failed(self, item: OutboxItem, error: ConnectorError) -> bool:
        """Record what went wrong; whether the lane may go on with the next."""
        attempt, way = item.attempts + 1, error.answer.retry
        verb = "refused" if way is Retry.NEVER else "deferred"
        entry = self._trail.failed(f"{self._tag}:{verb}", error, _correlation(item), attempt=attempt)
        if way is Retry.NEVER:
            await self._store.dead(item.id, reason(error), [entry])
            return True
        if way is Retry.HOLD:
            self.held = error
        at = self._clock() + dt.timedelta(seconds=0 if self.held else self._pauses.after(attempt, error))
        self.again_at = at
        await self._store.retry(item.id, at, reason(error), [entry])
        return False


def _correlation(item: OutboxItem) -> str:
    return str(item.meta.get("correlation", ""))


async def _all(*steps: Awaitable[None]) -> None:
    """Steps that share one commit: all of them end before the first error, if there is one, goes on."""
    for failure in await asyncio.gather(*steps, return_exceptions=True):
        if failure is not None:
            raise failure

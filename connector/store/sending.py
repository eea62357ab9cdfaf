"""The store's door for what goes out: lanes in strict order, and what is known about each attempt."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence

from connector.store.commits import Unit
from connector.store.door import Door, Drafts
from connector.store.records import NOTHING, Acknowledgment, Direction, JournalEntry, Origin, OutboxItem
from connector.store.statement import micros


class Sending(Door):
    """Outbox and lanes. A lane is named in ``Outgoing.lanes``."""

    async def due(self, link: str, direction: Direction, now: dt.datetime) -> OutboxItem | None:
        """The head of the link's lane, if its time has come and it was not refused."""
        found = await self.queue(link, direction, now, 1)
        return found[0] if found else None

    async def queue(self, link: str, direction: Direction, now: dt.datetime, limit: int) -> list[OutboxItem]:
        """The head of the link's lane, if it may go out, and what comes behind it."""
        return await self._glance(
            lambda connection: self._outbox.queue(connection, link, direction, now, limit)
        )

    async def heads(
        self,
        link: str,
        direction: Direction,
        now: dt.datetime,
        limit: int,
        besides: Collection[int] = frozenset(),
    ) -> list[OutboxItem]:
        """What may go out now: the first in all of its lanes, its time come, not refused; the oldest first.

        ``besides``: the rows that are in hand already.
        """
        return await self._glance(
            lambda connection: self._outbox.heads(connection, link, direction, now, limit, besides)
        )

    async def next_due(self, link: str, direction: Direction, now: dt.datetime) -> dt.datetime | None:
        """When the next of the lanes whose time has not come is due."""
        return await self._glance(
            lambda connection: self._outbox.lanes.next_due(connection, link, direction, now)
        )

    async def into_one_lane(self, link: str, direction: Direction, at_once: int = 500) -> int:
        """Put whatever is open into the link's lane, in its order: of a link whose patients had lanes before.

        How many messages were moved. To be called before anything is sent, with nothing in hand.
        """
        if not await self._read(lambda db: self._outbox.lanes.scattered(db, link, direction)):
            return 0
        moved, last = 0, 0
        while some := await self._gathered(link, direction, last, at_once):
            moved, last = moved + len(some), some[-1]
        return moved

    async def _gathered(self, link: str, direction: Direction, after: int, limit: int) -> list[int]:
        return await self._write(lambda unit: self._outbox.into_one_lane(unit, link, direction, after, limit))

    async def intent(self, outbox_id: int, attempt: int, at: dt.datetime, entries: Drafts) -> None:
        """It is about to be sent; after a crash it is due again, ``unsure``."""
        await self._step(entries, lambda unit: self._outbox.intend(unit, outbox_id, attempt, at))

    async def delivered(
        self,
        outbox_id: int,
        at: dt.datetime,
        journal: Sequence[JournalEntry],
        entries: Drafts,
        acknowledgment: Acknowledgment = Acknowledgment.POSITIVE,
        saw: Mapping[bytes, bytes] = NOTHING,
    ) -> None:
        """The partner has taken it; ``acknowledgment``: what its application has said so far.

        ``saw``: what was read for the ``journal``. Raises ``JournalMoved`` where that is not what is known
        any more.
        """

        def work(unit: Unit) -> None:
            of = self._outbox.deliver(unit, outbox_id, at, acknowledgment)
            self._journal.write(unit, journal, Origin(micros(at), of), saw)

        await self._step(entries, work)

    async def acknowledged(self, outbox_id: int, acknowledgment: Acknowledgment, entries: Drafts) -> None:
        """What the partner's application said later of a message that it had taken."""
        await self._step(entries, lambda unit: self._outbox.acknowledged(unit, outbox_id, acknowledgment))

    async def retry(self, outbox_id: int, next_attempt_at: dt.datetime, reason: str, entries: Drafts) -> None:
        """It did not work; its lanes wait until ``next_attempt_at``, and no others."""
        await self._step(entries, lambda unit: self._outbox.retry(unit, outbox_id, next_attempt_at, reason))

    async def dead(
        self,
        outbox_id: int,
        reason: str,
        entries: Drafts,
        acknowledgment: Acknowledgment = Acknowledgment.NEGATIVE,
    ) -> None:
        """The partner will never take it: out of its lanes, for a person to look at."""
        await self._step(entries, lambda unit: self._outbox.bury(unit, outbox_id, reason, acknowledgment))

    async def refused(
        self,
        outbox_id: int,
        reason: str,
        entries: Drafts,
        acknowledgment: Acknowledgment = Acknowledgment.NEGATIVE,
    ) -> None:
        """The partner does not take it: its lanes stop, until a person skips, corrects or replays it."""
        await self._step(entries, lambda unit: self._outbox.refuse(unit, outbox_id, reason, acknowledgment))

    async def skip(self, outbox_id: int, entries: Drafts) -> None:
        """A refused message becomes a dead letter, and its lanes go on."""
        await self._step(entries, lambda unit: self._outbox.skip(unit, outbox_id))

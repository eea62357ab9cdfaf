"""The store's door for what comes in: taken once, translated in order, answered when it is settled."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from connector.store.commits import Unit
from connector.store.door import Door, Drafts
from connector.store.records import (
    NOTHING,
    About,
    Accepted,
    Acknowledgment,
    Direction,
    InboxItem,
    InboxKey,
    JournalEntry,
    Origin,
    Outgoing,
    Owed,
    Received,
    State,
)
from connector.store.sequences import SequenceRows

NAMED: Final = 50  # made messages that one audit entry names one by one; it has room for them


class Taking(Door):
    """Inbox, sequence numbers, translation."""

    async def accept(
        self,
        received: Received,
        answer: bytes,
        entries: Drafts,
        *,
        if_duplicate: Drafts | None = None,
        if_reused: Drafts = (),
        refuse_reused: bool = False,
        sequence: tuple[str, int] | None = None,
    ) -> Accepted:
        """Take a message, with the answer that a repeated one will get again.

        A duplicate (same key) leaves only its audit entries: ``if_duplicate``, or ``entries`` if None; an
        application acknowledgment that was handed over goes out again.
        ``if_reused``: entries besides, where the control id came before with another content.
        ``refuse_reused``: a control id that came before with another content raises
        ``DuplicateControlId`` and leaves nothing; otherwise ``Accepted.control_id_reused`` tells.
        ``sequence``: a sender, and the sequence number of this message (MSH-13); another than the one that
        comes next raises ``SequenceNumberUnexpected`` and leaves nothing.
        """

        def work(unit: Unit) -> Accepted:
            accepted = self._inbox.accept(unit, received, answer, once=refuse_reused)
            if not accepted.duplicate:
                self._index.put(unit.connection, accepted.id, received.about)
            if accepted.duplicate:
                unit.record(entries if if_duplicate is None else if_duplicate)
            else:
                unit.state(entries, number=accepted.id, content=accepted.content)
                unit.record(if_reused if accepted.control_id_reused else ())
            if accepted.duplicate and received.owed:
                self._outbox.say_again(unit, accepted.id)
            if sequence is not None and not accepted.duplicate:
                SequenceRows(self._keys).take(unit, received.link, *sequence)
            return accepted

        return await self._write(work)

    async def seen(self, direction: Direction, key: InboxKey) -> tuple[bool, bool]:
        """Whether this very message was taken before, and whether any under its control id was."""
        return await self._glance(lambda connection: self._inbox.seen(connection, direction, key))

    async def quarantine(
        self, link: str, payload: bytes, reason: str, fingerprint: str, at: dt.datetime, entries: Drafts
    ) -> int:
        """Keep bytes that nobody can read; the id of the row."""

        def work(unit: Unit) -> int:
            row, content = self._inbox.quarantine(unit, link, payload, reason, fingerprint, at)
            unit.state(entries, number=row, content=content)
            return row

        return await self._write(work)

    async def refuse(
        self, link: str, direction: Direction, reason: str, at: dt.datetime, entries: Drafts
    ) -> None:
        """Count and audit a message that was refused and is not kept."""

        def work(unit: Unit) -> None:
            unit.record(entries)
            unit.count(link, direction, refused=1)

        await self._write(work)

    async def record(self, entries: Drafts) -> None:
        """Audit what changes nothing else here: start, stop, a refused handshake."""
        await self._write(lambda unit: unit.record(entries))

    async def pending(self, link: str, direction: Direction, limit: int) -> list[InboxItem]:
        """What is not translated yet, the oldest first."""
        return await self._read(lambda connection: self._inbox.pending(connection, link, direction, limit))

    async def translated(
        self,
        inbox_id: int,
        outgoing: Sequence[Outgoing],
        lost: Sequence[str],
        journal: Sequence[JournalEntry],
        entries: Drafts,
        about: Iterable[About] = (),
        *,
        behind: int | None = None,
        saw: Mapping[bytes, bytes] = NOTHING,
    ) -> None:
        """Queue what was made of a message, at the end of its lanes; without ``outgoing`` it is done.

        ``about``: by what it is found, besides what was said when it was taken. ``behind``: the message
        before it, which must not wait for its translation any more; ``saw``: what was read for the
        ``journal``. Raises ``MovedOn`` where that one does wait or this one does not, or what was read is
        not what is known any more.
        """

        def work(unit: Unit) -> None:
            if behind is not None:
                self._inbox.past(unit, behind)
            row = self._inbox.waiting(unit, inbox_id)
            made = self._outbox.add(unit, row, outgoing)
            state = State.TRANSLATED if outgoing else self._outbox.state_of(unit, inbox_id)
            self._inbox.done(unit, row, state, lost)
            self._journal.write(unit, journal, Origin(row["received_at"], inbox_id), saw)
            for one in outgoing:
                self._index.put(unit.connection, inbox_id, one.about)
            self._index.put(unit.connection, inbox_id, about)
            unit.state(entries, **_facts(made))

        await self._write(work)

    async def untranslatable(self, inbox_id: int, reason: str, entries: Drafts) -> None:
        """A dead letter: it can be replayed when the fault is mended."""

        def work(unit: Unit) -> None:
            self._inbox.mark(unit, inbox_id, State.DEAD, reason, of=(State.WAITING,))

        await self._step(entries, work)

    # --- application acknowledgments ------------------------------------------------------------------

    async def owed(self, link: str, limit: int, direction: Direction = Direction.TO_FHIR) -> list[Owed]:
        """Settled messages whose sender waits for the application acknowledgment, the oldest first."""
        return await self._glance(lambda connection: self._inbox.owed(connection, link, direction, limit))

    async def answered(
        self, inbox_id: int, outgoing: Outgoing | None, positive: bool, entries: Drafts
    ) -> None:
        """The application acknowledgment goes out, under ``Direction.ANSWER``; None: none is wanted of it.

        Raises ``ConnectorError`` where none is owed.
        """
        said = Acknowledgment.POSITIVE if positive else Acknowledgment.NEGATIVE

        def work(unit: Unit) -> None:
            row = self._inbox.answered(unit, inbox_id, said)
            if outgoing is not None:
                self._outbox.add(unit, row, [outgoing], Direction.ANSWER)

        await self._step(entries, work)

    # --- sequence numbers -----------------------------------------------------------------------------

    async def expected(self, link: str, sender: str) -> int | None:
        """The sequence number (MSH-13) that comes next; -1: any; None: this sender is not known."""
        rows = SequenceRows(self._keys)
        return await self._glance(lambda connection: rows.expected(connection, link, sender))

    async def expect(self, link: str, sender: str, number: int, entries: Drafts) -> None:
        """The next message of this sender has this number."""
        rows = SequenceRows(self._keys)
        await self._step(entries, lambda unit: rows.expect(unit, link, sender, number))


def _facts(made: Sequence[tuple[int, str]]) -> dict[str, list[Any]]:
    """Rows and commitments, for the entry; a great many messages of one are told by their number alone."""
    if not made or len(made) > NAMED:
        return {}
    return {"numbers": [row for row, _ in made], "contents": [content for _, content in made]}

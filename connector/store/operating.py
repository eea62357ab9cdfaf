"""The store's door for people and their commands: look, put back, correct, pause, forget."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, bindparam, text

from connector.store import pauses, pruning, tallies
from connector.store.clashes import ClashRows
from connector.store.commits import Unit
from connector.store.door import Door, Drafts
from connector.store.finding import normal
from connector.store.records import (
    About,
    Clash,
    Counts,
    Direction,
    Filter,
    Kind,
    LaneState,
    Listed,
    Made,
    OutboxItem,
    Paused,
    State,
)
from connector.store.searching import Piece, Search
from connector.store.versions import VersionRows

Found = TypeVar("Found", Listed, Made)
_AUDITED: Final = text(  # the table is the audit package's
    "SELECT entry FROM (SELECT seq, entry FROM audit_entry ORDER BY seq DESC LIMIT :among) "
    "WHERE json_extract(entry, '$.tag') IN :tags ORDER BY seq DESC"
).bindparams(bindparam("tags", expanding=True))


class Operating(Door):
    """What operators see and do."""

    async def replay_delivery(self, outbox_id: int, entries: Drafts) -> None:
        """Send a dead or delivered message again; it goes before everything younger in its lane."""

        def again(unit: Unit) -> None:
            self._outbox.payload(unit.connection, outbox_id)  # what was erased must not stop its lanes
            self._outbox.replay(unit, outbox_id)

        await self._step(entries, again)

    async def replay_translation(self, inbox_id: int, entries: Drafts) -> None:
        """Translate a message again: one that was untranslatable, or all of whose messages are out of
        their lane."""
        await self._step(entries, lambda unit: self._translate_again(unit, inbox_id))

    def _translate_again(self, unit: Unit, inbox_id: int) -> None:
        self._inbox.payload(unit.connection, inbox_id)
        row = self._inbox.mark(unit, inbox_id, State.WAITING, "", of=(State.DEAD, State.DELIVERED))
        self._outbox.replace(unit, row)

    async def dead_letters(
        self, link: str, direction: Direction, limit: int = 100
    ) -> tuple[list[Listed], list[OutboxItem]]:
        """The dead of a lane, the oldest first: received messages, and made ones that were refused."""
        return await self._read(
            lambda connection: (
                self._inbox.dead(connection, link, direction, limit),
                self._outbox.dead(connection, link, direction, limit),
            )
        )

    async def audited(self, tags: Sequence[str], among: int = 20_000) -> list[dict[str, Any]]:
        """Of the last ``among`` entries of the audit log those with one of these tags, the youngest first."""

        def work(connection: Connection) -> list[dict[str, Any]]:
            rows = connection.execute(_AUDITED, {"tags": list(tags), "among": among})
            return [json.loads(entry) for (entry,) in rows]

        return await self._read(work)

    async def recent(self, limit: int) -> list[Listed]:
        """The latest messages of all links, the oldest of them first."""
        return await self._read(lambda connection: self._inbox.listed(connection, limit))

    async def payload(self, inbox_id: int) -> bytes:
        """A message as it came. Whoever shows it to a person audits that."""
        return await self._read(lambda connection: self._inbox.payload(connection, inbox_id))

    async def counts(self) -> dict[tuple[str, Direction], Counts]:
        """What was received and what became of it, by link and direction."""
        return await self._read(tallies.read)

    async def lanes(
        self, link: str | None = None, direction: Direction | None = None, limit: int = 100
    ) -> list[LaneState]:
        """Lanes with something in them, of each link and direction at most ``limit``: those that stopped
        first, then those that wait for another, then those that go, the longest pause first."""
        ways = [
            way
            for way in await self._read(tallies.read)
            if link in (None, way[0]) and direction in (None, way[1])
        ]
        return await self._read(
            lambda connection: [
                one for way in sorted(ways) for one in self._outbox.lanes.listed(connection, *way, limit)
            ]
        )

    async def find(self, by: Filter, limit: int = 100) -> list[Listed]:
        """Received messages that a filter names, the oldest first; ``by.after`` goes on behind a row."""
        return await _found(self.page, by, limit)

    async def find_made(self, by: Filter, limit: int = 100) -> list[Made]:
        """Messages of the outbox that a filter names, as ``find``."""
        return await _found(self.page_made, by, limit)

    async def page(self, by: Filter, limit: int) -> Piece[Listed]:
        """As much of ``find`` as one short read finds, and where to go on: for who must not wait for long."""
        search = Search(self._inbox, self._outbox)
        return await self._read(lambda connection: search.received(connection, by, limit))

    async def page_made(self, by: Filter, limit: int) -> Piece[Made]:
        """As ``page``, of the outbox."""
        search = Search(self._inbox, self._outbox)
        return await self._read(lambda connection: search.made(connection, by, limit))

    async def about(
        self, asked: Iterable[About], entries: Drafts, after: int = 0, limit: int = 100
    ) -> tuple[list[Listed], list[Made]]:
        """Messages that are about one of these, received ones and those made of them, the oldest first.

        ``entries``: who asks, on record before anything is found.
        """
        search, wanted = Search(self._inbox, self._outbox), list(asked)

        def found(connection: Connection) -> tuple[list[Listed], list[Made]]:
            rows = {row for one in wanted for row in self._index.found(connection, one, after, limit)}
            numbers = sorted(rows)[:limit]
            taken = [one for row in numbers if (one := search.taken(connection, row))]
            return taken, [one for row in numbers for one in search.made_of(connection, row)]

        await self._write(lambda unit: unit.record(entries))
        return await self._read(found)

    def pseudonym(self, purpose: str, *parts: str) -> str:
        """What stands for an identifier in the audit log."""
        return self._keys.pseudonym(purpose, *parts)

    def patients(self, asked: Iterable[About]) -> list[str]:
        """What stands for patients in the audit log: a pseudonym of each medical record number, with its
        authority where that is named."""
        return sorted(
            {
                self._keys.pseudonym(one.kind, normal(one.value), *filter(None, [one.authority]))
                for one in asked
                if one.kind is Kind.MRN and normal(one.value)
            }
        )

    async def of_source(self, uid: str) -> dict[str, Any]:
        """What is kept about the message, received or made, that has this uid; {}: there is none, or it was
        erased."""
        search = Search(self._inbox, self._outbox)
        return await self._read(lambda connection: search.of_source(connection, uid))

    async def taken(self, inbox_id: int) -> Listed | None:
        """One received message, for a person to look at."""
        search = Search(self._inbox, self._outbox)
        return await self._read(lambda connection: search.taken(connection, inbox_id))

    async def made(self, outbox_id: int) -> Made | None:
        """One message of the outbox, for a person to look at."""
        search = Search(self._inbox, self._outbox)
        return await self._read(lambda connection: search.one(connection, outbox_id))

    async def made_payload(self, outbox_id: int) -> bytes:
        """A message as it goes out. Whoever shows it to a person audits that."""
        return await self._read(lambda connection: self._outbox.payload(connection, outbox_id))

    # --- corrected copies -----------------------------------------------------------------------------

    async def revise(self, inbox_id: int, payload: bytes, at: dt.datetime, entries: Drafts) -> int:
        """A corrected copy of a dead received message, to be translated; the number of the copy's row.

        The original stays, ``REPLACED``. Raises ``ConnectorError`` where it is not dead.
        """
        rows = VersionRows(self._cipher, self._keys, self._inbox, self._outbox)

        def work(unit: Unit) -> int:
            copy, content = rows.message(unit, inbox_id, payload, at)
            unit.state(entries, content=content, numbers=[copy], contents=[content])
            return copy

        return await self._write(work)

    async def revise_delivery(
        self, outbox_id: int, payload: bytes, entries: Drafts, meta: dict[str, Any] | None = None
    ) -> int:
        """A corrected copy of a made message that is refused or dead, in its place; it goes out again.

        The original stays under the number that this gives. ``meta``: None for the original's.
        """
        rows = VersionRows(self._cipher, self._keys, self._inbox, self._outbox)

        def work(unit: Unit) -> int:
            kept, was, content = rows.delivery(unit, outbox_id, payload, meta)
            unit.state(entries, content=content, numbers=[kept], contents=[was])
            return kept

        return await self._write(work)

    # --- pauses ---------------------------------------------------------------------------------------

    async def pause(self, paused: Paused, entries: Drafts) -> None:
        """Let nothing more go out of a link, or of one direction."""
        await self._step(entries, lambda unit: pauses.put(unit, paused))

    async def resume(
        self, link: str, direction: Direction | None, entries: Drafts, *, intake: bool = False
    ) -> bool:
        """Take a pause away; whether there was this very one."""
        return await self._step(entries, lambda unit: pauses.take(unit, link, direction, intake=intake))

    async def pauses(self) -> list[Paused]:
        """All that are set."""
        return await self._glance(pauses.read)

    # --- retention ------------------------------------------------------------------------------------

    async def prune(
        self, link: str, direction: Direction, before: dt.datetime, limit: int, entries: Drafts
    ) -> int:
        """Forget what was done ``before`` and is owed no answer, at most ``limit`` messages; how many.

        Never what waits, is held, or failed. The entries are recorded only if there were any.
        """

        def work(unit: Unit) -> int:
            gone = pruning.prune(unit, link, direction, before, limit)
            unit.record(entries if gone else ())
            return gone

        return await self._write(work)

    # --- what both sides changed ----------------------------------------------------------------------

    async def clashes(self, link: str, state: str, after: int = 0, limit: int = 100) -> list[Clash]:
        """What lost ("lost") or waits for a person ("held"), the oldest first."""
        rows = ClashRows(self._cipher, self._keys)
        return await self._read(lambda connection: rows.listed(connection, link, state, after, limit))

    async def clash(self, kept: Sequence[Clash], entries: Drafts) -> None:
        """Keep what lost; ``entries``: one for each, recorded with those that were not kept before."""
        rows = ClashRows(self._cipher, self._keys)

        def work(unit: Unit) -> None:
            unit.record([entry for one, entry in zip(kept, entries) if rows.add(unit, one)])

        await self._write(work)

    async def clash_states(self, uids: Iterable[str]) -> dict[str, str]:
        """The states of conflicts that are kept, by uid."""
        rows, asked = ClashRows(self._cipher, self._keys), list(uids)
        return await self._read(lambda connection: rows.states(connection, asked))

    async def one_clash(self, row: int) -> Clash | None:
        """One conflict, with what it is about. Whoever shows it to a person audits that."""
        rows = ClashRows(self._cipher, self._keys)
        return await self._read(lambda connection: rows.one(connection, row))

    async def settle_clash(self, row: int, state: str, entries: Drafts, *, of: str = "") -> None:
        """Say what became of one; ``of``: the state that it must be in. Raises ``MovedOn``."""
        rows = ClashRows(self._cipher, self._keys)
        await self._step(entries, lambda unit: rows.mark(unit, row, state, of))


async def _found(
    page: Callable[[Filter, int], Awaitable[Piece[Found]]], by: Filter, limit: int
) -> list[Found]:
    """Piece by piece, so that others read in between."""
    found: list[Found] = []
    while True:
        some, after = await page(by, limit - len(found))
        found += some
        if not after or len(found) == limit:
            return found
        by = dataclasses.replace(by, after=after)

"""The store: everything that is kept, behind one door.

Every awaitable that writes resolves when its transaction has passed fsync, and raises ``StoreUnavailable``
or ``AuditRefused`` when nothing of it stays. ``entries`` are drafts for the audit log; they are appended in
the same transaction.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from connector.errors import ConfigurationError, StoreUnavailable
from connector.store import database, tallies
from connector.store.cipher import Cipher
from connector.store.commits import GroupCommit, Unit
from connector.store.inbox import InboxRows
from connector.store.journal import JournalRows
from connector.store.keys import KeyProvider
from connector.store.outbox import OutboxRows
from connector.store.reader import Reader
from connector.store.records import (
    Accepted,
    AuditPort,
    Counts,
    Direction,
    InboxItem,
    InboxKey,
    JournalEntry,
    Listed,
    OutboxItem,
    Outgoing,
    Received,
    State,
)

Result = TypeVar("Result")
Drafts = Sequence[Any]

_SCHEME: Final = "sqlite:///"


class Store:
    """One SQLite database; made by ``open``."""

    def __init__(self, reader: Reader, writer: GroupCommit | None, keys: KeyProvider) -> None:
        cipher = Cipher(keys)
        self._reader, self._writer = reader, writer
        self._inbox = InboxRows(cipher, keys)
        self._outbox = OutboxRows(cipher, self._inbox)
        self._journal = JournalRows(cipher, keys)

    @classmethod
    def open(cls, url: str | Path, keys: KeyProvider, audit: AuditPort, *, read_only: bool = False) -> Store:
        """Open or make the store at a path or ``sqlite:///`` url, and bring its schema up to date.

        ``read_only``: look into a store that may be in use; nothing is made or migrated, and what writes
        raises. Raises ``StoreUnavailable``, ``KeyUnavailable`` (not the key it was made with),
        ``AuditRefused`` (its audit log was altered), ``ConfigurationError`` (made by a newer version).
        """
        path = _path(url)
        if read_only:
            return cls(Reader(_existing(path, keys)), None, keys)
        database.create(path)
        engine = database.engine(path)
        try:
            connection = engine.connect()
            try:
                database.prepare(connection, keys, audit)
            except BaseException:
                connection.close()
                raise
        except SQLAlchemyError as error:
            raise database.failure(error, StoreUnavailable("the database cannot be opened")) from error
        reader = Reader(database.engine(path, read_only=True))
        return cls(reader, GroupCommit(engine, connection, audit), keys)

    async def close(self) -> None:
        """Finish what is under way; then everything raises ``ShuttingDown``."""
        if self._writer is not None:
            await self._writer.close()
        await self._reader.close()

    # --- inbox ----------------------------------------------------------------------------------------

    async def accept(
        self,
        received: Received,
        answer: bytes,
        entries: Drafts,
        *,
        if_duplicate: Drafts | None = None,
        refuse_reused: bool = False,
    ) -> Accepted:
        """Take a message, with the answer that a repeated one will get again.

        A duplicate (same key) leaves only its audit entries: ``if_duplicate``, or ``entries`` if None.
        ``refuse_reused``: a control id that came before with another content raises
        ``DuplicateControlId`` and leaves nothing; otherwise ``Accepted.control_id_reused`` tells.
        """

        def work(unit: Unit) -> Accepted:
            accepted = self._inbox.accept(unit, received, answer, once=refuse_reused)
            again = accepted.duplicate and if_duplicate is not None
            unit.record((if_duplicate or ()) if again else entries)
            return accepted

        return await self._write(work)

    async def seen(self, direction: Direction, key: InboxKey) -> tuple[bool, bool]:
        """Whether this very message was taken before, and whether any under its control id was."""
        return await self._reader.read(lambda connection: self._inbox.seen(connection, direction, key))

    async def quarantine(
        self, link: str, payload: bytes, reason: str, fingerprint: str, at: dt.datetime, entries: Drafts
    ) -> int:
        """Keep bytes that nobody can read; the id of the row."""

        def work(unit: Unit) -> int:
            unit.record(entries)
            return self._inbox.quarantine(unit, link, payload, reason, fingerprint, at)

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

    # --- translation ----------------------------------------------------------------------------------

    async def pending(self, link: str, direction: Direction, limit: int) -> list[InboxItem]:
        """What is not translated yet, the oldest first."""
        return await self._reader.read(
            lambda connection: self._inbox.pending(connection, link, direction, limit)
        )

    async def translated(
        self,
        inbox_id: int,
        outgoing: Sequence[Outgoing],
        lost: Sequence[str],
        journal: Sequence[JournalEntry],
        entries: Drafts,
    ) -> None:
        """Queue what was made of a message, at the end of its lane; without ``outgoing`` it is done."""

        def work(unit: Unit) -> None:
            row = self._inbox.waiting(unit, inbox_id)
            self._outbox.add(unit, row, outgoing)
            self._inbox.done(unit, row, self._outbox.state_of(unit, inbox_id), lost)
            self._journal.write(unit, journal)

        await self._step(entries, work)

    async def untranslatable(self, inbox_id: int, reason: str, entries: Drafts) -> None:
        """A dead letter: it can be replayed when the fault is mended."""

        def work(unit: Unit) -> None:
            self._inbox.mark(unit, inbox_id, State.DEAD, reason, of=(State.WAITING,))

        await self._step(entries, work)

    # --- delivery -------------------------------------------------------------------------------------

    async def due(self, link: str, direction: Direction, now: dt.datetime) -> OutboxItem | None:
        """The head of the lane, if its time has come."""
        return await self._reader.read(lambda connection: self._outbox.due(connection, link, direction, now))

    async def queue(self, link: str, direction: Direction, now: dt.datetime, limit: int) -> list[OutboxItem]:
        """The head of the lane, if its time has come, and what comes behind it."""
        return await self._reader.read(
            lambda connection: self._outbox.queue(connection, link, direction, now, limit)
        )

    async def intent(self, outbox_id: int, attempt: int, at: dt.datetime, entries: Drafts) -> None:
        """It is about to be sent; after a crash it is due again, ``unsure``."""
        await self._step(entries, lambda unit: self._outbox.intend(unit, outbox_id, attempt, at))

    async def delivered(
        self, outbox_id: int, at: dt.datetime, journal: Sequence[JournalEntry], entries: Drafts
    ) -> None:
        """The partner has taken it."""

        def work(unit: Unit) -> None:
            self._outbox.deliver(unit, outbox_id, at)
            self._journal.write(unit, journal)

        await self._step(entries, work)

    async def retry(self, outbox_id: int, next_attempt_at: dt.datetime, reason: str, entries: Drafts) -> None:
        """It did not work; the whole lane waits until ``next_attempt_at``."""
        await self._step(entries, lambda unit: self._outbox.retry(unit, outbox_id, next_attempt_at, reason))

    async def dead(self, outbox_id: int, reason: str, entries: Drafts) -> None:
        """The partner will never take it: out of the lane, for a person to look at."""
        await self._step(entries, lambda unit: self._outbox.bury(unit, outbox_id, reason))

    # --- people ---------------------------------------------------------------------------------------

    async def replay_delivery(self, outbox_id: int, entries: Drafts) -> None:
        """Send a dead or delivered message again; it goes before everything younger in its lane."""
        await self._step(entries, lambda unit: self._outbox.replay(unit, outbox_id))

    async def replay_translation(self, inbox_id: int, entries: Drafts) -> None:
        """Translate a message again: one that was untranslatable, or all of whose messages are out of
        their lane."""
        await self._step(entries, lambda unit: self._translate_again(unit, inbox_id))

    def _translate_again(self, unit: Unit, inbox_id: int) -> None:
        row = self._inbox.mark(unit, inbox_id, State.WAITING, "", of=(State.DEAD, State.DELIVERED))
        self._outbox.replace(unit, row)

    async def dead_letters(
        self, link: str, direction: Direction, limit: int = 100
    ) -> tuple[list[Listed], list[OutboxItem]]:
        """The dead of a lane, the oldest first: received messages, and made ones that were refused."""
        return await self._reader.read(
            lambda connection: (
                self._inbox.dead(connection, link, direction, limit),
                self._outbox.dead(connection, link, direction, limit),
            )
        )

    async def recent(self, limit: int) -> list[Listed]:
        """The latest messages of all links, the oldest of them first."""
        return await self._reader.read(lambda connection: self._inbox.listed(connection, limit))

    async def payload(self, inbox_id: int) -> bytes:
        """A message as it came. Whoever shows it to a person audits that."""
        return await self._reader.read(lambda connection: self._inbox.payload(connection, inbox_id))

    async def counts(self) -> dict[tuple[str, Direction], Counts]:
        """What was received and what became of it, by link and direction."""
        return await self._reader.read(tallies.read)

    # --- journal --------------------------------------------------------------------------------------

    async def resource(self, link: str, resource: str) -> bytes | None:
        """The content of ``Patient/abc`` as last known; None: not known, or no longer there."""
        return (await self.resources(link, [resource])).get(resource)

    async def resources(self, link: str, keys: Iterable[str]) -> dict[str, bytes]:
        """The contents that are known, by key."""
        asked = list(keys)
        return await self._reader.read(lambda connection: self._journal.resources(connection, link, asked))

    async def prior_message(self, link: str, resource: str, family: str) -> bytes | None:
        """The last v2 text of the family that spoke of the resource."""
        return await self._reader.read(
            lambda connection: self._journal.prior_message(connection, link, resource, family)
        )

    async def _step(self, entries: Drafts, work: Callable[[Unit], None]) -> None:
        def both(unit: Unit) -> None:
            work(unit)
            unit.record(entries)

        await self._write(both)

    async def _write(self, work: Callable[[Unit], Result]) -> Result:
        if self._writer is None:
            raise StoreUnavailable("the store was opened for reading only")
        return await self._writer.submit(work)


def _path(url: str | Path) -> Path:
    text = str(url)
    if "://" in text and not text.startswith(_SCHEME):
        raise ConfigurationError("only sqlite stores are known", fix="sqlite:///path/to/store.db")
    return Path(text.removeprefix(_SCHEME)).absolute()


def _existing(path: Path, keys: KeyProvider) -> Engine:
    if not path.is_file():
        raise StoreUnavailable("there is no such store")
    engine = database.engine(path, read_only=True)
    try:
        with engine.connect() as connection:
            database.check_existing(connection, keys)
    except SQLAlchemyError as error:
        raise database.failure(error, StoreUnavailable("the database cannot be opened")) from error
    return engine

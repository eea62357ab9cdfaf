"""The store: everything that is kept, behind one door.

Every awaitable that writes resolves when its transaction has passed fsync, and raises ``StoreUnavailable``
or ``AuditRefused`` when nothing of it stays. ``entries`` are drafts for the audit log; they are appended in
the same transaction.
"""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, TypeVar

from sqlalchemy import Engine

from connector.errors import ConfigurationError, StoreUnavailable
from connector.store import database, keyrows
from connector.store.authorizing import Authorizing
from connector.store.commits import GroupCommit
from connector.store.committing import Committing
from connector.store.door import Drafts
from connector.store.effective import Changing
from connector.store.emergencies import Emergencies
from connector.store.erasing import Erasing
from connector.store.feeding import Feeding
from connector.store.keydesk import KeyDesk
from connector.store.keyring import Keyring
from connector.store.keys import KeyProvider
from connector.store.looking import Look
from connector.store.operating import Operating
from connector.store.reader import Reader
from connector.store.records import NOTHING, AuditPort, JournalEntry, Origin, Saw
from connector.store.rotating import Rotating
from connector.store.sending import Sending
from connector.store.statement import driver, micros_now
from connector.store.taking import Taking

_SCHEME: Final = "sqlite:///"

Found = TypeVar("Found")


class Store(
    Taking, Sending, Operating, Authorizing, Emergencies, Rotating, Erasing, Feeding, Committing, Changing
):
    """One SQLite database; made by ``open``."""

    @classmethod
    def open(cls, url: str | Path, keys: KeyProvider, audit: AuditPort, *, read_only: bool = False) -> Store:
        """Open or make the store at a path or ``sqlite:///`` url, and bring its schema up to date.

        ``read_only``: look into a store that may be in use; nothing is made or migrated, and what writes
        raises. Raises ``StoreUnavailable``, ``KeyUnavailable`` (not the key it was made with),
        ``AuditRefused`` (its audit log was altered), ``ConfigurationError`` (made by a newer version).
        """
        path = _path(url)
        if read_only:
            existing, ring = _existing(path, keys)
            reader = Reader(existing)
            return cls(reader, None, KeyDesk(ring, keys, reader, None, micros_now))
        database.create(path)
        engine = database.engine(path)
        try:
            connection = engine.connect()
            try:
                ring = database.prepare(connection, keys, audit, micros_now())
            except BaseException:
                connection.close()
                raise
        except database.ERRORS as error:
            raise database.failure(error, StoreUnavailable("the database cannot be opened")) from error
        reader = Reader(database.engine(path, read_only=True))
        writer = GroupCommit(engine, connection, audit, lambda db: keyrows.count(db, ring))
        return cls(reader, writer, KeyDesk(ring, keys, reader, writer, micros_now))

    _at_end: Callable[[], Awaitable[None]] | None = None

    def watch(self, appended: Callable[[int], None]) -> None:
        """Call this with the number of audit entries of each transaction, once they are on the disk.

        It is called by the thread that writes, and must neither wait nor raise.
        """
        if self._writer is not None:
            self._writer.told = appended

    def at_end(self, act: Callable[[], Awaitable[None]] | None) -> None:
        """What to do before the store closes, if audit entries were appended. It must not raise."""
        self._at_end = act

    async def close(self) -> None:
        """Finish what is under way; then everything raises ``ShuttingDown``."""
        if self._at_end is not None and self._writer is not None and self._writer.appended:
            act, self._at_end = self._at_end, None
            await act()
        await self._desk.close()
        if self._writer is not None:
            await self._writer.close()
        await self._reader.close()

    async def dispose(self, remove: Callable[[sqlite3.Connection], None], entries: Drafts) -> None:
        """Take what is past its retention out of the audit log, with the entries that tell of it.

        ``remove`` works inside the transaction. Raises what it raises: nothing is gone then.
        """
        await self._step(entries, lambda unit: remove(driver(unit.connection)))

    # --- journal --------------------------------------------------------------------------------------

    async def resource(self, link: str, resource: str) -> bytes | None:
        """The content of ``Patient/abc`` as last known; None: not known, or no longer there."""
        return (await self.resources(link, [resource])).get(resource)

    async def resources(self, link: str, keys: Iterable[str], saw: Saw | None = None) -> dict[str, bytes]:
        """The contents that are known, by key. ``saw``: takes down what was read."""
        asked = list(keys)
        return await self._glance(lambda connection: self._journal.resources(connection, link, asked, saw))

    async def told_at(self, link: str, keys: Iterable[str], family: str) -> dt.datetime | None:
        """The latest time at which a message of the family said that something happened to one of them."""
        asked = list(keys)
        return await self._glance(lambda connection: self._journal.told_at(connection, link, asked, family))

    async def look(self, link: str, asked: Callable[[Look], Found]) -> Found:
        """Ask the journal several things at once. ``asked`` may run beside the event loop."""
        return await self._glance(lambda connection: asked(Look(connection, self._journal, link)))

    async def remember(
        self, journal: Sequence[JournalEntry], of: int | None = None, saw: Mapping[bytes, bytes] = NOTHING
    ) -> None:
        """Keep what was learned on the way, whatever becomes of it.

        ``of``: the received message; ``saw``: what was read for it. Raises ``JournalMoved`` where that is not
        what is known any more.
        """
        at = micros_now()
        await self._write(lambda unit: self._journal.write(unit, journal, Origin(at, of), saw))

    async def prior_message(self, link: str, resource: str, family: str) -> bytes | None:
        """The last v2 text of the family that spoke of the resource."""
        return await self._glance(
            lambda connection: self._journal.prior_message(connection, link, resource, family)
        )


def _path(url: str | Path) -> Path:
    text = str(url)
    if "://" in text and not text.startswith(_SCHEME):
        raise ConfigurationError("only sqlite stores are known", fix="sqlite:///path/to/store.db")
    return Path(text.removeprefix(_SCHEME)).absolute()


def _existing(path: Path, keys: KeyProvider) -> tuple[Engine, Keyring]:
    if not path.is_file():
        raise StoreUnavailable("there is no such store")
    engine = database.engine(path, read_only=True)
    try:
        with engine.connect() as connection:
            ring = database.check_existing(connection, keys)
    except database.ERRORS as error:
        raise database.failure(error, StoreUnavailable("the database cannot be opened")) from error
    return engine, ring

"""What every part of the store's door has: a way to read, and a way to write."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection

from connector.errors import StoreUnavailable
from connector.store.cipher import Cipher
from connector.store.commits import GroupCommit, Unit
from connector.store.finding import IndexRows
from connector.store.inbox import InboxRows
from connector.store.journal import JournalRows
from connector.store.keydesk import KeyDesk
from connector.store.outbox import OutboxRows
from connector.store.reader import Reader

Result = TypeVar("Result")
Drafts = Sequence[Any]


class Door:
    """The rows of the store, over one reader and one writer (None: the store is only read)."""

    def __init__(self, reader: Reader, writer: GroupCommit | None, keys: KeyDesk) -> None:
        ring = keys.ring
        cipher = Cipher(ring)
        self._reader, self._writer, self._desk = reader, writer, keys
        self._cipher, self._keys = cipher, ring
        self._inbox = InboxRows(cipher, ring)
        self._outbox = OutboxRows(cipher, ring, self._inbox)
        self._journal = JournalRows(cipher, ring)
        self._index = IndexRows(ring)

    async def _read(self, work: Callable[[Connection], Result]) -> Result:
        return await self._desk.read(work)

    async def _glance(self, work: Callable[[Connection], Result]) -> Result:
        return await self._desk.glance(work)

    async def _step(self, entries: Drafts, work: Callable[[Unit], Result]) -> Result:
        def both(unit: Unit) -> Result:
            result = work(unit)
            unit.record(entries)
            return result

        return await self._write(both)

    async def _write(self, work: Callable[[Unit], Result]) -> Result:
        writer = self._writer
        if writer is None:
            raise StoreUnavailable("the store was opened for reading only")
        return await self._desk.with_keys(lambda: writer.submit(work))

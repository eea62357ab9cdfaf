"""What every part of the store's door has: a way to read, and a way to write."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection

from connector.errors import StoreUnavailable
from connector.store.cipher import Cipher
from connector.store.commits import GroupCommit, Unit
from connector.store.inbox import InboxRows
from connector.store.journal import JournalRows
from connector.store.keys import KeyProvider
from connector.store.outbox import OutboxRows
from connector.store.reader import Reader

Result = TypeVar("Result")
Drafts = Sequence[Any]


class Door:
    """The rows of the store, over one reader and one writer (None: the store is only read)."""

    def __init__(self, reader: Reader, writer: GroupCommit | None, keys: KeyProvider) -> None:
        cipher = Cipher(keys)
        self._reader, self._writer = reader, writer
        self._cipher, self._keys = cipher, keys
        self._inbox = InboxRows(cipher, keys)
        self._outbox = OutboxRows(cipher, keys, self._inbox)
        self._journal = JournalRows(cipher, keys)

    async def _read(self, work: Callable[[Connection], Result]) -> Result:
        return await self._reader.read(work)

    async def _step(self, entries: Drafts, work: Callable[[Unit], Result]) -> Result:
        def both(unit: Unit) -> Result:
            result = work(unit)
            unit.record(entries)
            return result

        return await self._write(both)

    async def _write(self, work: Callable[[Unit], Result]) -> Result:
        if self._writer is None:
            raise StoreUnavailable("the store was opened for reading only")
        return await self._writer.submit(work)

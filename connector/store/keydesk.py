"""Brings keys into memory: asks the provider beside the event loop, once for all who wait for one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

from sqlalchemy import Connection

from connector.errors import Erased, KeysOutOfReach, KeyUnavailable, ShuttingDown
from connector.store import keyrows
from connector.store.chance import fresh_key
from connector.store.commits import GroupCommit, Unit
from connector.store.keyring import KEPT, NONE, DayKey, Keyring, KeyWanted, Wanted
from connector.store.keyrows import Destroyed, KeyRow
from connector.store.keys import KeyProvider, Wrapped
from connector.store.reader import Reader

Result = TypeVar("Result")
SECONDS: Final = 20.0  # for one answer of a provider
_THREADS: Final = 2
_TRIES: Final = 3  # to wrap a new key while key-encryption keys change


class KeyDesk:
    """Between what is done in the store and the provider of its key-encryption keys."""

    def __init__(
        self,
        ring: Keyring,
        provider: KeyProvider,
        reader: Reader,
        writer: GroupCommit | None,
        micros: Callable[[], int],
    ) -> None:
        self.ring, self.provider = ring, provider
        self._reader, self._writer, self._micros = reader, writer, micros
        self._destroyed = Destroyed(ring)
        self._coming: dict[Wanted, asyncio.Task[None]] = {}
        self._threads = ThreadPoolExecutor(_THREADS, "store-keys")  # one that hangs holds up nobody else
        self._inside, self._closed, self._left = 0, False, asyncio.Event()

    async def close(self) -> None:
        """Take nothing more, and wait for whoever waits for a key."""
        self._closed = True
        if self._inside:
            await self._left.wait()
        self._threads.shutdown(wait=False)

    async def with_keys(self, attempt: Callable[[], Awaitable[Result]]) -> Result:
        """Try until every key that is asked for is in memory.

        Raises ``KeyUnavailable``, ``KeysOutOfReach``, ``Erased`` and what the attempt raises.
        """
        if self._closed:
            raise ShuttingDown("the store is closed")
        self._inside += 1
        try:
            return await self._tried(attempt)
        finally:
            self._inside -= 1
            if self._closed and not self._inside:
                self._left.set()

    async def _tried(self, attempt: Callable[[], Awaitable[Result]]) -> Result:
        for _ in range(KEPT):
            try:
                return await attempt()
            except KeyWanted as error:
                wanted = error.wanted
            if wanted != NONE:
                await self._bring(wanted)
        raise KeyUnavailable("more keys are needed at once than there is room for", fix="ask for less")

    async def read(self, work: Callable[[Connection], Result]) -> Result:
        """Read with keys that nobody has destroyed."""
        return await self.with_keys(lambda: self._reader.read(self._looking(work)))

    async def glance(self, work: Callable[[Connection], Result]) -> Result:
        """As ``read``, of a few rows that are found by their keys."""
        return await self.with_keys(lambda: self._reader.glance(self._looking(work)))

    def _looking(self, work: Callable[[Connection], Result]) -> Callable[[Connection], Result]:
        def looked(connection: Connection) -> Result:
            self._destroyed.look(connection)
            return work(connection)

        return looked

    async def _bring(self, wanted: Wanted) -> None:
        task = self._coming.get(wanted)
        if task is None:
            task = self._coming[wanted] = asyncio.get_running_loop().create_task(self._brought(wanted))
            task.add_done_callback(lambda _: self._coming.pop(wanted, None))
        await asyncio.shield(task)

    async def _brought(self, wanted: Wanted) -> None:
        try:
            await self._found(wanted)
        except Erased:  # whoever asked hears that of the keyring, for that one record
            self.ring.drop(wanted.number)

    async def _found(self, wanted: Wanted) -> None:
        if wanted.number:
            row: KeyRow | None = await self._reader.read(lambda db: keyrows.one(db, wanted.number))
        else:
            day = keyrows.name_of(wanted.day)
            row = await self._reader.read(lambda db: keyrows.current(db, wanted.partner, day))
        if row is None:
            self.ring.put(await self._new(wanted), current=True)
        else:
            key = await self._within(keyrows.unwrapped, row, self.provider)
            self.ring.put(key, current=not wanted.number)
            await self._still_there(row.number)

    async def _still_there(self, number: int) -> None:
        """It may have been destroyed while the provider was asked."""
        try:
            await self._reader.read(lambda db: keyrows.one(db, number))
        except Erased:
            self.ring.drop(number)
            raise

    async def _new(self, wanted: Wanted) -> DayKey:
        number, day = keyrows.new_number(), keyrows.name_of(wanted.day)
        key = fresh_key()
        for _ in range(_TRIES):
            bound = keyrows.context(number, wanted.partner, day)
            wrapped = await self._within(self.provider.wrap, key, bound)
            if await self._kept(number, wanted.partner, day, wrapped):
                return DayKey(number, wanted.partner, wanted.day, 0, key)
        raise KeyUnavailable("the key-encryption key is not the current one", fix="restart with the new one")

    async def _kept(self, number: int, partner: str, day: str, wrapped: Wrapped) -> bool:
        def keep(unit: Unit) -> bool:
            kek = keyrows.kek_of(unit.connection, wrapped, self._micros())
            if kek:
                row = KeyRow(number, partner, day, 0, wrapped, False, kek)
                keyrows.put(unit.connection, row, self._micros())
            return bool(kek)

        if self._writer is None:
            raise KeyUnavailable("the store was opened for reading only")
        return await self._writer.submit(keep)

    async def _within(self, call: Callable[..., Result], *given: Any) -> Result:
        """Ask the provider. Raises ``KeysOutOfReach`` where that takes too long, and what it raises."""
        asked = asyncio.get_running_loop().run_in_executor(self._threads, call, *given)
        try:
            return await asyncio.wait_for(asked, SECONDS)
        except TimeoutError:
            raise KeysOutOfReach("the provider of keys takes too long") from None

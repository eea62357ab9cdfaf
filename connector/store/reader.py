"""Reading beside the writer: WAL lets both go on at once, and a reader sees what was committed."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import Final, TypeVar

from sqlalchemy import Connection, Engine

from connector.errors import ShuttingDown, StoreUnavailable
from connector.store import database
from connector.store.statement import driver

THREADS: Final = 2
SLOW: Final = 0.2  # seconds: a glance that takes longer is one at a disk that does
_WARY: Final = 10.0  # seconds after that for which nobody glances

Result = TypeVar("Result")


class Reader:
    """A few threads, each with a connection of its own that cannot write, and one for a glance."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._mine = threading.local()
        self._opened: list[Connection] = []
        self._closed = False
        self._threads = ThreadPoolExecutor(THREADS, "store-reader")
        self._wary_until = 0.0

    @property
    def path(self) -> str:
        """The database that is read."""
        return str(self._engine.url.database)

    async def read(self, work: Callable[[Connection], Result]) -> Result:
        """Do ``work`` with a connection. Raises ``StoreUnavailable`` and what the work raises."""
        self._check()
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._work, work)

    async def glance(self, work: Callable[[Connection], Result]) -> Result:
        """As ``read``, at once and where the caller is: for a few rows that are found by their keys.

        They are in memory as a rule, and to look at them takes less time than the way to a thread and back.
        Where the disk or another process has to be waited for, the threads do that for a while.
        """
        begun = monotonic()
        if begun < self._wary_until:
            return await self.read(work)
        self._check()
        try:
            result = self._work(work, waiting=False)
        except StoreUnavailable:
            self._wary_until = monotonic() + _WARY
            return await self.read(work)
        if monotonic() - begun > SLOW:
            self._wary_until = monotonic() + _WARY
        return result

    async def close(self) -> None:
        """Let the reads in hand end."""
        self._closed = True
        await asyncio.to_thread(self._threads.shutdown)
        for connection in self._opened:
            connection.close()
        self._opened.clear()

    def _check(self) -> None:
        if self._closed:
            raise ShuttingDown("the store is closed")

    def _work(self, work: Callable[[Connection], Result], *, waiting: bool = True) -> Result:
        try:
            return work(self._connection(waiting=waiting))
        except database.ERRORS as error:
            raise database.failure(error, StoreUnavailable("the database cannot be read")) from error

    def _connection(self, *, waiting: bool) -> Connection:
        """The one of this thread; ``waiting``: for a lock, should there be one."""
        connection: Connection | None = getattr(self._mine, "connection", None)
        if connection is None:
            connection = self._engine.connect()
            if not waiting:
                driver(connection).execute("PRAGMA busy_timeout = 0")
            self._mine.connection = connection
            self._opened.append(connection)
        return connection

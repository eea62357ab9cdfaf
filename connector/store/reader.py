"""Reading beside the writer: WAL lets both go on at once, and a reader sees what was committed."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from sqlalchemy import Connection, Engine

from connector.errors import ShuttingDown, StoreUnavailable
from connector.store import database

THREADS: Final = 2

Result = TypeVar("Result")


class Reader:
    """A few threads, each with a connection of its own that cannot write."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._mine = threading.local()
        self._opened: list[Connection] = []
        self._closed = False
        self._threads = ThreadPoolExecutor(THREADS, "store-reader")

    @property
    def path(self) -> str:
        """The database that is read."""
        return str(self._engine.url.database)

    async def read(self, work: Callable[[Connection], Result]) -> Result:
        """Do ``work`` with a connection. Raises ``StoreUnavailable`` and what the work raises."""
        if self._closed:
            raise ShuttingDown("the store is closed")
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._work, work)

    async def close(self) -> None:
        """Let the reads in hand end."""
        self._closed = True
        await asyncio.to_thread(self._threads.shutdown)
        for connection in self._opened:
            connection.close()
        self._opened.clear()

    def _work(self, work: Callable[[Connection], Result]) -> Result:
        try:
            return work(self._connection())
        except database.ERRORS as error:
            raise database.failure(error, StoreUnavailable("the database cannot be read")) from error

    def _connection(self) -> Connection:
        connection: Connection | None = getattr(self._mine, "connection", None)
        if connection is None:
            connection = self._mine.connection = self._engine.connect()
            self._opened.append(connection)
        return connection

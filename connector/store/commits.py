"""Group commit: one thread writes, and whatever waits for it when it is free shares one transaction.

Each caller's work stands in a savepoint of its own, so that what fails for one does not fail for the
others. All their audit entries are appended together, then there is one commit, and only when it has
passed fsync does anybody hear of success. There is no delay to collect more: under load the batch is what
came in while the one before was written.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Engine

from connector.errors import AuditRefused, ConnectorError, Overloaded, ShuttingDown, StoreUnavailable
from connector.store import database, tallies
from connector.store.checkpoints import Checkpoints, copy
from connector.store.records import AuditPort, Direction
from connector.store.statement import driver

BATCH: Final = 256  # callers that share one commit at most
WAITING: Final = 20_000  # callers that may wait at most

Result = TypeVar("Result")


class Unit:
    """One caller's share of a transaction: work is done on ``connection``, entries and counts go along."""

    __slots__ = ("connection", "counted", "drafts")

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.drafts: list[Any] = []
        self.counted: list[tuple[str, str, str, int]] = []

    def record(self, drafts: Sequence[Any]) -> None:
        """Audit entries for what this unit does."""
        self.drafts.extend(drafts)

    def state(self, drafts: Sequence[Any], **facts: Any) -> None:
        """Audit entries, with what is only known now that it is done."""
        self.drafts.extend(one._replace(object={**one.object, **facts}) for one in drafts)

    def count(self, link: str, direction: Direction | str, **changes: int) -> None:
        """Changes of the tallies of a link and direction."""
        self.counted.extend((link, str(direction), name, by) for name, by in changes.items())


Work = Callable[[Unit], Result]


class _Job:
    """A caller that waits. ``work`` may run more than once: what it does is rolled back in between."""

    __slots__ = ("error", "future", "loop", "result", "work")

    def __init__(self, work: Work[Any], future: asyncio.Future[Any]) -> None:
        self.work, self.future, self.loop = work, future, future.get_loop()
        self.result: Any = None
        self.error: BaseException | None = None

    def resolve(self) -> None:
        if self.future.done():  # the caller was cancelled; what it asked for is done all the same
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)


class _Refused(Exception):
    """The whole transaction must go: it may do in smaller parts."""


class GroupCommit:
    """The one writer of a store."""

    def __init__(
        self, engine: Engine, connection: Connection, audit: AuditPort, last: Callable[[Connection], None]
    ) -> None:
        """``last``: done at the end of every transaction; where it raises, nothing of that stays."""
        self._engine, self._audit, self._last = engine, audit, last
        self._connection: Connection | None = connection
        self._waiting: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._closed = False
        self.appended = 0  # audit entries, so far
        self.told: Callable[[int], None] | None = None  # of entries, once they are on the disk
        self._checkpoints = Checkpoints(engine)
        self._trouble: Counter[str] = Counter()  # callers that were refused, by the name of the error
        self._counting = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    def submit(self, work: Work[Result]) -> asyncio.Future[Result]:
        """Do ``work`` in the next transaction; resolves once it is on the disk.

        Raises ``StoreUnavailable``, ``AuditRefused`` (nothing of the work stays), ``Overloaded``,
        ``ShuttingDown`` and what the work raises.
        """
        if self._closed:
            raise ShuttingDown("the store is closed")
        if self._waiting.qsize() >= WAITING:
            raise Overloaded("too many wait for the store")
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.put(_Job(work, future))
        return future

    async def close(self) -> None:
        """Finish what waits, then end the thread and its connection."""
        if not self._closed:
            self._closed = True
            self._waiting.put(None)
        await asyncio.to_thread(self._checkpoints.close)
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        while (first := self._waiting.get()) is not None:
            batch, last = self._batch(first)
            self._commit(batch)
            self._note(batch)
            _resolve(batch)
            if last:
                break
            if self._checkpoints.long.is_set():
                self._shorten()
        if self._connection is not None:
            self._connection.close()

    def _note(self, batch: Sequence[_Job]) -> None:
        found = [job.error for job in batch if isinstance(job.error, StoreUnavailable | AuditRefused)]
        if found:
            self.add_trouble(Counter(type(error).__name__ for error in found))

    def add_trouble(self, found: Mapping[str, int]) -> None:
        """Count callers that were refused since the disk or the audit log is unwell."""
        with self._counting:
            self._trouble.update(found)

    def take_trouble(self) -> Counter[str]:
        """What was counted since this was last asked."""
        with self._counting:
            found, self._trouble = self._trouble, Counter()
        return found

    def _shorten(self) -> None:
        """Nobody writes now: copy the rest of the log, so that the next transaction begins it anew."""
        self._checkpoints.long.clear()
        with contextlib.suppress(*database.ERRORS):
            copy(self._connected())

    def _batch(self, first: _Job) -> tuple[list[_Job], bool]:
        batch = [first]
        while len(batch) < BATCH:
            try:
                job = self._waiting.get_nowait()
            except queue.Empty:
                break
            if job is None:
                return batch, True
            batch.append(job)
        return batch, False

    def _commit(self, batch: list[_Job]) -> None:
        """Commit all, or, where the whole is refused, each half by itself."""
        try:
            self._transaction(batch)
        except _Refused as refused:
            if len(batch) == 1:
                batch[0].error = refused.__cause__
                return
            middle = len(batch) // 2
            self._commit(batch[:middle])
            self._commit(batch[middle:])
        except Exception as error:
            for job in batch:
                job.error = database.failure(error, StoreUnavailable("the database refuses"))
                job.error.__cause__ = error

    def _transaction(self, batch: list[_Job]) -> None:
        connection = self._connected()
        driver(connection).execute("BEGIN IMMEDIATE")
        try:
            units = [unit for job in batch if (unit := _savepoint(connection, job))]
            drafts = [draft for unit in units for draft in unit.drafts]
            self._append(connection, drafts)
            tally(connection, units)
            self._finish(connection)
            self._durable(connection)
            self._tell(len(drafts))
        except BaseException as error:
            self._roll_back(connection)
            if database.full(error):
                raise _Refused from database.failure(error, StoreUnavailable("no room"))
            raise

    def _tell(self, entries: int) -> None:
        self.appended += entries
        if entries and self.told is not None:
            self.told(entries)

    def _durable(self, connection: Connection) -> None:
        """Commit. One that fails may yet lie whole in the log of SQLite, where the next start would find
        it and take it for done: so something else is written over it before anybody hears of it."""
        try:
            driver(connection).execute("COMMIT")
        except database.ERRORS:
            self._roll_back(connection)
            with contextlib.suppress(*database.ERRORS):  # the disk is unwell: what counts is the attempt
                version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
                connection.exec_driver_sql(f"PRAGMA user_version = {(version + 1) % 2**31}")
            raise

    def _append(self, connection: Connection, drafts: list[Any]) -> None:
        if not drafts:
            return
        try:
            self._audit.append(connection, drafts)
        except Exception as error:
            if database.unwell(error):
                raise
            refused = AuditRefused(f"the audit log does not take the entry ({type(error).__name__})")
            raise _Refused from refused

    def _finish(self, connection: Connection) -> None:
        try:
            self._last(connection)
        except Exception as error:
            if database.unwell(error):
                raise
            raise _Refused from error

    def _connected(self) -> Connection:
        if self._connection is None:
            self._connection = self._engine.connect()
        return self._connection

    def _roll_back(self, connection: Connection) -> None:
        try:
            if driver(connection).in_transaction:
                driver(connection).execute("ROLLBACK")
        except database.ERRORS:
            self._connection = None  # a fresh one for the next transaction
            connection.close()


def _savepoint(connection: Connection, job: _Job) -> Unit | None:
    """Do one caller's work; None if it failed and left nothing. Raises where the database is unwell."""
    unit = Unit(connection)
    job.error = None
    raw = driver(connection)
    raw.execute("SAVEPOINT unit")
    try:
        job.result = job.work(unit)
    except Exception as error:
        if database.unwell(error):
            raise
        raw.execute("ROLLBACK TO unit")
        broken = isinstance(error, database.ERRORS)
        job.error = database.failure(error, ConnectorError("a rule of the database")) if broken else error
    raw.execute("RELEASE unit")
    return unit if job.error is None else None


def tally(connection: Connection, units: Sequence[Unit]) -> None:
    """Add what the units have counted to the tallies."""
    changes: Counter[tuple[str, str, str]] = Counter()
    for unit in units:
        for link, direction, name, by in unit.counted:
            changes[link, direction, name] += by
    tallies.add(connection, changes)


def _resolve(batch: Sequence[_Job]) -> None:
    """Wake the callers: one call into each event loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[_Job]] = {}
    for job in batch:
        by_loop.setdefault(job.loop, []).append(job)
    for loop, jobs in by_loop.items():
        with contextlib.suppress(RuntimeError):  # its loop has ended, so nobody there is waiting
            loop.call_soon_threadsafe(_resolve_all, jobs)


def _resolve_all(jobs: Sequence[_Job]) -> None:
    for job in jobs:
        job.resolve()

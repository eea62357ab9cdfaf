"""A repository of the audit log, a store and a feed between them, for the tests of feeds."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from connector.errors import (
    DeliveryError,
    PartnerUnreachable,
)
from connector.pipeline.breaker import Pauses
from connector.pipeline.feeding import Feed, FeedRules, Taken
from connector.store import Logged, Store
from tests.store.site import draft, open_store, rows

QUICK = FeedRules(whole=True, confirm=0.02, batch=10, rate=1e6, alarm=60, pauses=Pauses(0.001, 1.0, 0.001))
OWN = "SELECT json_extract(entry, '$.tag'), json_extract(entry, '$.reason') FROM audit_entry WHERE seq > ?"


@dataclass
class Desk:
    """A repository whose process can lose what it was handed and did not read."""

    limit: int = 1000
    read: list[int] = field(default_factory=list)
    unread: list[int] = field(default_factory=list)
    down: DeliveryError | None = None
    handing: Callable[[Logged], DeliveryError | None] = lambda one: None
    settles: bool = True
    calls: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def hand(self, entries: Sequence[Logged]) -> Taken:
        self.calls += 1
        await asyncio.sleep(0)
        if self.down is not None:
            raise self.down
        handed = 0
        for one in entries:
            if error := self.handing(one):
                return Taken(handed, 0, error)
            self.unread.append(one.seq)
            handed = one.seq
        assert len(self.unread) <= self.limit
        return Taken(handed)

    async def settle(self) -> None:
        await asyncio.sleep(0)
        if self.down is not None or not self.settles:
            self.changed.set()
            raise self.down or PartnerUnreachable("gone")
        self.read += self.unread
        self.unread.clear()
        self.changed.set()

    def check(self) -> None:
        if self.down is not None and self.unread:
            raise self.down

    async def drop(self) -> None:
        self.unread.clear()

    async def until(self, good: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not good():
                self.changed.clear()
                await self.changed.wait()


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


@asynccontextmanager
async def running(store: Store, desk: Any, rules: FeedRules = QUICK) -> AsyncIterator[Feed]:
    feed = Feed("arr", store, desk, rules, now, lambda: 1.0)
    await feed.begin()
    task = asyncio.create_task(feed.run())
    try:
        yield feed
    finally:
        feed.end()
        await asyncio.wait_for(task, 5)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = open_store(tmp_path)
    yield opened
    await opened.close()


async def log(store: Store, count: int) -> None:
    await store.record([draft() for _ in range(count)])


async def mark(store: Store) -> int:
    found = await store.feed("arr")
    assert found is not None
    return found.seq


async def told(folder: Path, after: int) -> list[tuple[str, str]]:
    await asyncio.sleep(0)
    return [(str(tag), str(why)) for tag, why in rows(folder, OWN, (after,))]


async def until(good: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not good():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)

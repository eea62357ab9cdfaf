"""A feed follows the log: in order, at least once, through every crash and outage, and without an end of
telling of itself."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from audit import Tag
from connector.errors import (
    DeliveryError,
    EntryNotSendable,
    PartnerRefusedMessage,
    PartnerRefusedUs,
    PartnerUnreachable,
    StoreUnavailable,
)
from connector.pipeline.breaker import Pauses
from connector.pipeline.feeding import IN_A_ROW, Feed, FeedRules, Taken
from connector.store import Logged, Store
from tests.edges.syslog_site import in_order
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


async def test_everything_arrives_in_order_and_the_mark_follows(store: Store) -> None:
    desk = Desk()
    await log(store, 25)
    async with running(store, desk):
        await desk.until(lambda: len(desk.read) == 25)
        await log(store, 5)
        await desk.until(lambda: len(desk.read) == 30)
    assert desk.read == list(range(1, 31))
    assert await mark(store) == 30


async def test_what_is_there_at_the_end_is_handed_over_yet(store: Store) -> None:
    desk, slow = Desk(), FeedRules(whole=True, confirm=600, window=10, batch=4, rate=1e6)
    async with running(store, desk, slow):
        await log(store, 25)
    assert desk.read == list(range(1, 26))
    assert await mark(store) == 25


async def test_no_more_than_a_window_is_not_known_to_have_come(store: Store) -> None:
    desk = Desk(limit=7)
    await log(store, 40)
    async with running(store, desk, FeedRules(whole=True, confirm=600, window=7, batch=3, rate=1e6)):
        await desk.until(lambda: len(desk.read) == 35)
    assert desk.read == list(range(1, 41))


async def test_a_lost_connection_sends_the_window_again(store: Store) -> None:
    desk = Desk()
    await log(store, 30)
    desk.settles = False
    async with running(store, desk):
        await desk.until(lambda: desk.calls >= 3)
        assert await mark(store) == 0
        desk.settles = True
        await desk.until(lambda: len(desk.read) >= 30)
    assert in_order(desk.read, 1000) == list(range(1, 31))


async def test_some_that_came_go_again_after_an_outage_where_that_is_asked_for(store: Store) -> None:
    desk, rules = Desk(), FeedRules(whole=True, confirm=0.01, again=4, rate=1e6, pauses=QUICK.pauses)
    await log(store, 10)
    async with running(store, desk, rules):
        await desk.until(lambda: len(desk.read) == 10)
        desk.down = PartnerUnreachable("gone")
        await log(store, 1)
        await asyncio.sleep(0.3)
        desk.down = None
        await desk.until(lambda: 11 in desk.read)
    assert desk.read == [*range(1, 11), *range(7, 12)]


class Crash(BaseException):
    """The process is killed at this place."""


@pytest.mark.parametrize("where", ["hand", "settle", "advance_feed", "after"])
async def test_a_crash_at_any_place_loses_nothing(tmp_path: Path, where: str) -> None:
    store, desk = open_store(tmp_path), Desk()
    await log(store, 20)
    await _crashed(store, desk, where)
    desk.unread.clear()
    await store.close()
    again = open_store(tmp_path)
    assert await mark(again) == (20 if where == "after" else 0)
    async with running(again, desk):
        await log(again, 1)
        await desk.until(lambda: 21 in desk.read)
    assert in_order(desk.read, 1000) == list(range(1, 22))
    assert len(desk.read) == (41 if where == "advance_feed" else 21)
    await again.close()


async def _crashed(store: Store, desk: Desk, where: str) -> None:
    """Feed until the place, at which nothing more happens."""
    feed = Feed("arr", store, desk, QUICK, now, lambda: 1.0)
    await feed.begin()
    at: Any = store if where == "advance_feed" else desk
    real = getattr(at, where, None)

    async def crash(*given: Any) -> None:
        raise Crash

    if where == "after":
        while await mark(store) < 20:
            await feed._turn()
        return
    object.__setattr__(at, where, crash)
    with pytest.raises(Crash):
        await _turning(feed)
    object.__setattr__(at, where, real)


async def _turning(feed: Feed) -> None:
    while True:
        await feed._turn()


async def test_a_new_feed_from_now_on_gets_nothing_of_before(store: Store) -> None:
    desk = Desk()
    await log(store, 5)
    async with running(store, desk, FeedRules(confirm=0.01)):
        await log(store, 2)
        await desk.until(lambda: len(desk.read) == 2)
    assert desk.read == [6, 7]


async def test_an_outage_that_lasts_is_told_of_once_and_its_end_too(tmp_path: Path, store: Store) -> None:
    desk, rules = Desk(), FeedRules(whole=True, confirm=0.01, rate=1e6, alarm=0.1, pauses=QUICK.pauses)
    desk.down = PartnerUnreachable("gone")
    await log(store, 3)
    async with running(store, desk, rules) as feed:
        await _until(lambda: bool(feed.state()))
        assert "PartnerUnreachable" in feed.state()
        found = await store.feed("arr")
        assert found is not None
        assert (found.reason, found.seq) == ("PartnerUnreachable", 0)
        await asyncio.sleep(0.2)
        assert await told(tmp_path, 3) == [("audit:feed:stopped", "PartnerUnreachable")]
        desk.down = None
        await desk.until(lambda: 5 in desk.read)
        assert feed.state() == ""
    assert await told(tmp_path, 4) == [("audit:feed:resumed", "")]
    found = await store.feed("arr")
    assert found is not None
    assert (found.reason, found.since) == ("", None)


async def _until(good: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not good():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)


async def test_a_short_outage_is_not_told_of(tmp_path: Path, store: Store) -> None:
    desk = Desk(down=PartnerUnreachable("gone"))
    await log(store, 3)
    async with running(store, desk):
        await _until(lambda: desk.calls > 3)
        desk.down = None
        await desk.until(lambda: len(desk.read) == 3)
    assert await told(tmp_path, 3) == []


async def test_what_a_person_must_mend_is_told_of_at_once(tmp_path: Path, store: Store) -> None:
    desk = Desk(down=PartnerRefusedUs("tls: certificate verify failed"))
    await log(store, 3)
    async with running(store, desk) as feed:
        await _until(lambda: bool(feed.state()))
        desk.down = PartnerUnreachable("gone")
        await asyncio.sleep(0.05)
    assert await told(tmp_path, 3) == [("audit:feed:stopped", "PartnerRefusedUs")]


async def test_a_restart_in_an_outage_does_not_tell_of_it_again(tmp_path: Path, store: Store) -> None:
    desk = Desk(down=PartnerRefusedUs("no"))
    await log(store, 3)
    for _ in range(3):
        async with running(store, desk) as feed:
            before = desk.calls
            await _until(lambda before=before: desk.calls > before + 2)  # type: ignore[misc]
            assert "PartnerRefusedUs" in feed.state()
    assert await told(tmp_path, 3) == [("audit:feed:stopped", "PartnerRefusedUs")]
    desk.down = None
    async with running(store, desk):
        await desk.until(lambda: 5 in desk.read)
    assert [tag for tag, _ in await told(tmp_path, 4)] == ["audit:feed:resumed"]


async def test_an_outage_lasts_over_restarts(tmp_path: Path, store: Store) -> None:
    desk = Desk(down=PartnerUnreachable("gone"))
    rules = FeedRules(whole=True, alarm=0.4, pauses=QUICK.pauses)
    await store.record([draft()._replace(time=f"{now():%Y-%m-%dT%H:%M:%S.%f}Z")])
    for _ in range(20):
        async with running(store, desk, rules) as feed:
            await asyncio.sleep(0.05)
            if feed.state():
                break
    assert await told(tmp_path, 1) == [("audit:feed:stopped", "PartnerUnreachable")]


async def test_telling_of_itself_ends(tmp_path: Path, store: Store) -> None:
    """The worst repository: after each entry that it takes it refuses us, which is told of at once."""
    desk = Desk()

    def refuses(one: Logged) -> DeliveryError | None:
        if desk.calls % 2:
            return PartnerRefusedUs("no")
        return None

    desk.handing = refuses
    await log(store, 1)
    async with running(store, desk, FeedRules(whole=True, confirm=0, batch=1, rate=1e6, pauses=QUICK.pauses)):
        await _until(lambda: bool(desk.read))
        before = len(await told(tmp_path, 0))
        for _ in range(3):
            await asyncio.sleep(0.3)
        after = await told(tmp_path, 0)
    assert before <= 4
    assert len(after) <= 4, after
    assert desk.read[-1] == len(after)


async def test_a_feed_that_goes_makes_no_entries(tmp_path: Path, store: Store) -> None:
    desk = Desk()
    await log(store, 50)
    async with running(store, desk):
        await desk.until(lambda: len(desk.read) == 50)
        await asyncio.sleep(0.1)
    assert await told(tmp_path, 50) == []


def wrong(*numbers: int) -> Callable[[Logged], DeliveryError | None]:
    return lambda one: EntryNotSendable("no") if one.seq in numbers else None


async def test_an_entry_that_is_never_taken_stops_the_feed(tmp_path: Path, store: Store) -> None:
    desk = Desk(handing=wrong(4))
    await log(store, 9)
    async with running(store, desk) as feed:
        await _until(lambda: bool(feed.state()))
        assert await mark(store) == 3
        assert desk.read == [1, 2, 3]
        desk.handing = wrong()
        await desk.until(lambda: 11 in desk.read)
    assert in_order(desk.read, 10) == list(range(1, 12))
    tags = [("audit:feed:stopped", "EntryNotSendable"), ("audit:feed:resumed", "")]
    assert await told(tmp_path, 9) == tags


SKIPS = FeedRules(whole=True, confirm=0.01, batch=4, rate=1e6, skips=True, pauses=QUICK.pauses)


async def test_where_it_is_said_so_it_is_left_out_and_that_is_on_record(tmp_path: Path, store: Store) -> None:
    desk = Desk(handing=wrong(4, 5))
    await log(store, 9)
    async with running(store, desk, SKIPS):
        await desk.until(lambda: 11 in desk.read)
    assert desk.read == [1, 2, 3, 6, 7, 8, 9, 10, 11]
    assert await told(tmp_path, 9) == [("audit:feed:skipped", "EntryNotSendable")] * 2
    said = [json.loads(entry)["object"] for (entry,) in rows(tmp_path, "SELECT entry FROM audit_entry")][9:]
    assert [(one["feed"], one["seq"]) for one in said] == [("arr", 4), ("arr", 5)]


async def test_who_takes_nothing_at_all_stops_it_all_the_same(tmp_path: Path, store: Store) -> None:
    desk = Desk(handing=lambda one: PartnerRefusedMessage("no"))
    await log(store, IN_A_ROW + 5)
    async with running(store, desk, SKIPS) as feed:
        await _until(lambda: bool(feed.state()))
        await asyncio.sleep(0.05)
        assert await mark(store) == IN_A_ROW


async def test_that_an_entry_of_a_feed_was_left_out_is_not_told_of(tmp_path: Path, store: Store) -> None:
    desk = Desk(handing=lambda one: PartnerRefusedMessage("no") if "audit:feed" in one.entry else None)
    await store.record([draft(), draft(Tag.AUDIT_FEED_STOPPED), draft()])
    async with running(store, desk, SKIPS):
        await desk.until(lambda: 3 in desk.read)
    assert await told(tmp_path, 3) == []


async def test_entries_that_are_gone_stop_it(tmp_path: Path, store: Store) -> None:
    desk = Desk()
    await log(store, 5)
    feed = Feed("arr", store, desk, QUICK, now, lambda: 1.0)
    await feed.begin()
    trigger = "SELECT sql FROM sqlite_master WHERE name = 'audit_entry_no_delete'"
    ((sql,),) = rows(tmp_path, trigger)
    rows(tmp_path, "DROP TRIGGER audit_entry_no_delete")
    rows(tmp_path, "DELETE FROM audit_entry WHERE seq = 3")
    rows(tmp_path, sql)
    with pytest.raises(DeliveryError, match="gone"):
        await feed._turn()
    assert desk.unread == []


async def test_a_store_that_is_unwell_is_waited_for(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    desk, real, calls = Desk(), store.advance_feed, list[int]()

    async def unwell(*given: Any) -> None:
        calls.append(1)
        if len(calls) < 3:
            raise StoreUnavailable("no")
        await real(*given)

    monkeypatch.setattr(store, "advance_feed", unwell)
    await log(store, 5)
    async with running(store, desk):
        await desk.until(lambda: len(desk.read) >= 15)
        await _until(lambda: len(calls) >= 3)
    assert in_order(desk.read, 100) == [1, 2, 3, 4, 5]
    assert await mark(store) == 5


async def test_somebody_who_mended_it_does_not_wait(store: Store) -> None:
    slow = FeedRules(whole=True, confirm=0.01, pauses=Pauses(600, 1, 600))
    desk = Desk(down=PartnerUnreachable("gone"))
    await log(store, 1)
    async with running(store, desk, slow) as feed:
        await _until(lambda: desk.calls == 1)
        desk.down = None
        await asyncio.sleep(0.05)
        feed.wake()
        await desk.until(lambda: desk.read == [1])


async def test_it_keeps_to_its_rate(store: Store) -> None:
    desk = Desk()
    await log(store, 60)
    begun = asyncio.get_running_loop().time()
    async with running(store, desk, FeedRules(whole=True, confirm=0.01, batch=10, rate=200)):
        await desk.until(lambda: len(desk.read) == 60)
        assert asyncio.get_running_loop().time() - begun > 0.25

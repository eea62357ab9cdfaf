"""A feed follows the log: in order, at least once, through every crash and outage, and without an end of
telling of itself."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from connector.errors import (
    DeliveryError,
    PartnerRefusedUs,
    PartnerUnreachable,
)
from connector.pipeline.feeding import Feed, FeedRules
from connector.store import Logged, Store
from tests.edges.syslog_site import in_order
from tests.pipeline.feed_desk import QUICK, Desk, log, mark, now, running, store, told, until
from tests.store.site import draft, open_store

__all__ = ["store"]  # a fixture


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
        await until(lambda: bool(feed.state()))
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


async def test_a_short_outage_is_not_told_of(tmp_path: Path, store: Store) -> None:
    desk = Desk(down=PartnerUnreachable("gone"))
    await log(store, 3)
    async with running(store, desk):
        await until(lambda: desk.calls > 3)
        desk.down = None
        await desk.until(lambda: len(desk.read) == 3)
    assert await told(tmp_path, 3) == []


async def test_what_a_person_must_mend_is_told_of_at_once(tmp_path: Path, store: Store) -> None:
    desk = Desk(down=PartnerRefusedUs("tls: certificate verify failed"))
    await log(store, 3)
    async with running(store, desk) as feed:
        await until(lambda: bool(feed.state()))
        desk.down = PartnerUnreachable("gone")
        await asyncio.sleep(0.05)
    assert await told(tmp_path, 3) == [("audit:feed:stopped", "PartnerRefusedUs")]


async def test_a_restart_in_an_outage_does_not_tell_of_it_again(tmp_path: Path, store: Store) -> None:
    desk = Desk(down=PartnerRefusedUs("no"))
    await log(store, 3)
    for _ in range(3):
        async with running(store, desk) as feed:
            before = desk.calls
            await until(lambda before=before: desk.calls > before + 2)  # type: ignore[misc]
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
        await until(lambda: bool(desk.read))
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


async def test_it_keeps_to_its_rate(store: Store) -> None:
    desk = Desk()
    await log(store, 60)
    begun = asyncio.get_running_loop().time()
    async with running(store, desk, FeedRules(whole=True, confirm=0.01, batch=10, rate=200)):
        await desk.until(lambda: len(desk.read) == 60)
        assert asyncio.get_running_loop().time() - begun > 0.25

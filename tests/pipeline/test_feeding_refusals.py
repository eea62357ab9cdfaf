"""What a feed cannot deliver: it stops, waits or leaves out, as it is told to, and never in silence."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from audit import Tag
from connector.errors import (
    DeliveryError,
    EntryNotSendable,
    PartnerRefusedMessage,
    PartnerUnreachable,
    StoreUnavailable,
)
from connector.pipeline.breaker import Pauses
from connector.pipeline.feeding import IN_A_ROW, Feed, FeedRules
from connector.store import Logged, Store
from tests.edges.syslog_site import in_order
from tests.pipeline.feed_desk import QUICK, Desk, log, mark, now, running, store, told, until
from tests.store.site import draft, rows

__all__ = ["store"]  # a fixture


def wrong(*numbers: int) -> Callable[[Logged], DeliveryError | None]:
    return lambda one: EntryNotSendable("no") if one.seq in numbers else None


async def test_an_entry_that_is_never_taken_stops_the_feed(tmp_path: Path, store: Store) -> None:
    desk = Desk(handing=wrong(4))
    await log(store, 9)
    async with running(store, desk) as feed:
        await until(lambda: bool(feed.state()))
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
        await until(lambda: bool(feed.state()))
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
        await until(lambda: len(calls) >= 3)
    assert in_order(desk.read, 100) == [1, 2, 3, 4, 5]
    assert await mark(store) == 5


async def test_somebody_who_mended_it_does_not_wait(store: Store) -> None:
    slow = FeedRules(whole=True, confirm=0.01, pauses=Pauses(600, 1, 600))
    desk = Desk(down=PartnerUnreachable("gone"))
    await log(store, 1)
    async with running(store, desk, slow) as feed:
        await until(lambda: desk.calls == 1)
        desk.down = None
        await asyncio.sleep(0.05)
        feed.wake()
        await desk.until(lambda: desk.read == [1])

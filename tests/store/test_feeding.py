"""How far repositories have the audit log: kept with the log, never taken back."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from connector.store import FeedMark, Lag, Store
from tests.store.site import NOW, draft, open_store, rows

SECOND = dt.timedelta(seconds=1)


async def _logged(store: Store, count: int) -> None:
    await store.record([draft(number=number) for number in range(count)])


async def test_a_new_feed_begins_at_the_beginning_or_behind_the_last_entry(store: Store) -> None:
    await _logged(store, 3)
    assert await store.begin_feed("whole", NOW, whole=True) == FeedMark("whole", 0, NOW)
    assert await store.begin_feed("new", NOW, whole=False) == FeedMark("new", 3, NOW)


async def test_a_feed_goes_on_where_it_was_after_a_restart(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    await _logged(store, 3)
    await store.begin_feed("arr", NOW, whole=True)
    await store.advance_feed("arr", 2, NOW + SECOND)
    await store.close()
    again = open_store(tmp_path)
    mark = FeedMark("arr", 2, NOW + SECOND)
    assert await again.begin_feed("arr", NOW + 2 * SECOND, whole=False) == mark
    assert await again.feed("arr") == mark
    assert await again.feed("other") is None
    await again.close()


async def test_a_mark_is_never_taken_back(store: Store) -> None:
    await _logged(store, 3)
    await store.begin_feed("arr", NOW, whole=True)
    await store.advance_feed("arr", 3, NOW)
    await store.advance_feed("arr", 1, NOW + SECOND)
    assert await store.feed("arr") == FeedMark("arr", 3, NOW)


async def test_why_nothing_moves_stands_there_with_its_entry_or_not_at_all(
    tmp_path: Path, store: Store
) -> None:
    await store.begin_feed("arr", NOW, whole=True)
    await store.mark_feed("arr", "PartnerUnreachable", NOW, [draft()])
    assert await store.feed("arr") == FeedMark("arr", 0, NOW, "PartnerUnreachable", NOW)
    assert len(rows(tmp_path, "SELECT 1 FROM audit_entry")) == 1
    await store.mark_feed("arr", "", None)
    assert await store.feed("arr") == FeedMark("arr", 0, NOW)


async def test_entries_are_read_in_order_and_in_parts(store: Store) -> None:
    await _logged(store, 5)
    assert [one.seq for one in await store.logged(0, 3)] == [1, 2, 3]
    found = await store.logged(3, 3)
    assert [one.seq for one in found] == [4, 5]
    assert '"number":4' in found[1].entry
    assert len(found[1].hash) == 32
    assert await store.logged(5, 3) == []
    assert await store.log_length() == 5


async def test_what_a_repository_does_not_have_is_counted_and_dated(store: Store) -> None:
    assert await store.lag(0) == Lag(0)
    await _logged(store, 5)
    lag = await store.lag(2)
    assert (lag.entries, lag.oldest) == (3, dt.datetime.fromisoformat(draft().time))
    assert lag.seconds(lag.oldest + SECOND) == 1
    assert lag.seconds(lag.oldest - SECOND) == 0
    assert await store.lag(5) == Lag(0)

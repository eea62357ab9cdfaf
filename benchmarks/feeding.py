"""Feeds of the audit log: how fast a repository catches up, and for how long that holds the event loop."""

from __future__ import annotations

import asyncio
import datetime as dt
import tempfile
from dataclasses import replace
from pathlib import Path
from time import perf_counter, process_time
from typing import Final

from audit import Draft, syslog
from audit.parties import Source
from benchmarks.report import Row, Say
from connector.edges.syslog_repository import SyslogPlace, SyslogRepository
from connector.pipeline.feeding import Feed, FeedRules
from connector.profile.audit_feed import SyslogFeed
from connector.store import Store
from connector.wiring.feeds import message_of
from tests.audit.samples import log
from tests.edges.syslog_site import Receiver
from tests.store.site import open_store

QUICK: Final = 2_000  # entries
HELD: Final = 25.0  # milliseconds of processor time that an acknowledgment may wait for a feed
_TICK: Final = 0.001
_SOURCE: Final = Source("bench.example", "connector.bench.example")


class Sink(Receiver):
    """Reads and forgets."""

    def took(self, message: bytes) -> None:
        """Nothing is kept."""


def run(say: Say, *, quick: bool = False) -> list[Row]:
    """The receiver runs in this process too, so both ends count."""
    with tempfile.TemporaryDirectory() as folder:
        say("feed: a repository catches up over syslog")
        return asyncio.run(_measured(Path(folder), QUICK if quick else 20_000))


async def _measured(folder: Path, count: int) -> list[Row]:
    (folder / "repository").mkdir()
    store = open_store(folder)
    await _filled(store, count)
    async with Sink(folder / "repository").running() as site:
        chosen = SyslogFeed(name="bench", host="localhost", port=site.port)
        fast = FeedRules(whole=True, rate=1e9)
        rate, _ = await _caught_up(store, site, chosen, fast)
        pace = chosen.per_second
        usual, held = await _caught_up(store, site, chosen, replace(fast, rate=pace), "paced")
    await store.close()
    caught = Row(
        "feed",
        "entries over syslog with mutual TLS, to read",
        f"{rate:,.0f} /s",
        "",
        f">= {pace:,} /s",
        rate >= pace,
    )
    what = f"processor time between two turns of the event loop, at most, while {usual:,.0f} /s go"
    return [caught, Row("feed", what, f"{held:.1f} ms", "", f"<= {HELD:.0f} ms", held <= HELD)]


async def _filled(store: Store, count: int) -> None:
    fields = ("time", "tag", "actor", "object", "outcome", "reason", "correlation")
    drafts = [Draft(*(one[name] for name in fields)) for one in log(count)]
    for at in range(0, len(drafts), 500):
        await store.record(drafts[at : at + 500])


async def _caught_up(
    store: Store, site: Receiver, chosen: SyslogFeed, rules: FeedRules, name: str = "fast"
) -> tuple[float, float]:
    """Entries a second, and the most that was done between two turns, in milliseconds."""
    place = SyslogPlace(chosen.host, chosen.port)
    repository = SyslogRepository(place, site.context, message_of(chosen, lambda: _SOURCE), syslog.frame)
    feed = Feed(name, store, repository, rules, lambda: dt.datetime.now(dt.UTC), lambda: 1.0)
    await feed.begin()
    length, longest = await store.log_length(), 0.0
    begun = perf_counter()
    task = asyncio.create_task(feed.run())
    while feed.mark < length - rules.window:
        before = process_time()  # of all threads, the receiver's too: what else the machine does is left out
        await asyncio.sleep(_TICK)
        longest = max(longest, process_time() - before)
    rate = feed.mark / (perf_counter() - begun)
    feed.end()
    await task
    return rate, longest * 1000

"""A feed over a network that cuts connections anywhere: everything arrives, in order, within the window."""

from __future__ import annotations

import asyncio
import datetime as dt
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

from audit import syslog
from connector.edges.syslog_repository import SyslogManners, SyslogPlace, SyslogRepository
from connector.pipeline.breaker import Pauses
from connector.pipeline.feeding import Feed, FeedRules
from tests.edges.syslog_site import Receiver, in_order, write
from tests.faults.proxy import Cut, Faults, Proxy
from tests.store.site import draft, open_store

WINDOW = 12
RULES = FeedRules(True, WINDOW, 0.01, 5, rate=1e6, alarm=600, pauses=Pauses(0.001, 1.0, 0.001))
MANNERS = SyslogManners(connect=1, write=1, goodbye=1)
CUTS = 60


def cuts(chance: random.Random) -> Iterator[Faults]:
    """In the handshake, among messages, in the goodbye, of either direction, in every way."""
    for number in range(CUTS):
        how: Literal["reset", "close", "silence"] = chance.choice(("reset", "close"))
        how = "silence" if number % 30 == 29 else how
        at = Cut(chance.choice((0, 300, 1_500, 2_000, chance.randrange(12_000))), how)
        yield Faults(up=at) if chance.random() < 0.7 else Faults(down=Cut(at.after % 2_600, how))


@pytest.mark.parametrize("seed", [1, 2])
async def test_everything_arrives_however_often_the_connection_is_cut(tmp_path: Path, seed: int) -> None:
    (tmp_path / "repository").mkdir()
    store = open_store(tmp_path)
    await store.record([draft() for _ in range(150)])
    async with (
        Receiver(tmp_path / "repository").running() as site,
        Proxy(site.port).running() as proxy,
    ):
        proxy.plan.extend(cuts(random.Random(seed)))
        place = SyslogPlace("localhost", proxy.port)
        repository = SyslogRepository(place, site.context, write, syslog.frame, MANNERS)
        feed = Feed("arr", store, repository, RULES, lambda: dt.datetime.now(dt.UTC), lambda: 1.0)
        await feed.begin()
        task = asyncio.create_task(feed.run())
        async with asyncio.timeout(60):
            while feed.mark < 150 or proxy.plan:
                await asyncio.sleep(0.01)
                if feed.mark >= await store.log_length() and proxy.plan:
                    await store.record([draft() for _ in range(20)])
        feed.end()
        await task
        length = await store.log_length()
        assert in_order(site.seen, WINDOW) == list(range(1, length + 1))
        assert len(site.seen) > length  # some came twice, for nobody knew
    await store.close()

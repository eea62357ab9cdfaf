"""Writes an audit log and feeds a repository with it: a process to be killed.

``feeder FOLDER PORT SPEED``: entries go into the log of the store in FOLDER without rest, each with a number
that grows, and over syslog to PORT. With SPEED 0 nothing new is written, and it ends when all is delivered.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import random
import sys
from pathlib import Path

from audit import syslog
from connector.edges.syslog_repository import SyslogManners, SyslogPlace, SyslogRepository
from connector.edges.tls import TlsFiles, client_context
from connector.pipeline.breaker import Pauses
from connector.pipeline.feeding import Feed, FeedRules
from tests.edges.syslog_site import write
from tests.store.site import draft, open_store

WINDOW = 40
RULES = FeedRules(True, WINDOW, 0.05, 8, rate=2000, alarm=0.2, pauses=Pauses(0.02, 1.5, 0.2))


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


async def feed(folder: Path, port: int, speed: float) -> None:
    files = TlsFiles(*(folder / f"connector.{end}" for end in ("pem", "key")), folder / "ca.pem")
    place = SyslogPlace("localhost", port)
    manners = SyslogManners(connect=2, write=1, goodbye=1, dead=2)
    repository = SyslogRepository(place, client_context(files), write, syslog.frame, manners)
    store = open_store(folder)
    made = Feed("arr", store, repository, RULES, now, random.random)
    await made.begin()
    feeding = asyncio.create_task(made.run())
    while speed:
        await store.record([draft() for _ in range(random.randrange(1, 4))])
        await asyncio.sleep(random.random() / speed)
    while made.mark < await store.log_length() or made.state():  # noqa: ASYNC110 - it is on the disk
        await asyncio.sleep(0.02)
    made.end()
    await feeding
    await store.close()


if __name__ == "__main__":
    asyncio.run(feed(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
